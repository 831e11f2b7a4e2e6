"""``serve`` as it is typed wrongly; how it serves is told in tests/delivery/server."""

from __future__ import annotations

import builtins
import json

import pytest

from lilliput.cli import main


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["a.onnx", "--workers", "-1"], "--workers -1"),
        (["a.onnx", "--queue", "-1"], "--queue -1"),
        (["a.onnx", "--body-seconds", "nan"], "--body-seconds nan"),
        (["a.onnx", "--port", "70000"], "70000"),
        (["a.onnx", "b.onnx", "c.onnx"], "c.onnx"),
    ],
)
def test_what_is_asked_wrongly_is_one_message(words, problem, capsys):
    for name in ("fastapi", "uvicorn", "python_multipart", "onnxruntime"):
        pytest.importorskip(name)
    assert main(["serve", *words]) == 2
    assert problem in capsys.readouterr().err


def test_a_file_that_is_not_there_is_one_message(capsys):
    for name in ("fastapi", "uvicorn", "python_multipart", "onnxruntime"):
        pytest.importorskip(name)
    assert main(["serve", "none.onnx", "--port", "0", "--json"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["error"]["kind"] == "RunError"
    assert "Traceback" not in printed.err


def test_without_its_parts_it_says_how_to_get_them(monkeypatch, capsys):
    real = builtins.__import__

    def without(name, *rest):
        if name == "fastapi":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert main(["serve", "none.onnx"]) == 1
    assert "hint: scripts/setup serve" in capsys.readouterr().err
