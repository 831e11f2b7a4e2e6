"""The examples run as they are and say something, and the notebook holds the same code."""

from __future__ import annotations

import json
import re
import runpy
import tempfile
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
SAYS = {
    "01_train_on_toy": r"epoch 3: loss .*of 400 images are labelled right.*report\.html",
    "02_own_folder": r"held-out pictures: .*what\.png: circle",
    "03_ensemble": r"3 subsets of 2: .*all against the first: [+-]",
    "04_compare_plans": r"normalised: 38,688 parameters.*normalised: \d.* on val",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for all, so that the toy set is drawn once."""
    return tmp_path_factory.mktemp("home")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_it_runs(
    script: Path,
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LILLIPUT_HOME", str(home))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    runpy.run_path(str(script))
    assert re.search(SAYS[script.stem], capsys.readouterr().out, re.DOTALL)


def test_they_are_short() -> None:
    assert len(SCRIPTS) == len(SAYS)
    for script in SCRIPTS:
        assert len(script.read_text(encoding="utf-8").splitlines()) < 40, script.name


def test_the_notebook_holds_the_scripts_code_and_no_outputs() -> None:
    notebook = json.loads((EXAMPLES / "lilliput.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)
    code = "".join("".join(cell["source"]) for cell in cells)
    scripts = (path.read_text(encoding="utf-8").split('"""', 2)[2] for path in SCRIPTS)
    assert "".join(code.split()) == "".join("".join(scripts).split())
