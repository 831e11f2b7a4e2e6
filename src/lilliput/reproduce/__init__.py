"""The whole paper, made again: every table, every figure and every claim, ours beside theirs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lilliput.data.pack import Pack
    from lilliput.reproduce.conclusion import Conclusion

REPRODUCTIONS = Path("reproductions")


def run_reproduction(
    data: str | Path | Pack,
    *,
    scale: str = "quick",
    to: str | Path | None = None,
    device: str = "auto",
) -> Conclusion:
    """Do every step that is not done yet and write the page: ``lilliput reproduce`` without its words.

    Without ``to`` the folder is ``reproductions/SCALE``. Raises: LilliputError.
    """
    from lilliput.data.prepare import open_data
    from lilliput.reproduce.conclusion import conclude
    from lilliput.reproduce.page import write_conclusion
    from lilliput.reproduce.scales import scale_named
    from lilliput.reproduce.steps import reproduce_steps
    from lilliput.reproduce.work import Work

    chosen = scale_named(scale)
    work = Work(Path(to) if to else REPRODUCTIONS / scale, open_data(data), chosen, device)
    for _ in reproduce_steps(work):
        pass
    conclusion = conclude(work)
    write_conclusion(conclusion)
    return conclusion
