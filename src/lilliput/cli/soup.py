"""The command ``soup``."""

from __future__ import annotations

from pathlib import Path

from lilliput.cli.console import Flag, Json, answer, bold, note, percent, table
from lilliput.cli.data import open_pack
from lilliput.errors import UsageError
from lilliput.results.atomic import refuse_taken

_ENDING = ".safetensors"


def soup(
    *runs: Path,
    data: str,
    out: Path = Path("soup.safetensors"),
    force: Flag = False,
    json: Json = False,
) -> None:
    """Average the weights of runs of one network, as far as that helps on held-out images.

    For runs that began with the same network (`model.start`) and were trained on with other seeds, rates or
    augmentations: their mean answers as fast as one of them, and may be better than each. The best run comes first;
    each other one joins if the mean is then no worse on the images that all of them held out of *train*.

    Parameters
    ----------
    runs
        Two runs or more, trained with the same `data.holdout` and `data.holdout_seed`.
    data
        The pack or source they were trained on.
    out
        The file of weights to write; `predict`, `export` and `serve` take it as they take a run.
    force
        Replace the file if it is there already.
    """
    if len(runs) < 2:
        raise UsageError("a soup is made of two runs or more", "lilliput soup RUN RUN --data D")
    if out.suffix.casefold() != _ENDING:
        raise UsageError(
            f"{out}: weights are kept in {_ENDING} files", f"--out {out.with_suffix(_ENDING)}"
        )
    refuse_taken(out, str(out / f"soup{_ENDING}"), force=force)
    from lilliput.results.run import Run

    opened = [Run.open(path) for path in runs]
    pack = open_pack(data)
    note("judging the runs on the images they held out ...")
    from lilliput.search.soup import greedy_soup

    tried = list(greedy_soup(opened, pack, out))
    kept = [one for one in tried if one.is_kept]
    rows = [["RUN", "ALONE", "SOUP WITH IT", ""]]
    rows += [
        [
            str(one.run.path),
            percent(one.alone),
            percent(one.with_it),
            "kept" if one.is_kept else "left out",
        ]
        for one in tried
    ]
    lines = [
        bold(
            f"{out}: {len(kept)} of {len(tried)} runs, {percent(kept[-1].with_it)} of the held-out images"
        ),
        "",
        table(rows, right=(1, 2)),
        "",
        "Chosen on these images, so a little flattered; a split that nobody has looked at tells the truth.",
    ]
    facts = {
        "file": str(out),
        "accuracy": kept[-1].with_it,
        "tried": [
            {
                "run": str(one.run.path),
                "alone": one.alone,
                "with_it": one.with_it,
                "kept": one.is_kept,
            }
            for one in tried
        ],
    }
    answer("\n".join(lines), facts, as_json=json)
