from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import lilliput
from lilliput.cli import main
from lilliput.data.toy import write_toy_zip


@pytest.fixture(scope="module")
def toy_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("toy") / "toy.zip"
    write_toy_zip(path, train_images=3, val_images=2, test_images=1)
    return path


def test_prepare_answers_with_the_pack(toy_zip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", str(toy_zip), "--to", "pack", "--verify", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    pack = lilliput.Pack.open(facts["pack"])
    assert facts["fingerprint"] == pack.fingerprint
    assert facts["counts"] == {name: len(pack[name]) for name in pack.splits}
    assert facts["classes"] == len(pack.classes)


def test_prepare_twice_is_one_pack(toy_zip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packs = []
    for _ in range(2):
        assert main(["prepare", str(toy_zip), "--json"]) == 0
        packs.append(json.loads(capsys.readouterr().out)["pack"])
    assert packs[0] == packs[1]


@pytest.mark.parametrize("source", ["nowhere", "nowhere.zip"])
def test_prepare_of_nothing_is_one_clear_message(
    source: str, capsys: pytest.CaptureFixture[str], own_places: Path
) -> None:
    assert main(["prepare", source, "--to", "pack"]) in {1, 2}
    err = capsys.readouterr().err
    assert source in err and "Traceback" not in err
    assert not (own_places / "pack").exists()


def test_prepare_tiny_imagenet_downloads_where_people_see_it(
    toy_zip: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(progress: Callable[[int, int], None] = lambda done, total: None) -> Path:
        progress(0, 248_000_000)
        return toy_zip

    monkeypatch.setattr("lilliput.data.download.download_tiny_imagenet", download)
    assert main(["prepare", "tiny-imagenet", "--json"]) == 0
    said = capsys.readouterr()
    assert "downloading tiny-imagenet-200.zip ..." in said.err
    assert json.loads(said.out)["counts"]["train"] > 0


def test_a_truncated_zip_leaves_nothing_behind(
    toy_zip: Path, own_places: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = own_places / "broken.zip"
    broken.write_bytes(toy_zip.read_bytes()[:-2000])
    assert main(["prepare", str(broken), "--to", "pack"]) == 1
    assert "broken.zip" in capsys.readouterr().err
    assert [path.name for path in own_places.iterdir()] == ["broken.zip"]


def test_doctor_knows_the_machine(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lilliput.cli.probe.NETWORKS", {"m1": 2})
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "A training step of m1, 2 images" in text
    assert text.count("taken by auto") == 1
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    machine = found["machine"]
    (probed,) = found["probe"]
    assert (probed["network"], probed["images"]) == ("m1", 2)
    assert probed["taken"] in probed["timings"]
    assert machine["lilliput"] == lilliput.__version__
    assert "cpu" in machine["devices"]
    assert all(machine.values())


def test_doctor_looks_into_a_source(toy_zip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", str(toy_zip), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["source"]
