"""What was seen lately: Serf's ring of recent stamps, to deliver and pass on each message once."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from operator import itemgetter
from typing import Generic, TypeVar

from swim.serf.lamport import LamportClock

__all__ = ["RecentRing"]

_KEYS_MAX = 1024

K = TypeVar("K", bound=Hashable)


class RecentRing(Generic[K]):
    """512 slots by stamp, each with the keys seen under that stamp, at most 1024 (Serf's event buffer).

    Attributes:
        admitted: how many keys were new so far.
    """

    __slots__ = ("_clock", "_size", "_slots", "admitted")

    def __init__(self, clock: LamportClock, *, size: int = 512) -> None:
        self._clock = clock
        self._size = size
        self._slots: dict[int, tuple[int, dict[K, None]]] = {}
        self.admitted = 0

    def admit(self, ltime: int, key: K) -> bool:
        """Witnesses the stamp; True if this message is new and recent enough to be passed on."""
        clock, size = self._clock, self._size
        if clock.is_absurd(ltime):
            return False
        clock.witness(ltime)
        if clock.time > size and ltime < clock.time - size:
            return False
        slot = self._slots.get(ltime % size)
        if slot is None or slot[0] != ltime:
            slot = self._slots[ltime % size] = (ltime, {})
        elif key in slot[1] or len(slot[1]) >= _KEYS_MAX:
            return False
        slot[1][key] = None
        self.admitted += 1
        return True

    def recent(self) -> Iterator[tuple[int, list[K]]]:
        """Stamp and keys of every slot inside the window, oldest first."""
        oldest = self._clock.time - self._size
        slots = sorted(self._slots.values(), key=itemgetter(0))
        return ((ltime, list(keys)) for ltime, keys in slots if ltime >= oldest)
