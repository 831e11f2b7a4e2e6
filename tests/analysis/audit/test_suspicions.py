from __future__ import annotations

import numpy as np
import pytest

from lilliput.analysis.audit.evidence import Evidence
from lilliput.analysis.audit.suspicions import CAUSES, found_in, suspect
from lilliput.data.pack import Split

N, K = 40, 2


class OneSplit:
    """As much of a pack as causes are suggested from."""

    classes = (("a", "a"), ("b", "b"))

    def __init__(self, images: np.ndarray, boxes: np.ndarray, labels: np.ndarray) -> None:
        names = tuple(map(str, range(len(images))))
        self.split = Split(images, labels, boxes.astype(np.int16), names)

    def __getitem__(self, name: str) -> Split:
        return self.split


def scene(**changes):
    """40 pictures of 32 x 32: red ones of class 0, blue ones of class 1, with boxes in the middle."""
    random = np.random.default_rng(0)
    labels = np.arange(N) % K
    images = random.integers(0, 40, (N, 32, 32, 3)).astype(np.uint8)
    images[labels == 0, :, :, 0] += 180
    images[labels == 1, :, :, 2] += 180
    boxes = np.tile([6, 6, 25, 25], (N, 1))
    boxes[:, 2] += np.arange(N) % 5  # so that there are smaller and larger ones
    predicted = changes.pop("predicted", labels)
    for place, box in changes.pop("boxes", {}).items():
        boxes[place] = box
    for place, picture in changes.pop("images", {}).items():
        images[place] = picture
    mean = np.eye(K, dtype=np.float32)[predicted]
    nothing = np.full(N, np.nan)
    evidence = Evidence(
        split="val",
        rows=np.arange(N),
        names=tuple(map(str, range(N))),
        labels=labels,
        measures={
            "loss": nothing,
            "margin": nothing,
            "disagreement": nothing,
            "learned_late": nothing,
        },
        hardness=np.arange(1, N + 1) / N,
        judged=np.ones(N, np.int64),
        mean=mean,
        classes=np.arange(K),
    )
    return evidence, suspect(evidence, OneSplit(images, boxes, labels))


def test_each_cause_has_a_flag_per_image() -> None:
    _, found = scene()
    assert list(found) == list(CAUSES)
    assert all(flags.shape == (N,) and flags.dtype == bool for flags in found.values())


def test_a_small_object_in_the_middle_is_small_and_not_cropped() -> None:
    _, found = scene(boxes={3: [14, 14, 16, 16]})
    assert found["small"][3]
    assert not found["cropped"][3]


def test_a_sliver_at_the_edge_is_cropped() -> None:
    _, found = scene(boxes={4: [0, 6, 3, 25]})
    assert found["cropped"].tolist() == [i == 4 for i in range(N)]


def test_a_small_box_in_the_colours_of_what_it_is_taken_for_is_of_the_background() -> None:
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[..., 2] = 200  # blue as class 1
    picture[14:17, 14:17] = [200, 0, 0]
    predicted = np.arange(N) % K
    predicted[6] = 1
    _, found = scene(boxes={6: [14, 14, 16, 16]}, images={6: picture}, predicted=predicted)
    assert found["background"].tolist() == [i == 6 for i in range(N)]


def test_a_missing_box_counts_only_where_others_have_one() -> None:
    none = [-1, -1, -1, -1]
    _, found = scene(boxes={5: none})
    assert found["background"][5]
    _, found = scene(boxes=dict.fromkeys(range(N), none))
    assert not any(found[name].any() for name in ("small", "cropped", "background"))
    assert found["unlike"].any()


def test_a_green_one_among_red_ones_is_unlike_its_class() -> None:
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[..., 1] = 200
    _, found = scene(images={8: picture})
    assert found["unlike"][8]
    assert found["unlike"].sum() <= 3


def test_found_in_compares_the_hardest_tenth_with_the_rest() -> None:
    evidence, _ = scene()
    flags = np.zeros(N, bool)
    flags[-4:-1] = flags[:9] = True
    found = found_in(evidence, flags)
    assert found.hardest == pytest.approx(3 / 4)
    assert found.others == pytest.approx(9 / 36)
    assert found.hardest_interval[0] < 3 / 4 < found.hardest_interval[1]
