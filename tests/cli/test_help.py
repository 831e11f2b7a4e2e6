"""Help and version are answered at once, from pages that say what the code says."""

from __future__ import annotations

from pathlib import Path

import pytest

import lilliput
from lilliput.cli import PAGES, help_page, main
from lilliput.cli.app import COMMANDS
from lilliput.cli.pages import render_pages, render_reference

DOCS = Path(__file__).parents[2] / "docs"


def test_pages_are_fresh() -> None:
    stored = {path.stem: path.read_text(encoding="utf-8") for path in PAGES.glob("*.txt")}
    assert stored == render_pages(), "a command has changed: run scripts/check --fix"


def test_reference_is_fresh() -> None:
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == render_reference()


def test_the_first_page_lists_every_command_with_its_purpose() -> None:
    page = (PAGES / "lilliput.txt").read_text(encoding="utf-8")
    for command in COMMANDS:
        assert any(len(line.split()) > 3 for line in page.splitlines() if f"  {command} " in line)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_json(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    page = capsys.readouterr().out
    assert page.startswith(f"Usage: lilliput {command}")
    assert "--json" in page


def test_no_words_show_the_first_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("Usage: lilliput COMMAND")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{lilliput.__version__}\n"


@pytest.mark.parametrize(
    "words", [["train", "--", "--help"], ["../pages/train", "-h"], ["bogus", "-h"]]
)
def test_other_words_are_left_to_the_parser(words: list[str]) -> None:
    assert help_page(words) is None
