"""Serf's Lamport clocks, with a guard against stamps that would exhaust them."""

from __future__ import annotations

__all__ = ["LamportClock"]

_JUMP_MAX = 1 << 32
_VALUE_MAX = 1 << 63


class LamportClock:
    """A 64-bit logical clock that starts at 1.

    Serf's wraps to 0 at 2^64 - 1 and jumps irreversibly on any large value. Here a stamp far ahead is
    ignored.
    """

    __slots__ = ("time",)

    def __init__(self) -> None:
        self.time: int = 1

    def is_absurd(self, stamp: int) -> bool:
        """Whether a received stamp is too far ahead to be believed."""
        return stamp >= _VALUE_MAX or stamp > self.time + _JUMP_MAX

    def stamp(self, *, ahead: int = 0) -> int:
        """The stamp for a message sent now, ``ahead`` of the clock's time; the clock moves past it."""
        self.time += ahead + 1
        return self.time - 1

    def witness(self, stamp: int) -> None:
        """Moves past a received stamp; an equal one advances too. Absurd ones are ignored."""
        if stamp >= self.time and not self.is_absurd(stamp):
            self.time = stamp + 1
