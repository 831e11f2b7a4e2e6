from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from lilliput.data.augment import AUGMENTATIONS, augmentations, box_crop, crop, flip, jitter
from lilliput.data.augment.values import as_floats
from lilliput.data.batches import Batch, Draws
from lilliput.errors import RecipeError
from lilliput.recipe import AugmentRecipe

CPU = torch.device("cpu")
GREY = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
EVERYTHING = AugmentRecipe(
    box_crop=0.7,
    resized_crop=0.3,
    crop_pixels=3,
    flip=True,
    rotate_degrees=30.0,
    translate=0.2,
    scale=0.2,
    shear_degrees=10.0,
    policy="trivial",
    brightness=0.5,
    contrast=0.4,
    saturation=0.6,
    hue=0.2,
    erase=0.8,
    label_smoothing=0.1,
)
BOXES = [[0, 0, 2, 3], [5, 4, 9, 7], [3, 3, 3, 3], [-1, -1, -1, -1], [0, 0, 9, 7], [4, 2, 6, 7]]


class Fixed(Draws):
    """Draws that always lie at ``where`` between low and high."""

    def __init__(self, images: int, where: float) -> None:
        self._count, self._where = images, where

    def uniform(self, low: float, high: float) -> Tensor:
        return torch.full((self._count,), low + self._where * (high - low))


def batch_of(images: Tensor, first: int = 0) -> Batch:
    """``images`` with targets and boxes; ``first`` is the place of the first image among all."""
    places = torch.arange(first, first + len(images))
    boxes = torch.tensor(BOXES, dtype=torch.int16)[places % len(BOXES)]
    return Batch(images, torch.eye(4)[places % 4], boxes)


def pictures(height: int = 8, width: int = 10, count: int = 6) -> Tensor:
    """uint8[count,3,height,width] that lie in memory as a pack's."""
    random = np.random.default_rng(1)
    pixels = random.integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def draws(count: int = 6, seed: int = 1) -> Draws:
    return Draws(seed, count, slice(None), CPU)


PIXELS = [name for name in AUGMENTATIONS if name != "smooth_labels"]


@pytest.fixture(params=["uint8", "float"])
def images(request: pytest.FixtureRequest) -> Tensor:
    return pictures() if request.param == "uint8" else pictures().float() / 255


@pytest.mark.parametrize("name", PIXELS)
def test_every_augmentation_keeps_its_promises(name: str, images: Tensor) -> None:
    augment = AUGMENTATIONS[name](EVERYTHING)
    assert augment is not None
    before = images.clone()
    batch = batch_of(images)
    result = augment(batch, draws())
    assert torch.equal(images, before), "it works on a copy"
    assert result.images.shape == images.shape
    assert torch.equal(result.targets, batch.targets)
    assert result.images.dtype in (images.dtype, torch.float32, torch.uint8)
    if result.images.is_floating_point():
        assert result.images.isfinite().all()
        assert result.images.min() >= 0
        assert result.images.max() <= 1
    assert not torch.equal(result.images, images)
    again, other = augment(batch, draws()), augment(batch, draws(seed=2))
    assert torch.equal(result.images, again.images)
    assert not torch.equal(result.images, other.images)


@pytest.mark.parametrize("name", PIXELS)
def test_bytes_and_floats_are_augmented_alike(name: str) -> None:
    augment = AUGMENTATIONS[name](EVERYTHING)
    assert augment is not None
    of_bytes = augment(batch_of(pictures()), draws()).images
    of_floats = augment(batch_of(pictures().float() / 255), draws()).images
    # Grey is 128 among bytes.
    most = 0.5 / 255 + 1e-6 if name == "erase" else 1e-6
    torch.testing.assert_close(as_floats(of_bytes), as_floats(of_floats), rtol=0, atol=most)


@pytest.mark.parametrize("name", PIXELS)
def test_what_happens_to_an_image_does_not_depend_on_the_processes(name: str) -> None:
    augment = AUGMENTATIONS[name](EVERYTHING)
    assert augment is not None
    whole = augment(batch_of(pictures()), draws()).images
    parts = [
        augment(batch_of(pictures()[part], part.start), Draws(1, 6, part, CPU)).images
        for part in (slice(0, 3), slice(3, 6))
    ]
    torch.testing.assert_close(whole, torch.cat(parts), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", PIXELS)
def test_a_process_without_an_image_has_nothing_to_do(name: str, images: Tensor) -> None:
    augment = AUGMENTATIONS[name](EVERYTHING)
    assert augment is not None
    none = slice(3, 3)
    result = augment(batch_of(images[none]), Draws(1, 6, none, CPU))
    assert result.images.shape == (0, 3, 8, 10)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_nothing_is_switched_on_by_default(name: str) -> None:
    assert AUGMENTATIONS[name](AugmentRecipe()) is None
    assert augmentations(AugmentRecipe()) == ()
    assert len(augmentations(EVERYTHING)) == len(AUGMENTATIONS)


def test_mirroring_twice_is_nothing(images: Tensor) -> None:
    once = flip(batch_of(images), draws())
    assert torch.equal(flip(once, draws()).images, images)
    for before, after in zip(images, once.images, strict=True):
        assert torch.equal(after, before) or torch.equal(after, before.flip(2))


def test_half_of_the_images_are_mirrored() -> None:
    picture = torch.zeros(4000, 3, 1, 2)
    picture[..., 0] = 1
    mirrored = flip(batch_of(picture), draws(4000)).images[:, 0, 0, 1]
    assert abs(mirrored.mean() - 0.5) < 0.03


def test_alternate_flips_show_both_sides_in_every_two_epochs(images: Tensor) -> None:
    augment = AUGMENTATIONS["flip"](AugmentRecipe(flip="alternate"))
    assert augment is not None
    turns = np.array([True, False, False, True, True, False])

    def shown(turns: np.ndarray, part: slice = slice(None)) -> Tensor:
        drawn = Draws(1, 6, part, CPU, turns)
        return augment(batch_of(images[part]), drawn).images

    first, second = shown(turns), shown(~turns)
    assert torch.equal(first.flip(3), second)
    for turn, before, after in zip(turns, images, first, strict=True):
        assert torch.equal(after, before.flip(2) if turn else before)
    assert torch.equal(shown(turns, slice(2, 5)), first[2:5])


@pytest.mark.parametrize("shape", [(8, 10), (7, 9), (3, 5)])
def test_images_of_any_size_are_jittered(shape: tuple[int, int]) -> None:
    image = pictures(*shape).float() / 255
    expected = image * 1.5
    result = jitter(batch_of(image), Fixed(6, 1.0), brightness=0.5).images
    torch.testing.assert_close(result, expected.clamp(0, 1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("pixels", [1, 3, 7])
def test_a_crop_is_what_a_loop_over_images_cuts(images: Tensor, pixels: int) -> None:
    result = crop(batch_of(images), draws(), pixels=pixels).images
    same = draws()
    down, right = same.integers(0, 2 * pixels), same.integers(0, 2 * pixels)
    edges = ((0, 0), (pixels, pixels), (pixels, pixels))
    for i, image in enumerate(images):
        padded = np.pad(image.numpy(), edges, mode="reflect")
        expected = padded[:, down[i] : down[i] + 8, right[i] : right[i] + 10]
        np.testing.assert_array_equal(result[i].numpy(), expected)


def test_a_crop_reaches_every_place() -> None:
    picture = torch.arange(9 * 9, dtype=torch.uint8).reshape(1, 1, 9, 9).expand(2000, 3, 9, 9)
    centres = crop(batch_of(picture), draws(2000), pixels=2).images[:, 0, 4, 4].unique()
    assert centres.tolist() == [9 * y + x for y in range(2, 7) for x in range(2, 7)]


def test_a_crop_larger_than_the_image_is_a_wrong_recipe() -> None:
    with pytest.raises(RecipeError, match=r"crop_pixels = 8.*8x10"):
        crop(batch_of(pictures()), draws(), pixels=8)


def test_no_jitter_changes_nothing(images: Tensor) -> None:
    expected = images if images.is_floating_point() else images.float() / 255
    result = jitter(batch_of(images), draws()).images
    torch.testing.assert_close(result, expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("hue", [0.1, 0.5])
def test_hue_leaves_grey_as_it_is(hue: float) -> None:
    grey = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(1)).expand(6, 3, 8, 8)
    result = jitter(batch_of(grey), draws(), hue=hue).images
    torch.testing.assert_close(result, grey.contiguous(), rtol=0, atol=1e-5)


def test_hue_keeps_how_bright_a_colour_is() -> None:
    soft = 0.4 + 0.2 * pictures().float() / 255
    result = jitter(batch_of(soft), draws(), hue=0.5).images
    torch.testing.assert_close((result * GREY).sum(1), (soft * GREY).sum(1), rtol=0, atol=1e-5)
    assert (result - soft).abs().max() > 0.05


def test_a_third_of_a_turn_makes_the_next_colour() -> None:
    red = torch.tensor([0.6, 0.4, 0.4])[None, :, None, None].expand(1, 3, 2, 2)
    hues = set()
    for where in (0.0, 1.0):  # a third of a turn backward and forward
        colour = jitter(batch_of(red), Fixed(1, where), hue=1 / 3).images[0, :, 0, 0]
        hues.add(round(colorsys.rgb_to_hsv(*colour.tolist())[0] * 3))
    assert hues == {1, 2}


@pytest.mark.parametrize("where", [0.0, 0.2, 0.5, 1.0])
def test_jitter_is_the_naive_formula(where: float) -> None:
    image = pictures().float() / 255
    b, c, s = (1 - amount + 2 * amount * where for amount in (0.5, 0.4, 0.6))

    def grey(pixels: Tensor) -> Tensor:
        return (pixels * GREY).sum(1, keepdim=True)

    def check(expected: Tensor, **amounts: float) -> None:
        result = jitter(batch_of(image), Fixed(6, where), **amounts).images
        torch.testing.assert_close(result, expected.clamp(0, 1), rtol=0, atol=1e-5)

    bright = image * b
    check(bright, brightness=0.5)
    mean = grey(image).mean((2, 3), keepdim=True)
    check(mean + c * (image - mean), contrast=0.4)
    check(grey(image) + s * (image - grey(image)), saturation=0.6)
    mean = grey(bright).mean((2, 3), keepdim=True)
    steep = mean + c * (bright - mean)
    vivid = grey(steep) + s * (steep - grey(steep))
    check(vivid, brightness=0.5, contrast=0.4, saturation=0.6)


def boxed(images: Tensor, boxes: list[list[int]], **settings: float) -> Tensor:
    batch = Batch(images, torch.eye(len(images)), torch.tensor(boxes, dtype=torch.int16))
    settings = {"seed": 1, "probability": 1.0, **settings}
    augmented = box_crop(
        batch, draws(len(images), seed=int(settings["seed"])), probability=settings["probability"]
    )
    assert augmented.boxes is None, "they no longer say where things are"
    return augmented.images


@pytest.mark.parametrize("seed", range(5))
def test_a_box_crop_is_what_pillow_cuts_and_enlarges(seed: int) -> None:
    """Image by image, by the rule as it is written down."""
    height, width = 24, 32
    images = pictures(height, width)
    boxes = [[0, 0, 7, 9], [20, 10, 31, 23], [12, 12, 12, 12], [1, 2, 30, 21], [3, 5, 11, 20]]
    result = boxed(images[:5], boxes, seed=seed)
    same = draws(5, seed=seed)
    same.chance(1.0)
    growth, right, down = same.uniform(1, 1.5), same.uniform(0, 1), same.uniform(0, 1)
    for i, (x0, y0, x1, y1) in enumerate(boxes):
        share = max((x1 + 1 - x0) / width, (y1 + 1 - y0) / height)
        share = min(max(share * growth[i].item(), 0.25), 1)
        left, top = max(x1 + 1 - share * width, 0), max(y1 + 1 - share * height, 0)
        left += right[i].item() * (min(x0, width - share * width) - left)
        top += down[i].item() * (min(y0, height - share * height) - top)
        assert 0 <= left <= x0 and x1 + 1 <= left + share * width <= width + 1e-3
        assert 0 <= top <= y0 and y1 + 1 <= top + share * height <= height + 1e-3
        box = (left, top, min(left + share * width, width), min(top + share * height, height))
        picture = Image.fromarray(images[i].permute(1, 2, 0).numpy())
        expected = picture.resize((width, height), Image.Resampling.BILINEAR, box=box)
        # Pillow rounds twice, once per direction.
        found = 255 * result[i].permute(1, 2, 0).numpy()
        np.testing.assert_allclose(found, np.asarray(expected), atol=1.6)


def test_images_without_a_box_or_luck_keep_their_pixels(images: Tensor) -> None:
    whole = images if images.is_floating_point() else images.float() / 255
    none = [[-1] * 4] * 6
    assert torch.equal(boxed(images, none), whole)
    assert torch.equal(boxed(images, BOXES, probability=0.0), whole)
    unboxed = Batch(images, torch.eye(6))
    assert box_crop(unboxed, draws(), probability=1.0) is unboxed


def test_the_share_of_images_cut_to_their_boxes_is_the_probability() -> None:
    image = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    many = image.expand(2000, 3, 8, 8)
    result = boxed(many, [[2, 2, 4, 4]] * 2000, probability=0.3)
    changed = (result != many).flatten(1).any(1).float().mean()
    assert abs(changed - 0.3) < 0.03


def test_a_box_crop_shows_the_thing_larger_wherever_it_is() -> None:
    """A white square on black fills at least the share it has of the largest window."""
    images = torch.zeros(64, 3, 32, 32)
    boxes = []
    for i in range(64):
        x, y = i % 8 * 3, i // 8 * 3
        images[i, :, y : y + 11, x : x + 11] = 1
        boxes.append([x, y, x + 10, y + 10])
    shares = boxed(images, boxes).mean((1, 2, 3))
    assert shares.min() > (1 / 1.5) ** 2 - 0.02
    assert shares.max() > 0.85
    assert shares.std() > 0.05


def test_a_box_crop_comes_before_what_moves_pixels() -> None:
    """Boxes are those of the pack's pixels; afterwards nobody can mistake them for those of the new ones."""
    assert next(iter(AUGMENTATIONS)) == "box_crop"
    for augment in (flip, lambda b, d: crop(b, d, pixels=2)):
        assert augment(batch_of(pictures()), draws()).boxes is None
    assert jitter(batch_of(pictures()), draws(), hue=0.1).boxes is not None
    recipe = AugmentRecipe(box_crop=1.0, crop_pixels=2, flip=True)
    together = batch_of(pictures())
    for augment in augmentations(recipe):
        together = augment(together, draws())
    assert together.images.shape == (6, 3, 8, 10)


def test_smoothed_labels_are_probabilities_of_the_same_classes() -> None:
    targets = torch.eye(5)[[3, 0]]
    batch = Batch(torch.zeros(2, 3, 4, 4), targets)
    (smooth,) = augmentations(AugmentRecipe(label_smoothing=0.1))
    result = smooth(batch, draws(2)).targets
    torch.testing.assert_close(result.sum(1), torch.ones(2))
    assert result[0].tolist() == pytest.approx([0.02, 0.02, 0.02, 0.92, 0.02])
    assert torch.equal(result.argmax(1), targets.argmax(1))
