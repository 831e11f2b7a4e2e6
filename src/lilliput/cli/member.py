"""One of several processes that train together: it joins the others, notices when one is gone, and is mostly silent.

The first process speaks for all. Of an error that only one of them meets, that one speaks; the rest leave in silence.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

from lilliput.cli.console import note
from lilliput.cli.data import open_pack
from lilliput.cli.processes import SUPERVISOR
from lilliput.cli.signals import stop_requests
from lilliput.errors import Interrupted, LilliputError, ProcessError, TrainingError
from lilliput.recipe import Recipe
from lilliput.training.processes import Group, lost

_BEAT_SECONDS = 1.0


@contextmanager
def joined(device: str) -> Iterator[Group]:
    """Train in the block with the other processes. Raises: SystemExit when another tells why it ended."""
    group = Group.of_environment(os.environ, device)
    pulse = Pulse(group)
    pulse.start()
    try:
        yield group
        group.end()
    except (Interrupted, TrainingError) as error:  # which all of them raise at the same step
        group.end()
        if not group.is_first:
            raise SystemExit(error.exit_code) from error
        raise
    except BaseException as error:
        # What is left of the group may wait for the others, who do not come.
        atexit.register(_leave_at_once, getattr(error, "exit_code", 1))
        if _is_told(error, group):
            raise SystemExit(getattr(error, "exit_code", 1)) from error
        raise
    finally:
        pulse.stop()


def follow_first(recipe: Recipe, data: str, group: Group) -> None:
    """Train beside the first process, until the end or a stop signal. Raises: LilliputError; Interrupted."""
    with group.in_turn():
        pack = open_pack(data)
    from lilliput.experiment import follow_steps

    with (
        stop_requests(is_silent=True) as stop,
        closing(follow_steps(recipe, pack, group)) as events,
    ):
        for _ in events:
            if stop:
                break
    if stop:
        error = Interrupted("everything so far is saved")
        error.exit_code = stop.exit_code
        raise error


def _is_told(error: BaseException, group: Group) -> bool:
    """Whether another process has told, or will tell, what there is to tell; a bug is always told."""
    if isinstance(error, ProcessError) and error.gone and SUPERVISOR in os.environ:
        return True  # who started this process sees best who is gone
    return not group.may_tell() and isinstance(error, LilliputError)


def _leave_at_once(code: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class Pulse(threading.Thread):
    """Says every second that this process lives, and ends it when another has long been silent or its starter is gone.

    The main thread may wait for others where it hears neither signals nor errors; this one does not.
    """

    def __init__(self, group: Group) -> None:
        super().__init__(name="pulse", daemon=True)
        self.group = group
        self._ended = threading.Event()
        self._supervisor = int(os.environ.get(SUPERVISOR, "0"))

    def run(self) -> None:
        """Beat until the end."""
        while not self._ended.wait(_BEAT_SECONDS):
            silent = self.group.beat()
            if silent is not None and not self._ended.is_set():
                if self.group.may_tell():
                    error = lost([silent], self.group.size)
                    note(f"error: {error}\nhint: {error.hint}")
                os._exit(ProcessError.exit_code)
            if self._supervisor and os.getppid() != self._supervisor:
                self._supervisor = 0
                os.kill(os.getpid(), signal.SIGTERM)

    def stop(self) -> None:
        """No more beats."""
        self._ended.set()
        self.join(2 * _BEAT_SECONDS)
