from __future__ import annotations

import json
from pathlib import Path

import pytest

from lilliput.cli import console


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (8.14, "8.1 s"),
        (59.94, "59.9 s"),
        (125, "2 min 05 s"),
        (12_000, "3 h 20 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert console.duration(seconds) == text


def test_table_aligns() -> None:
    rows = [["a", "1"], ["long", "1,000"]]
    assert console.table(rows, right=(1,)) == "a         1\nlong  1,000"


def test_table_has_no_trailing_blanks() -> None:
    assert console.table([["a", ""], ["b", "long"]]) == "a\nb  long"


def test_a_name_is_one_printable_line() -> None:
    assert console.printable("caf\u00e9 [b]") == "caf\u00e9 [b]"
    assert console.printable("a\nb\x1b\u202e\udcff") == r"a\nb\x1b\u202e\udcff"


def test_an_answer_is_text_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    console.answer("two", {"n": 2}, as_json=False)
    assert capsys.readouterr().out == "two\n"
    console.answer("two", {"n": 2, "loss": float("nan"), "rest": [float("inf"), "é"]}, as_json=True)
    out = capsys.readouterr().out
    assert json.loads(out) == {"n": 2, "loss": None, "rest": [None, "é"]}
    assert out.count("\n") == 1


def test_bold_only_where_colours_are_welcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert console.bold("x") == "\033[1mx\033[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert console.bold("x") == "x"


def test_progress_is_one_line_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with console.progress("preparing", "images") as show:
        show(1, 2)
        show(2, 2)
    assert capsys.readouterr().err == "preparing ...\n"


def test_progress_on_a_terminal_takes_every_update(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(console, "is_terminal", lambda: True)
    with console.progress("preparing", "images") as show:
        for done in range(3):
            show(done, 2)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("called", "known", "expected"),
    [
        ("/somewhere/bin/lilliput", True, "lilliput"),
        ("/somewhere/bin/lilliput", False, "/somewhere/bin/lilliput"),
        ("CWD/.venv/bin/lilliput", False, ".venv/bin/lilliput"),
        (".venv/bin/lilliput", False, ".venv/bin/lilliput"),
        ("/somewhere/bin/pytest", False, "lilliput"),
    ],
)
def test_program_is_what_a_shell_understands_here(
    called: str, known: bool, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", [called.replace("CWD", str(tmp_path))])
    monkeypatch.setattr("shutil.which", lambda name: "/bin/lilliput" if known else None)
    assert console.program() == expected


def test_program_run_as_a_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/x/lilliput/__main__.py"])
    monkeypatch.setattr("sys.executable", "/x/bin/python3")
    assert console.program() == "python3 -m lilliput"
