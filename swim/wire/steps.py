"""Long work in steps, so that no stream keeps a node from answering pings.

A function that may take long is a generator: it yields after some milliseconds of work, and its caller
decides when to continue. ``finish`` runs one to its end where the input is known to be small.
"""

from __future__ import annotations

from collections.abc import Generator
from enum import Enum, auto
from typing import TypeVar

__all__ = ["Pause", "Steps", "at_once", "finish"]

T = TypeVar("T")


class Pause(Enum):
    """Why a step ended."""

    BYTES = auto()
    """The rest of the input has not arrived."""
    TURN = auto()
    """There is more to do; other work comes first."""


Steps = Generator[Pause, None, T]
"""Work that returns a ``T`` and pauses in between."""


def at_once(value: T) -> Steps[T]:
    """Work that is done already."""
    return value
    yield


def finish(steps: Steps[T]) -> T:
    """Runs ``steps`` to their end at once; all their input must be available."""
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            value: T = finished.value
            return value
