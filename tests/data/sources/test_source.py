from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lilliput.data.sources.source import Picture, arrange, hold_out, make_listing, natural_key
from lilliput.errors import SourceError


def pictures(**counts: int) -> list[Picture]:
    return [Picture(f"{id}/{i}", f"{i}", id) for id, n in counts.items() for i in range(n)]


def listing(**splits: list[Picture]):
    return make_listing("here", splits, {}, lambda _: b"", seed=0, val_fraction=0.1)


def test_natural_order() -> None:
    names = ["test_10", "test_2", "test_1", "test_0", "a", "test_01", "10", "9", ""]
    expected = ["", "9", "10", "a", "test_0", "test_01", "test_1", "test_2", "test_10"]
    assert sorted(names, key=natural_key) == expected


@given(st.lists(st.text(alphabet="ab0129_²\u0663", max_size=8), unique=True))
def test_natural_order_is_total(names: list[str]) -> None:
    assert sorted(names, key=natural_key) == sorted(reversed(names), key=natural_key)


@given(st.integers(0, 10**24 - 1), st.integers(0, 10**24 - 1))
def test_natural_order_compares_numbers(a: int, b: int) -> None:
    assert (natural_key(f"x{a}.png") < natural_key(f"x{b}.png")) == (a < b)


def test_names_that_several_share_get_their_class_then_their_path() -> None:
    named = arrange(
        [
            Picture("z/cat/1.jpg", "1.jpg", "cat"),
            Picture("z/dog/1.jpg", "1.jpg", "dog"),
            Picture("z/dog/2.jpg", "2.jpg", "dog"),
            Picture("z/eel/a/3.jpg", "3.jpg", "eel"),
            Picture("z/eel/b/3.jpg", "3.jpg", "eel"),
        ]
    )
    expected = ["cat/1.jpg", "dog/1.jpg", "2.jpg", "z/eel/a/3.jpg", "z/eel/b/3.jpg"]
    assert [p.name for p in named] == expected


def content(picture: Picture) -> bytes:
    return picture.file.encode()


def test_held_out_part_is_stratified_and_stable() -> None:
    before = pictures(cat=30, dog=5, eel=2, fox=1)
    train, val = hold_out(before, content, 0, 0.1)
    assert [sum(p.class_id == id for p in val) for id in ("cat", "dog", "eel", "fox")] == [
        3,
        1,
        1,
        0,
    ]
    assert sorted(train + val) == sorted(before)
    assert set(hold_out(before[::-1], content, 0, 0.1)[1]) == set(val)
    assert set(hold_out(before, content, 1, 0.1)[1]) != set(val)


def test_what_is_held_out_follows_its_recipe() -> None:
    """The recipe of ``docs/format.md``, written out again."""
    before = pictures(cat=30)
    ranked = sorted(before, key=lambda p: hashlib.sha256(b"7\n" + content(p)).digest())
    assert set(hold_out(before, content, 7, 0.1)[1]) == set(ranked[:3])


def test_equal_contents_are_told_apart_by_natural_name() -> None:
    before = pictures(cat=30)
    assert [p.name for p in hold_out(before, lambda p: b"", 0, 0.1)[1]] == ["0", "1", "2"]
    assert hold_out(before[::-1], lambda p: b"", 0, 0.1)[1] == before[:3]


def test_new_pictures_hardly_move_old_ones() -> None:
    old = set(hold_out(pictures(cat=100), content, 0, 0.1)[1])
    new = set(hold_out(pictures(cat=110), content, 0, 0.1)[1])
    assert len(old & new) >= 8


def test_classes_are_sorted_by_id() -> None:
    found = listing(train=pictures(b=2, a=2, B=2, a10=2))
    assert [info.id for info in found.classes] == ["B", "a", "a10", "b"]


@pytest.mark.parametrize(
    ("splits", "message"),
    [
        ({"train": pictures(a=3)}, "only one class, 'a'"),
        ({"train": []}, "no labelled"),
        ({"train": pictures(a=2, b=2), "val": pictures(a=1, c=1)}, "class 'c' is in val but not"),
        ({"train": pictures(a=2, b=2), "test": pictures(d=1)}, "class 'd' is in test but not"),
        ({"train": pictures(a=2, b=2), "val": []}, "val folder holds no pictures"),
    ],
)
def test_sets_that_cannot_be_trained_on(splits: dict, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        listing(**splits)
