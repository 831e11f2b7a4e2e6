"""``export`` as it is typed."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from PIL import Image

import lilliput
from lilliput.cli import main
from lilliput.data.decode import decode
from lilliput.data.pack import Pack
from lilliput.delivery import check
from lilliput.delivery.sessions import open_session
from lilliput.experiment import run_experiment
from lilliput.recipe import load_recipe
from lilliput.results.run import Run

DOCUMENT = Path(__file__).parents[2] / "docs" / "export.md"


@pytest.fixture(scope="module")
def run(tiny_pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A network trained on the tiny pack for one epoch."""
    changes = [
        'model.plan="ConvReLU(F3-4) -> MaxPool -> FC(4)"',
        "model.dropout=0",
        "training.epochs=1",
        "training.batch_images=16",
        "training.precision=fp32",
        "training.memory_format=channels_last",
    ]
    folder = tmp_path_factory.mktemp("exported") / "m1-1"
    return run_experiment(load_recipe("m1", changes), tiny_pack, folder, device="cpu")


def test_a_run_becomes_a_file_here(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(run.path), "--to", "pt2"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("m1-1.pt2: ")
    assert "checked on 16 val images: the class is the same for 100.00 %" in said
    assert open_session("m1-1.pt2").classes == run.classes
    assert main(["export", str(run.path), "--to", "pt2"]) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["export", str(run.path), "--to", "pt2", "--force", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["file"], facts["format"], facts["precision"]) == ("m1-1.pt2", "pt2", "fp32")
    assert (facts["classes"], facts["image_size"], facts["views"]) == (4, [16, 16], ["plain"])
    assert facts["bytes"] == Path("m1-1.pt2").stat().st_size
    assert facts["check"]["images"] == 16
    assert facts["check"]["largest_difference"] < 1e-5


def test_what_less_precision_costs_is_said(
    run: Run, tiny_pack: Pack, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime")
    words = ["export", str(run.path), "--to", "onnx", "--precision", "int8"]
    assert main([*words, "--data", str(tiny_pack.path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("m1-1-int8.onnx: ")
    assert re.search(r"top-1 is \d+\.\d\d % instead of \d+\.\d\d %: [+-]\d\.\d\d points", said)


def test_noise_is_named_where_the_pack_is_gone(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", str(run.weights_path.parent), "--to", "safetensors"]
    environment = run.environment
    try:
        gone = {**environment["data"], "path": str(tmp_path / "gone")}
        run.save_environment({**environment, "data": gone})
        assert main(words) == 0
        said = capsys.readouterr().out
        assert "checked on 256 random images" in said and "--data PACK" in said
        assert main(["export", str(run.path), "--to", "onnx", "--precision", "int8"]) == 2
        assert "--data PACK_OR_SOURCE" in capsys.readouterr().err
    finally:
        run.save_environment(environment)


def test_a_file_that_disagrees_is_an_error_and_no_file(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "TOLERANCE", -1)
    assert main(["export", str(run.path), "--to", "safetensors", "--json"]) == 1
    captured = capsys.readouterr()
    assert "does not say what the classifier says" in captured.err
    assert json.loads(captured.out)["error"]["kind"] == "LilliputError"
    assert list(Path().glob("*.safetensors*")) == []


def test_what_cannot_be_is_one_message(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(run.path), "--to", "onxn"]) == 2
    assert "did you mean 'onnx'?" in capsys.readouterr().err
    assert main(["export", str(run.path)]) == 2
    assert main(["export", str(run.path), "--to", "pt2", "--out", "there.onnx"]) == 2
    assert main(["export", "nowhere", "--to", "pt2"]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_without_the_extra_it_is_named(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert main(["export", str(run.path), "--to", "onnx"]) == 1
    assert "needs the optional part 'export'" in capsys.readouterr().err


def test_the_document_calls_the_file_without_lilliput(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime")
    section = DOCUMENT.read_text(encoding="utf-8").partition("## Without Lilliput")[2]
    (program,) = re.findall(r"```python\n(.*?)```", section.partition("## In Python")[0], re.DOTALL)
    assert "lilliput" not in program
    lilliput.export(run, "onnx", "m1-1.onnx")
    Image.effect_noise((50, 30), 80).convert("RGB").save("cat.jpg")
    known: dict[str, object] = {}
    exec(program, known)
    session = open_session("m1-1.onnx")
    expected = session(decode(Path("cat.jpg").read_bytes(), 16)[None])[0]
    name, probability = capsys.readouterr().out.rsplit(maxsplit=1)
    assert name == run.classes[int(expected.argmax())].name
    assert float(probability) == pytest.approx(float(expected.max()), abs=0.01)
