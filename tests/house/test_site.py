"""The documentation site builds strictly, holds every document, and fetches nothing from elsewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = [
    sys.executable,
    "-W",
    "error",
    "-m",
    "mkdocs",
    "build",
    "--strict",
]  # --quiet would let warnings pass


def build(folder: Path, config: Path) -> subprocess.CompletedProcess[str]:
    command = [*BUILD, "--site-dir", str(folder), "--config-file", str(config)]
    return subprocess.run(command, cwd=folder.parent, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "site"
    done = build(folder, ROOT / "mkdocs.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_a_broken_link_or_anchor_stops_it(tmp_path: Path) -> None:
    for name in ("docs", "scripts", "benchmarks", "examples"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    with (tmp_path / "docs" / "glossary.md").open("a", encoding="utf-8") as page:
        page.write("\n[gone](gone.md), [nowhere](tour.md#nowhere), [away](../away.py)\n")
    done = build(tmp_path / "site", tmp_path / "mkdocs.yml")
    assert done.returncode != 0
    for target in ("gone.md", "nowhere", "../away.py"):
        assert target in done.stderr


def test_every_document_is_a_page(site: Path) -> None:
    for document in (ROOT / "docs").rglob("*.md"):
        page = document.relative_to(ROOT / "docs").with_suffix(".html")
        page = page.with_name("index.html") if page.stem == "README" else page
        assert (site / page).is_file(), page


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    fetching = re.compile(
        r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*\bsrc=["']?(?:https?:)?//"""
        r"""|<link\b[^>]*\bhref=["']?(?:https?:)?//"""
        r"""|url\(\s*["']?(?:https?:)?//|@import\s+["'](?:https?:)?//""",
        re.IGNORECASE,
    )
    for file in site.rglob("*"):
        if file.suffix in {".html", ".css"}:
            text = file.read_text(encoding="utf-8")
            assert not (found := fetching.search(text)), f"{file.relative_to(site)}: {found}"


def test_links_out_of_docs_lead_to_pages_of_the_site(site: Path) -> None:
    page = (site / "benchmarks.html").read_text(encoding="utf-8")
    assert 'href="repository/benchmarks/index.html"' in page
    assert 'href="repository/benchmarks/peers/with_timm.py.html"' in page
    assert "create_loader" in (site / "repository/benchmarks/peers/with_timm.py.html").read_text(
        "utf-8"
    )
