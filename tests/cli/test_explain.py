from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lilliput.cli import main
from lilliput.data.pack import Pack
from lilliput.experiment import run_experiment
from lilliput.recipe import load_recipe
from lilliput.results.run import Run
from lilliput.results.saliency import Saliency

PLAN = 'model.plan="ConvReLU(F3-4) -> MaxPool -> FC(4)"'


@pytest.fixture(scope="module")
def run(tiny_pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A network trained on the tiny pack for one epoch."""
    folder = tmp_path_factory.mktemp("explained") / "run"
    arithmetic = ["training.precision=fp32", "training.memory_format=channels_last"]
    changes = [
        PLAN,
        "model.dropout=0",
        "training.epochs=1",
        "training.batch_images=16",
        *arithmetic,
    ]
    yield run_experiment(load_recipe("m1", changes), tiny_pack, folder, device="cpu")


def test_explanations_are_stored_and_drawn(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("captum")
    assert main(["explain", str(run.path), "--images", "6", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    saliency = Saliency.load(run.path)
    assert saliency is not None
    assert (len(saliency), facts["images"], saliency.method) == (6, 6, "integrated")
    assert Path(facts["figure"]).is_file()
    assert facts["at_object"]["value"] is None  # there are no boxes


def test_another_method_and_named_data(
    run: Run, tiny_pack: Pack, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("captum")
    words = ["explain", str(run.path), "--data", str(tiny_pack.path), "--method", "gradient"]
    assert main(words) == 0
    saliency = Saliency.load(run.path)
    assert saliency is not None and saliency.method == "gradient"
    assert "predictions of run explained" in capsys.readouterr().out


def test_what_cannot_be_explained_is_one_message(
    run: Run, other_pack: Pack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", str(run.path), "--images", "0"]) == 2
    assert main(["explain", str(run.path), "--method", "tea-leaves"]) == 2
    assert main(["explain", str(run.path), "--data", str(other_pack.path)]) == 1
    assert main(["explain", "nowhere"]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_without_captum_the_extra_is_named(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "captum", None)
    assert main(["explain", str(run.path)]) == 1
    assert "needs the optional part 'explain'" in capsys.readouterr().err
