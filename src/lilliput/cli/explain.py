"""``explain``: which pixels a network's predictions rest on."""

from __future__ import annotations

from pathlib import Path

from lilliput.cli.console import Json, answer, bold, note, percent


def explain(
    run: Path,
    /,
    *,
    data: str | None = None,
    images: int = 12,
    method: str = "integrated",
    json: Json = False,
) -> None:
    """Show which pixels predictions rest on: saliency maps, in the run and as a figure.

    Takes the predictions the network is surest of, half of them right and half wrong, of as many classes as there are.
    Needs captum: scripts/setup explain.

    Parameters
    ----------
    run
        A run folder, as `lilliput train` leaves it.
    data
        Pack or source of the pictures; without it, the pack the run was trained on.
    images
        How many pictures; the figure shows up to fourteen.
    method
        integrated (gradients along the way from the mean image) or gradient (at the picture itself).
    """
    from lilliput import api
    from lilliput.analysis.figures import save_figures
    from lilliput.analysis.figures.saliency import saliency_numbers
    from lilliput.cli.data import open_pack
    from lilliput.predicting import as_run

    opened = as_run(run)
    pack = open_pack(data) if data else None
    note(f"explaining predictions of {opened.name} ...")
    saliency = api.explain(opened, pack, images=images, method=method)
    save_figures(opened)
    numbers = saliency_numbers(opened)
    facts = {
        "run": str(run),
        "saliency": str(opened.path / "saliency.npz"),
        "figure": str(opened.figures_path / "saliency.png"),
        "images": len(saliency),
        "method": method,
        "at_object": numbers.at_object._asdict() if numbers else None,
        "box_area": numbers.box_area._asdict() if numbers else None,
    }
    lines = [
        bold(f"{len(saliency)} predictions of {opened.name} explained"),
        f"figure  {facts['figure']}",
        f"maps    {facts['saliency']}",
    ]
    if numbers and numbers.at_object.is_known:
        at, low, high = map(percent, numbers.at_object)
        area = percent(numbers.box_area.value)
        lines.append(
            f"{at} ({low} .. {high}) of what it looks at lies in the objects' boxes, which take {area} of the pictures"
        )
    answer("\n".join(lines), facts, as_json=json)
