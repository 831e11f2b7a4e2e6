from __future__ import annotations

import numpy as np
import pytest
import torch

from lilliput.data import statistics
from lilliput.data.pack import Pack, Split
from lilliput.data.selection import Selection, select_split
from lilliput.data.statistics import empty_statistics, image_size, pixel_statistics


@pytest.mark.parametrize("chunk", [1024, 7])
def test_mean_and_deviation_of_every_feature(
    tiny_pack: Pack, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "_CHUNK", chunk)
    training = select_split(tiny_pack, "train", np.arange(4)).take(np.arange(5, 40))
    mean, scale = pixel_statistics(training)
    pixels = np.asarray(tiny_pack["train"].images)[5:40].transpose(0, 3, 1, 2) / 255
    np.testing.assert_allclose(mean, pixels.mean(0), atol=1e-6)
    np.testing.assert_allclose(scale, pixels.std(0), atol=1e-6)
    assert mean.dtype == scale.dtype == torch.float32
    assert mean.shape == scale.shape == (3, 16, 16)
    assert image_size(training) == (16, 16)


def test_a_feature_that_never_changes_has_a_scale_above_zero() -> None:
    images = np.full((50, 2, 3, 3), 255, np.uint8)
    split = Split(images, None, np.zeros((50, 4)), ("",) * 50)
    selection = Selection(split, np.arange(50), np.full(50, -1))
    mean, scale = pixel_statistics(selection)
    assert torch.equal(mean, torch.ones(3, 2, 3))
    assert torch.equal(scale, torch.full((3, 2, 3), 1 / 255))
    assert image_size(selection) == (2, 3)


def test_empty_statistics_change_nothing() -> None:
    mean, scale = empty_statistics(4, 5)
    images = torch.rand(2, 3, 4, 5)
    assert torch.equal((images - mean) / scale, images)
