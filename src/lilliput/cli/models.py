"""The command ``models``: the zoo, or one network layer by layer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lilliput.cli.console import Json, answer, bold, table

if TYPE_CHECKING:
    from lilliput.notation import LayerTrace

CHANNELS = 3


def models(
    name: str | None = None,
    /,
    *,
    size: int = 64,
    classes: int = 200,
    json: Json = False,
) -> None:
    """The networks that come along, or one of them layer by layer, with shapes and costs.

    Parameters
    ----------
    name
        A network of the list, or any notation: "ConvReLU(F5-16) -> MaxPool -> FC(200)".
    size
        Height and width of the images in pixels.
    classes
        How many classes the last layer of a network of the list tells apart.
    """
    if name is None:
        _list(size, classes, as_json=json)
    else:
        _show(name, size, classes, as_json=json)


def _list(size: int, classes: int, *, as_json: bool) -> None:
    from lilliput.notation import ZOO

    rows, facts = [["NAME", "PARAMETERS", "MULTIPLY-ADDS", "NOTATION"]], []
    for name, entry in ZOO.items():
        notation = _for_classes(entry.notation, classes)
        parameters, multiply_adds = _costs(_trace(notation, size))
        rows.append([name, f"{parameters:,}", f"{multiply_adds:,}", notation])
        facts.append(
            {
                "name": name,
                "notation": notation,
                "source": entry.source,
                "parameters": parameters,
                "multiply_adds": multiply_adds,
            }
        )
    title = bold(f"Networks for {classes} classes of {size}x{size} images")
    answer(f"{title}\n\n{table(rows, right=(1, 2))}", {"models": facts}, as_json=as_json)


def _show(name: str, size: int, classes: int, *, as_json: bool) -> None:
    from lilliput.errors import UsageError, did_you_mean
    from lilliput.notation import ZOO

    is_notation = "(" in name or "->" in name
    if name not in ZOO and not is_notation:
        raise UsageError(f"there is no network '{name}'", did_you_mean(name, ZOO))
    notation = name if is_notation else _for_classes(ZOO[name].notation, classes)
    traces = _trace(notation, size)
    parameters, multiply_adds = _costs(traces)
    rows = [["LAYER", "SHAPE", "PARAMETERS", "MULTIPLY-ADDS"]]
    rows += [
        [str(t.layer), _shape(t.shape), f"{t.parameters:,}", f"{t.multiply_adds:,}"] for t in traces
    ]
    rows.append(["total", "", f"{parameters:,}", f"{multiply_adds:,}"])
    facts = {
        "name": None if is_notation else name,
        "notation": notation,
        "image": [CHANNELS, size, size],
        "parameters": parameters,
        "multiply_adds": multiply_adds,
        "layers": [
            {
                "layer": str(t.layer),
                "shape": t.shape,
                "parameters": t.parameters,
                "multiply_adds": t.multiply_adds,
            }
            for t in traces
        ],
    }
    text = "\n".join(
        [
            bold(notation),
            f"for images of {CHANNELS} x {size} x {size}",
            "",
            table(rows, right=(2, 3)),
        ]
    )
    answer(text, facts, as_json=as_json)


def _trace(notation: str, size: int) -> tuple[LayerTrace, ...]:
    from lilliput.notation import parse, trace

    return trace(parse(notation), (CHANNELS, size, size))


def _costs(traces: tuple[LayerTrace, ...]) -> tuple[int, int]:
    return sum(t.parameters for t in traces), sum(t.multiply_adds for t in traces)


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _for_classes(notation: str, classes: int) -> str:
    # The zoo is written for Tiny ImageNet; the number of classes stands in the last layer.
    return re.sub(r"FC\(\d+\)$", f"FC({classes})", notation)
