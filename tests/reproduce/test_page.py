from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

from markupsafe import escape
from tests.reproduce.conftest import guesses

from lilliput.reproduce.claims import CLAIMS
from lilliput.reproduce.conclusion import conclude, facts, markdown
from lilliput.reproduce.page import write_conclusion
from lilliput.results.run import Run


def test_the_page_stands_alone_and_names_every_claim(author) -> None:
    author.everything()
    page = write_conclusion(conclude(author.work))
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"https?://", re.sub(r'xmlns(:\w+)?="[^"]+"', "", text))
    assert text.count("<h1") == 1
    assert len(page.read_bytes()) < 8_000_000
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    for claim in CLAIMS:
        assert escape(claim.sentence) in text, claim.id


def test_every_figure_that_needs_no_pictures_is_on_it(author) -> None:
    author.everything()
    text = write_conclusion(conclude(author.work)).read_text(encoding="utf-8")
    names = re.findall(r'role="img" aria-label="([^"]+)"', text)
    for wanted in ("loss, m4", "accuracy, m4", "filters, m4", "classes, m4", "subsets, ensemble"):
        assert wanted in names
    for step in ("nonlinearity", "ideas", "residual"):
        assert f"ablation {step}" in names
    assert "Accuracy of every trial, and the best so far, search over M3" in names
    assert 'alt="images of each cause"' in text


def test_a_network_that_guesses_is_said_to(author) -> None:
    author.networks()
    assert "at chance" not in _written(author)
    m4 = Run.open(author.work.place("m4"))
    m4.save_predictions("val", guesses(author.work.pack, 0.0, 7))
    text = _written(author)
    assert "M4 is at chance" in text
    assert text.count("(at chance)") == 1


def test_an_unfinished_reproduction_has_a_page_too(author) -> None:
    author.networks()
    text = write_conclusion(conclude(author.work)).read_text(encoding="utf-8")
    assert "more need a larger scale" in text


def test_the_command_can_be_pasted(author, tmp_path: Path) -> None:
    work = replace(author.work, folder=tmp_path / "my paper")
    work.begin()
    text = write_conclusion(conclude(work)).read_text(encoding="utf-8")
    wanted = f"--scale quick --to {shlex.quote(str(work.folder))}"
    assert str(escape(wanted)) in text


def _written(author) -> str:
    return write_conclusion(conclude(author.work)).read_text(encoding="utf-8")


def test_json_and_markdown_hold_the_same_claims(author) -> None:
    author.networks()
    conclusion = conclude(author.work)
    write_conclusion(conclusion)
    told = json.loads((author.work.folder / "reproduction.json").read_text(encoding="utf-8"))
    assert told == json.loads(json.dumps(facts(conclusion)))
    assert [one["id"] for one in told["claims"]] == [claim.id for claim in CLAIMS]
    assert sum(told["verdicts"].values()) == len(CLAIMS)
    assert told["steps"]["m1"] == {"finished": True, "seconds": 60}
    assert told["steps"]["audit"] == {"finished": False, "seconds": None}
    rows = [line for line in markdown(conclusion).splitlines() if line.startswith("| ")]
    assert len(rows) == len(CLAIMS) + 1
    assert all(row.count(" | ") == 5 for row in rows)
