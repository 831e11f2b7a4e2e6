from __future__ import annotations

import pytest

from lilliput.notation import FC, ZOO, parse, trace

# Ting's Table 1, written as compactly as can be: 5x16 is sixteen filters of 5x5, | is pooling.
TABLE_1 = {
    "m1": "5x16 | 3x16 | 3x32 |",
    "m2": "5x32 5x32 | 3x64 3x64 |",
    "m3": "5x32 5x32 | 3x64 | 3x128 |",
    "m4": "5x32 5x32 | 3x64 3x64 | 3x64 3x128 |",
}


@pytest.mark.parametrize("name", TABLE_1)
def test_the_papers_networks_are_table_1(name: str) -> None:
    words = []
    for word in TABLE_1[name].split():
        size, _, filters = word.partition("x")
        words.append("MaxPool" if word == "|" else f"ConvReLU(F{size}-{filters})")
    assert ZOO[name].notation == " -> ".join([*words, "FCReLU(256)", "FC(200)"])
    assert "Table 1" in ZOO[name].source


@pytest.mark.parametrize("entry", ZOO.values(), ids=ZOO)
def test_every_network_is_canonical_and_takes_tiny_images(entry) -> None:
    plan = parse(entry.notation)
    assert str(plan) == entry.notation
    assert plan.layers[-1] == FC(200)
    assert trace(plan, (3, 64, 64))[-1].shape == (200,)
    assert ZOO[entry.name] is entry
    assert entry.source
