from __future__ import annotations

import json
from math import isnan, nan
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from lilliput.errors import RunError
from lilliput.results.ablation import Ablation, Value, paired, spread


def made(folder: Path, **accuracies: tuple[float, ...]) -> Ablation:
    seeds = tuple(range(1, 1 + max(map(len, accuracies.values()))))
    values = tuple(
        Value(
            name=name,
            changes=(f"optimizer.l2={place}",),
            runs=tuple(f"runs/{name}-{seed}" for seed in seeds),
            accuracy=accuracy,
        )
        for place, (name, accuracy) in enumerate(accuracies.items())
    )
    ablation = Ablation(
        path=folder,
        name="l2",
        claim="",
        recipe="m1",
        base={"name": "m1"},
        fingerprint="f00d",
        seeds=seeds,
        split="heldout",
        values=values,
    )
    ablation.save()
    return ablation


def test_what_is_saved_is_opened(tmp_path: Path) -> None:
    ablation = made(tmp_path, a=(0.1, 0.2), b=(0.3, 0.4))
    assert Ablation.open(tmp_path) == ablation
    assert ablation.is_finished


def test_a_run_that_is_not_done_is_nan_here_and_null_on_disk(tmp_path: Path) -> None:
    made(tmp_path, a=(0.1, nan), b=(0.3, 0.4))
    opened = Ablation.open(tmp_path)
    assert isnan(opened.values[0].accuracy[1])
    assert not opened.is_finished
    assert json.loads((tmp_path / "ablation.json").read_text())["values"][0]["accuracy"] == [
        0.1,
        None,
    ]


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"format": 2}', '{"format": 1, "name": "x"}', "\udcff"],
    ids=["empty", "cut", "no object", "later format", "too little", "no text"],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "ablation.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(RunError, match=r"ablation\.json"):
        Ablation.open(tmp_path)


def test_a_folder_without_one_says_what_an_ablation_is(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not an ablation") as caught:
        Ablation.open(tmp_path)
    assert "lilliput ablate" in caught.value.hint


def test_spread_and_its_interval_are_students() -> None:
    values = np.array([0.31, 0.29, 0.33, 0.30])
    found = spread(values.tolist())
    low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    assert found.mean == pytest.approx(values.mean())
    assert found.deviation == pytest.approx(values.std(ddof=1))
    assert found.interval == pytest.approx((low, high))


def test_one_seed_knows_no_spread() -> None:
    found = spread([0.3, nan])
    assert found.mean == 0.3
    assert isnan(found.deviation) and isnan(found.interval[0])
    assert isnan(paired([0.3], [0.2]).p)


def test_the_difference_is_paired_by_seed() -> None:
    one, other = [0.30, 0.41, 0.52, nan], [0.29, 0.39, 0.51, 0.9]
    found = paired(one, other)
    expected = stats.ttest_rel(one[:3], other[:3])
    assert found.mean == pytest.approx(0.04 / 3)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval()))


@pytest.mark.parametrize(
    ("values", "mean"), [([0.30, 0.29], 0.0), ([0.31, 0.30], 0.01), ([0.4, 0.39], 0.1)]
)
def test_seeds_that_all_differ_by_the_same_prove_nothing(values: list[float], mean: float) -> None:
    found = paired(values, [0.30, 0.29])
    assert found.mean == pytest.approx(mean)
    assert isnan(found.p) and all(map(isnan, found.interval))
    assert all(map(isnan, spread([0.3, 0.3]).interval))


def test_values_are_compared_with_the_first(tmp_path: Path) -> None:
    ablation = made(tmp_path, first=(0.2, 0.3), second=(0.25, 0.37))
    assert ablation.difference(ablation.values[1]).mean == pytest.approx(0.06)
    assert ablation.difference(ablation.values[0]).mean == 0
