"""How the probes of each member ended. Written once per round, and put into words only if asked for."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from itertools import takewhile
from typing import TypeAlias

from swim.addresses import Endpoint
from swim.core.probe import ProbeRound

__all__ = ["RTTS_KEPT", "Last", "Probed", "Tally"]

RTTS_KEPT = 32
"""Round-trip times that are kept of each member."""


class Tally:
    """How the probes of one member ended since it is listed.

    Attributes:
        acked: rounds that ended with an ack, in any way.
        failed: rounds that ended without one.
    """

    __slots__ = ("_direct", "_rtts", "acked", "failed")

    def __init__(self) -> None:
        self.acked = 0
        self.failed = 0
        self._rtts = array("f")
        self._direct = 0

    def direct(self, rtt: float) -> None:
        """The member acked the ping itself, after ``rtt`` seconds."""
        self.acked += 1
        if len(self._rtts) < RTTS_KEPT:
            self._rtts.append(rtt)
        else:
            self._rtts[self._direct % RTTS_KEPT] = rtt
        self._direct += 1

    @property
    def rtts(self) -> tuple[float, ...]:
        """Seconds that its last ``RTTS_KEPT`` direct acks took, oldest first."""
        start = self._direct % RTTS_KEPT if self._direct > RTTS_KEPT else 0
        return (*self._rtts[start:], *self._rtts[:start])


Last: TypeAlias = tuple[float | None, float | None, ProbeRound | None, Tally | None]
"""When the last ack came; how long the last direct one took, seconds; the last round, if it took more; all
rounds so far."""
_NEVER: Last = (None, None, None, None)


class Probed:
    """The probes of each member by one node; the one probed last is last."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[str, Last] = {}

    def __len__(self) -> int:
        return len(self._last)

    def get(self, name: str) -> Last:
        """The last probe of a member; empty if there was none."""
        return self._last.get(name, _NEVER)

    def since(self, last: Last | None) -> Iterator[tuple[str, Last]]:
        """The probes after ``last``, newest first; all if that is forgotten."""
        return takewhile(lambda item: item[1] is not last, reversed(self._last.items()))

    def acked(self, now: float, name: str, rtt: float) -> None:
        """The member acked the ping itself, ``rtt`` seconds after it was sent."""
        tally = self._last.pop(name, _NEVER)[3] or Tally()
        tally.direct(rtt)
        self._last[name] = (now, rtt, None, tally)

    def ended(
        self, now: float, current: ProbeRound, *, is_acked: bool, source: Endpoint | None = None
    ) -> None:
        """A round ended otherwise; an ack after relays were asked came from ``source``."""
        name = current.target.name
        acked_at, rtt, _, known = self._last.pop(name, _NEVER)
        tally = known or Tally()
        if is_acked:
            acked_at = now
            tally.acked += 1
        else:
            tally.failed += 1
        current.ended, current.acked_from = now, source
        self._last[name] = (acked_at, rtt, current, tally)

    def forget(self, name: str) -> None:
        """Forgets a member that is no longer listed."""
        self._last.pop(name, None)
