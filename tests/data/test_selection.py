from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lilliput.data.pack import ClassInfo, Pack, Split
from lilliput.data.selection import (
    Selection,
    chosen_classes,
    drop_digest,
    select,
    select_heldout,
    select_split,
)
from lilliput.errors import RecipeError
from lilliput.recipe import DataRecipe


class MadeUpPack(Pack):
    """A pack of 2x2 pictures with these numbers of images per class; an image's first byte is its number."""

    def __init__(self, **counts: list[int]) -> None:
        self.classes = tuple(
            ClassInfo(f"n{k:02d}", f"thing {k}") for k in range(len(counts["train"]))
        )
        self._made = {name: self._split(numbers) for name, numbers in counts.items()}

    @staticmethod
    def _split(counts: list[int]) -> Split:
        labels = np.repeat(np.arange(len(counts)), counts)
        images = np.arange(len(labels)).astype(np.uint8)[:, None, None, None].repeat(2, 1)
        names = tuple(f"{i}.jpg" for i in range(len(labels)))
        return Split(images.repeat(2, 2).repeat(3, 3), labels, np.full((len(labels), 4), -1), names)

    def __contains__(self, split: str) -> bool:
        return split in self._made

    def __getitem__(self, split: str) -> Split:
        return self._made[split]


def per_class(selection: Selection, classes: int) -> list[int]:
    return np.bincount(selection.labels, minlength=classes).tolist()


def test_everything_by_default(tiny_pack: Pack) -> None:
    chosen = select(tiny_pack, DataRecipe(), seed=1)
    assert chosen.classes == tiny_pack.classes
    assert chosen.validation_name == "val"
    for selection, name in ((chosen.training, "train"), (chosen.validation, "val")):
        split = tiny_pack[name]
        np.testing.assert_array_equal(selection.images(slice(None)), split.images)
        np.testing.assert_array_equal(selection.labels, split.labels)
        assert selection.names == split.names


@pytest.mark.parametrize("limit", [4, 5, 7, 8, 21, 47, 48, 100])
def test_a_limit_takes_exactly_that_many_and_every_class_its_share(
    tiny_pack: Pack, limit: int
) -> None:
    training = select(tiny_pack, DataRecipe(limit=limit), seed=1).training
    counts = per_class(training, 4)
    assert sum(counts) == min(limit, 48)
    assert max(counts) - min(counts) <= 1
    assert len(np.unique(training.rows)) == len(training)


@pytest.mark.parametrize(
    ("limit", "counts"), [(4, [1, 1, 1, 1]), (5, [1, 1, 1, 2]), (50, [1, 1, 1, 47])]
)
def test_a_limit_holds_when_classes_are_small(limit: int, counts: list[int]) -> None:
    pack = MadeUpPack(train=[1, 1, 1, 97], val=[1, 1, 1, 1])
    assert per_class(select(pack, DataRecipe(limit=limit), seed=1).training, 4) == counts


@pytest.mark.parametrize("share", [0.01, 0.1, 0.25, 0.5, 0.9])
def test_what_is_held_out_and_what_is_trained_on_are_train(tiny_pack: Pack, share: float) -> None:
    chosen = select(tiny_pack, DataRecipe(holdout=share), seed=1)
    assert chosen.validation_name == "heldout"
    both = np.concatenate([chosen.training.rows, chosen.validation.rows])
    np.testing.assert_array_equal(np.sort(both), np.arange(48))
    counts = per_class(chosen.validation, 4)
    assert sum(counts) == max(4, round(48 * share))
    assert max(counts) - min(counts) <= 1


def test_seeds_can_share_what_is_held_out(tiny_pack: Pack) -> None:
    def held(seed: int, **more: int | float) -> tuple[str, ...]:
        return select(tiny_pack, DataRecipe(**more), seed=seed).validation.names

    for kind in ({"holdout": 0.25}, {"folds": 3}):
        assert held(1, **kind) != held(2, **kind)
        assert held(1, holdout_seed=7, **kind) == held(2, holdout_seed=7, **kind)
        assert held(1, holdout_seed=2, **kind) == held(2, **kind)


def test_a_class_with_one_image_is_trained_on_not_held_out() -> None:
    pack = MadeUpPack(train=[1, 20, 20])
    chosen = select(pack, DataRecipe(holdout=0.5), seed=1)
    assert per_class(chosen.training, 3)[0] == 1
    assert per_class(chosen.validation, 3)[0] == 0


def test_what_is_held_out_does_not_depend_on_the_limit(tiny_pack: Pack) -> None:
    whole = select(tiny_pack, DataRecipe(holdout=0.25), seed=1)
    part = select(tiny_pack, DataRecipe(holdout=0.25, limit=10), seed=1)
    np.testing.assert_array_equal(whole.validation.rows, part.validation.rows)
    assert set(part.training.rows) < set(whole.training.rows)
    assert len(part.training) == 10


@pytest.mark.parametrize("folds", [2, 3, 5, 12, 48])
def test_the_folds_are_train_every_image_once(tiny_pack: Pack, folds: int) -> None:
    recipes = [DataRecipe(folds=folds, fold=fold) for fold in range(1, folds + 1)]
    chosen = [select(tiny_pack, recipe, seed=1) for recipe in recipes]
    held = [one.validation.rows for one in chosen]
    np.testing.assert_array_equal(np.sort(np.concatenate(held)), np.arange(48))
    assert max(map(len, held)) - min(map(len, held)) <= 1
    for one in chosen:
        assert one.validation_name == "heldout"
        both = np.concatenate([one.training.rows, one.validation.rows])
        np.testing.assert_array_equal(np.sort(both), np.arange(48))
        counts = per_class(one.validation, 4)
        assert max(counts) - min(counts) <= 1


def test_folds_share_uneven_classes_too() -> None:
    pack = MadeUpPack(train=[2, 7, 31])
    shares = [
        per_class(select(pack, DataRecipe(folds=4, fold=fold), seed=1).validation, 3)
        for fold in (1, 2, 3, 4)
    ]
    assert sorted(map(sum, shares)) == [10, 10, 10, 10]
    for counts in zip(*shares, strict=True):
        assert max(counts) - min(counts) <= 1


def test_folds_do_not_depend_on_the_limit_and_go_with_fewer_classes(tiny_pack: Pack) -> None:
    whole = select(tiny_pack, DataRecipe(folds=3, fold=2, classes=2), seed=1)
    part = select(tiny_pack, DataRecipe(folds=3, fold=2, classes=2, limit=10), seed=1)
    np.testing.assert_array_equal(whole.validation.rows, part.validation.rows)
    assert per_class(part.training, 2) == [5, 5]
    assert set(part.training.rows) < set(whole.training.rows)


def test_a_class_of_one_image_cannot_be_cut_into_folds() -> None:
    with pytest.raises(RecipeError, match=r"data\.folds = 3: a class has only 1"):
        select(MadeUpPack(train=[1, 20, 20]), DataRecipe(folds=3), seed=1)


@pytest.fixture
def listing(tmp_path: Path) -> Callable[[str], DataRecipe]:
    """``listing(text, folds=...)``: a recipe that drops the images the text names."""

    def write(text: str, **settings) -> DataRecipe:
        (tmp_path / "drop.txt").write_text(text, encoding="utf-8")
        return DataRecipe(drop=str(tmp_path / "drop.txt"), **settings)

    return write


def test_listed_images_are_not_trained_on(listing: Callable) -> None:
    pack = MadeUpPack(train=[3, 4], val=[1, 1])
    recipe = listing("# by hand\n\n1.jpg\n  5.jpg  # too small\r\n1.jpg\n")
    chosen = select(pack, recipe, seed=1)
    assert chosen.training.rows.tolist() == [0, 2, 3, 4, 6]
    assert chosen.dropped == 2
    content = Path(recipe.drop).read_bytes()
    assert drop_digest(recipe) == hashlib.sha256(content).hexdigest()
    assert drop_digest(DataRecipe()) == ""


def test_a_name_may_hold_a_hash(listing: Callable) -> None:
    pack = MadeUpPack(train=[3, 4], val=[1, 1])
    split = pack["train"]
    names = ("a #1.jpg", *split.names[1:])
    pack._made["train"] = Split(split.images, split.labels, split.boxes, names)
    assert select(pack, listing("a #1.jpg\n"), seed=1).training.rows[0] == 1


def test_what_is_held_out_stays_whatever_is_dropped(listing: Callable, tiny_pack: Pack) -> None:
    """A network trained without the hard images is judged on the same images as one trained with them."""
    plain = select(tiny_pack, DataRecipe(folds=3, fold=2), seed=1)
    names = [*plain.validation.names[:2], *plain.training.names[:2]]
    recipe = listing("\n".join(names), folds=3, fold=2)
    chosen = select(tiny_pack, recipe, seed=1)
    assert chosen.validation.names == plain.validation.names
    assert chosen.training.names == plain.training.names[2:]
    assert chosen.dropped == 2
    Path(recipe.drop).unlink()
    assert select_heldout(tiny_pack, recipe, 1).names == plain.validation.names


def test_a_limit_counts_what_is_left_after_dropping(listing: Callable, tiny_pack: Pack) -> None:
    names = tiny_pack["train"].names
    chosen = select(tiny_pack, listing("\n".join(names[:8]), limit=20), seed=1)
    assert len(chosen.training) == 20
    assert not set(chosen.training.names) & set(names[:8])
    assert chosen.dropped == 8


@pytest.mark.parametrize("limit", [4, 13, 20, 39])
@pytest.mark.parametrize("gone", [[0], [9], [39], [0, 1], [3, 11, 12, 13, 38], [*range(11)]])
def test_under_a_limit_only_what_is_dropped_is_replaced(
    listing: Callable, limit: int, gone: list[int]
) -> None:
    pack = MadeUpPack(train=[2, 10, 1, 27], val=[1, 1, 1, 1])
    gone = [row for row in gone if row not in (1, 12)]  # a class keeps an image
    for seed in range(5):
        plain = select(pack, DataRecipe(limit=limit), seed).training
        text = "".join(f"{row}.jpg\n" for row in gone)
        without = select(pack, listing(text, limit=limit), seed).training
        assert len(without) == min(limit, 40 - len(gone))
        assert set(plain.rows) - set(without.rows) == set(plain.rows) & set(gone)
        assert not set(without.rows) & set(gone)
        if len(without) == limit and not set(plain.rows) & set(gone):
            np.testing.assert_array_equal(without.rows, plain.rows)


def test_images_of_other_classes_may_be_listed(listing: Callable, tiny_pack: Pack) -> None:
    text = "\n".join(
        tiny_pack["train"].names[10:14]
    )  # the last two of a class, the first two of the next
    chosen = select(tiny_pack, listing(text, classes=2), seed=1)
    assert per_class(chosen.training, 2) == [10, 12]
    assert chosen.dropped == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0.jpg\nx.jpg\n", "no image called x.jpg"),
        ("a\nb\nc\nd\ne\n", "no image called a, b, c and 2 more"),
        ("0.jpg\n1.jpg\n2.jpg\n", r"no training image is left of the class of 0\.jpg"),
    ],
)
def test_a_list_that_cannot_be_followed(listing: Callable, text: str, problem: str) -> None:
    with pytest.raises(RecipeError, match=problem) as caught:
        select(MadeUpPack(train=[3, 4], val=[1, 1]), listing(text), seed=1)
    assert "drop.txt" in str(caught.value)


def test_a_list_that_cannot_be_read(tmp_path: Path) -> None:
    pack = MadeUpPack(train=[3, 4], val=[1, 1])
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    for name, problem in (
        ("none.txt", "cannot be read"),
        ("", "cannot be read"),
        ("picture.jpg", "not a text file"),
    ):
        with pytest.raises(RecipeError, match=problem):
            select(pack, DataRecipe(drop=str(tmp_path / name)), seed=1)


@pytest.mark.parametrize(
    "recipe", [DataRecipe(limit=11), DataRecipe(holdout=0.3), DataRecipe(folds=3)]
)
def test_the_seed_decides(tiny_pack: Pack, recipe: DataRecipe) -> None:
    rows = [select(tiny_pack, recipe, seed).training.rows.tolist() for seed in (1, 1, 2)]
    assert rows[0] == rows[1] != rows[2]


def test_balanced_classes_are_all_as_large_as_the_largest() -> None:
    pack = MadeUpPack(train=[3, 7, 2], val=[1, 2, 3])
    chosen = select(pack, DataRecipe(balance=True), seed=1)
    assert per_class(chosen.training, 3) == [7, 7, 7]
    times = np.bincount(chosen.training.rows)
    # Every image is there, and none of a class twice more often than another one.
    assert (
        sorted(times[:3]) == [2, 2, 3]
        and sorted(times[3:10]) == [1] * 7
        and sorted(times[10:]) == [3, 4]
    )
    assert chosen.training.labels.tolist() == [0] * 7 + [1] * 7 + [2] * 7
    assert per_class(chosen.validation, 3) == [1, 2, 3]
    others = [
        select(pack, DataRecipe(balance=True), seed).training.rows.tolist() for seed in range(9)
    ]
    assert len(set(map(tuple, others))) > 1


def test_balanced_after_everything_else() -> None:
    pack = MadeUpPack(train=[30, 4, 20], val=[1, 1, 1])
    chosen = select(pack, DataRecipe(balance=True, holdout=0.5), seed=1)
    assert per_class(chosen.training, 3) == [15, 15, 15]
    assert not set(chosen.training.rows) & set(chosen.validation.rows)
    assert len(set(chosen.validation.rows)) == len(chosen.validation)
    equal = MadeUpPack(train=[5, 5], val=[1, 1])
    assert select(equal, DataRecipe(balance=True), seed=1).training.rows.tolist() == list(range(10))


def test_fewer_classes_are_numbered_anew() -> None:
    pack = MadeUpPack(train=[3, 4, 5, 6], val=[1, 2, 3, 4])
    chosen = select(pack, DataRecipe(classes=2), seed=1)
    assert [c.id for c in chosen.classes] == ["n00", "n02"]
    assert per_class(chosen.training, 2) == [3, 5]
    assert chosen.validation.rows.tolist() == [0, 3, 4, 5]
    assert chosen.validation.labels.tolist() == [0, 1, 1, 1]
    assert chosen.validation.images(np.array([1]))[0, 0, 0].tolist() == [3, 3, 3]


@pytest.mark.parametrize("wanted", [2, 3, 7, 199, 200])
def test_classes_are_spread_evenly(wanted: int) -> None:
    chosen = chosen_classes(200, wanted)
    gaps = np.diff(chosen)
    assert len(chosen) == wanted
    assert chosen[0] == 0
    assert chosen[-1] < 200
    assert gaps.max() - gaps.min() <= 1


def test_unlabelled_images_are_all_taken(tiny_pack: Pack) -> None:
    split = tiny_pack["val"]
    pack = MadeUpPack(train=[1, 1])
    pack._made["test"] = Split(split.images, None, split.boxes, split.names)
    selection = select_split(pack, "test", np.array([0]))
    assert selection.labels.tolist() == [-1] * 16
    assert selection.names == split.names


@pytest.mark.parametrize(
    ("recipe", "problem"),
    [
        (DataRecipe(classes=1), "data.classes = 1"),
        (DataRecipe(classes=3), "data.classes = 3"),
        (DataRecipe(limit=1), "data.limit = 1"),
        (DataRecipe(), "no val split"),
    ],
)
def test_what_the_pack_cannot_give(recipe: DataRecipe, problem: str) -> None:
    splits = {"train": [3, 3]} if recipe == DataRecipe() else {"train": [3, 3], "val": [1, 1]}
    with pytest.raises(RecipeError, match=problem):
        select(MadeUpPack(**splits), recipe, seed=1)
