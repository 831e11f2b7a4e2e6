"""The command ``predict``."""

from __future__ import annotations

import csv as csv_format
import json as json_format
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from inspect import signature
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from lilliput.cli.console import (
    Flag,
    Json,
    answer,
    bold,
    note,
    percent,
    printable,
    progress,
    table,
)
from lilliput.errors import UsageError, did_you_mean
from lilliput.results.atomic import refuse_taken

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lilliput.analysis.sheet import Contact
    from lilliput.delivery.classifier import Answer

STDIN, STDOUT = "-", Path("-")
_Hyphen = Parameter(allow_leading_hyphen=True)  # so that "-" is a value


def predict(
    classifier: Annotated[str, _Hyphen],
    /,
    *images: Annotated[str, _Hyphen],
    top: int = 5,
    csv: Annotated[Path | None, _Hyphen] = None,
    sheet: Path | None = None,
    device: str = "auto",
    force: Flag = False,
    jsonl: Flag = False,
    json: Json = False,
) -> int:
    """Say what pictures show: the most probable classes of every file.

    Pictures of any size are cut to their central square and scaled, as those of the training were. Files that cannot
    be read are named, all others answered; the command then ends with 1.

    Parameters
    ----------
    classifier
        A run, an ensemble, or a file that holds a network, such as `weights.safetensors` or `m4.onnx`. Left out, the
        network that comes along answers, which tells the 200 classes of Tiny ImageNet apart.
    images
        Picture files, folders (every picture in them, at any depth), patterns such as `'photos/**/*.jpg'`;
        or `-`, which reads file names from the standard input, one per line.
    top
        How many classes to name.
    csv
        Write a table to this file instead: a row per picture; `-` is the standard output.
    sheet
        Draw the first pictures with their best class and its probability into this PNG file.
    device
        auto, cpu, cuda, cuda:1 or mps; auto is what the network was trained on.
    force
        Replace files that are there already.
    jsonl
        Print a line of JSON per picture as soon as it is known.
    """
    from lilliput.delivery.ready import with_classifier

    classifier, images = with_classifier((classifier, *images))
    _refuse_options(images, csv)
    files, count = _files(images)
    _check_outputs(csv, sheet, force=force, formats=(jsonl, json, csv == STDOUT))
    from lilliput.delivery.classifier import Classifier

    loaded = Classifier.load(classifier, device=device)
    top = min(top, len(loaded.classes))
    answered = loaded.answers(files, top=top)
    is_streaming = jsonl or csv == STDOUT
    said = _Said(keeps_answers=json or not (jsonl or csv), keeps_contacts=sheet is not None)
    # A bar takes hold of the standard output too, where something else is on its way to.
    bar = nullcontext(_nothing) if is_streaming or not count else progress("labelling", "pictures")
    with _csv_rows(csv, top) as write_row, bar as show:
        for done, (one, pixels) in enumerate(answered, 1):
            said.add(one, pixels)
            write_row(one)
            if jsonl:
                print(json_format.dumps(_facts(one)), flush=True)
            show(done, count)
    drawn = _draw(sheet, said, loaded.name)
    if said.failed:
        note(f"{said.failed:,} of {said.labelled + said.failed:,} files could not be read")
    if not is_streaming:
        facts = {
            "classifier": classifier,
            "labelled": said.labelled,
            "failed": said.failed,
            "csv": csv and str(csv),
            "sheet": drawn and str(drawn),
            "pictures": [_facts(one) for one in said.answers],
        }
        answer(_describe(said, csv), facts, as_json=json)
    return 1 if said.failed else 0


@dataclass
class _Said:
    """What was said so far, as far as it is needed later."""

    keeps_answers: bool
    keeps_contacts: bool
    answers: list[Answer] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)
    labelled: int = 0
    failed: int = 0

    def add(self, one: Answer, pixels: NDArray[np.uint8] | None) -> None:
        """Count an answer, keep it, or name the file that could not be read."""
        if self.keeps_answers:
            self.answers.append(one)
        if one.best is None or pixels is None:
            self.failed += 1
            note(f"cannot read {printable(one.file)}: {printable(one.error)}")
            return
        self.labelled += 1
        if self.keeps_contacts:
            from lilliput.analysis.sheet import MOST, Contact

            if len(self.contacts) < MOST:
                file = os.path.basename(one.file)
                self.contacts.append(Contact(pixels, one.best.name, one.best.probability, file))


def _refuse_options(images: Sequence[str], csv: Path | None) -> None:
    """Raises: UsageError for an option that is none, which would pass for a value because "-" is one."""
    options = [
        f"--{one.name}"
        for one in signature(predict).parameters.values()
        if one.kind == one.KEYWORD_ONLY
    ]
    for name in images:
        if name.startswith("-") and name != STDIN and not os.path.lexists(name):
            raise UsageError(f"Unknown option: {name}", did_you_mean(name, options))
    if csv is not None and csv != STDOUT and str(csv).startswith("-"):
        raise UsageError(
            "--csv needs the name of a file", "--csv out.csv, or --csv - for the standard output"
        )


def _files(images: Sequence[str]) -> tuple[Iterator[str], int]:
    """The files to label, and how many they are: 0 where that is not known yet. Raises: UsageError."""
    from lilliput.delivery.pictures import find_pictures

    if not images:
        raise UsageError("lilliput predict needs IMAGE", "name files, folders, patterns, or -")
    parts = [_names_from_stdin() if name == STDIN else find_pictures([name]) for name in images]
    count = sum(len(part) if isinstance(part, list) else 0 for part in parts)
    return chain.from_iterable(parts), 0 if STDIN in images else count


def _names_from_stdin() -> Iterator[str]:
    for line in sys.stdin.buffer:
        if name := line.rstrip(b"\r\n"):
            yield os.fsdecode(name)


def _check_outputs(
    csv: Path | None, sheet: Path | None, *, force: bool, formats: Sequence[bool]
) -> None:
    """Raises: UsageError when two outputs want one place, or a place is taken."""
    if sum(formats) > 1:
        raise UsageError("--json, --jsonl and --csv - all take the standard output", "choose one")
    if csv and sheet and csv != STDOUT and csv.resolve() == sheet.resolve():
        raise UsageError(f"--csv and --sheet both name {sheet}", "name two files")
    for path, option in ((csv, "--csv"), (sheet, "--sheet")):
        if path is not None and not path == STDOUT == csv:
            refuse_taken(path, str(path / "out"), force=force, option=option)
    if sheet and sheet.suffix.casefold() != ".png":
        raise UsageError(
            f"{sheet}: the sheet is a PNG file", f"--sheet {sheet.with_suffix('.png')}"
        )


@contextmanager
def _csv_rows(path: Path | None, top: int) -> Iterator[Callable[[Answer], None]]:
    """Writes a heading, and a row for every answer; the file is there when it is whole."""
    if path is None:
        yield _nothing
        return
    from lilliput.results.atomic import atomic_path

    heading = ["file", "class", "name", "probability"]
    heading += [f"{word}_{n}" for n in range(2, top + 1) for word in heading[1:]]
    with nullcontext(None) if path == STDOUT else atomic_path(path) as temporary:
        # Names that are not UTF-8 keep their bytes.
        place = sys.stdout.fileno() if temporary is None else temporary
        sys.stdout.flush()
        with open(
            place,
            "w",
            encoding="utf-8",
            errors="surrogateescape",
            newline="",
            closefd=temporary is not None,
        ) as file:
            write = csv_format.writer(file, lineterminator="\n").writerow
            write([*heading, "error"])
            width = len(heading) - 1

            def write_row(one: Answer) -> None:
                cells: list[Any] = [cell for guess in one.top for cell in guess]
                write([one.file, *cells, *[""] * (width - len(cells)), one.error])

            yield write_row


def _facts(one: Answer) -> dict[str, Any]:
    if one.error:
        return {"file": one.file, "error": one.error}
    return {"file": one.file, "top": [guess._asdict() for guess in one.top]}


def _draw(sheet: Path | None, said: _Said, name: str) -> Path | None:
    if sheet is None:
        return None
    if not said.contacts:
        note(f"no picture was read: {sheet} is not drawn")
        return None
    from lilliput.analysis.sheet import write_sheet

    left_out = said.labelled - len(said.contacts)
    write_sheet(sheet, said.contacts, f"What {name} sees", left_out)
    more = f", {left_out:,} more left out" if left_out else ""
    note(f"{sheet}: {_pictures(len(said.contacts))}{more}")
    return sheet


def _describe(said: _Said, csv: Path | None) -> str:
    if csv is not None:
        return bold(f"{csv}: {_pictures(said.labelled)} labelled")
    rows = [
        [printable(one.file), printable(one.best.name), percent(one.best.probability), _others(one)]
        for one in said.answers
        if one.best
    ]
    if not rows:
        return "no picture was labelled"
    return _cut(table([["file", "best class", "", "then"], *rows], right=(2,)))


def _pictures(count: int) -> str:
    return "1 picture" if count == 1 else f"{count:,} pictures"


def _others(one: Answer) -> str:
    return ", ".join(f"{printable(g.name)} {percent(g.probability)}" for g in one.top[1:])


def _cut(text: str) -> str:
    """Lines as long as the terminal is wide, so that columns stay columns; elsewhere as long as they are."""
    if not sys.stdout.isatty():
        return text
    width = shutil.get_terminal_size().columns
    return "\n".join(
        line if len(line) <= width else line[: width - 1] + "\N{HORIZONTAL ELLIPSIS}"
        for line in text.splitlines()
    )


def _nothing(*_: object) -> None:
    pass
