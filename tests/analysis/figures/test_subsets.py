"""Figures of an ensemble: numbers as its folder has them, drawing to the end in every odd case."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from lilliput.analysis.ensemble import make_ensemble, study_ensemble
from lilliput.analysis.figures import save_figures
from lilliput.analysis.figures.diversity import diversity_numbers, draw_diversity
from lilliput.analysis.figures.subsets import draw_subsets, subset_numbers
from lilliput.analysis.style import figure_style, to_inline_svg
from lilliput.errors import RunError


@pytest.fixture
def made(make_run, tmp_path):
    runs = [make_run(f"m1-{i}", seed=i, n=60) for i in (1, 2, 3)]
    return make_ensemble(study_ensemble(runs), tmp_path / "all")


def test_an_ensemble_has_its_figures(made):
    names = [path.name for path in save_figures(made)]
    assert {"subsets.png", "diversity.png", "classes.png"} <= set(names)


def test_a_run_has_none_of_them(make_run):
    run = make_run()
    assert subset_numbers(run) is None
    assert diversity_numbers(run) is None


def test_every_subset_is_a_point(made):
    numbers = subset_numbers(made)
    assert numbers is not None
    assert np.bincount(numbers.sizes).tolist() == [0, 3, 3, 1]
    assert numbers.paper_accuracy is None
    assert numbers.chosen is not None
    best = next(one for one in made.results["methods"] if one["members"] == "chosen")
    assert numbers.chosen == (len(best["weights"]), best["accuracy"])


def test_the_papers_number_stands_beside_its_own_task_only(make_run, tmp_path):
    classes = [(f"n{i:03d}", f"class {i}") for i in range(200)]
    runs = [make_run(f"m3-{i}", seed=i, classes=classes, n=400) for i in (1, 2)]
    made = make_ensemble(study_ensemble(runs), tmp_path / "all")
    numbers = subset_numbers(made)
    assert numbers is not None and numbers.paper_accuracy is None
    for member in made.members:
        text = member.recipe_path.read_text().replace('plan = "m1"', 'plan = "m3"')
        member.recipe_path.write_text(text)
    numbers = subset_numbers(made)
    assert numbers is not None and numbers.paper_accuracy == 0.398
    with figure_style():
        draw_subsets(numbers)


@pytest.mark.parametrize("n", [1, 2, 9, 16])
def test_any_number_of_runs_draws(made, n: int):
    numbers, matrices = subset_numbers(made), diversity_numbers(made)
    assert numbers is not None and matrices is not None
    sizes = np.bitwise_count(np.arange(1, 2 ** min(n, 12))).astype(np.int64)
    accuracy = np.linspace(0.2, 0.3, len(sizes))
    unknown = np.full((n, n), np.nan)
    with figure_style():
        figure = draw_subsets(replace(numbers, sizes=sizes, accuracy=accuracy, chosen=None))
        to_inline_svg(figure, "subsets", "a")
        names = tuple(f"<run {i}> $x$" for i in range(n))
        for values in (unknown, np.full((n, n), 0.5), np.full((n, n), -1.0)):
            matrix = replace(matrices, names=names, disagreement=values, error_correlation=values)
            to_inline_svg(draw_diversity(matrix), "diversity", "b")


@pytest.mark.parametrize("text", ["", "size,accuracy\n", "size,accuracy\n0,0.5\n", "a,b\n1,2\n"])
def test_a_damaged_table_is_named(made, text: str):
    made.subsets_path.write_text(text)
    with pytest.raises(RunError, match=r"subsets\.csv is damaged"):
        subset_numbers(made)


def test_damaged_matrices_are_an_error(made):
    place = made.path / "ensemble.json"
    facts = json.loads(place.read_text())
    facts["results"]["diversity"]["disagreement"] = [[1]]
    place.write_text(json.dumps(facts))
    with pytest.raises(RunError, match="diversity cannot be read"):
        diversity_numbers(made)
