from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lilliput.data.pack import Pack
from lilliput.errors import RunError, UsageError
from lilliput.reproduce import steps
from lilliput.reproduce.scales import SCALES, Budget, scale_named
from lilliput.reproduce.steps import STEPS, Step, reproduce_steps
from lilliput.reproduce.work import Work


@pytest.fixture
def work(tmp_path: Path, tiny_pack: Pack) -> Work:
    return Work(tmp_path / "paper", tiny_pack, scale_named("quick"))


def test_another_scale_in_the_same_folder_is_refused(work: Work) -> None:
    work.begin()
    work.begin()
    with pytest.raises(RunError, match="begun at scale quick, not full") as caught:
        replace(work, scale=scale_named("full")).begin()
    assert "--scale quick" in caught.value.hint


def test_other_data_in_the_same_folder_is_refused(work: Work, other_pack: Pack) -> None:
    work.begin()
    with pytest.raises(RunError, match="begun with other data"):
        replace(work, pack=other_pack).begin()


def test_a_folder_of_something_else_is_left_alone(work: Work) -> None:
    work.folder.mkdir()
    (work.folder / "letter.txt").write_text("dear")
    with pytest.raises(RunError, match="already holds something else"):
        work.begin()


def test_what_a_killed_process_left_is_swept(work: Work) -> None:
    work.folder.mkdir()
    left = work.folder / ".begun.json.ab12cd34.partial"
    left.write_text("{")
    work.begin()
    with work.alone():
        assert not left.exists()


def test_two_at_once_are_refused_and_one_after_the_other_is_not(work: Work) -> None:
    with work.alone(), pytest.raises(RunError, match="another process is reproducing"):
        next(reproduce_steps(work))
    with work.alone():
        pass


def test_a_process_that_was_killed_blocks_nobody(work: Work) -> None:
    script = (
        "import fcntl, os, sys\n"
        "file = open(sys.argv[1], 'a')\n"
        "fcntl.flock(file, fcntl.LOCK_EX)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    work.begin()
    subprocess.run([sys.executable, "-c", script, work.folder / ".lock"], check=False)
    with work.alone():
        pass


def test_more_classes_than_a_step_trains_on_are_refused_at_once(work: Work) -> None:
    tight = replace(work.scale, budgets={**work.scale.budgets, "search": Budget(limit=3)})
    with pytest.raises(RunError, match=r"4 classes, but step search .* 3 images") as caught:
        replace(work, scale=tight).begin()
    assert "larger scale" in caught.value.hint
    assert not work.folder.exists()


def test_the_search_has_the_schedule_of_the_variants_it_is_for() -> None:
    for name in ("tiny", "quick", "short"):
        assert "schedule.name=one-cycle" in scale_named(name)["search"].changes, name


def test_a_damaged_beginning_is_named(work: Work) -> None:
    work.begin()
    (work.folder / "begun.json").write_text("{")
    with pytest.raises(RunError, match=r"begun\.json is damaged"):
        work.begin()


def test_steps_that_are_done_are_not_done_again(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []

    def doing(name: str, fails: list[bool]):
        def run(_: Work):
            yield f"doing {name}"
            if fails and fails.pop():
                raise RunError("broken")
            done.append(name)

        return run

    fails = [True]
    made = {"m1": Step("one", doing("m1", [])), "m2": Step("two", doing("m2", fails))}
    monkeypatch.setattr(steps, "STEPS", made)
    with pytest.raises(RunError, match="broken"):
        list(reproduce_steps(work))
    assert work.is_finished("m1") and not work.is_finished("m2")
    said = list(reproduce_steps(work))
    assert done == ["m1", "m2"]
    assert said[0] == "step 1/2  one: already done"
    assert work.seconds("m2") >= 0


def test_every_scale_has_a_budget_for_every_training() -> None:
    needed = set(scale_named("full").budgets)
    assert needed <= set(STEPS)
    for scale in SCALES.values():
        assert set(scale.budgets) == needed, scale.name


def test_the_full_scale_is_the_papers() -> None:
    full = scale_named("full")
    assert full.is_papers and not scale_named("short").is_papers
    for name in ("m1", "m2", "m3", "m4"):
        assert (full[name].epochs, full[name].limit, full[name].changes) == (150, 0, ())
    assert (full["variants"].epochs, full["variants"].models, full["search"].folds) == (75, 6, 5)


def test_a_misspelt_scale_names_the_nearest_and_the_tests_own_is_hidden() -> None:
    with pytest.raises(UsageError, match="no scale 'quik'") as caught:
        scale_named("quik")
    assert "'quick'" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        scale_named("x")
    assert "tiny" not in caught.value.hint
