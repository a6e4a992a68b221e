"""The probe periods that all members count alike: whole probe intervals of the wall clock since 1970."""

from __future__ import annotations

__all__ = ["Periods"]

_TOLERANCE = 1e-6
"""Of a period: a moment that was reached but for rounding has come. A clock that shows years rounds most."""


class Periods:
    """The periods of one node, whose own clock is a number of seconds behind the wall clock.

    Args:
        interval: ``probe_interval``, seconds.
        offset: seconds from the node's own clock to Unix time.
    """

    __slots__ = ("_before", "_interval", "_into")

    def __init__(self, interval: float, offset: float = 0.0) -> None:
        self._interval = interval
        # Apart, since the digits of a float do not suffice for both the number and the moment.
        self._before, self._into = divmod(offset, interval) if interval else (0.0, 0.0)

    def moment(self, period: int, phase: float) -> float:
        """When that part of a period comes, on the node's own clock."""
        return (period - self._before + phase) * self._interval - self._into

    def at(self, now: float) -> tuple[int, float]:
        """The period at a moment of the node's own clock, and which part of it has passed."""
        number, part = divmod((now + self._into) / self._interval + _TOLERANCE, 1.0)
        return int(self._before + number), part
