from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from lilliput.data.pack import Pack
from lilliput.errors import RunError, UsageError
from lilliput.experiment import Step
from lilliput.recipe import load_recipe
from lilliput.results.ablation import Ablation
from lilliput.results.run import Run
from lilliput.search.ablation import Training, ablation_steps, run_ablation
from lilliput.search.design import Design, vary
from lilliput.search.timing import Timings

PLAN = "ConvReLU(F3-4) -> MaxPool -> FCReLU(6) -> FC(4)"
SMALL = [
    f"model.plan={PLAN}",
    "training.epochs=2",
    "training.batch_images=8",
    "training.precision=fp32",
    "training.memory_format=contiguous",
    "training.threads=1",  # the probe's choice depends on what else the machine does, and rounding on the choice
]


@pytest.fixture(scope="session", autouse=True)
def small_networks(one_thread: None) -> None:
    """All networks here are small."""


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


def test_fewer_seeds_or_other_values_lose_nothing(finished: Ablation, tiny_pack: Pack) -> None:
    before = (finished.path / "ablation.json").read_bytes()
    other = vary("m1", ["optimizer.l2=0.0001,0.2"], SMALL).changed(seeds=1, holdout=0.25)
    with pytest.raises(
        RunError, match=r"seed 2: trained there(.|\n)*value optimizer.l2=0.1: there"
    ):
        starts(other, tiny_pack, finished.path)
    assert (finished.path / "ablation.json").read_bytes() == before


def test_more_values_are_welcome(finished: Ablation, tiny_pack: Pack, tmp_path: Path) -> None:
    shutil.copytree(finished.path, tmp_path / "more")
    design = vary("m1", ["optimizer.l2=0.0001,0.1,0.2"], SMALL).changed(seeds=2, holdout=0.25)
    begun = starts(design, tiny_pack, tmp_path / "more")
    assert [event.title for event in begun] == [
        "optimizer.l2=0.2, seed 1",
        "optimizer.l2=0.2, seed 2",
    ]


def test_another_list_of_images_to_drop_is_noticed(tiny_pack: Pack, tmp_path: Path) -> None:
    drop = tmp_path / "drop.txt"
    names = tiny_pack["train"].names
    drop.write_text(f"{names[0]}\n", encoding="utf-8")
    changes = [*SMALL, "training.epochs=1", f"data.drop={drop}"]
    design = vary("m1", ["optimizer.l2=0,0.1"], changes).changed(seeds=1, holdout=0.25)
    run_ablation(design, tiny_pack, tmp_path / "a", device="cpu")
    assert starts(design, tiny_pack, tmp_path / "a") == []
    drop.write_text(f"{names[1]}\n", encoding="utf-8")
    with pytest.raises(RunError, match=r"another .*drop\.txt"):
        starts(design.changed(seeds=2), tiny_pack, tmp_path / "a")
    assert Ablation.open(tmp_path / "a").seeds == (1,)


def test_all_runs_of_a_network_share_the_first_ones_arithmetic(
    tiny_pack: Pack, tmp_path: Path
) -> None:
    open_choice = [one for one in SMALL if "precision" not in one and "memory" not in one]
    design = vary("m1", ["optimizer.l2=0.0001,0.1"], [*open_choice, "training.epochs=1"])
    ablation = run_ablation(design.changed(seeds=1), tiny_pack, tmp_path / "a", device="cpu")
    ablation = run_ablation(design.changed(seeds=2), tiny_pack, tmp_path / "a", device="cpu")
    runs = [ablation.run(value, seed) for seed in (1, 2) for value in ablation.values]
    ways = [
        [run.environment["runtime"][key] for key in ("precision", "memory_format")] for run in runs
    ]
    assert ways == [ways[0]] * 4
    first, *others = [run.recipe["training"] for run in runs]
    assert first["precision"] == first["memory_format"] == "auto"
    assert [[one["precision"], one["memory_format"]] for one in others] == [ways[0]] * 3
    weights = runs[-1].weights_path
    weights.unlink()  # its last words are missing, so it is taken up again
    run_ablation(design.changed(seeds=2), tiny_pack, tmp_path / "a", device="cpu")
    assert weights.is_file()


def test_what_is_varied_is_not_overruled_by_a_timing() -> None:
    timings = Timings()
    auto = load_recipe("m1")
    timings.keep(auto, {"precision": "bf16", "memory_format": "contiguous"})
    asked = auto.changed(["training.precision=fp32"])
    assert timings.settled(auto).training.precision == "bf16"
    assert timings.settled(asked) == asked
    assert timings.settled(auto.changed(["training.batch_images=9"])).training.precision == "auto"
