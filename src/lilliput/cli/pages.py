"""The help pages as text, rendered from the commands' signatures and docstrings."""

from __future__ import annotations

import io

from lilliput.cli.app import COMMANDS, build_app

WIDTH = 96


def render_pages() -> dict[str, str]:
    """Every page by command name; "lilliput" is the page of all commands."""
    return {"lilliput": _render([])} | {name: _render([name]) for name in COMMANDS}


def render_reference() -> str:
    """All pages as one Markdown document, ``docs/cli.md``."""
    parts = [
        "# The command line",
        "Written by `scripts/help_pages.py` from the code; do not edit by hand.",
    ]
    for name, page in render_pages().items():
        title = "lilliput" if name == "lilliput" else f"lilliput {name}"
        parts.append(f"## {title}\n\n```text\n{page}```")
    return "\n\n".join(parts) + "\n"


def _render(words: list[str]) -> str:
    from cyclopts.help import DefaultFormatter, PanelSpec
    from rich import box
    from rich.console import Console

    app = build_app()
    # Lines only above and below: pages are read in narrow windows and pasted into issues.
    app.help_formatter = DefaultFormatter(panel_spec=PanelSpec(box=box.HORIZONTALS))
    for name in COMMANDS:
        app[name]  # loads the command, whose first docstring line the list of commands shows
    stream = io.StringIO()
    console = Console(file=stream, width=WIDTH, color_system=None, force_terminal=False)
    app.help_print(words, console=console)
    lines = stream.getvalue().rstrip().splitlines()
    return "\n".join(line.rstrip() for line in lines) + "\n"
