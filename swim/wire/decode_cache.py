"""A small cache of decoded values by their bytes: members that agree send each other the same state."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import count
from typing import Any, Generic, TypeVar

__all__ = ["DecodeCache", "OwnState", "forget_all"]

T = TypeVar("T")

_CACHES: list[DecodeCache[Any]] = []


class DecodeCache(Generic[T]):
    """The latest decoded or encoded values, each with its bytes; shared by all nodes of a process.

    Args:
        budget: bytes that all values may take, by the weights given to ``keep``; the oldest is dropped first.
    """

    __slots__ = ("_budget", "_values", "weight")

    def __init__(self, *, budget: int) -> None:
        self._budget = budget
        self._values: dict[bytes, tuple[bytes, T, int]] = {}
        self.weight: int = 0
        """Bytes kept now."""
        _CACHES.append(self)

    def clear(self) -> None:
        """Drops all values."""
        self._values.clear()
        self.weight = 0

    def get(self, data: bytes) -> T | None:
        """The value of these bytes, if it is cached."""
        if len(data) > self._budget // 2:
            return None  # hashing it would take milliseconds
        found = self._values.get(data)
        return found[1] if found is not None else None

    def keep(self, data: bytes, value: T, weight: int) -> T:
        """Caches ``value``, which takes ``weight`` bytes in addition to ``data``; returns it.

        A value that takes more than half of the budget is not cached.
        """
        weight += len(data)
        if weight > self._budget // 2 or data in self._values:
            return value
        while self.weight + weight > self._budget:
            _, _, freed = self._values.pop(next(iter(self._values)))
            self.weight -= freed
        self._values[data] = (data, value, weight)
        self.weight += weight
        return value

    def drop(self, data: bytes) -> None:
        """Drops the value of these bytes."""
        _, _, freed = self._values.pop(data, (data, None, 0))
        self.weight -= freed

    def shared(self, data: bytes) -> bytes | None:
        """The equal bytes in the cache, if there are any, so that nodes that agree share one copy."""
        found = self._values.get(data)
        return found[0] if found is not None else None


class OwnState:
    """One node's encoded state, until its view changes.

    If other nodes of this process have the same state, there is one copy; all others stay within a budget.

    Args:
        known: peers' states, by their bytes.
    """

    __slots__ = ("_key", "_known", "_shared")

    def __init__(self, known: DecodeCache[Any]) -> None:
        self._known = known
        self._key = str(next(_NUMBERS)).encode()
        self._shared: tuple[Hashable, bytes] = (None, b"")

    def get(self, version: Hashable) -> bytes:
        """The state kept for this version of the view, or b""."""
        for kept, data in (self._shared, _OWN.get(self._key) or (None, b"")):
            if kept == version:
                return data
        return b""

    def keep(self, version: Hashable, data: bytes) -> bytes:
        """Keeps ``data`` in place of the previous state; returns it, or equal bytes that are cached."""
        _OWN.drop(self._key)
        common = self._known.shared(data)
        if common is None:
            _OWN.keep(self._key, (version, data), len(data))
            return data
        self._shared = (version, common)
        return common


def forget_all() -> None:
    """Empties the caches of this process.

    What is cached takes fewer steps, so a simulated run would depend on the runs before it.
    """
    for cache in _CACHES:
        cache.clear()


_NUMBERS = count()
_OWN: DecodeCache[tuple[Hashable, bytes]] = DecodeCache(budget=16 * 1024 * 1024)
