"""Messages seen recently: Serf's ring of recent stamps, to deliver and pass on each message once."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

from swim.serf.lamport import LamportClock

__all__ = ["WINDOW", "RecentRing"]

WINDOW = 512
"""Stamps that count as recent (Serf's EventBuffer and QueryBuffer)."""
_KEYS_MAX = 1024
_KEY_BYTES = 128
"""Approximate memory of a key, without its own bytes."""

K = TypeVar("K", bound=Hashable)


class RecentRing(Generic[K]):
    """512 slots by stamp, each with the keys seen under that stamp, at most 1024 (Serf's event buffer).

    All keys together stay within a budget of bytes: the oldest stamps are dropped, and from then on messages
    with these or older stamps are too old.

    Args:
        clock: witnesses the stamps.
        size: slots.
        max_bytes: budget of all keys.
        weigh: a key's own bytes.
        dropped: called with a reason when the budget is hit.

    Attributes:
        admitted: how many keys were new so far.
    """

    __slots__ = (
        "_bytes",
        "_clock",
        "_dropped",
        "_floor",
        "_max_bytes",
        "_size",
        "_slots",
        "_stamps",
        "_weigh",
        "admitted",
    )

    def __init__(
        self,
        clock: LamportClock,
        *,
        size: int = WINDOW,
        max_bytes: int = 1024 * 1024,
        weigh: Callable[[K], int] = lambda key: 0,
        dropped: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self._clock = clock
        self._size = size
        self._max_bytes = max_bytes
        self._weigh = weigh
        self._dropped = dropped
        self._slots: dict[int, dict[K, int]] = {}  # by stamp: keys with their weights
        self._stamps: list[int] = []  # in order
        self._bytes = 0
        self._floor = -1
        self.admitted: int = 0

    def admit(self, ltime: int, key: K) -> bool:
        """Witnesses the stamp; True if this message is new and recent enough to be passed on."""
        clock, size = self._clock, self._size
        if clock.is_absurd(ltime):
            return False
        clock.witness(ltime)
        if ltime <= self._floor or (clock.time > size and ltime < clock.time - size):
            return False
        keys = self._slots.get(ltime, {})
        if key in keys or len(keys) >= _KEYS_MAX:
            return False
        weight = _KEY_BYTES + self._weigh(key)
        if not self._make_room(ltime, weight):
            return False
        if not keys:
            insort(self._stamps, ltime)
            self._slots[ltime] = keys
        keys[key] = weight
        self._bytes += weight
        self.admitted += 1
        return True

    def ignore_before(self, ltime: int) -> None:
        """What bears a lower stamp counts as too old from now on."""
        self._floor = max(self._floor, ltime - 1)

    def recent(self) -> Iterator[tuple[int, list[K]]]:
        """Stamp and keys of every slot inside the window, oldest first."""
        oldest = self._clock.time - self._size
        return ((ltime, list(self._slots[ltime])) for ltime in self._stamps if ltime >= oldest)

    def _make_room(self, ltime: int, weight: int) -> bool:
        """Drops stamps outside the window, then the oldest ones up to but not including ``ltime``."""
        stamps = self._stamps
        oldest = self._clock.time - self._size
        while stamps and stamps[0] < oldest:
            self._forget(stamps.pop(0))
        while stamps and self._bytes + weight > self._max_bytes and stamps[0] < ltime:
            self._dropped("recent-bytes")
            self._floor = stamps.pop(0)
            self._forget(self._floor)
        if self._bytes + weight <= self._max_bytes:
            return True
        self._dropped("recent-bytes")
        return False

    def _forget(self, ltime: int) -> None:
        self._bytes -= sum(self._slots.pop(ltime).values())
