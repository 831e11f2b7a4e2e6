"""Figures: their numbers are checked, their drawing only for coming to an end in every odd case."""

from __future__ import annotations

import csv
from dataclasses import replace
from math import inf, isnan, nan

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from lilliput.analysis.figures import FIGURES, TABLES, save_figures
from lilliput.analysis.figures.classes import class_numbers, draw_classes
from lilliput.analysis.figures.curves import curve_numbers, draw_accuracy
from lilliput.analysis.figures.filters import contact_sheet, filter_numbers, smoothness_of
from lilliput.analysis.style import figure_style
from lilliput.errors import RunError
from lilliput.results.folder import main_evaluation

MANY = [(f"n{i:03d}", f"class {i}, also called {i}") for i in range(200)]
OF_EVERY_RUN = ["loss", "accuracy", "filters", "classes", "confusion", "calibration"]


def drawn(run) -> list[str]:
    return [path.stem for path in save_figures(run) if path.suffix == ".png"]


def test_every_figure_is_written_as_png_and_every_table_as_csv(make_run):
    run = make_run()
    paths = save_figures(run)
    assert set(OF_EVERY_RUN) <= set(FIGURES)
    names = [f"{name}.png" for name in OF_EVERY_RUN] + [f"{name}.csv" for name in TABLES]
    assert [path.name for path in paths] == names
    for path in paths:
        if path.suffix == ".png":
            with Image.open(path) as picture:
                picture.load()
                assert picture.width == 736
    assert sorted(run.figures_path.iterdir()) == sorted(paths)


def odd_histories(learning):
    finite = learning(4)
    return {
        "one epoch": learning(1),
        "lost": [replace(e, train_loss=nan, val_loss=inf) if e.epoch > 2 else e for e in finite],
        "never finite": [replace(e, train_loss=nan, val_loss=nan) for e in finite],
        "no validation": [replace(e, val_loss=nan, val_accuracy=nan) for e in finite],
        "constant": [replace(e, train_loss=1.0, val_loss=1.0) for e in finite],
        "all wrong": [replace(e, train_accuracy=0.0, val_accuracy=0.0) for e in finite],
        "all right": [replace(e, train_accuracy=1.0, val_accuracy=1.0) for e in finite],
        "huge": [replace(e, train_loss=1e30) for e in finite],
    }


@pytest.mark.parametrize("case", range(8))
def test_odd_histories_draw(make_run, learning, case: int):
    name, history = list(odd_histories(learning).items())[case]
    run = make_run(name, history=history, epochs=len(history))
    assert drawn(run) == OF_EVERY_RUN


@pytest.mark.parametrize("k", [2, 30, 31, 200])
def test_any_number_of_classes_draws(make_run, k: int):
    assert drawn(make_run(classes=MANY[:k], n=3 * k)) == OF_EVERY_RUN


def test_hostile_class_names_draw(make_run):
    names = ["<script>", "$\\frac{$", "猫\N{PILE OF POO}", "\udcff", "", "a" * 300, "x\ny", "_%#"]
    run = make_run(classes=[(n, n) for n in names])
    assert drawn(run) == OF_EVERY_RUN
    with (run.figures_path / "classes.csv").open(newline="", encoding="utf-8") as file:
        assert [row["name"] for row in csv.DictReader(file)] == [
            name.replace("\udcff", "?") for name in names
        ]


def test_what_is_not_there_is_not_drawn(make_run):
    run = make_run()
    run.weights_path.unlink()
    (run.path / "predictions" / "val.npz").unlink()
    assert [path.name for path in save_figures(run)] == ["loss.png", "accuracy.png"]
    run.history_path.unlink()
    assert save_figures(run) == []


def test_damage_is_an_error_not_a_missing_figure(make_run):
    run = make_run()
    run.weights_path.write_bytes(b"garbage")
    with pytest.raises(RunError, match="weights"):
        save_figures(run)


def test_curves_are_the_history(make_run, learning):
    numbers = curve_numbers(make_run(epochs=5))
    assert numbers.epochs.tolist() == [1, 2, 3, 4, 5]
    assert numbers.val_accuracy.tolist() == [e.val_accuracy for e in learning(5)]


def test_the_papers_level_stands_only_beside_the_same_task(make_run):
    def level(name, **settings):
        return curve_numbers(make_run(name, n=200, **settings)).paper_accuracy

    assert level("m1-1", recipe="m1", classes=MANY) == 0.238
    assert level("m4-1", recipe="m4", classes=MANY) == 0.393
    assert level("m4-2", recipe="m4") is None
    assert level("other-1", recipe="other", classes=MANY) is None


def test_the_papers_level_says_where_it_was_measured(make_run):
    with figure_style():
        figure = draw_accuracy(curve_numbers(make_run(classes=MANY)))
    assert any(text.get_text() == "paper 23.8 %\n(test server)" for text in figure.axes[0].texts)


def test_the_first_layer_is_the_lowest_number_not_the_first_name(make_run):
    assert filter_numbers(make_run(filters=(16, 5))).tiles.shape == (16, 5, 5, 3)


def test_filters_are_scaled_one_by_one_around_grey(make_run):
    run = make_run()
    kernels = np.zeros((3, 3, 2, 2), np.float32)
    kernels[0, 0, 0, 0] = 2
    kernels[1, 2, 1, 1] = -0.5
    save_file({"1.weight": kernels}, run.weights_path)
    tiles = filter_numbers(run).tiles
    assert tiles[0, 0, 0].tolist() == [1, 0.5, 0.5]
    assert tiles[1, 1, 1].tolist() == [0.5, 0.5, 0]
    assert (tiles[2] == 0.5).all()


def test_filters_need_a_layer_that_sees_rgb(make_run):
    run = make_run()
    for tensors in ({"1.weight": np.ones((4, 1, 3, 3), np.float32)}, {"1.weight": np.ones((4, 3))}):
        save_file(tensors, run.weights_path)
        assert filter_numbers(run) is None


def test_smoothness_tells_patches_from_noise():
    noise = np.random.default_rng(0).normal(size=(64, 3, 5, 5))
    assert abs(smoothness_of(noise).mean()) < 0.05
    assert smoothness_of(np.ones((2, 3, 5, 5))).tolist() == pytest.approx([1, 1])
    checkers = np.indices((5, 5)).sum(axis=0) % 2 * 2.0 - 1
    assert smoothness_of(np.broadcast_to(checkers, (1, 3, 5, 5)))[0] == pytest.approx(-1)
    assert all(map(isnan, smoothness_of(np.ones((2, 3, 1, 1)))))
    assert all(map(isnan, smoothness_of(np.zeros((2, 3, 5, 5)))))


def test_noisy_filters_are_counted_and_smooth_ones_are_not(make_run):
    run = make_run(filters=(40, 5))
    smooth = filter_numbers(run)
    random = np.random.default_rng(1).normal(size=(100, 3, 5, 5)).astype(np.float32)
    save_file({"1.weight": random}, run.weights_path)
    noisy = filter_numbers(run)
    assert smooth.noisy <= 4
    assert noisy.noisy >= 88
    assert noisy.smoothness.low < 0.03 < smooth.smoothness.low
    assert len(noisy.each) == 100


def test_contact_sheet_enlarges_without_mixing():
    tiles = np.zeros((10, 2, 2, 3))
    tiles[9, 1, 1] = 1
    sheet = contact_sheet(tiles)
    assert sheet.shape == (2 * 60 + 8, 8 * 60 + 7 * 8, 4)
    assert (sheet[68 + 30 :, 68 + 30 : 128] == 255).all()
    assert (sheet[68:98, 68:128, :3] == 0).all()
    assert (sheet[:, 60:68, 3] == 0).all()


def test_classes_are_ranked_and_empty_ones_left_out(make_run, guesses):
    run = make_run()
    run.save_predictions("val", guesses(12, 6))
    numbers = class_numbers(run)
    accuracies = [one.accuracy for one in numbers.classes]
    assert (numbers.split, len(accuracies)) == ("val", 6)
    assert accuracies == sorted(accuracies, reverse=True)


def test_more_than_thirty_classes_show_the_extremes(make_run):
    run = make_run(classes=MANY, n=1000)
    numbers = class_numbers(run)
    with figure_style():
        shown = [text.get_text() for text in draw_classes(numbers).axes[0].texts]
    for one in (*numbers.classes[:10], *numbers.classes[-10:]):
        assert one.name.split(",")[0] in shown
    assert numbers.classes[100].name.split(",")[0] not in shown


def test_the_verdict_is_on_val_else_on_heldout(make_run, guesses):
    run = make_run()
    run.save_predictions("heldout", guesses(12, 24))
    assert main_evaluation(run)[0] == "val"
    (run.path / "predictions" / "val.npz").unlink()
    assert main_evaluation(run)[0] == "heldout"
    unknown = replace(guesses(12, 24), labels=np.full(24, -1))
    run.save_predictions("heldout", unknown)
    assert main_evaluation(run) is None


def test_the_class_table_says_what_a_class_is_mistaken_for_most(make_run):
    run = make_run(n=360, skill=0.5)
    p = run.predictions("val")
    with (save_figures(run)[-len(TABLES)]).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [one.id for one in run.classes]
    mistaken = p.probabilities.argmax(axis=1)[p.labels == 3]
    counts = np.bincount(mistaken[mistaken != 3], minlength=12)
    assert int(rows[3]["times"]) == counts.max()
    assert rows[3]["mistaken_for"] == run.classes[int(counts.argmax())].name
    assert float(rows[3]["low"]) <= float(rows[3]["accuracy"]) <= float(rows[3]["high"])


def test_the_papers_level_belongs_to_the_network_not_to_the_name(make_run):
    run = make_run("m1-1", recipe="m1", classes=MANY)
    run.recipe_path.write_text(run.recipe_toml.replace('plan = "m1"', 'plan = "FC(200)"'))
    assert curve_numbers(run).paper_accuracy is None
