from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from lilliput.data.pack import Pack
from lilliput.errors import RunError, UsageError
from lilliput.experiment import Step
from lilliput.results.ablation import Ablation
from lilliput.results.run import Run
from lilliput.search.ablation import Training, ablation_steps, run_ablation
from lilliput.search.design import Design, vary

PLAN = "ConvReLU(F3-4) -> MaxPool -> FCReLU(6) -> FC(4)"
SMALL = [
    f"model.plan={PLAN}",
    "training.epochs=2",
    "training.batch_images=8",
    "training.precision=fp32",
    "training.memory_format=contiguous",
]


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def design() -> Design:
    return vary("m1", ["optimizer.l2=0.0001,0.1"], SMALL).changed(seeds=2, holdout=0.25)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, tiny_pack: Pack) -> Ablation:
    folder = tmp_path_factory.mktemp("ablation") / "l2"
    design = vary("m1", ["optimizer.l2=0.0001,0.1"], SMALL).changed(seeds=2, holdout=0.25)
    return run_ablation(design, tiny_pack, folder, device="cpu")


def starts(design: Design, pack: Pack, folder: Path) -> list[Training]:
    events = ablation_steps(design, pack, folder, device="cpu")
    return [event for event in events if isinstance(event, Training)]


def test_every_value_is_trained_with_every_seed(finished: Ablation) -> None:
    assert finished.is_finished
    assert finished.split == "heldout"
    assert len({run for value in finished.values for run in value.runs}) == 4
    for value in finished.values:
        for seed, accuracy in zip(finished.seeds, value.accuracy, strict=True):
            run = finished.run(value, seed)
            assert run.recipe["seed"] == seed
            assert run.history[-1].val_accuracy == pytest.approx(accuracy)


def test_values_share_the_images_they_are_judged_on(finished: Ablation) -> None:
    for seed in finished.seeds:
        names = {
            finished.run(value, seed).predictions("heldout").names for value in finished.values
        }
        assert len(names) == 1


def test_what_is_done_is_not_done_again(
    finished: Ablation, design: Design, tiny_pack: Pack
) -> None:
    assert starts(design, tiny_pack, finished.path) == []


def test_more_seeds_add_only_their_own_runs(
    finished: Ablation, design: Design, tiny_pack: Pack, tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(finished.path, tmp_path / "more")
    begun = starts(design.changed(seeds=3), tiny_pack, tmp_path / "more")
    assert [event.title.rpartition(" ")[2] for event in begun] == ["3", "3"]
    assert Ablation.open(tmp_path / "more").seeds == (1, 2, 3)


def test_a_broken_ablation_ends_as_an_unbroken_one(
    finished: Ablation, design: Design, tiny_pack: Pack, tmp_path: Path
) -> None:
    folder = tmp_path / "broken"
    steps = 0
    with closing(ablation_steps(design, tiny_pack, folder, device="cpu")) as events:
        for event in events:
            steps += isinstance(event, Step)
            if steps == 13:  # in the second run
                break
    half = Ablation.open(folder)
    done = [accuracy == accuracy for value in half.values for accuracy in value.accuracy]
    assert sum(done) == 1
    (folder / "runs/optimizer.l2-0.0001-2").mkdir()  # killed as it began
    (folder / "runs/optimizer.l2-0.0001-2/environment.json").write_text("{}")
    again = run_ablation(design, tiny_pack, folder, device="cpu")
    assert replace(again, path=finished.path) == finished
    weights = [
        [Run.open(one.path / run).weights_path.read_bytes() for run in one.values[1].runs]
        for one in (again, finished)
    ]
    assert weights[0] == weights[1]


def test_another_recipe_is_another_ablation(
    finished: Ablation, tiny_pack: Pack, design: Design
) -> None:
    other = design.model_copy(update={"changes": (*design.changes, "training.epochs=3")})
    with pytest.raises(RunError, match=r"training\.epochs: 2, now 3") as caught:
        starts(other, tiny_pack, finished.path)
    assert "--to" in caught.value.hint


def test_a_value_that_means_something_else_is_refused(
    finished: Ablation, tiny_pack: Pack, design: Design
) -> None:
    value = design.values[1].model_copy(update={"changes": ("optimizer.l2=0.2",)})
    other = design.model_copy(update={"values": (design.values[0], value)})
    with pytest.raises(RunError, match="now"):
        starts(other, tiny_pack, finished.path)


def test_other_data_is_refused(finished: Ablation, other_pack: Pack, design: Design) -> None:
    with pytest.raises(RunError, match="data: "):
        starts(design, other_pack, finished.path)


def test_a_folder_of_something_else_is_left_alone(
    tiny_pack: Pack, design: Design, tmp_path: Path
) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(RunError, match="already holds something else"):
        starts(design, tiny_pack, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_wrong_key_is_found_before_anything_is_trained(tiny_pack: Pack, tmp_path: Path) -> None:
    design = vary("m1", ["optimizer.l2=0.1,-1"], SMALL)
    with pytest.raises(UsageError, match=r"optimizer\.l2"):
        starts(design, tiny_pack, tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_two_values_of_one_name_are_refused(
    tiny_pack: Pack, design: Design, tmp_path: Path
) -> None:
    twice = design.model_copy(update={"values": (design.values[0], design.values[0])})
    with pytest.raises(UsageError, match="two values"):
        starts(twice, tiny_pack, tmp_path / "a")
