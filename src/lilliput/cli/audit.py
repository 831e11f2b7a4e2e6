"""``audit``: hard images, their causes, suspected labels, near-duplicates, and a list of images to leave out."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from lilliput.cli.console import Json, answer, bold, note, percent, table


def audit(
    *runs: Path,
    data: str,
    to: Path = Path("audit"),
    split: str = "all",
    drop_share: float = 0.05,
    json: Json = False,
) -> None:
    """Find the images that are hard and why, labels that look wrong, and pictures that are there twice.

    Reads the stored predictions of the runs; only images a network had not trained on count: val, and training images
    that were held out (data.folds, data.holdout). Suspected labels need cleanlab: scripts/setup audit.

    Parameters
    ----------
    runs
        Run folders of the same data; the more, the surer.
    data
        The pack or source they were trained on.
    to
        The folder for audit.html, causes.png, audit.json, images.csv and drop.txt; what an audit left is replaced.
    split
        val, train, or all.
    drop_share
        Which share of the judged training images, the hardest, goes on the list that `train data.drop=FILE` leaves out.
    """
    from lilliput.analysis.audit import (
        examine,
        facts_of,
        refuse_other_folder,
        write_audit,
    )
    from lilliput.cli.data import open_pack
    from lilliput.errors import UsageError
    from lilliput.results.open import open_classifier

    if not runs:
        raise UsageError("lilliput audit needs a run", "lilliput audit RUN --data DATA")
    opened = [open_classifier(run) for run in runs]
    refuse_other_folder(to)
    pack = open_pack(data)
    findings = examine(opened, pack, split=split, drop_share=drop_share, say=note)
    paths = write_audit(findings, to)
    facts = facts_of(findings)
    for what in findings.left_out:
        note(f"left out: {what}")
    words = _describe(facts, paths, data)
    answer(
        words, {**facts, "files": {name: str(path) for name, path in paths.items()}}, as_json=json
    )


def _describe(facts: dict[str, Any], paths: dict[str, Path], data: str) -> str:
    lines: list[str] = []
    for split, one in facts["splits"].items():
        lines += [bold(f"{one['images']:,} images of {split}"), _cause_table(one["causes"])]
        lines.append(f"  labels that look wrong: {one['suspected_label_count']:,}")
        lines.append("")
    pairs = ", ".join(f"{name} {count}" for name, count in facts["duplicate_counts"].items())
    lines.append(f"near-duplicates: {len(facts['duplicates'])}" + (f" ({pairs})" if pairs else ""))
    lines.append(f"images to drop:  {facts['drop']['images']:,}")
    lines += [f"  {remark}" for remark in facts["drop"]["remarks"]]
    lines += ["", f"gallery {paths['audit.html']}  (open it in a browser)"]
    if facts["drop"]["images"]:
        place = shlex.quote(str(paths["drop.txt"]))
        lines.append(f"next    lilliput train RECIPE --data {shlex.quote(data)} data.drop={place}")
    return "\n".join(lines)


def _cause_table(causes: dict[str, Any]) -> str:
    rows = [["WHY IT MAY BE HARD", "HARDEST TENTH", "ALL OTHERS", "IMAGES"]]
    for name, one in causes.items():
        shares = [percent(one["hardest"]), percent(one["others"])]
        rows.append([name, *shares, f"{one['images']:,}"])
    return table(rows, right=(1, 2, 3), indent="  ")
