"""The command ``reproduce``: the whole paper again."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

from lilliput.cli.console import Json, answer, bold, duration, note, table
from lilliput.cli.data import open_pack
from lilliput.cli.watch_all import watch_all
from lilliput.errors import Interrupted
from lilliput.reproduce import REPRODUCTIONS


def reproduce(
    *,
    data: str,
    scale: str = "quick",
    to: Path | None = None,
    device: str = "auto",
    json: Json = False,
) -> None:
    """Make every table and figure of the paper again, and hold each of its claims against ours.

    Ends in one page, reproduction.html, with the paper's number, ours, its interval and the verdict for every claim.
    Every step can be stopped; the same command goes on where it stopped, and what is done is not done again.

    Parameters
    ----------
    data
        A pack, a zip, a folder, a Parquet file, `tiny-imagenet` or `toy`.
    scale
        quick: every row and figure, small budgets (measured: 18 minutes on two cores, fp32); short: for a GPU, enough
        training for most verdicts; full: the paper's own lengths, for a GPU. Neither of these two was measured yet.
    to
        The folder of the reproduction; reproductions/SCALE if none is named.
    device
        auto, cpu, cuda, cuda:1, mps.
    """
    from lilliput.reproduce.scales import scale_named

    started = time.monotonic()
    chosen = scale_named(scale)
    pack = open_pack(data)
    from lilliput.reproduce.conclusion import conclude, facts  # here: PyTorch takes seconds to load
    from lilliput.reproduce.page import write_conclusion
    from lilliput.reproduce.steps import reproduce_steps
    from lilliput.reproduce.work import Work

    work = Work(to or REPRODUCTIONS / scale, pack, chosen, device)
    note(f"reproducing the paper into {work.folder}, scale {scale}: {chosen.purpose}")
    stop = watch_all(reproduce_steps(work))
    conclusion = conclude(work)
    page = write_conclusion(conclusion)
    if stop:
        words = [
            "lilliput",
            "reproduce",
            "--data",
            data,
            "--scale",
            scale,
            "--to",
            str(work.folder),
        ]
        error = Interrupted(
            f"what there is so far stands in {page}", f"to go on: {shlex.join(words)}"
        )
        error.exit_code = stop.exit_code
        raise error
    seconds = time.monotonic() - started
    text = [
        bold(f"{conclusion.lead}."),
        "",
        table([[verdict, str(n)] for verdict, n in conclusion.counts.items()], right=(1,)),
        "",
        f"the page  {page}  (open it in a browser; reproduction.json and .md beside it)",
        f"this sitting took {duration(seconds)}",
    ]
    told = facts(conclusion) | {"page": str(page), "seconds": seconds}
    answer("\n".join(text), told, as_json=json)
