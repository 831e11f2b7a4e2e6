"""The command ``serve``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lilliput.cli.console import Json, Words, answer, bold, note, printable
from lilliput.delivery.ready import READY
from lilliput.errors import UsageError

if TYPE_CHECKING:
    from lilliput.delivery.server.run import Listening


def serve(
    classifier: Path = Path(READY),
    other: Path | None = None,
    /,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    allow_host: Words | None = None,
    workers: int = 0,
    queue: int = 64,
    body_seconds: float = 20.0,
    json: Json = False,
) -> None:
    """Answer over HTTP what pictures show, and open a page to try it: one classifier, or two side by side.

    Answers come from ONNX Runtime, on the processor. An .onnx file is served as it is; all else is exported when the
    server starts. Ctrl-C or SIGTERM ends it, after all accepted requests have been answered.
    Needs fastapi, uvicorn and onnxruntime: scripts/setup serve; for all but .onnx files also scripts/setup export.

    Parameters
    ----------
    classifier
        A run, an ensemble, an .onnx file of one, or a file of weights. Left out, the network that comes along answers,
        which tells the 200 classes of Tiny ImageNet apart.
    other
        A second one, to be compared with the first.
    host
        Where to listen. Anything but 127.0.0.1 lets other machines ask: there is no password.
    port
        The port to listen at; 0 takes a free one.
    allow_host
        Further names by which the server may be called, such as `pictures.example.org`.
    workers
        How many requests are computed at once, each in a thread; 0 is one per core.
    queue
        How many more may wait; the next are told to come again.
    body_seconds
        How long a picture may take to arrive.
    """
    from lilliput.delivery.server import require_serving

    _check(workers, queue, body_seconds)
    require_serving()
    from lilliput.data.decoding import cores
    from lilliput.delivery.server import run
    from lilliput.delivery.server.guard import LOOPBACK
    from lilliput.delivery.server.limits import Limits

    limits = Limits(workers=workers or cores(), queue=queue, body_seconds=body_seconds)
    if host not in LOOPBACK:
        note(
            f"{printable(host)} can be reached by other machines, and there is no password; "
            "names they call it by are given with --allow-host"
        )

    def ready(where: Listening) -> None:
        answer(_describe(where), _facts(where), as_json=json)
        sys.stdout.flush()

    unanswered = run.serve(
        [classifier] if other is None else [classifier, other],
        host=host,
        port=port,
        hosts=allow_host or [],
        limits=limits,
        say=note,
        ready=ready,
    )
    if unanswered:
        note(f"stopped: accepted requests that were not answered: {unanswered}")
    else:
        note("stopped: all accepted requests were answered")


def _check(workers: int, queue: int, body_seconds: float) -> None:
    """Raises: UsageError."""
    if workers < 0:
        raise UsageError(f"--workers {workers}: a number of threads", "0 is one per core")
    if queue < 0:
        raise UsageError(f"--queue {queue}: a number of requests", "--queue 64")
    if not 0 < body_seconds < float("inf"):
        raise UsageError(f"--body-seconds {body_seconds}: a time above 0", "--body-seconds 20")


def _describe(where: Listening) -> str:
    served = " and ".join(printable(one.name) for one in where.served)
    return f"{bold(where.url)} serves {served}; Ctrl-C ends it"


def _facts(where: Listening) -> dict[str, object]:
    facts = [
        {"name": one.name, "classes": len(one.description.classes), "size": one.classifier.size}
        for one in where.served
    ]
    return {"url": where.url, "classifiers": facts}
