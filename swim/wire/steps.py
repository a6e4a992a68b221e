"""Long work cut into steps, so that no stream keeps a node from answering pings.

A function that may take long is a generator: it yields after some milliseconds of work, and whoever runs it
decides when to go on. ``finish`` runs one to its end where the input is known to be small.
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
    """There is more to do; others come first."""


Steps = Generator[Pause, None, T]
"""Work that returns a ``T`` and pauses on the way."""


def at_once(value: T) -> Steps[T]:
    """Work that is done already."""
    return value
    yield


def finish(steps: Steps[T]) -> T:
    """Runs ``steps`` to their end at once; their input must be there."""
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            value: T = finished.value
            return value
