"""Errors become one clear block, the right exit code and, on request, JSON."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from typing import Any, NoReturn

import pytest

from lilliput.cli import main
from lilliput.errors import Interrupted, LilliputError, RecipeError


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes `lilliput models` fail with the given error."""

    def install(error: BaseException) -> None:
        def models(*, json: bool = False) -> NoReturn:
            raise error

        monkeypatch.setattr("lilliput.cli.models.models", models)

    return install


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trian"], 'did you mean "train"?'),
        (["train", "m1", "--dta", "x"], "did you mean --data?"),
        (["train", "--resum", "m1", "--data", "x"], "did you mean --resume?"),
        (["train"], "lilliput train needs RECIPE"),
        (["train", "m1"], "lilliput train needs --data"),
        (["evaluate"], "lilliput evaluate --help"),
        (["models", "--size", "big"], 'unable to convert "big" into int'),
        (["--bogus"], "lilliput --help"),
        (["models", "m5"], "known: m1, m2, m3, m4"),
    ],
)
def test_wrong_use_is_answered_with_the_nearest_right_one(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert out == ""
    assert "Traceback" not in err


def test_the_message_comes_first_and_the_hint_second(
    failing: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(LilliputError("the bowl is empty", "fill it"))
    assert main(["models"]) == 1
    assert capsys.readouterr().err == "error: the bowl is empty\nhint: fill it\n"


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (LilliputError("no"), 1, "LilliputError"),
        (RecipeError("no"), 2, "RecipeError"),
        (Interrupted("no"), 130, "Interrupted"),
        (KeyboardInterrupt(), 130, "Interrupted"),
        (MemoryError(), 1, "LilliputError"),
        (OSError(errno.ENOSPC, "No space left on device", "/full/disk"), 1, "LilliputError"),
        (RuntimeError("[enforce fail] can't allocate memory: you tried"), 1, "LilliputError"),
        (ZeroDivisionError("a bug"), 1, "LilliputError"),
    ],
)
def test_every_error_has_a_code_and_one_json_object(
    error: BaseException, code: int, kind: str, failing: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(error)
    assert main(["models", "--json"]) == code
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["kind"] == kind
    assert err


def test_a_full_disk_is_named(failing: Any, capsys: pytest.CaptureFixture[str]) -> None:
    failing(OSError(errno.ENOSPC, "No space left on device", "/full/disk"))
    main(["models"])
    err = capsys.readouterr().err
    assert "/full/disk: No space left on device" in err
    assert "Traceback" not in err


def test_a_bug_keeps_its_traceback_and_asks_for_a_report(
    failing: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(ZeroDivisionError("a bug"))
    assert main(["models"]) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "please report" in err


def test_a_wrong_use_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--json"]) == 2
    facts = json.loads(capsys.readouterr().out)["error"]
    assert facts["kind"] == "UsageError"
    assert facts["hint"] == "lilliput evaluate --help"


@pytest.mark.skipif(os.name == "nt", reason="pipes break differently there")
def test_a_reader_who_leaves_is_no_error() -> None:
    command = [sys.executable, "-m", "lilliput", "models", "m4", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout and process.stderr
    process.stdout.close()
    said = process.stderr.read().decode()
    process.stderr.close()
    process.wait()
    assert "Traceback" not in said and "BrokenPipe" not in said
