"""One line per epoch: what training measured, as ``history.csv``.

The numbers are written with ``repr``, so reading gives back the very same floats: a resumed run can be compared with an
unbroken one byte by byte.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from lilliput.errors import RunError
from lilliput.results.atomic import write_text


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """What one pass over the training images measured. A value that was not measured is nan.

    ``epoch`` counts from 1; ``seconds`` is the duration of this epoch alone; ``learning_rate`` is the one at
    its last step; the accuracies are fractions in [0, 1]; ``peak_memory_bytes`` is of the device that trained.
    """

    epoch: int
    seconds: float
    learning_rate: float
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    images_per_second: float
    peak_memory_bytes: int


COLUMNS = tuple(field.name for field in fields(Epoch))
_WHOLE = {"epoch", "peak_memory_bytes"}
_HINT = "restore the file from a backup, or train again"


def write_history(path: Path, epochs: Iterable[Epoch]) -> None:
    """Write the whole history atomically. Raises: StorageError."""
    lines = [",".join(COLUMNS), *(_line(epoch) for epoch in epochs)]
    write_text(path, "\n".join(lines) + "\n")


def read_history(path: Path) -> tuple[Epoch, ...]:
    """The epochs in ``path``.

    Raises: RunError naming line and column when the file is missing, damaged or cut short.
    """
    try:
        text = path.read_bytes().decode("ascii")
    except UnicodeDecodeError as error:
        raise RunError(f"{path} is not text (byte {error.start})", _HINT) from error
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}", _HINT) from error
    lines = text.replace("\r\n", "\n").split("\n")
    _check_header(path, lines[0])
    # A file that was cut inside its last number would still parse; only the missing end of line gives it away.
    if lines[-1] != "":
        column = COLUMNS[min(lines[-1].count(","), len(COLUMNS) - 1)]
        raise _damaged(path, len(lines), column, "the line is cut short")
    return tuple(_parse(path, number, line) for number, line in enumerate(lines[1:-1], start=2))


def _line(epoch: Epoch) -> str:
    values = ((name, getattr(epoch, name)) for name in COLUMNS)
    return ",".join(str(int(v)) if name in _WHOLE else repr(float(v)) for name, v in values)


def _check_header(path: Path, header: str) -> None:
    found = header.split(",")
    for position, expected in enumerate(COLUMNS):
        if position >= len(found) or found[position] != expected:
            seen = f"'{found[position]}'" if position < len(found) else "nothing"
            raise _damaged(path, 1, expected, f"found {seen} in its place")
    if len(found) > len(COLUMNS):
        raise _damaged(path, 1, COLUMNS[-1], f"an unknown column '{found[len(COLUMNS)]}' follows")


def _parse(path: Path, number: int, line: str) -> Epoch:
    cells = line.split(",")
    if len(cells) < len(COLUMNS):
        raise _damaged(path, number, COLUMNS[len(cells)], "the line ends before it")
    if len(cells) > len(COLUMNS):
        raise _damaged(path, number, COLUMNS[-1], f"{len(cells) - len(COLUMNS)} values too many")
    values: dict[str, int | float] = {}
    for name, cell in zip(COLUMNS, cells, strict=True):
        kind = "a whole number" if name in _WHOLE else "a number"
        try:
            values[name] = int(cell) if name in _WHOLE else float(cell)
        except ValueError:
            raise _damaged(path, number, name, f"'{cell}' is not {kind}") from None
    if values["epoch"] != number - 1:
        raise _damaged(path, number, "epoch", f"expected {number - 1}, found {values['epoch']}")
    return Epoch(**values)  # pyrefly: ignore


def _damaged(path: Path, line: int, column: str, problem: str) -> RunError:
    return RunError(f"{path} is damaged: line {line}, column {column}: {problem}", _HINT)
