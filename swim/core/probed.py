"""How the last probe of each member ended. Written once per round, and put into words only if asked for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import TypeAlias

from swim.addresses import Endpoint
from swim.core.probe import ProbeRound

__all__ = ["Last", "Probed"]

Last: TypeAlias = tuple[float | None, float | None, ProbeRound | None]
"""When the last ack came; how long the last direct one took, seconds; the last round, if it took more."""
_NEVER: Last = (None, None, None)


class Probed:
    """The last probe of each member by one node; the one probed last is last."""

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
        self._last.pop(name, None)
        self._last[name] = (now, rtt, None)

    def ended(
        self, now: float, current: ProbeRound, *, is_acked: bool, source: Endpoint | None = None
    ) -> None:
        """A round ended otherwise; an ack after relays were asked came from ``source``."""
        name = current.target.name
        acked_at, rtt, _ = self._last.pop(name, _NEVER)
        current.ended, current.acked_from = now, source
        self._last[name] = (now if is_acked else acked_at, rtt, current)

    def forget(self, name: str) -> None:
        """Forgets a member that is no longer listed."""
        self._last.pop(name, None)
