"""The table of commands, and the one place where errors become text and exit codes."""

from __future__ import annotations

import errno
import json
import sys
import traceback
from collections.abc import Sequence

from cyclopts import App, CycloptsError, MissingArgumentError

import lilliput
from lilliput.errors import Interrupted, LilliputError, UsageError

DESCRIPTION = "Trains, evaluates and explains classifiers of small images."

# A command's module is loaded when the command is called.
COMMANDS = {
    "quickstart": "lilliput.cli.quickstart:quickstart",
    "prepare": "lilliput.cli.data:prepare",
    "doctor": "lilliput.cli.doctor:doctor",
    "lr-find": "lilliput.cli.lr_find:lr_find",
    "show-batch": "lilliput.cli.show_batch:show_batch",
    "train": "lilliput.cli.training:train",
    "search": "lilliput.cli.search:search",
    "ablate": "lilliput.cli.ablate:ablate",
    "evaluate": "lilliput.cli.results:evaluate",
    "ensemble": "lilliput.cli.ensemble:ensemble",
    "soup": "lilliput.cli.soup:soup",
    "compare": "lilliput.cli.compare:compare",
    "predict": "lilliput.cli.predict:predict",
    "submit": "lilliput.cli.submit:submit",
    "export": "lilliput.cli.export:export",
    "serve": "lilliput.cli.serve:serve",
    "audit": "lilliput.cli.audit:audit",
    "explain": "lilliput.cli.explain:explain",
    "report": "lilliput.cli.results:report",
    "reproduce": "lilliput.cli.reproduce:reproduce",
    "models": "lilliput.cli.models:models",
    "bench": "lilliput.cli.bench:bench",
}

_NAMES = {errno.ENAMETOOLONG, errno.ELOOP}
_PLACES = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
} | _NAMES


def build_app() -> App:
    """All commands, none of them loaded."""
    app = App(
        name="lilliput",
        help=DESCRIPTION,
        help_format="markdown",
        version=lilliput.__version__,
        suppress_keyboard_interrupt=False,
        result_action="return_value",
    )
    for name, place in COMMANDS.items():
        app.command(place, name=name, sort_key=list(COMMANDS).index(name))
    return app


def run(words: Sequence[str]) -> int:
    """Run one command, print what goes wrong, return the exit code."""
    as_json = "--json" in words
    try:
        code = build_app()(words, exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return _fail(_usage_error(error), as_json)
    except LilliputError as error:
        return _fail(error, as_json)
    except KeyboardInterrupt:
        return _fail(Interrupted("interrupted"), as_json)
    except BrokenPipeError:
        raise  # not a bug, and nobody is left to tell: see main
    except Exception as error:
        return _fail_unexpectedly(error, as_json)
    return code if isinstance(code, int) else 0  # a command that did only a part of it says so


def _usage_error(error: CycloptsError) -> UsageError:
    message, _, suggestion = str(error).partition(" Did you mean ")
    if suggestion:
        nearest = suggestion.partition("?")[0]
        return UsageError(message, f"did you mean {nearest}?")
    command = " ".join(["lilliput", *(error.command_chain or ())])
    if isinstance(error, MissingArgumentError) and error.argument:
        message = f"{command} needs {error.argument.name}"
    return UsageError(message, f"{command} --help")


def _fail_unexpectedly(error: Exception, as_json: bool) -> int:
    for translate in (_memory_error, _place_error):
        if known := translate(error):
            return _fail(known, as_json)
    traceback.print_exception(error)
    return _fail(
        LilliputError(
            f"Lilliput met a case it does not know ({type(error).__name__})",
            "this is a bug: please report it with the lines above, the command and the output of "
            "`lilliput doctor`",
        ),
        as_json,
    )


def _memory_error(error: Exception) -> LilliputError | None:
    # PyTorch has its own names for it: an OutOfMemoryError on a GPU, a RuntimeError of its allocator on a CPU.
    is_memory = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    if not is_memory and "can't allocate memory" not in str(error):
        return None
    return LilliputError(
        "out of memory", "a smaller batch or a part of the data needs less: data.limit=20000"
    )


def _place_error(error: Exception) -> LilliputError | None:
    if not isinstance(error, OSError) or error.errno not in _PLACES:
        return None
    where = f"{error.filename}: " if error.filename else ""
    hint = "" if error.errno in _NAMES else "free some space, or choose another place"
    return LilliputError(f"{where}{error.strerror}", hint)


def _fail(error: LilliputError, as_json: bool) -> int:
    word = "stopped" if isinstance(error, Interrupted) else "error"
    print(f"{word}: {error}", file=sys.stderr)
    if error.hint:
        print(f"hint: {error.hint}", file=sys.stderr)
    if as_json:
        facts = {"kind": type(error).__name__, "message": str(error), "hint": error.hint}
        print(json.dumps({"error": facts}))
    return error.exit_code
