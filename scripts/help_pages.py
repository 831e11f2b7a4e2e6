"""Writes the help pages and docs/cli.md anew, after a command has changed."""

from __future__ import annotations

from pathlib import Path

from lilliput.cli import PAGES
from lilliput.cli.pages import render_pages, render_reference

if __name__ == "__main__":
    PAGES.mkdir(exist_ok=True)
    pages = render_pages()
    for stale in {path.stem for path in PAGES.glob("*.txt")} - set(pages):
        (PAGES / f"{stale}.txt").unlink()
    for name, page in pages.items():
        (PAGES / f"{name}.txt").write_text(page, encoding="utf-8")
    reference = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
    reference.write_text(render_reference(), encoding="utf-8")
