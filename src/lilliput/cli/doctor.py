"""The command ``doctor``: what this machine offers, and what a data set holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lilliput.cli.console import Json, answer, bold, progress, table

if TYPE_CHECKING:
    from lilliput.data.inspect import Inspection, Place

SHOWN = 10


def doctor(source: str | None = None, /, *, json: Json = False) -> None:
    """What this machine offers and how fast it trains; with a source, what is in it and what is wrong with it.

    Parameters
    ----------
    source
        A data set to look through, as `lilliput prepare` takes it, or a pack. Nothing is written.
    """
    if source is None:
        from lilliput.cli.machine import describe_machine
        from lilliput.cli.probe import describe_probe, probe_facts, probe_machine

        machine, probed = describe_machine(), probe_machine()
        rows = [[key, value] for key, value in machine.items()]
        lines = [bold("This machine"), table(rows, indent="  "), "", describe_probe(probed)]
        values = {"machine": machine, "probe": probe_facts(probed)}
        answer("\n".join(lines), values, as_json=json)
        return
    from lilliput.data.inspect import inspect_data

    with progress(f"looking through {source}", "images") as show:
        found = inspect_data(source, progress=show)
    answer(describe(found), facts(found), as_json=json)


def facts(found: Inspection) -> dict[str, object]:
    """An inspection as plain values."""
    return {
        "source": found.source,
        "classes": [{"id": one.id, "name": one.name} for one in found.classes],
        "splits": {
            name: {
                "count": split.count,
                "per_class": split.per_class,
                "grey": split.grey,
                "resized": split.resized,
            }
            for name, split in found.splits.items()
        },
        "broken": [{"file": file, "reason": reason} for file, reason in found.broken],
        "duplicates": len(found.duplicates),
        "duplicates_across_splits": [_places(group) for group in found.across_splits],
        "duplicates_contradictory": [_places(group) for group in found.contradictory],
    }


def describe(found: Inspection) -> str:
    """An inspection as a page of text."""
    first, last = found.classes[0], found.classes[-1]
    order = f"in the order of their ids, {first.id} ({first.name}) .. {last.id} ({last.name})"
    rows = [["", "IMAGES", "PER CLASS", "GREY", "OTHER SIZE"]]
    for name, split in found.splits.items():
        resized = "?" if split.resized is None else f"{split.resized:,}"
        per_class = _range(split.per_class) if split.per_class else "no labels"
        rows.append([name, f"{split.count:,}", per_class, f"{split.grey:,}", resized])
    lines = [
        bold(found.source),
        f"{len(found.classes)} classes {order}",
        "",
        table(rows, right=(1, 2, 3, 4), indent="  "),
        "",
        _listing("pictures that cannot be decoded", [f"{f}: {why}" for f, why in found.broken]),
        f"{len(found.duplicates)} pictures are there more than once",
        _listing("of them in more than one split", [_line(g) for g in found.across_splits]),
        _listing("of them with more than one class", [_line(g) for g in found.contradictory]),
    ]
    return "\n".join(lines)


def _listing(what: str, lines: list[str]) -> str:
    rest = [f"... and {len(lines) - SHOWN} more: --json has them all"] if len(lines) > SHOWN else []
    return "\n  ".join([f"{len(lines)} {what}", *lines[:SHOWN], *rest])


def _range(counts: tuple[int, ...]) -> str:
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _places(group: tuple[Place, ...]) -> list[dict[str, str | None]]:
    return [place._asdict() for place in group]


def _line(group: tuple[Place, ...]) -> str:
    return " = ".join(f"{place.name} ({place.class_id or place.split})" for place in group)
