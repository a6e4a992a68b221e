"""How long a direct ping waits for its ack, from the member's earlier round trips (RFC 6298)."""

from __future__ import annotations

from typing import TypeAlias

__all__ = ["RoundTrips"]

_MEAN_GAIN = 1 / 8
_DEVIATION_GAIN = 1 / 4
_DEVIATIONS = 4
_BACKOFF_MAX = 1024
"""Ends the doubling before numbers overflow; ``longest`` ends it much sooner."""

_Measured: TypeAlias = tuple[float, float, int]
"""Smoothed mean and mean deviation, seconds, and by how much the wait is longer after timeouts."""


class RoundTrips:
    """Waits for the acks of one node's members: RFC 6298's retransmission timeout, with other bounds.

    A wait is the smoothed mean plus four mean deviations, or plus ``shortest`` where that is more (the RFC's
    clock granularity: a node is as late on its own at a short distance as at a long one). It doubles with
    every timeout until the next sample (section 5.5). Samples come from acks of the ping itself, never from
    what a relay may have answered (Karn's rule).

    Args:
        shortest: no wait is shorter, seconds.
        longest: no wait is longer, seconds; the wait for a member without samples.
    """

    __slots__ = ("_longest", "_measured", "_shortest")

    def __init__(self, shortest: float, longest: float) -> None:
        self._shortest = shortest
        self._longest = longest
        self._measured: dict[str, _Measured] = {}

    def __len__(self) -> int:
        return len(self._measured)

    def wait(self, name: str) -> float:
        """Seconds to wait for a member's ack."""
        measured = self._measured.get(name)
        if measured is None:
            return self._longest
        mean, deviation, backoff = measured
        return min(self._longest, (mean + max(self._shortest, _DEVIATIONS * deviation)) * backoff)

    def acked(self, name: str, rtt: float) -> None:
        """A member acked the ping itself, ``rtt`` seconds after it was sent."""
        measured = self._measured.get(name)
        if measured is None:
            self._measured[name] = rtt, rtt / 2, 1
            return
        mean, deviation, _ = measured
        deviation += _DEVIATION_GAIN * (abs(rtt - mean) - deviation)
        self._measured[name] = mean + _MEAN_GAIN * (rtt - mean), deviation, 1

    def timed_out(self, name: str) -> None:
        """The wait for a member's ack is over."""
        measured = self._measured.get(name)
        if measured is not None:
            mean, deviation, backoff = measured
            self._measured[name] = mean, deviation, min(2 * backoff, _BACKOFF_MAX)

    def forget(self, name: str) -> None:
        """Forgets a member that is no longer listed."""
        self._measured.pop(name, None)
