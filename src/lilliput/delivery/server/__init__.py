"""Serving: classifiers behind a small HTTP interface and one web page.

Nothing here knows PyTorch; a run or an ensemble is exported first.

    run.py        opens what is to be served, listens, and leaves when it is told to, all accepted requests answered
    door.py       who still comes in when it leaves
    opening.py    a run, an ensemble or an ONNX file as a session of ONNX Runtime
    app.py        the routes
    replies.py    what the routes answer, for people who read the OpenAPI page
    page.py       the page and the pictures to try
    guard.py      before and around every route: host names, headers, counts
    body.py       what is sent, read with a limit and a deadline
    memory.py     how much of it is kept at once
    desk.py       the threads that work, and the queue before them
    looking.py    pictures to answers, and which places of a picture they rest on
    counts.py     what /metrics tells
    protocol.py   deadlines for clients who are slow before their request is known
    limits.py     every number that bounds a stranger
    refusal.py    a request that is not answered, and why
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lilliput.delivery.ready import READY
from lilliput.errors import MissingExtraError


def serve(
    classifier: str | Path = READY,
    other: str | Path | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    allow_hosts: Sequence[str] = (),
) -> None:
    """Serve ``classifier``, and ``other`` beside it, over HTTP with a page to try them, until Ctrl-C or SIGTERM.

    Each is a run, an ensemble, an .onnx file of one, or a file of weights; without any, the network that comes
    along is served. Where it listens is printed on stderr; port 0 takes a free one. ``allow_hosts`` are further names
    by which the server may be called. Its limits are those of ``lilliput serve``, see docs/serve.md.

    Raises: LilliputError, among them MissingExtraError without fastapi, uvicorn and onnxruntime.
    """
    require_serving()
    import sys

    from lilliput.data.decoding import cores
    from lilliput.delivery.server.limits import Limits
    from lilliput.delivery.server.run import serve as serve_paths

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    serve_paths(
        [Path(classifier)] if other is None else [Path(classifier), Path(other)],
        host=host,
        port=port,
        hosts=allow_hosts,
        limits=Limits(workers=cores()),
        say=say,
        ready=lambda where: say(f"serving at {where.url}"),
    )


def require_serving() -> None:
    """Raises: MissingExtraError where a package that serving needs is not installed."""
    try:
        import fastapi
        import onnxruntime
        import python_multipart
        import uvicorn

        del fastapi, onnxruntime, python_multipart, uvicorn
    except ImportError as error:
        raise MissingExtraError("serving", "serve") from error
