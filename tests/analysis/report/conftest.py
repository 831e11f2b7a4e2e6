"""A report taken apart, and the promises that every one of them keeps."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from lilliput.analysis.ensemble import make_ensemble, study_ensemble
from lilliput.results.ablation import Ablation, Value
from lilliput.results.ensemble import Ensemble
from lilliput.results.study import Study

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """A page taken apart; a tag that is closed in the wrong place fails at once."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: list[str] = []
        self._open: list[str] = []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        if tag in {"dt", "dd", "td", "th"}:
            self.text += " "

    def handle_data(self, data):
        if self._open and self._open[-1] == "script":
            self.scripts.append(data)
        elif not (self._open and self._open[-1] == "style"):
            self.text += data

    @property
    def words(self) -> str:
        return " ".join(self.text.split())

    def count(self, tag: str, **attributes: str) -> int:
        """How many of a tag there are with these attributes (``class_`` for ``class``)."""
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        return sum(name == tag and wanted.items() <= found.items() for name, found in self.tags)

    def assert_offline_and_inert(self) -> None:
        """Nothing is loaded, nothing runs but the one script the policy names, everything can be read aloud."""
        ids = [attributes["id"] for _, attributes in self.tags if "id" in attributes]
        assert len(ids) == len(set(ids))
        for tag, attributes in self.tags:
            assert tag not in {"iframe", "object", "embed", "link", "base", "form"}
            for name, value in attributes.items():
                assert not name.startswith("on")
                if name in {"src", "href", "xlink:href", "srcset", "action"}:
                    assert value is not None
                    assert value.startswith("data:image/") or value[1:] in ids
                if name != "content":
                    assert "://" not in (value or "")
            if tag == "img":
                assert attributes["alt"]
            if tag == "svg":
                assert attributes["aria-label"] and attributes["role"] == "img"
        self._assert_one_known_script()
        self._assert_headings()

    def _assert_one_known_script(self) -> None:
        assert len(self.scripts) == self.count("script") == 1
        allowed = b64encode(sha256(self.scripts[0].encode()).digest()).decode()
        [policy] = [
            str(a["content"]) for tag, a in self.tags if tag == "meta" and "http-equiv" in a
        ]
        assert policy.split("; ") == [
            "default-src 'none'",
            "style-src 'unsafe-inline'",
            "img-src data:",
            f"script-src 'sha256-{allowed}'",
            "base-uri 'none'",
            "form-action 'none'",
        ]

    def _assert_headings(self) -> None:
        levels = [int(tag[1]) for tag, _ in self.tags if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1 and levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.fixture
def read_page() -> Callable[[Path], Page]:
    """``read_page(path)``: a written report taken apart."""
    return Page


@pytest.fixture
def ensemble(make_run, tmp_path: Path) -> Ensemble:
    """Three made-up runs as one, in ``ensembles/1`` of the test's folder; the runs lie in ``runs``."""
    runs = [make_run(f"runs/m1-{i}", seed=i, epochs=2, n=60) for i in (1, 2, 3)]
    return make_ensemble(study_ensemble(runs), tmp_path / "ensembles" / "1")


@pytest.fixture
def make_study(tmp_path: Path) -> Callable[..., Study]:
    """``make_study(trials)``: a study of which every fourth trial was pruned, in ``study`` of the test's folder."""

    def make(count: int = 8, key: str = "optimizer.l2", reason: str = "") -> Study:
        trials = [
            {
                "number": n,
                "state": "pruned" if n % 4 == 3 else "complete",
                "value": None if n % 4 == 3 else 0.2 + 0.1 * n / count,
                "parameters": {key: 10.0 ** (-1 - n % 5), "model.plan": f"m{1 + n % 4}"},
                "changes": [f"{key}={10.0 ** (-1 - n % 5)}", f"model.plan=m{1 + n % 4}"],
                "curve": [[1, 0.1], [2, 0.15 + 0.1 * n / count]],
                "started": "2026-11-23T18:00:00+00:00",
                "seconds": 12.5 * n,
                "folder": f"trials/{n:04}",
                "images": 500,
                "reason": reason if n % 4 == 3 else "",
            }
            for n in range(count)
        ]
        complete = [one["number"] for one in trials if one["state"] == "complete"]
        facts = {
            "format": 1,
            "name": "tuning",
            "recipe": "m1",
            "space": {key: {"low": 1e-5, "high": 0.1, "log": True}},
            "folds": 3,
            "holdout": 0,
            "sampler": "tpe",
            "pruner": "asha",
            "importance": {key: 0.75, "model.plan": 0.25},
            "logarithmic": [key],
            "trials": trials,
            "best": complete[::-1][:5],
        }
        folder = tmp_path / "study"
        folder.mkdir(exist_ok=True)
        (folder / "study.json").write_text(json.dumps(facts), encoding="utf-8")
        return Study.open(folder)

    return make


@pytest.fixture
def make_ablation(tmp_path: Path) -> Callable[..., Ablation]:
    """``make_ablation(names, accuracy)``: one accuracy per value and seed, in ``ablation`` of the test's folder."""

    def make(accuracy: dict[str, tuple[float, ...]], claim: str = "no real difference") -> Ablation:
        values = [
            Value(
                name=name,
                changes=(f"model.nonlinearity={name}",),
                runs=tuple(f"runs/{name}-{seed}" for seed, _ in enumerate(row, start=1)),
                accuracy=row,
            )
            for name, row in accuracy.items()
        ]
        seeds = tuple(range(1, 1 + len(values[0].accuracy)))
        ablation = Ablation(
            path=tmp_path / "ablation",
            name="nonlinearity",
            claim=claim,
            recipe="m1",
            base={"training": {"epochs": 3}},
            fingerprint="f00d",
            seeds=seeds,
            split="heldout",
            values=tuple(values),
        )
        ablation.path.mkdir(exist_ok=True)
        ablation.save()
        return ablation

    return make
