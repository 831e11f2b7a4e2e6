from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from lilliput.models import convolution
from lilliput.models.blocks import (
    BLOCKS,
    LEAKY_SLOPE,
    ResizedImages,
    Standardize,
    Whitening,
)
from lilliput.models.blocks import NONLINEARITIES as MODULES
from lilliput.models.convolution import Convolution
from lilliput.models.shared import BatchNorm, SeededDropout
from lilliput.notation import (
    BN,
    FC,
    NONLINEARITIES,
    SE,
    AvgPool,
    BlurPool,
    Bottleneck,
    Conv,
    Dropout,
    GlobalPool,
    Layer,
    MaxPool,
    PreAct,
    Residual,
    Resize,
    Shape,
    Whiten,
)

EXAMPLES: list[tuple[Layer, Shape]] = [
    *((Conv(size, 5, word), (4, 7, 6)) for size in (1, 3, 7) for word in NONLINEARITIES),
    *((Conv(3, 5, word, batch_norm=True), (4, 7, 6)) for word in NONLINEARITIES),
    *((Residual(size, filters), (4, 7, 6)) for size in (1, 3) for filters in (4, 5)),
    (Conv(3, 6, "ReLU", groups=2), (4, 7, 6)),
    *((Conv(3, 6, "", batch_norm=True, groups=2, stride=s), (4, 7, 6)) for s in (1, 2, 3)),
    (Conv(1, 6, "ReLU", stride=2), (4, 7, 6)),
    *(
        (kind(3, filters, stride, averages, reduction), (4, 7, 6))
        for kind in (Residual, Bottleneck, PreAct)
        for filters in (4, 8)
        for stride, averages, reduction in ((1, False, 2), (2, False, 0), (2, True, 9))
    ),
    (Bottleneck(3, 8, groups=3, width=6), (4, 7, 6)),
    (Bottleneck(3, 3), (4, 1, 1)),
    (SE(2), (4, 7, 6)),
    (SE(9), (4, 7, 6)),
    *((AvgPool(keeps), (4, 7, 6)) for keeps in (False, True)),
    *((BlurPool(), (4, *size)) for size in ((7, 6), (2, 3))),
    (Conv(3, 8, "ReLU", batch_norm=True, groups=4), (4, 7, 6)),
    *((Whiten(size, 5, stride), (4, 9, 6)) for size, stride in ((2, 2), (3, 1), (6, 4), (5, 3))),
    (Resize(5), (4, 7, 6)),
    (Conv(3, 6, "", groups=2), (4, 7, 6)),
    *((BN(word), (4, 7, 6)) for word in NONLINEARITIES),
    (MaxPool(), (4, 7, 6)),
    (GlobalPool(), (4, 7, 6)),
    *((FC(5, word), (4, 7, 6)) for word in (*NONLINEARITIES, "")),
    (FC(5), (9,)),
    (Dropout(0.5), (4, 7, 6)),
    (Dropout(0.5), (9,)),
]


@pytest.mark.parametrize(("layer", "shape"), EXAMPLES, ids=[f"{e[0]} on {e[1]}" for e in EXAMPLES])
def test_a_words_costs_are_its_modules(layer: Layer, shape: Shape) -> None:
    block = torch.nn.Sequential(*BLOCKS[type(layer)](layer, shape))
    assert block(torch.rand(2, *shape)).shape == (2, *layer.output(shape))
    assert sum(weight.numel() for weight in block.parameters()) == layer.parameters(shape)


@pytest.mark.parametrize(("layer", "shape"), EXAMPLES, ids=[f"{e[0]} on {e[1]}" for e in EXAMPLES])
def test_a_words_multiply_adds_are_its_modules(layer: Layer, shape: Shape) -> None:
    counted = 0

    def count(module: torch.nn.Module, _: object, output: torch.Tensor) -> None:
        nonlocal counted
        counted += output[0].numel() * module.weight[0].numel()

    block = torch.nn.Sequential(*BLOCKS[type(layer)](layer, shape))
    for module in block.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear, Whitening)):
            module.register_forward_hook(count)
    block(torch.rand(2, *shape))
    assert counted == layer.multiply_adds(shape)


def test_a_residual_adds_what_comes_in_to_what_it_makes_of_it() -> None:
    values = torch.rand(2, 4, 5, 5) - 0.5
    for filters in (4, 6):
        (block,) = BLOCKS[Residual](Residual(3, filters), (4, 5, 5))
        first, norm, _, second, last = block.eval().body
        made = last(second(norm(first(values)).relu()))
        around = block.shortcut(values)
        assert torch.equal(block(values), (made + around).relu())
        assert torch.equal(around, values) == (filters == 4)


def test_a_block_that_normalises_first_adds_what_comes_in_as_it_is() -> None:
    values = torch.rand(2, 4, 6, 5) - 0.5
    (block,) = BLOCKS[PreAct](PreAct(3, 4), (4, 6, 5))
    torch.testing.assert_close(block(values), values + block.body(values))
    assert (block(values) < 0).any()
    (block,) = BLOCKS[PreAct](PreAct(3, 6, 2), (4, 6, 5))
    seen = block.before(values)
    assert (seen >= 0).all() and seen.shape == values.shape
    torch.testing.assert_close(block(values), block.shortcut(seen) + block.body(seen))


def test_squeeze_and_excite_multiplies_every_map_by_a_share_of_its_own() -> None:
    values = torch.rand(2, 4, 5, 3) + 0.1
    (block,) = BLOCKS[SE](SE(2), (4, 5, 3))
    shares = block(values) / values
    torch.testing.assert_close(shares, shares[:, :, :1, :1].expand_as(shares))
    assert ((shares > 0) & (shares < 1)).all()
    means = values.mean((2, 3))
    expected = block.excite(torch.relu(block.squeeze(means))).sigmoid()
    torch.testing.assert_close(shares[:, :, 0, 0], expected)


@pytest.mark.parametrize("size", [(6, 8), (5, 7), (2, 2)])
def test_blurred_pooling_is_every_second_pixel_of_what_is_smoothed(size: tuple[int, int]) -> None:
    values = torch.rand(2, 3, *size)
    (block,) = BLOCKS[BlurPool](BlurPool(), (3, *size))
    one = torch.tensor([1.0, 2.0, 1.0]) / 4
    filters = (one[:, None] * one).expand(3, 1, 3, 3)
    mirrored = torch.nn.functional.pad(values, (1, 1, 1, 1), mode="reflect")
    expected = torch.nn.functional.conv2d(mirrored, filters, stride=2, groups=3)
    torch.testing.assert_close(block(values), expected)


def test_means_of_pixels_keep_an_edge_only_where_filters_do() -> None:
    values = torch.arange(15.0).view(1, 1, 3, 5)
    (cut,) = BLOCKS[AvgPool](AvgPool(), (1, 3, 5))
    (kept,) = BLOCKS[AvgPool](AvgPool(keeps_edge=True), (1, 3, 5))
    assert cut(values).flatten().tolist() == [3, 5]
    assert kept(values).flatten().tolist() == [3, 5, 6.5, 10.5, 12.5, 14]


@pytest.mark.parametrize("stride", [2, 3])
def test_filters_with_a_stride_see_the_first_pixel_and_every_so_many(stride: int) -> None:
    values = torch.rand(2, 3, 7, 6).to(memory_format=torch.channels_last)
    for pixels in (1, 3):
        strided = Convolution(3, 4, pixels, stride=stride, padding=pixels // 2)
        whole = Convolution(3, 4, pixels, padding=pixels // 2)
        whole.load_state_dict(strided.state_dict())
        torch.testing.assert_close(strided(values), whole(values)[:, :, ::stride, ::stride])


@pytest.mark.parametrize("bias", [False, True])
def test_filters_of_one_pixel_do_the_same_in_every_memory_format(bias: bool) -> None:
    layer, images = Convolution(6, 5, 1, bias=bias), torch.rand(3, 6, 4, 7)
    weights = list(layer.parameters())
    expected = torch.nn.functional.conv2d(images, layer.weight, layer.bias)
    wanted = torch.autograd.grad(expected.square().sum(), weights)
    for memory_format in (torch.contiguous_format, torch.channels_last):
        maps = layer(images.contiguous(memory_format=memory_format))
        torch.testing.assert_close(maps, expected)
        assert maps.is_contiguous(memory_format=memory_format)
        torch.testing.assert_close(torch.autograd.grad(maps.square().sum(), weights), wanted)


@pytest.mark.parametrize(("size", "maps", "bias"), [(1, 8, True), (3, 6, False), (5, 4, True)])
@pytest.mark.parametrize("shape", [(5, 6), (1, 1), (2, 7)])
def test_in_bf16_small_maps_are_convolved_by_a_product(
    size: int, maps: int, bias: bool, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convolution, "has_matrix_instructions", lambda: True)
    generator = torch.Generator().manual_seed(0)
    layer = Convolution(4, maps, size, padding=size // 2, bias=bias).to(
        memory_format=torch.channels_last
    )
    images = torch.randn(3, 4, *shape, generator=generator)
    images = images.contiguous(memory_format=torch.channels_last)
    weighing = torch.randn(3, maps, *shape, generator=generator)
    found: list[list[torch.Tensor]] = []
    for bf16 in (False, True):
        seen = images.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            result = layer(seen)
        assert result.is_contiguous(memory_format=torch.channels_last)
        inputs = [seen, *layer.parameters()]
        found.append([result, *torch.autograd.grad((result * weighing).sum(), inputs)])
    assert (
        type(found[1][0].grad_fn).__name__ != "ConvolutionBackward0"
    )  # else this would test torch
    for exact, rounded in zip(*found, strict=True):
        assert exact.shape == rounded.shape
        assert (exact - rounded).abs().max() < 0.02 * exact.abs().max()


@pytest.mark.parametrize("images", [0, 2])
def test_a_product_may_have_no_images_and_be_changed_in_place(
    images: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convolution, "has_matrix_instructions", lambda: True)
    layer = Convolution(4, 6, 3, padding=1, bias=False).to(memory_format=torch.channels_last)
    seen = torch.rand(images, 4, 1, 1, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        result = torch.nn.functional.relu_(layer(seen))
    result.sum().backward()
    assert result.shape == (images, 6, 1, 1)
    assert seen.grad is not None and seen.grad.shape == seen.shape


def test_without_matrix_instructions_larger_filters_stay_convolutions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(convolution, "has_matrix_instructions", lambda: False)
    layer = Convolution(4, 6, 3, padding=1, bias=False).to(memory_format=torch.channels_last)
    seen = torch.rand(2, 4, 3, 3).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        assert type(layer(seen).grad_fn).__name__ == "ConvolutionBackward0"


def test_the_filters_of_a_group_see_its_maps_alone() -> None:
    block = torch.nn.Sequential(*BLOCKS[Conv](Conv(3, 4, "Tanh", groups=2), (4, 5, 5)))
    values = torch.rand(1, 4, 5, 5)
    changed = values.clone()
    changed[:, :2] += 1
    moved = (block(changed) - block(values)).abs().sum((0, 2, 3)) > 0
    assert moved.tolist() == [True, True, False, False]


def test_images_shrink_as_pillow_shrinks_them() -> None:
    picture = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    shrunk = ResizedImages(24)(picture)
    seen = Image.fromarray(picture[0].permute(1, 2, 0).numpy())
    expected = torch.from_numpy(np.array(seen.resize((24, 24), Image.Resampling.BILINEAR)))
    assert shrunk.dtype == torch.uint8
    assert (shrunk[0].permute(1, 2, 0).int() - expected.int()).abs().max() <= 1
    floats = ResizedImages(24)(picture.float() / 255)
    assert (floats * 255 - shrunk.float()).abs().max() <= 1
    assert ResizedImages(64)(picture) is picture


def test_global_pooling_is_the_mean_of_each_map() -> None:
    values = torch.rand(2, 4, 7, 6)
    pool = torch.nn.Sequential(*BLOCKS[GlobalPool](GlobalPool(), (4, 7, 6)))
    torch.testing.assert_close(pool(values), values.mean((2, 3)))


def test_normalised_maps_have_mean_0_and_deviation_1() -> None:
    values = 3 * torch.rand(8, 4, 5, 5) + 2
    result = BatchNorm(4)(values)
    torch.testing.assert_close(result.mean((0, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
    deviation = result.std((0, 2, 3), correction=0)
    torch.testing.assert_close(deviation, torch.ones(4), atol=1e-3, rtol=0)


def test_a_batch_of_one_value_per_map_is_normalised_by_the_batches_before() -> None:
    norm = BatchNorm(4)
    norm(torch.rand(8, 4, 5, 5))
    before = norm.running_mean.clone()
    result = norm(torch.rand(1, 4, 1, 1))
    assert result.isfinite().all()
    assert torch.equal(norm.running_mean, before)


def test_every_word_has_an_example() -> None:
    assert {type(layer) for layer, _ in EXAMPLES} == set(BLOCKS)
    assert set(MODULES) == set(NONLINEARITIES)


def test_the_nonlinearities_are_what_they_are_called() -> None:
    values = torch.tensor([-2.0, 0.0, 3.0])
    assert MODULES["ReLU"]()(values.clone()).tolist() == [0, 0, 3]
    torch.testing.assert_close(MODULES["SiLU"]()(values.clone()), values * values.sigmoid())
    expected = torch.tensor([-2 * LEAKY_SLOPE, 0, 3])
    torch.testing.assert_close(MODULES["LeakyReLU"]()(values.clone()), expected)
    torch.testing.assert_close(MODULES["Tanh"]()(values), values.tanh())


def test_standardised_features_have_mean_0_and_deviation_1() -> None:
    random = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (50, 3, 4, 5), dtype=torch.uint8, generator=random)
    pixels = images.float() / 255
    standardize = Standardize(pixels.mean(0), pixels.std(0, correction=0))
    result = standardize(images)
    torch.testing.assert_close(result.mean(0), torch.zeros(3, 4, 5), atol=1e-5, rtol=0)
    torch.testing.assert_close(result.std(0, correction=0), torch.ones(3, 4, 5))
    torch.testing.assert_close(result, standardize(pixels), rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(5, 4), (1, 1)])
def test_standardising_follows_the_images_memory_format(size: tuple[int, int]) -> None:
    images = torch.randint(0, 256, (3, 3, 5, 4), dtype=torch.uint8)
    mean, scale = torch.rand(3, *size), torch.rand(3, *size) + 0.1
    standardize = Standardize(mean, scale)
    for layout in (torch.contiguous_format, torch.channels_last):
        result = standardize(images.contiguous(memory_format=layout))
        assert result.is_contiguous(memory_format=layout)
        torch.testing.assert_close(result, (images / 255 - mean) / scale, rtol=1e-5, atol=1e-5)
    assert set(standardize.state_dict()) == {"mean", "scale"}


def test_dropout_repeats_itself_from_a_seed() -> None:
    dropout, values = SeededDropout(0.5), torch.ones(1000)
    dropout.reseed(3)
    first, second = dropout(values), dropout(values)
    dropout.reseed(3)
    assert torch.equal(dropout(values), first)
    assert not torch.equal(first, second)
    dropout.reseed(4)
    assert not torch.equal(dropout(values), first)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_expectation(rate: float) -> None:
    result = SeededDropout(rate)(torch.ones(40_000))
    assert abs((result == 0).float().mean() - rate) < 0.01
    torch.testing.assert_close(result.unique(), torch.tensor([0, 1 / (1 - rate)]))


def test_dropout_lets_gradients_through_where_it_kept() -> None:
    values = torch.ones(100, requires_grad=True)
    result = SeededDropout(0.25)(values)
    result.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad, result.detach())


def test_dropout_outside_training_does_nothing() -> None:
    values = torch.rand(100)
    assert torch.equal(SeededDropout(0.5).eval()(values), values)
    assert torch.equal(SeededDropout(0)(values), values)


def test_dropout_draws_from_a_generator_of_its_own() -> None:
    before = torch.get_rng_state()
    SeededDropout(0.5)(torch.ones(10))
    assert torch.equal(before, torch.get_rng_state())
