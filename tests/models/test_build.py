from __future__ import annotations

import copy
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from lilliput.errors import NotationError
from lilliput.models.blocks import ResidualBlock
from lilliput.models.build import build_model, pool_first, seed_dropout, share_batch
from lilliput.models.shared import BatchNorm, StochasticDepth
from lilliput.notation import ZOO, GlobalPool, parse, trace

SMALL = "ConvReLU(F3-4) -> MaxPool -> FCReLU(8) -> Dropout(0.5) -> FC(5)"


def build(text: str, size: int = 8, seed: int = 0) -> nn.Sequential:
    return build_model(
        parse(text), torch.full((3, size, size), 0.5), torch.full((3, size, size), 0.3), seed=seed
    )


def images(count: int, size: int = 8) -> Tensor:
    random = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=random)


@pytest.mark.parametrize("name", ZOO)
def test_a_network_is_what_its_trace_says(name: str) -> None:
    model = build(ZOO[name].notation, size=64).eval()
    weighty: list[tuple[tuple[int, ...], int]] = []

    def note(module: nn.Module, _: object, output: Tensor) -> None:
        shape, parameters = tuple(output.shape[1:]), sum(w.numel() for w in module.parameters())
        if isinstance(module, BatchNorm) and module in normalises:
            parameters += weighty.pop()[1]
        weighty.append((shape, parameters))

    # Those right behind a convolution belong to it.
    normalises = {after for before, after in pairwise(model) if isinstance(before, nn.Conv2d)}
    kinds = (nn.Conv2d, BatchNorm, ResidualBlock, nn.Linear, nn.MaxPool2d)
    for module in model:
        if isinstance(module, kinds):
            module.register_forward_hook(note)
    with torch.inference_mode():
        model(images(1, 64))
    lines = [line for line in trace(parse(ZOO[name].notation)) if line.layer != GlobalPool()]
    assert weighty == [(line.shape, line.parameters) for line in lines]


@pytest.mark.parametrize("name", ZOO)
def test_the_gradient_reaches_every_parameter(name: str) -> None:
    model = build(ZOO[name].notation, size=16)
    model(images(2, 16)).logsumexp(1).sum().backward()
    for place, weight in model.named_parameters():
        assert weight.grad is not None, place
        assert weight.grad.isfinite().all(), place
        assert weight.grad.abs().sum() > 0, place


@pytest.mark.parametrize("nonlinearity", ["ReLU", "LeakyReLU", "Tanh"])
def test_pooling_first_changes_neither_outputs_nor_gradients(nonlinearity: str) -> None:
    make = {"ReLU": nn.ReLU, "LeakyReLU": nn.LeakyReLU, "Tanh": nn.Tanh}[nonlinearity]
    torch.manual_seed(1)
    layers: list[nn.Module] = [nn.Conv2d(3, 4, 3), make(), nn.MaxPool2d(2), nn.MaxPool2d(2)]
    swapped = pool_first(copy.deepcopy(layers))
    assert [type(m) for m in swapped] == [nn.Conv2d, nn.MaxPool2d, nn.MaxPool2d, make]
    results = []
    for modules in (layers, swapped):
        model = nn.Sequential(*modules)
        output = model(images(4, 14).float() / 255 - 0.5)
        (output * torch.arange(output.numel()).view_as(output)).sum().backward()
        results.append([output, *(w.grad for w in model.parameters())])
    for before, after in zip(*results, strict=True):
        torch.testing.assert_close(after, before)


def test_a_network_pools_first() -> None:
    kinds = [type(module) for module in build(SMALL)]
    assert kinds.index(nn.MaxPool2d) < kinds.index(nn.ReLU)


def test_bytes_and_floats_give_the_same() -> None:
    model = build(SMALL).eval()
    torch.testing.assert_close(model(images(3)), model(images(3).float() / 255))


def test_the_same_seed_builds_the_same_network() -> None:
    some, same, other = (build(SMALL, seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(some[key], same[key]) for key in some)
    assert not torch.equal(some["1.weight"], other["1.weight"])


def test_building_leaves_the_rest_of_the_world_alone() -> None:
    before = torch.get_rng_state()
    build(SMALL)
    assert torch.equal(before, torch.get_rng_state())


def test_first_weights_are_drawn_as_he_et_al() -> None:
    state = build("ConvReLU(F5-64) -> FCReLU(256) -> FC(200)").state_dict()
    first, hidden, last = (w for w in state.values() if w.ndim in (2, 4))
    torch.testing.assert_close(first.std(), torch.tensor((2 / 75) ** 0.5), rtol=0.05, atol=0)
    torch.testing.assert_close(hidden.std(), torch.tensor((2 / 4096) ** 0.5), rtol=0.05, atol=0)
    torch.testing.assert_close(last.std(), torch.tensor((1 / 256) ** 0.5), rtol=0.05, atol=0)
    biases = [w for name, w in state.items() if name.endswith("bias")]
    assert len(biases) == 3
    assert not any(bias.any() for bias in biases)


def test_the_weights_within_a_residual_are_drawn_alike() -> None:
    model = build("ConvBNReLU(F3-32) -> Residual(F3-64) -> GlobalPool -> FC(200)", seed=3)
    again = build("ConvBNReLU(F3-32) -> Residual(F3-64) -> GlobalPool -> FC(200)", seed=3)
    state, same = model.state_dict(), again.state_dict()
    assert all(torch.equal(state[name], same[name]) for name in state)
    deviations = {name: w.std().item() for name, w in state.items() if w.ndim in (2, 4)}
    fans = [27, 288, 576, 32, 64]
    expected = [(2 / fan) ** 0.5 for fan in fans[:-1]] + [(1 / fans[-1]) ** 0.5]
    assert list(deviations.values()) == pytest.approx(expected, rel=0.06)


def test_the_first_layers_filters_come_first_among_the_weights() -> None:
    """Fig. 4 finds them by their name."""
    for text in (ZOO["resnet"].notation, "Residual(F3-8) -> GlobalPool -> FC(5)"):
        state = build(text, size=16).state_dict()
        kernels = sorted(name for name, w in state.items() if w.ndim == 4)
        assert state[kernels[0]].shape[1:] == ((3, 5, 5) if "BN" in text else (3, 3, 3))


def test_all_dropout_follows_one_seed_each_layer_its_own() -> None:
    model = build("Dropout(0.5) -> Dropout(0.5) -> FC(2)").train()
    ones = torch.ones(1, 3, 8, 8)

    def drawn(seed: int) -> list[Tensor]:
        seed_dropout(model, seed)
        return [model[place](ones) for place in (1, 2)]

    some, same, other = drawn(1), drawn(1), drawn(2**63 - 1)
    assert all(torch.equal(a, b) for a, b in zip(some, same, strict=True))
    assert not torch.equal(some[0], some[1])
    assert not torch.equal(some[0], other[0])


BLOCKS = "ConvBNReLU(F3-6) -> Residual(F3-6) x2 -> Bottleneck(F3-8,S2,SE2) -> PreAct(F3-8) -> GlobalPool -> FC(5)"


def build_deep(**changes: object) -> nn.Sequential:
    mean = torch.full((3, 8, 8), 0.5)
    return build_model(parse(BLOCKS), mean, mean, seed=1, **changes)


@torch.no_grad()
def test_residual_blocks_may_begin_by_handing_on_what_comes_in() -> None:
    for zero_init in (True, False):
        model = build_deep(zero_init=zero_init)
        blocks = [module for module in model if isinstance(module, ResidualBlock)]
        for block, maps in zip(blocks, (6, 6, 6, 8), strict=True):
            added = block.body(block.before(torch.rand(2, maps, 8, 8)))
            assert bool((added == 0).all()) == zero_init
    shapes = [value.shape for value in build_deep().state_dict().values()]
    assert [value.shape for value in build_deep(zero_init=True).state_dict().values()] == shapes


def test_training_passes_later_blocks_by_more_often() -> None:
    model = build_deep(stochastic_depth=0.75)
    assert model.state_dict().keys() == build_deep().state_dict().keys()
    drops = [module for module in model.modules() if isinstance(module, StochasticDepth)]
    assert [drop.rate for drop in drops] == [0, 0.25, 0.5, 0.75]
    values = torch.ones(4000, 2, 3, 3)
    seed_dropout(model, 7)
    kept = drops[3](values)
    assert set(kept.flatten().tolist()) == {0, 4}
    # All of an image or nothing, about a quarter of them, and the mean stays.
    assert (kept == kept[:, :1, :1, :1]).all()
    assert 0.9 < kept.mean() < 1.1
    seed_dropout(model, 7)
    torch.testing.assert_close(drops[3](values), kept)
    torch.testing.assert_close(model.eval()(images(3)), build_deep().eval()(images(3)))


def test_a_process_passes_by_what_it_would_alone() -> None:
    model = build_deep(stochastic_depth=0.5)
    (drop,) = [m for m in model.modules() if isinstance(m, StochasticDepth)][-1:]
    values = torch.rand(6, 2, 3, 3)
    seed_dropout(model, 3)
    whole = drop(values)
    share_batch(model, 6, slice(2, 5))
    seed_dropout(model, 3)
    torch.testing.assert_close(drop(values[2:5]), whole[2:5])


def test_images_too_small_for_the_plan() -> None:
    with pytest.raises(NotationError, match="MaxPool"):
        build("MaxPool -> MaxPool -> FC(2)", size=2)
