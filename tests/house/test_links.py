"""Every link and anchor in every Markdown file of the repository leads somewhere, here as on the site."""

from __future__ import annotations

import re
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
HOOKS: dict[str, Any] = runpy.run_path(str(ROOT / "scripts" / "site_hooks.py"))
PLACES = (".", "docs", "benchmarks", "examples")
DOCUMENTS = sorted(
    path
    for place in PLACES
    for path in ((ROOT / place).glob("*.md") if place == "." else (ROOT / place).rglob("*.md"))
)


def without_code(document: Path) -> str:
    """The text outside of fences and backticks."""
    outside: list[str] = []
    HOOKS["prose"](document.read_text(encoding="utf-8"), lambda part: outside.append(part) or part)
    return re.sub(r"`[^`\n]*`", "``", "\n".join(outside))


def anchors(document: Path) -> set[str]:
    """Of every heading; one that is there twice counts for the first."""
    outside: list[str] = []
    HOOKS["prose"](document.read_text(encoding="utf-8"), lambda part: outside.append(part) or part)
    titles = re.findall(r"^#{1,6} +(.+?)\s*$", "\n".join(outside), re.MULTILINE)
    plain = (re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title).replace("`", "") for title in titles)
    return {HOOKS["anchor"](title) for title in plain}


def problems(document: Path) -> list[str]:
    """Links of one document that lead nowhere."""
    found = []
    text = without_code(document)
    targets = re.findall(r"\]\(\s*<?([^)\s>]+)", text) + re.findall(r'(?:href|src)="([^"]+)"', text)
    for target in targets:
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        place = (document.parent / path).resolve() if path else document
        if not place.exists() or not place.is_relative_to(ROOT):
            found.append(f"{target}: there is no such file")
        elif anchor and (place.suffix != ".md" or anchor not in anchors(place)):
            found.append(f"{target}: there is no such heading")
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    assert problems(document) == []


def test_no_document_is_overlooked() -> None:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    try:
        answer = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is no clone")
    known = {ROOT / name for name in answer.stdout.decode().split("\0") if name}
    assert {path for path in known if path.is_file()} == set(DOCUMENTS)


@pytest.mark.parametrize(
    ("title", "anchor"),
    [
        ("The data", "the-data"),
        ("M1, 18 epochs on two CPU cores", "m1-18-epochs-on-two-cpu-cores"),
        (
            "Causes per class: figures/causes.png, causes.csv",
            "causes-per-class-figurescausespng-causescsv",
        ),
        ("ablate()", "ablate"),
        ("lilliput lr-find", "lilliput-lr-find"),
    ],
)
def test_anchors_are_those_of_code_hosts(title: str, anchor: str) -> None:
    assert HOOKS["anchor"](title) == anchor


def test_a_broken_link_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("# A b\n[good](#a-b) [bad](#b-a) [worse](other.md) `[code](gone.md)`\n")
    assert [problem.partition(":")[0] for problem in problems(page)] == ["#b-a", "other.md"]
