"""What is drawn with the pictures of the pack."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image

from lilliput.analysis.figures import PICTURES, save_pictures
from lilliput.analysis.figures.causes import MEASURES, cause_numbers, cause_table, draw_causes
from lilliput.analysis.figures.galleries import draw_galleries, gallery_numbers
from lilliput.analysis.figures.hardest import hardest_numbers
from lilliput.analysis.figures.saliency import draw_saliency, light, saliency_numbers
from lilliput.analysis.photos import Photo, PhotoRow, draw_photos
from lilliput.analysis.style import figure_style
from lilliput.errors import RunError
from lilliput.results.predictions import Predictions
from lilliput.results.saliency import Saliency


def test_every_picture_and_table_is_written(pack, predicted_run) -> None:
    run = predicted_run()
    paths = save_pictures(run, pack)
    assert {path.name for path in paths} == {*(f"{name}.png" for name in PICTURES), "causes.csv"}
    with Image.open(paths[0]) as picture:
        assert picture.width == 1104
    with (run.figures_path / "causes.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    expected = cause_numbers(run, pack).correlations["colour_spread"]
    assert float(rows[0]["colour_spread"]) == pytest.approx(expected.value)
    assert float(rows[1]["colour_spread"]) == pytest.approx(expected.low)


def test_nothing_predicted_is_nothing_drawn(pack, predicted_run) -> None:
    run = predicted_run()
    (run.path / "predictions" / "val.npz").unlink()
    assert save_pictures(run, pack) == []


def test_pictures_of_another_pack_are_refused(tiny_pack, predicted_run) -> None:
    with pytest.raises(RunError, match="not the data"):
        save_pictures(predicted_run(), tiny_pack)


def test_galleries_show_the_extremes_from_most_to_least_trusted(pack, predicted_run) -> None:
    run = predicted_run(skill=4.0)
    numbers = gallery_numbers(run, pack)
    best, worst = numbers.best, numbers.worst
    assert [len(best), len(worst)] == [2, 2]
    assert best[0].accuracy.accuracy >= best[1].accuracy.accuracy
    assert worst[0].accuracy.accuracy <= worst[1].accuracy.accuracy <= best[1].accuracy.accuracy
    assert not {one.accuracy.id for one in best} & {one.accuracy.id for one in worst}
    for one in (*best, *worst):
        p = numbers.located.predictions
        column = [id for id, _ in run.classes].index(one.accuracy.id)
        trust = p.probabilities[one.chosen, column]
        assert (p.labels[one.chosen] == column).all()
        assert trust.tolist() == sorted(trust, reverse=True)
        own = p.probabilities[p.labels == column, column]
        assert (trust[0], trust[-1]) == (own.max(), own.min())


def test_a_class_alone_has_no_gallery(pack, predicted_run) -> None:
    run = predicted_run(rows=np.arange(3))
    numbers = gallery_numbers(run, pack)
    assert draw_galleries(numbers, best=True) is None


def test_the_hardest_are_those_with_the_highest_loss(pack, predicted_run) -> None:
    run = predicted_run()
    numbers = hardest_numbers(run, pack, 5)
    p = run.predictions("val")
    losses = -np.log(p.probabilities[np.arange(len(p)), p.labels])
    assert numbers.losses.tolist() == pytest.approx(sorted(losses.tolist())[:-6:-1])


def test_causes_are_measured_per_class(pack, predicted_run) -> None:
    numbers = cause_numbers(predicted_run(), pack)
    measures = numbers.measures
    assert list(measures) == list(MEASURES)
    # The boxes get smaller from class to class, and the noise in their colours stronger.
    assert (np.diff(measures["object_scale"]) < 0).all()
    assert measures["object_scale"][0] == pytest.approx(29 * 28 / 32**2, abs=0.1)
    assert np.isfinite([list(one) for one in measures.values()]).all()
    skill = np.array([one.accuracy for one in numbers.per_class])
    assert (numbers.correlations["object_scale"].value < 0) == (skill[0] < skill[-1])


def test_the_cause_table_opens_with_the_correlations(pack, predicted_run) -> None:
    table = cause_table(cause_numbers(predicted_run(), pack))
    assert len(table) == 1 + 3 + 4
    assert all(len(row) == len(table[0]) for row in table)
    assert table[1][2] == "rank correlation"


def test_causes_without_boxes_are_not_known_for_scale_alone(tiny_pack, predicted_run) -> None:
    run = predicted_run()
    labels = np.asarray(tiny_pack["val"].labels)
    odds = np.eye(4, dtype=np.float32)[labels]
    environment = {**run.environment, "classes": [list(one) for one in tiny_pack.classes]}
    run.save_environment(environment)
    run.save_predictions("val", Predictions(odds, labels, tiny_pack["val"].names))
    numbers = cause_numbers(run, tiny_pack)
    assert not numbers.correlations["object_scale"].is_known
    assert np.isfinite(numbers.measures["colour_likeness"]).all()
    with figure_style():
        draw_causes(numbers)


def test_fewer_than_four_classes_have_no_causes(pack, predicted_run) -> None:
    assert cause_numbers(predicted_run(rows=np.arange(20)), pack) is None


def test_rows_of_photos_may_be_bare_or_hostile() -> None:
    image = np.zeros((5, 9, 3), np.uint8)
    rows = [
        PhotoRow("", "", [Photo(image)]),
        PhotoRow(
            "<b>$\\frac{$", "x\ny", [Photo(image, "a" * 99, True), Photo(image, "", False, "猫")]
        ),
    ]
    with figure_style():
        assert draw_photos("$", rows, "").get_figheight() < 4


def saliency_of(n: int = 6, **changes) -> Saliency:
    maps = np.zeros((n, 8, 8), np.float32)
    maps[:, 2:4, 2:4] = 1
    given = {
        "names": tuple(f"{i}.jpg" for i in range(n)),
        "maps": maps,
        "images": np.full((n, 8, 8, 3), 200, np.uint8),
        "boxes": np.array([[2, 2, 5, 5]] * n, np.int16),
        "labels": np.zeros(n, np.int64),
        "predicted": np.arange(n) % 2,
        "method": "gradient",
    }
    return Saliency(**{**given, **changes})


def test_saliency_is_drawn_and_measured_against_the_boxes(predicted_run) -> None:
    run = predicted_run()
    assert saliency_numbers(run) is None
    boxes = np.array([[2, 2, 5, 5]] * 5 + [[-1] * 4], np.int16)
    saliency_of(boxes=boxes).save(run.path)
    numbers = saliency_numbers(run)
    assert numbers.at_object.value == pytest.approx(1)
    assert numbers.box_area.value == pytest.approx(16 / 64)
    with figure_style():
        assert draw_saliency(numbers).get_figheight() > 3


def test_pictures_are_lit_where_the_network_looked() -> None:
    lit = light(saliency_of(), np.array([0, 3]))
    assert lit.shape == (2, 8, 8, 3)
    assert lit[0, 2, 2, 0] > 150
    assert lit[0, 7, 7, 0] < 20
