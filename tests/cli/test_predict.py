"""``predict`` as it is typed: people, CSV, JSON, JSON lines and the contact sheet get the same answers."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lilliput.analysis.sheet import MOST
from lilliput.cli import main
from lilliput.data.statistics import empty_statistics
from lilliput.models.build import build_model
from lilliput.notation import parse
from lilliput.training.weights import write_tensors

CLASSES = [["n1", "ant"], ["n2", "bee,\n\x1b[31m[bold]"], ["n3", "cat"]]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A network of three classes, as it is drawn."""
    plan = parse("FC(3)")
    model = build_model(plan, *empty_statistics(8, 8))
    metadata = {"plan": str(plan), "classes": json.dumps(CLASSES), "image_size": "[8, 8]"}
    path = tmp_path_factory.mktemp("weights") / "some.safetensors"
    write_tensors(path, model.state_dict(), metadata)
    return str(path)


def draw(*names: str | bytes) -> None:
    for seed, name in enumerate(names):
        pixels = np.random.default_rng(seed).integers(0, 256, (12, 10, 3), np.uint8)
        with open(name, "wb") as file:
            Image.fromarray(pixels).save(file, "PNG")


def test_people_get_a_table(weights, capsys):
    os.mkdir("p")
    draw("p/a10.png", "p/a2.png")
    assert main(["predict", weights, "p"]) == 0
    heading, first, second = capsys.readouterr().out.splitlines()
    assert heading.split() == ["file", "best", "class", "then"]
    assert (first.split()[0], second.split()[0]) == ("p/a2.png", "p/a10.png")
    assert first.count("%") == 3


def test_json_is_one_object(weights, capsys):
    draw("a.png", "b.png")
    assert main(["predict", weights, "*.png", "--json", "--top", "2"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["labelled"], facts["failed"]) == (2, 0)
    assert [one["file"] for one in facts["pictures"]] == ["a.png", "b.png"]
    best, other = facts["pictures"][0]["top"]
    assert best["probability"] >= other["probability"] > 0
    assert [best["id"], best["name"]] in CLASSES


def test_every_form_says_the_same(weights, capsys):
    draw("a.png", "b.png", "c.png")
    Path("broken.png").write_text("no")
    names = ["a.png", "broken.png", "b.png", "c.png"]
    assert main(["predict", weights, *names, "--json"]) == 1
    whole = json.loads(capsys.readouterr().out)["pictures"]
    assert main(["predict", weights, *names, "--jsonl"]) == 1
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == whole
    assert main(["predict", weights, *names, "--csv", "out.csv"]) == 1
    assert "out.csv: 3 pictures labelled" in capsys.readouterr().out
    with open("out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, one in zip(rows, whole, strict=True):
        assert row["file"] == one["file"]
        assert row["error"] == one.get("error", "")
        guesses = one.get("top", [dict.fromkeys(("id", "name", "probability"), "")] * 3)
        for place, guess in zip(("", "_2", "_3"), guesses, strict=True):
            assert row["class" + place] == guess["id"]
            assert row["name" + place] == guess["name"]
            assert row["probability" + place] == str(guess["probability"])


def test_csv_may_go_to_the_standard_output(weights, capfd):
    draw("a.png")
    assert main(["predict", weights, "a.png", "--csv", "-", "--top", "1"]) == 0
    rows = list(csv.reader(io.StringIO(capfd.readouterr().out)))
    assert rows[0] == ["file", "class", "name", "probability", "error"]
    assert rows[1][0] == "a.png"
    assert not Path("-").exists()


def test_broken_files_are_named_and_all_others_answered(weights, capsys):
    draw("a.png", "b.png")
    Path("broken.png").write_text("no")
    assert main(["predict", weights, "a.png", "broken.png", "missing.png", "b.png"]) == 1
    out, err = capsys.readouterr()
    assert [line.split()[0] for line in out.splitlines()] == ["file", "a.png", "b.png"]
    assert "cannot read broken.png: not a picture" in err
    assert "cannot read missing.png: No such file" in err
    assert "2 of 4 files could not be read" in err
    assert main(["predict", weights, "broken.png"]) == 1
    assert "no picture was labelled" in capsys.readouterr().out


def test_names_come_from_the_standard_input(weights, capsys, monkeypatch):
    draw("a.png", "b c.png", "d.png")
    lines = io.TextIOWrapper(io.BytesIO(b"b c.png\r\n\nmissing\nd.png"))
    monkeypatch.setattr(sys, "stdin", lines)
    assert main(["predict", weights, "a.png", "-", "a.png", "--jsonl", "--top", "1"]) == 1
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["file"] for one in said] == ["a.png", "b c.png", "missing", "d.png", "a.png"]
    assert "error" in said[2]


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there")
def test_hostile_names_break_nothing(weights, capsys):
    names = ["line\nbreak\r.png", "\x1b[31mred.png", '[bold]"quoted", <b>.png', "\u202egnp.png"]
    raw = b"\xff\xfe.png"
    draw(*names, raw)
    given = [*names, os.fsdecode(raw)]
    Path("bad\n.png").write_text("no")
    assert main(["predict", weights, *given, "bad\n.png", "--sheet", "s.png"]) == 1
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 1 + len(given)
    assert all(line.isprintable() for line in [*out.splitlines(), *err.splitlines()])
    assert r"line\nbreak\r.png" in out and r"bad\n.png" in err and "[bold]" in out
    assert main(["predict", weights, *given, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert [one["file"] for one in facts["pictures"]] == given
    assert main(["predict", weights, *given, "--csv", "out.csv"]) == 0
    with open("out.csv", newline="", encoding="utf-8", errors="surrogateescape") as file:
        assert [row["file"] for row in csv.DictReader(file)] == given
    assert b"\xff\xfe.png," in Path("out.csv").read_bytes()


def test_the_sheet_shows_some_and_says_how_many_are_left_out(weights, capsys):
    draw("a.png")
    words = ["predict", weights, *["a.png"] * (MOST + 7), "--sheet", "sheet.png"]
    assert main([*words, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["sheet"] == "sheet.png"
    assert f"sheet.png: {MOST} pictures, 7 more left out" in err
    with Image.open("sheet.png") as sheet:
        assert sheet.width > 1000
    assert main(words) == 2
    assert "--force" in capsys.readouterr().err
    assert main([*words, "--force"]) == 0


def test_without_a_picture_there_is_no_sheet(weights, capsys):
    assert main(["predict", weights, "missing.png", "--sheet", "s.png", "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["sheet"] is None
    assert "is not drawn" in err
    assert not Path("s.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "needs IMAGE"),
        (["--topp", "3", "a.png"], "did you mean '--top'?"),
        (["a.png", "--csv", "--top", "3"], "--csv needs the name of a file"),
        (["a.png", "--json", "--jsonl"], "choose one"),
        (["a.png", "--top", "0"], "top = 0"),
        (["a.png", "--sheet", "s.jpg"], "--sheet s.png"),
        (["a.png", "--csv", "."], "is a folder"),
        (["a.png", "--csv", "both.png", "--sheet", "./both.png"], "both name both.png"),
        (["a.png", "--device", "abacus"], "no device 'abacus'"),
        (["*.tiff"], "no file fits"),
        (["."], "no pictures in the folder"),
    ],
)
def test_wrong_use_is_refused(words, said, weights, capsys):
    assert main(["predict", weights, *words]) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert out == "" or "--json" in words


def test_what_is_no_classifier_is_one_json_error(capsys):
    draw("a.png")
    assert main(["predict", "nowhere", "a.png", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["kind"] == "RunError"
