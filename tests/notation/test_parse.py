from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lilliput.errors import NotationError
from lilliput.notation import FC, Conv, Dropout, MaxPool, Plan, parse
from lilliput.notation.parse import WORDS


@pytest.mark.parametrize(
    "text",
    [
        "IMG -> ConvLeakyReLU(F5-32) -> MaxPool -> Dropout(0.5) -> FC(200)",
        "ConvLeakyReLU(F5-32)->MaxPool->Dropout(.5)->FC(200)",
        "  IMG->ConvLeakyReLU ( F5 - 32 )\n  -> MaxPool\t-> Dropout( 0.50 ) -> FC( 200 )\n",
    ],
)
def test_spaces_and_the_image_do_not_matter(text: str) -> None:
    layers = (Conv(5, 32, "LeakyReLU"), MaxPool(), Dropout(0.5), FC(200))
    assert parse(text) == Plan(layers)


# The caret stands under the first wrong character.
WRONG = """
MaxPool -> CnovReLU(F5-32) -> FC(200)
           ^                            CnovReLU
MaxPool -> img -> FC(200)
           ^                            img
MaxPool -> IMG -> FC(200)
           ^                            IMG
ConvReLU(F4-32) -> FC(200)
          ^                             4x4
ConvReLU( F65-32) -> FC(200)
           ^                            65x65
ConvReLU(F5 - 0) -> FC(200)
              ^                         0 is out
ConvReLU(F5-65537) -> FC(200)
            ^                           65537
ConvReLU(5-32) -> FC(200)
         ^                              5-32
ConvReLU -> FC(200)
        ^                               brackets
ConvReLU() -> FC(200)
         ^                              ConvReLU cannot
MaxPool(3) -> FC(200)
        ^                               MaxPool cannot
Dropout(1) -> FC(200)
        ^                               Dropout cannot
Dropout(0.99999999999999999999) -> FC(200)
        ^                               Dropout cannot
MaxPool -> FC( 0)
               ^                        0 is out
MaxPool -> FC(two)
              ^                         two
MaxPool -> FCReLU(200)
           ^                            ends with
MaxPool
^                                       ends with
IMG
   ^                                    no layer
FCReLU(9) -> MaxPool -> FC(200)
             ^                          MaxPool cannot follow
GlobalPool -> Residual(F3-8) -> FC(200)
              ^                         cannot follow GlobalPool
FCReLU(9) -> GlobalPool -> FC(200)
             ^                          cannot follow a fully
GlobalPool -> GlobalPool -> FC(200)
              ^                         GlobalPool cannot follow GlobalPool
GlobalPool(2) -> FC(200)
           ^                            GlobalPool cannot
Residual(F2-8) -> FC(200)
          ^                             2x2
Residual -> FC(200)
        ^                               brackets
ConvReLU(F3-10,G4) -> FC(200)
                ^                       10 filters cannot be cut into 4
ConvReLU(F3-8,G0) -> FC(200)
               ^                        0 groups
Conv(F3-8) -> BNReLU(8) -> FC(200)
                     ^                  BNReLU cannot
Residual(F3-8,G2) -> FC(200)
              ^                         'G2' cannot stand here in Residual
Residual(F3-8, D, S2) -> FC(200)
                  ^                     'S2' cannot stand here in Residual
Residual(F3-8,S2,) -> FC(200)
                 ^                      something is missing
Residual(F3-8,S2,SE) -> FC(200)
                 ^                      'SE' cannot stand here in Residual
Residual(F3,S2) -> FC(200)
         ^                              Residual cannot be
ConvReLU(F3-8,S0) -> FC(200)
               ^                        stride 0
ConvReLU(F3-8,G2,S2) -> FC(200)
                 ^                      'S2' cannot stand here in ConvReLU
Residual(F3-8,D) -> FC(200)
              ^                         nothing here is halved
Residual(F3-8,S2,SE0) -> FC(200)
                   ^                    0 is out
Bottleneck(F3-64,G5) -> FC(200)
                  ^                     16 filters cannot be cut into 5
Bottleneck(F3-64,G4,W6) -> FC(200)
                  ^                     6 filters cannot be cut into 4
Bottleneck(F3-64,W0) -> FC(200)
                  ^                     0 is out
PreAct(F3-64,G2) -> FC(200)
             ^                          'G2' cannot stand here in PreAct
Bottleneck(F3-64,W8,G4) -> FC(200)
                    ^                   'G4' cannot stand here in Bottleneck
SE -> FC(200)
  ^                                     brackets
BlurPool(2) -> FC(200)
         ^                              BlurPool cannot
GlobalPool -> SE(4) -> FC(200)
              ^                         cannot follow GlobalPool
MaxPool x0 -> FC(200)
         ^                              0 times
MaxPool x 1001 -> FC(200)
          ^                             1001 times
SE(4) x998 -> MaxPool x3 -> FC(200)
                       ^                3 times
MaxPool x -> FC(200)
        ^                               understood
IMG x2 -> FC(200)
^                                       not a layer
FC(200) x2
^                                       ends a network
Whiten(F6-96) -> FC(200)
       ^                                Whiten cannot
Whiten(F0-96,S1) -> FC(200)
        ^                               0x0
Whiten(F6-96,S3) -> FC(200)
              ^                         3 apart
Whiten(F6-96,S8) -> FC(200)
              ^                         8 apart
Resize -> FC(200)
      ^                                 brackets
Resize(0) -> FC(200)
       ^                                0 is out
GlobalPool -> Whiten(F6-96,S4) -> FC(200)
              ^                         cannot follow GlobalPool
MaxPool -> Resize(9) -> FC(200)
           ^                            Resize stands first
ConvBNReLU(32) -> FC(200)
           ^                            32
FC(9) -> Dropout(.5) -> FC(200)
         ^                              ends a network
FC(9) -> FC(200)
         ^                              ends a network
-> FC(200)
^                                       missing
MaxPool ->-> FC(200)
          ^                             missing
MaxPool ->
          ^                             missing
MaxPool MaxPool -> FC(200)
        ^                               MaxPool
MaxPool -> FC(200
             ^                          closed
MaxPool -> FC(200) (3)
                   ^                    understood
MaxPool -> FC(200))
                  ^                     understood
MaxPool -> 3 -> FC(200)
           ^                            not a layer
""".strip("\n").split("\n")


@pytest.mark.parametrize(("text", "caret"), list(zip(WRONG[::2], WRONG[1::2], strict=True)))
def test_an_error_points_at_the_wrong_character(text: str, caret: str) -> None:
    pointer, _, problem = caret.partition("^")
    with pytest.raises(NotationError) as caught:
        parse(text)
    error = caught.value
    assert error.column == len(pointer) + 1
    assert problem.strip() in str(error)
    assert str(error).endswith(f"\n  {text}\n  {pointer}^")
    assert error.hint.startswith("expected ")


def test_repeating_goes_on_to_a_thousand_layers_and_saying_once_is_no_repeating() -> None:
    most = parse("SE(4) x998 -> MaxPool x2 -> BlurPool x1 -> FC(200)")
    assert len(most.layers) == 1002
    assert parse(str(most)) == most
    with pytest.raises(NotationError) as caught:
        parse("SE(4) x998 -> MaxPool x3 -> FC(200)")
    assert "x1 to x2" in caught.value.hint


def test_nothing_at_all() -> None:
    for text in ("", "  "):
        with pytest.raises(NotationError, match="missing") as caught:
            parse(text)
        assert caught.value.column == len(text) + 1


def test_a_misspelt_word_names_the_nearest() -> None:
    with pytest.raises(NotationError) as caught:
        parse("ConReLU(F5-32) -> FC(200)")
    assert "ConvReLU" in caught.value.hint


def test_text_in_several_lines_is_pointed_at_in_one() -> None:
    with pytest.raises(NotationError) as caught:
        parse("MaxPool\n-> Wrong -> FC(2)")
    assert str(caught.value).splitlines()[1:] == ["  MaxPool -> Wrong -> FC(2)", " " * 13 + "^"]


def test_thousands_of_digits_are_out_of_range() -> None:
    for text in (f"FC({'9' * 5000})", f"ConvReLU(F{'9' * 5000}-1) -> FC(2)"):
        with pytest.raises(NotationError):
            parse(text)


OPTIONS = ["S2", "G2", "W4", "D", "SE2", ","]
PIECES = st.sampled_from(
    [*WORDS, *OPTIONS, "IMG", "->", " ", "(", ")", "F5-32", "200", "0.5", "-", "x3", "\n", "³"]
)


@settings(deadline=None, max_examples=50)
@given(st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=30))
def test_any_text_is_read_or_refused_at_a_place_within_it(text: str) -> None:
    try:
        plan = parse(text)
    except NotationError as error:
        assert 1 <= error.column <= len(text) + 1
    else:
        assert parse(str(plan)) == plan


# What may follow in the brackets, in this order; any of it may be left out.
WITH_OPTIONS = {
    "ConvBN": ["S2", "G4"],
    "Residual": ["S2", "D", "SE4"],
    "PreAct": ["S2", "D", "SE4"],
    "Bottleneck": ["S2", "G4", "W16", "D", "SE4"],
}


@settings(deadline=None, max_examples=50)
@given(st.data(), st.sampled_from(sorted(WITH_OPTIONS)), st.integers(0, 20))
def test_the_first_option_that_is_not_understood_is_pointed_at(
    data: st.DataObject, word: str, spaces: int
) -> None:
    options = WITH_OPTIONS[word]
    said = sorted(data.draw(st.sets(st.sampled_from(options[1:]))), key=options.index)
    begin = f"MaxPool -> {word}(" + ",".join(["F3-16", "S2", *said]) + "," + " " * spaces
    wrong = data.draw(st.sampled_from(["Q2", "s2", "S", "S2", "SE", "-1"]))
    with pytest.raises(NotationError) as caught:
        parse(f"{begin}{wrong}, D) -> FC(5)")
    assert caught.value.column == len(begin) + 1
