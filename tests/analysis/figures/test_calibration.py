from __future__ import annotations

import numpy as np
import pytest

from lilliput.analysis.figures.calibration import calibration_numbers, calibration_table
from lilliput.results.metrics import calibration_error
from lilliput.results.predictions import Predictions


def two_classes(confidence: np.ndarray, right: np.ndarray) -> Predictions:
    odds = np.stack([confidence, 1 - confidence], axis=1).astype(np.float32)
    return Predictions(odds, np.where(right, 0, 1), tuple(map(str, range(len(odds)))))


def test_the_error_is_the_one_of_the_metrics_and_lies_in_its_interval(make_run) -> None:
    run = make_run(n=500)
    numbers = calibration_numbers(run)
    assert numbers.error.value == pytest.approx(calibration_error(run.predictions("val")))
    assert numbers.error.low <= numbers.error.value <= numbers.error.high
    assert sum(one.n for one in numbers.bins) == 500


def test_a_boastful_network_is_too_sure_and_an_honest_one_is_not(make_run) -> None:
    random = np.random.default_rng(0)
    run = make_run(classes=[("a", "a"), ("b", "b")])
    sure = random.uniform(0.5, 1, 4000)
    run.save_predictions("val", two_classes(sure, random.uniform(size=4000) < sure))
    honest = calibration_numbers(run)
    run.save_predictions("val", two_classes(sure, random.uniform(size=4000) < 0.5))
    boastful = calibration_numbers(run)
    assert abs(honest.surplus) < 0.02
    assert honest.error.low < 0.01
    assert boastful.surplus == pytest.approx(0.25, abs=0.03)
    assert boastful.error.low > 0.2


def test_the_table_has_a_row_per_bin_with_images(make_run) -> None:
    numbers = calibration_numbers(make_run())
    table = calibration_table(numbers)
    assert len(table) == 1 + len(numbers.bins)
    assert all(row[6] <= row[5] <= row[7] for row in table[1:])
