"""The scripts of benchmarks/peers that need nothing but what the tests have."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lilliput.notation import ZOO, parse, trace

PEERS = Path(__file__).parents[2] / "benchmarks" / "peers"
OURS = ("memory", "networks", "render", "task")


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(PEERS))
    before = set(sys.modules)

    def load_module(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield load_module
    for name in set(sys.modules) - before:
        if name in OURS:
            monkeypatch.delitem(sys.modules, name)


def measurement(peer: str, number: int, rate: float, **more: object) -> dict[str, object]:
    facts = {"round": number, "peer": peer, "action": "train", "network": "m1", "workers": 0}
    return {**facts, "images_per_second": rate, "loss": 5.2, "memory_bytes": 10**9, **more}


def results() -> dict[str, Any]:
    rows = [
        measurement("pytorch", 1, 500.0),
        measurement("pytorch", 1, 600.0, workers=1),
        measurement("pytorch", 2, 400.0, workers=1),
        measurement("lilliput", 1, 1200.0),
        measurement("lilliput", 2, 1200.0),
    ]
    rows += [{**row, "network": "m4", "images_per_second": 100.0} for row in rows]
    rows += [{**row, "action": "load"} for row in rows[:5]]
    for peer in ("pytorch", "lilliput"):
        rows.append(
            {"round": 1, "peer": peer, "action": "scan", "seconds": 2.0, "open_seconds": 1.0}
        )
    about = {"processor": "Some CPU", "threads": 2, "python": "3.11", "commit": "abc"}
    about |= {"began": "2026-11-24T00:00:00", "command": "run.py", "versions": {"torch": "2.13.0"}}
    runs = [
        {"recipe": name, "seed": seed, "wall_seconds": 90.0 + 10 * seed, "val_accuracy": right}
        for name, seed, right in (("fast", 1, 0.394), ("fast", 2, 0.4), ("better", 1, 0.5))
    ]
    return {"about": about, "measurements": rows, "speedrun": runs}


def test_the_networks_are_those_of_the_zoo(load: Any) -> None:
    networks = load("networks")
    for name in ("m1", "m4"):
        layers = trace(parse(ZOO[name].notation))
        built = sum(p.numel() for p in networks.make_network(name).parameters())
        assert built == sum(layer.parameters for layer in layers)


def test_the_fastest_number_of_workers_counts(load: Any) -> None:
    render = load("render")
    rates = render.values(render.chosen(results(), "pytorch", "train", "m1"))
    assert rates == [600.0, 400.0]
    assert render.ratios(results(), "pytorch", "train", "m1") == [2.0, 3.0]


def test_the_page_holds_what_was_measured(load: Any, tmp_path: Path) -> None:
    render = load("render")
    page, picture = tmp_path / "page.md", tmp_path / "peers.png"
    page.write_text(f"# Before\n\n{render.BEGIN}\nold\n{render.END}\n\nafter\n")
    for _ in range(2):
        render.render(results(), page, picture)
    text = page.read_text()
    assert text.startswith("# Before") and text.endswith("after\n") and "old" not in text
    assert "2.50x (2.00 .. 3.00)" in text
    assert "| one epoch of M4 in PyTorch, by its rate | 1,000 s (1,000 .. 1,000) | " in text
    assert "start to end, 2 seeds | 105 s (100 .. 110) | 0.10 of it | 39.40 %, 40.00 % |" in text
    assert "`lilliput train better`, start to end, 1 seed | 100 s" in text
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_what_is_not_measured_yet_is_a_dash(load: Any, tmp_path: Path) -> None:
    render = load("render")
    page = tmp_path / "page.md"
    page.write_text(f"{render.BEGIN}{render.END}")
    partial = results() | {"speedrun": []}
    partial["measurements"] = partial["measurements"][:4]
    render.render(partial, page, tmp_path / "peers.png")
    assert (
        "| PyTorch, torchvision | 500 (400 .. 600) | 2.00x (2.00 .. 2.00) | - | - |"
        in page.read_text()
    )


def test_the_page_of_the_project_has_its_place(load: Any) -> None:
    render = load("render")
    text = (PEERS.parents[1] / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert text.index(render.BEGIN) < text.index(render.END)


def test_the_clock_leaves_the_warm_up_out(
    load: Any, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    task = load("task")
    now = iter([100.0, 110.0, 111.0, 112.0])
    monkeypatch.setattr(task.time, "perf_counter", lambda: next(now))
    clock = task.Clock(task.Task(warmup=2, steps=2))
    assert [clock.step(loss) for loss in (4.0, 3.0, 2.0, 1.0)] == [False, False, False, True]
    clock.answer()
    assert '"seconds": 2.0, "images_per_second": 64.0, "loss": 2.5' in capsys.readouterr().out


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="Linux only")
def test_memory_of_a_process_is_seen(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = load("memory")
    monkeypatch.setattr(memory, "_EVERY_SECONDS", 0.01)
    with memory.MemoryWatch(os.getpid()) as watch:
        until = time.monotonic() + 30
        while not watch.most and time.monotonic() < until:
            time.sleep(0.01)
    assert watch.most > 10**7
