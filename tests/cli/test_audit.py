from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import lilliput
from lilliput.cli import main
from lilliput.data.pack import Pack
from lilliput.results.predictions import Predictions
from lilliput.results.run import Run


@pytest.fixture
def run(make_run: Callable[..., Run], tiny_pack: Pack) -> Run:
    """A run that predicted the tiny pack."""
    run = make_run(classes=[tuple(one) for one in tiny_pack.classes], n=4)
    data = {"path": str(tiny_pack.path), "fingerprint": tiny_pack.fingerprint}
    run.save_environment({**run.environment, "data": data})
    labels = np.asarray(tiny_pack["val"].labels)
    odds = np.random.default_rng(0).dirichlet(np.ones(4), len(labels)).astype(np.float32)
    run.save_predictions("val", Predictions(odds, labels, tiny_pack["val"].names))
    return run


def test_an_audit_tells_where_everything_is(
    run: Run, tiny_pack: Pack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", str(run.path), "--data", str(tiny_pack.path)]) == 0
    out, err = capsys.readouterr()
    assert "16 images of val" in out
    assert "object too small" not in out  # no boxes, but the row is there
    assert "data.folds" in out
    assert Path("audit/audit.html").is_file()
    assert "looking at 16 images" in err


def test_json_is_one_object_with_the_files(
    run: Run, tiny_pack: Pack, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["audit", str(run.path), "--data", str(tiny_pack.path), "--to", "here", "--json"]
    assert main(words) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["files"]["drop.txt"] == str(Path("here") / "drop.txt")
    assert facts["splits"]["val"]["causes"]["small"]["images"] == 0
    assert facts["drop"]["images"] == 0


def test_a_missing_extra_is_said_once_and_is_no_failure(
    run: Run,
    tiny_pack: Pack,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    assert main(["audit", str(run.path), "--data", str(tiny_pack.path)]) == 0
    assert capsys.readouterr().err.count("needs the optional part 'audit'") == 1


def test_wrong_use_exits_with_two(
    run: Run, tiny_pack: Pack, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ["--data", str(tiny_pack.path)]
    assert main(["audit", *data]) == 2
    assert main(["audit", str(run.path), *data, "--drop-share", "2"]) == 2
    assert main(["audit", str(run.path), *data, "--split", "test"]) == 2
    assert main(["audit", "nowhere", *data]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_evaluate_with_data_and_report_draw_the_pictures(
    run: Run, tiny_pack: Pack, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(run.path), "--json"]) == 0
    figures = {Path(path).name for path in json.loads(capsys.readouterr().out)["figures"]}
    assert {"best-classes.png", "hardest.png", "causes.csv", "classes.csv"} <= figures


def test_a_pack_that_is_gone_or_another_is_no_error(
    run: Run, other_pack: Pack, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in ("/nowhere/at/all", str(other_pack.path)):
        run.save_environment({**run.environment, "data": {"path": path, "fingerprint": "f00d"}})
        assert main(["report", str(run.path), "--json"]) == 0
        out, err = capsys.readouterr()
        assert "best-classes" not in out
        assert "no figures" not in err


def test_python_writes_the_same_files(run: Run, tiny_pack: Pack) -> None:
    assert main(["audit", str(run.path), "--data", str(tiny_pack.path), "--to", "typed"]) == 0
    findings = lilliput.audit([run.path], tiny_pack, to="called")
    names = sorted(path.name for path in Path("typed").iterdir())
    assert sorted(path.name for path in Path("called").iterdir()) == names
    for name in ("audit.json", "images.csv", "drop.txt"):
        assert Path("called", name).read_bytes() == Path("typed", name).read_bytes()
    assert findings.splits[0].split == "val"


def test_a_folder_that_holds_something_else_is_left_alone(
    run: Run, tiny_pack: Pack, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path.name for path in run.path.iterdir())
    words = ["audit", str(run.path), "--data", str(tiny_pack.path), "--to", str(run.path)]
    assert main(words) == 1
    assert "holds something else than an audit" in capsys.readouterr().err
    assert sorted(path.name for path in run.path.iterdir()) == before
    words[-1] = "again"
    assert main(words) == 0
    assert main(words) == 0
