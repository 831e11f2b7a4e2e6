"""What commands say, and where: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import math
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Flag = Annotated[bool, Parameter(negative=(), show_default=False)]
Words = Annotated[list[str], Parameter(consume_multiple=True, negative=())]
Json = Annotated[Flag, Parameter(help="Print one JSON object and nothing else.")]


def answer(text: str, facts: Mapping[str, object], *, as_json: bool) -> None:
    """A command's result: the text for people, or the facts as one JSON object."""
    print(json.dumps(_finite(facts), allow_nan=False) if as_json else text)


def _finite(value: object) -> object:
    # JSON has no nan and no infinity; what was not measured is null there.
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def program() -> str:
    """How to call this program from here: by its name, or by its path where the shell does not know the name."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{Path(sys.executable).name} -m lilliput"
    if shutil.which("lilliput") or called.name != "lilliput":
        return "lilliput"
    near = called.is_absolute() and called.is_relative_to(Path.cwd())
    return shlex.quote(str(called.relative_to(Path.cwd()) if near else called))


def note(text: str = "") -> None:
    """Anything that is not the result."""
    print(text, file=sys.stderr, flush=True)


def is_terminal() -> bool:
    """Whether a person is watching the messages."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def bold(text: str) -> str:
    """Emphasis in a result, where colours are welcome."""
    is_plain = (
        "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty()
    )
    return text if is_plain else f"\033[1m{text}\033[0m"


def table(rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), indent: str = "") -> str:
    """Rows of text with aligned columns; the columns numbered in ``right`` are flush right."""
    if not rows:
        return ""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        (
            indent
            + "  ".join(
                cell.rjust(width) if i in right else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
        ).rstrip()
        for row in rows
    )


def printable(text: str) -> str:
    """A name from outside on one line: line breaks, control characters and the like as ``\\n``, ``\\x1b``."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def duration(seconds: float) -> str:
    """A time people can read: ``8.1 s``, ``2 min 05 s``, ``3 h 20 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def percent(fraction: float) -> str:
    """A share, as the paper prints it."""
    return f"{100 * fraction:.1f} %"


def _say_once(text: str) -> Callable[[int, int], None]:
    # Only when there is something to do: opening what is prepared already is not worth a line.
    said: list[str] = []

    def show(done: int, total: int) -> None:
        if not said:
            said.append(text)
            note(text)

    return show


@contextmanager
def progress(title: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """A bar with rate and time left while the block runs; one line where nobody is watching.

    The block calls what it is given with (done, total).
    """
    if not is_terminal():
        yield _say_once(f"{title} ...")
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = [
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    ]
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, rate="")

        def show(done: int, total: int) -> None:
            speed = bar.tasks[0].speed
            rate = f"{speed:,.0f} {unit}/s" if speed else ""
            bar.update(task, completed=done, total=total, rate=rate)

        yield show
