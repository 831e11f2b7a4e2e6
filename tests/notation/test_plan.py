from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lilliput.errors import NotationError
from lilliput.notation import (
    BN,
    FC,
    NONLINEARITIES,
    SE,
    ZOO,
    AvgPool,
    Block,
    BlurPool,
    Bottleneck,
    Conv,
    Dropout,
    GlobalPool,
    Layer,
    MaxPool,
    Plan,
    PreAct,
    Residual,
    Resize,
    Whiten,
    parse,
    trace,
)

NONLINEARITY = st.sampled_from(NONLINEARITIES)
WIDTH = st.integers(1, 65_536)
DROPOUT = st.builds(Dropout, st.floats(0, 1, exclude_max=True))
ODD = st.integers(0, 31).map(lambda half: 2 * half + 1)
GROUPED = st.builds(
    lambda size, each, word, norm, groups: Conv(size, each * groups, word, norm, groups),
    ODD,
    st.integers(1, 64),
    NONLINEARITY,
    st.booleans(),
    st.integers(1, 64),
)
STRIDED = st.builds(
    lambda size, width, norm, stride: Conv(size, width, "", norm, stride=stride),
    ODD,
    WIDTH,
    st.booleans(),
    st.integers(1, 63),
)
AROUND = st.tuples(st.integers(1, 63), st.just(False), st.integers(0, 64)) | st.just((2, True, 16))
BLOCK = st.builds(
    lambda kind, size, width, around: kind(size, width, *around),
    st.sampled_from([Residual, PreAct, Bottleneck]),
    ODD,
    WIDTH,
    AROUND,
)
BOTTLENECK = st.builds(
    lambda size, width, around, groups, each: Bottleneck(
        size, width, *around, groups, groups * each
    ),
    ODD,
    WIDTH,
    AROUND,
    st.integers(1, 64),
    st.integers(1, 64),
)
OTHERS = st.sampled_from([AvgPool(), BlurPool(), SE(1), SE(16)])
CONV = st.builds(Conv, ODD, WIDTH, NONLINEARITY, st.booleans()) | st.builds(Residual, ODD, WIDTH)
FIRST: st.SearchStrategy[list[Layer]] = st.lists(
    st.builds(Resize, st.integers(1, 4096)), max_size=1
)
WHITEN = st.builds(
    lambda stride, more, width: Whiten(stride + 2 * more, width, stride),
    st.integers(1, 30),
    st.integers(0, 16),
    WIDTH,
)
BEFORE: st.SearchStrategy[list[Layer]] = st.lists(CONV | st.just(MaxPool()) | DROPOUT, max_size=6)
POOL: st.SearchStrategy[list[Layer]] = st.lists(st.just(GlobalPool()), max_size=1)
AFTER: st.SearchStrategy[list[Layer]] = st.lists(
    st.builds(FC, WIDTH, NONLINEARITY) | DROPOUT, max_size=4
)
PLANS = st.builds(
    lambda before, pool, after, classes: Plan((*before, *pool, *after, FC(classes))),
    BEFORE,
    POOL,
    AFTER,
    WIDTH,
)


@settings(deadline=None, max_examples=50)
@given(
    FIRST,
    st.lists(
        GROUPED | WHITEN | STRIDED | BLOCK | BOTTLENECK | OTHERS | st.builds(BN, NONLINEARITY),
        max_size=4,
    ),
    PLANS,
)
def test_every_plan_reads_back_from_its_own_text(
    first: list[Layer], more: list[Layer], rest: Plan
) -> None:
    plan = Plan((*first, *more, *rest.layers))
    assert parse(str(plan)) == plan


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(CONV | BLOCK | BOTTLENECK | OTHERS, st.integers(1, 9)), max_size=6))
def test_repetition_says_what_is_written_out(said: list[tuple[Layer, int]]) -> None:
    text = " -> ".join([*(f"{layer} x{times}" for layer, times in said), "FC(5)"])
    assert parse(text).layers == (*(one for layer, times in said for one in [layer] * times), FC(5))


@settings(deadline=None, max_examples=50)
@given(PLANS, st.integers(1, 80), st.integers(1, 80))
def test_trace_gives_a_line_per_layer_or_says_which_layer_is_too_much(
    plan: Plan, height: int, width: int
) -> None:
    pools = sum(isinstance(layer, MaxPool) for layer in plan.layers)
    if min(height, width) >> pools:
        assert [line.layer for line in trace(plan, (3, height, width))] == list(plan.layers)
        return
    with pytest.raises(NotationError) as caught:
        trace(plan, (3, height, width))
    assert str(plan)[caught.value.column - 1 :].startswith("MaxPool")


def test_costs_of_every_word_counted_by_hand() -> None:
    plan = parse("ConvReLU(F3-4) -> MaxPool -> FCReLU(10) -> Dropout(0.5) -> FC(7)")
    lines = trace(plan, (3, 9, 8))
    assert [line.shape for line in lines] == [(4, 9, 8), (4, 4, 4), (10,), (10,), (7,)]
    # 4 filters of 3x3x3 and a bias; 64 features and a bias for 10 neurons; 10 and a bias for 7.
    assert [line.parameters for line in lines] == [4 * 28, 0, 10 * 65, 0, 7 * 11]
    assert [line.multiply_adds for line in lines] == [9 * 8 * 4 * 27, 0, 640, 0, 70]


def test_costs_of_the_residual_words_counted_by_hand() -> None:
    plan = parse("ConvBNReLU(F3-4) -> Residual(F3-4) -> Residual(F3-6) -> GlobalPool -> FC(7)")
    lines = trace(plan, (3, 9, 8))
    assert [line.shape for line in lines] == [(4, 9, 8), (4, 9, 8), (6, 9, 8), (6,), (7,)]
    # Normalised filters have a factor and an offset in place of a bias; 1x1 filters lead around where maps are added.
    around = 6 * (4 + 2)
    assert [line.parameters for line in lines] == [
        4 * (27 + 2),
        2 * 4 * (36 + 2),
        6 * (36 + 2) + 6 * (54 + 2) + around,
        0,
        7 * 7,
    ]
    per_pixel = [4 * 27, 2 * 4 * 36, 6 * 36 + 6 * 54 + 6 * 4]
    assert [line.multiply_adds for line in lines] == [*(72 * n for n in per_pixel), 0, 42]


def test_a_word_said_several_times_is_several_layers() -> None:
    plan = parse("ConvReLU(F3-4) x2 -> MaxPool x 3 -> FC(7)x1")
    assert str(plan) == "ConvReLU(F3-4) -> ConvReLU(F3-4) -> MaxPool -> MaxPool -> MaxPool -> FC(7)"


def test_blocks_are_made_of_other_words() -> None:
    def said(block: Block, maps: int) -> list[str]:
        ways = block.before(maps), block.body(maps), block.shortcut(maps)
        return [" ".join(map(str, way)) for way in ways]

    plain = "ConvBNReLU(F3-8) ConvBN(F3-8)"
    assert said(Residual(3, 8), 8) == ["", plain, ""]
    assert said(Residual(3, 8), 4) == ["", plain, "ConvBN(F1-8)"]
    halved = "ConvBNReLU(F3-8,S2) ConvBN(F3-8)"
    assert said(Residual(3, 8, 2), 8) == ["", halved, "ConvBN(F1-8,S2)"]
    assert said(Residual(3, 8, 2, True, 4), 4) == ["", f"{halved} SE(4)", "AvgPool ConvBN(F1-8)"]
    grouped = "ConvBNReLU(F1-6) ConvBNReLU(F3-6,S2,G3) ConvBN(F1-8)"
    assert said(Bottleneck(3, 8, 2, groups=3, width=6), 4) == ["", grouped, "ConvBN(F1-8,S2)"]
    assert said(Bottleneck(3, 8), 8)[1] == "ConvBNReLU(F1-2) ConvBNReLU(F3-2) ConvBN(F1-8)"
    assert said(PreAct(3, 8), 8) == ["", "BNReLU Conv(F3-8) BNReLU Conv(F3-8)", ""]
    around = ["BNReLU", "Conv(F3-8,S2) BNReLU Conv(F3-8)", "Conv(F1-8,S2)"]
    assert said(PreAct(3, 8, 2), 4) == around


def test_the_residual_network_costs_about_what_m4_does() -> None:
    def cost(name: str) -> int:
        return sum(line.multiply_adds for line in trace(parse(ZOO[name].notation)))

    assert 0.8 < cost("resnet") / cost("m4") < 1.25


@pytest.mark.parametrize(
    ("name", "parameters", "multiply_adds"),
    [
        # Convolutions, then 256 neurons on the last maps, then 200 on 256; at 64x64 pixels.
        (
            "m1",
            16 * 76 + 16 * 145 + 32 * 145 + 256 * (32 * 64 + 1) + 200 * 257,
            4096 * 16 * 75 + 1024 * 16 * 144 + 256 * 32 * 144 + 256 * 2048 + 51_200,
        ),
        (
            "m2",
            32 * 76 + 32 * 801 + 64 * 289 + 64 * 577 + 256 * (64 * 256 + 1) + 200 * 257,
            4096 * 32 * (75 + 800) + 1024 * 64 * (288 + 576) + 256 * 16_384 + 51_200,
        ),
        (
            "m3",
            32 * 76 + 32 * 801 + 64 * 289 + 128 * 577 + 256 * (128 * 64 + 1) + 200 * 257,
            4096 * 32 * 875 + 1024 * 64 * 288 + 256 * 128 * 576 + 256 * 8192 + 51_200,
        ),
        (
            "m4",
            32 * (76 + 801) + 64 * (289 + 577 + 577) + 128 * 577 + 256 * (128 * 64 + 1) + 200 * 257,
            4096 * 32 * 875 + 1024 * 64 * 864 + 256 * (64 * 576 + 128 * 576) + 256 * 8192 + 51_200,
        ),
    ],
)
def test_costs_of_the_papers_table_1(name: str, parameters: int, multiply_adds: int) -> None:
    lines = trace(parse(ZOO[name].notation))
    assert sum(line.parameters for line in lines) == parameters
    assert sum(line.multiply_adds for line in lines) == multiply_adds


def test_an_image_too_small_names_the_layer_it_cannot_pass() -> None:
    plan = parse("IMG->MaxPool->MaxPool->FC(2)")
    with pytest.raises(NotationError, match="1x8") as caught:
        trace(plan, (3, 2, 16))
    assert caught.value.column == 1 + len("MaxPool -> ")
    assert caught.value.expected == "a larger image or less pooling"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Conv(F3-6) -> Conv(F3-8,G4) -> FC(2)", "a multiple of 4 maps"),
        ("Whiten(F2-16,S2) -> FC(2)", "at most 12 filters"),
    ],
)
def test_what_no_image_could_pass_asks_for_no_larger_image(text: str, expected: str) -> None:
    with pytest.raises(NotationError) as caught:
        trace(parse(text))
    assert caught.value.expected.startswith(expected)


def test_other_classes_change_the_last_layer_only() -> None:
    plan = parse("FCReLU(5) -> FC(200)")
    assert str(plan.with_classes(7)) == "FCReLU(5) -> FC(7)"
    assert str(plan) == "FCReLU(5) -> FC(200)"


def test_dropout_goes_behind_every_fully_connected_layer_but_the_last() -> None:
    plan = parse("ConvTanh(F1-2) -> FCReLU(5) -> FCTanh(5) -> FC(9)")
    dropped = "ConvTanh(F1-2) -> FCReLU(5) -> Dropout(0.4) -> FCTanh(5) -> Dropout(0.4) -> FC(9)"
    assert str(plan.with_dropout(0.4)) == dropped
    assert plan.with_dropout(0) == plan


def test_dropout_goes_behind_global_pooling() -> None:
    plan = parse("ConvTanh(F1-2) -> GlobalPool -> FC(9)")
    assert str(plan.with_dropout(0.4)) == "ConvTanh(F1-2) -> GlobalPool -> Dropout(0.4) -> FC(9)"
