"""The command line: arguments in, text out. The only floor that prints or reads the arguments.

``--help`` and ``--version`` are answered from here, from pages written beforehand (``scripts/help_pages.py``; a test
keeps them fresh): the argument parser alone takes longer to load than a person likes to wait for a help text.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import lilliput

PAGES = Path(__file__).with_name("pages")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 1 failed, 2 asked wrongly, 130 and 143 interrupted."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _open_streams()
    _let_sigterm_clean_up()
    try:
        code = _answer(words)
        sys.stdout.flush()
    except OSError as error:
        # Whoever read our output has gone (`lilliput models | head -1`), or the disk it went to is full. What is still
        # unwritten must go somewhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            print(f"error: cannot write the answer: {error.strerror}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped: interrupted", file=sys.stderr)
        return 130
    return code


def _open_streams() -> None:
    """Let output be written wherever it goes: a closed stream is no stream, and what it cannot spell is escaped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for the process's life
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _let_sigterm_clean_up() -> None:
    """Leave by an exception, so that what is half-written goes; training, which saves first, sets its own handler."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def _answer(words: list[str]) -> int:
    if (page := help_page(words)) is not None:
        print(page, end="")
        return 0
    if words == ["--version"]:
        print(lilliput.__version__)
        return 0
    from lilliput.cli.app import run

    return run(words)


def help_page(words: Sequence[str]) -> str | None:
    """The page these words ask for, if they ask for one."""
    options = words[: words.index("--")] if "--" in words else words
    if words and not {"--help", "-h"} & set(options):
        return None
    command = next((word for word in options if not word.startswith("-")), "lilliput")
    page = PAGES / f"{command}.txt"
    is_known = command == Path(command).name and page.is_file()
    return page.read_text(encoding="utf-8") if is_known else None
