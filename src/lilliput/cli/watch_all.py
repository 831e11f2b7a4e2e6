"""Watching work that consists of many trainings: each gets the bar and the lines that a training alone would have."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, closing
from typing import Any

from lilliput.cli.console import note
from lilliput.cli.signals import StopRequest, stop_requests
from lilliput.cli.watch import Screen


def watch_all(events: Generator[Any]) -> StopRequest:
    """Work to the end, or to the first stop signal; says which of the two it was.

    A text among the events is said; a Training opens a screen for what follows it. Leaving early makes the training at
    hand save a checkpoint.
    """
    from lilliput.search.ablation import Training

    with stop_requests() as stop, closing(events), ExitStack() as screens:
        screen = None
        for event in events:
            if isinstance(event, str):
                screens.close()
                note(event)
            elif isinstance(event, Training):
                screens.close()
                note(f"{event.number}/{event.total}  {event.title}")
                screen = screens.enter_context(Screen(event.epochs, event.title))
            elif screen:
                screen.show(event)
            if stop:
                break
    return stop
