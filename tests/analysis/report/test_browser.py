"""The report in a real browser: phone and desktop, light and dark, with and without its script.

Needs Playwright (in the extra dev) and the system's own Chromium; without them these tests are skipped.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lilliput.analysis.report import write_report

from ...conftest import Visit

HOSTILE = "<img src=x onerror=alert(1)>\u202e" + "long" * 60
LOOKS = [(width, scheme) for width in (390, 1280) for scheme in ("light", "dark")]


@pytest.fixture
def reports(make_run, ensemble, make_study, make_ablation, tmp_path: Path) -> list[Path]:
    """A page of everything there is, one of a run with pictures and hostile names."""
    run = make_run(
        "hostile", epochs=3, n=60, classes=[(f"n{i}", f"{HOSTILE}{i}") for i in range(5)]
    )
    run.save_environment({**run.environment, "command": HOSTILE, HOSTILE: HOSTILE})
    run.figures_path.mkdir()
    Image.new("RGB", (300, 200), "teal").save(run.figures_path / "hardest.png")
    make_study(12, key=HOSTILE)
    make_ablation({HOSTILE: (0.30, 0.31), "Tanh": (0.28, 0.30)}, claim=HOSTILE)
    return [write_report(run.path), write_report(tmp_path)]


def test_it_looks_sane_on_every_screen(browser, reports: list[Path]) -> None:
    for path in reports:
        for width, scheme in LOOKS:
            with Visit(browser, path.as_uri(), width=width, color_scheme=scheme) as visit:
                page = visit.page
                page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
                assert page.evaluate("document.documentElement.scrollWidth") == width
                sizes = page.evaluate(
                    "[...document.images].map(i => [i.naturalWidth, i.naturalHeight])"
                )
                assert all(side > 0 for size in sizes for side in size)
                assert not nearly_blank(page.screenshot(), dark=scheme == "dark")
                assert visit.troubles == []
    assert sizes == []  # the last page is of many results, told briefly


def nearly_blank(screenshot: bytes, *, dark: bool) -> bool:
    """Whether less than a hundredth of the picture differs from its ground; the ground must fit the scheme."""
    grey = np.asarray(Image.open(BytesIO(screenshot)).convert("L")).astype(int)
    ground = int(np.bincount(grey.ravel()).argmax())
    assert (ground < 60) if dark else (ground > 200)
    return float((abs(grey - ground) > 60).mean()) < 0.01


def test_tables_sort_both_ways(browser, make_run) -> None:
    with Visit(browser, write_report(make_run(epochs=1).path).as_uri()) as visit:
        page = visit.page
        table = page.locator("table.sortable", has_text="best first").first

        def column(place: int) -> list[str]:
            return table.locator(f"tbody tr td:nth-child({place})").all_inner_texts()

        names, shares = column(1), column(2)
        heading = table.locator("th", has_text="class")
        heading.get_by_role("button").click()
        assert column(1) == sorted(names)
        assert heading.get_attribute("aria-sort") == "ascending"
        heading.get_by_role("button").click()
        assert column(1) == sorted(names, reverse=True)
        table.get_by_role("button", name="accuracy").press("Enter")
        assert column(2) == sorted(shares, key=lambda share: -float(share.split()[0]))
        assert heading.get_attribute("aria-sort") is None
        assert visit.troubles == []


def test_it_is_whole_without_its_script(browser, make_run) -> None:
    with Visit(
        browser, write_report(make_run(epochs=1).path).as_uri(), java_script_enabled=False
    ) as visit:
        text = visit.page.inner_text("body")
        assert "labelled right" in text
        assert "lynx" in text
        assert visit.page.locator("th button").count() == 0


def test_paper_shows_what_was_folded_and_framed(browser, make_run) -> None:
    classes = [(f"n{i}", f"class {i}") for i in range(60)]
    run = make_run(epochs=1, n=120, classes=classes)
    with Visit(browser, write_report(run.path).as_uri()) as visit:
        visit.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        visit.page.emulate_media(media="print")
        assert visit.page.get_by_text("batch_images = 128").is_visible()
        frame = visit.page.locator(".framed").first
        assert frame.evaluate("e => e.scrollHeight <= e.clientHeight + 1")
