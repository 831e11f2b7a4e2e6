from __future__ import annotations

import re

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
    # Repetitions are written out, and nothing else is said in another way than the plan says it.
    said_once = re.sub(r"([^ ]+) x(\d+)", lambda m: " -> ".join([m[1]] * int(m[2])), entry.notation)
    assert str(plan) == said_once
    assert plan.layers[-1] == FC(200)
    assert trace(plan, (3, 64, 64))[-1].shape == (200,)
    assert ZOO[entry.name] is entry
    assert entry.source


# What the published networks have (torchvision's, for 1000 classes of ImageNet; the wide one's for 10 of CIFAR).
PUBLISHED = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnext50": 25_028_904,
    "wrn-28-10": 36_479_194,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_networks_of_others_have_as_many_parameters_as_theirs(name: str) -> None:
    lines = trace(parse(ZOO[name].notation))
    classes, maps = (10 if name.startswith("wrn") else 1000), lines[-2].shape[0]
    # The last layer for 200 classes; and 3x3 filters of the pixels where ImageNet's networks have 7x7.
    first = 0 if name.startswith("wrn") else 64 * 3 * (7 * 7 - 3 * 3)
    expected = PUBLISHED[name] - (classes - 200) * (maps + 1) - first
    assert sum(line.parameters for line in lines) == expected
