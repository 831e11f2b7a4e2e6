"""The documentation site builds strictly, holds every document, and fetches nothing from elsewhere."""

from __future__ import annotations

import re
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
    "--quiet",
    "build",
    "--strict",
    "--site-dir",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [*BUILD, str(folder), "--config-file", str(ROOT / "mkdocs.yml")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stdout + done.stderr
    return folder


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
