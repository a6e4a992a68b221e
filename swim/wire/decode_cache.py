"""A cache of values by their bytes: members that agree send each other the same state again and again."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["DecodeCache"]

T = TypeVar("T")


class DecodeCache(Generic[T]):
    """The values read or made last, each with the bytes it belongs to; common to all nodes of a process.

    Args:
        budget: bytes that everything kept may take, by the weights given to ``keep``; the oldest goes.
    """

    __slots__ = ("_budget", "_values", "weight")

    def __init__(self, *, budget: int) -> None:
        self._budget = budget
        self._values: dict[bytes, tuple[bytes, T, int]] = {}
        self.weight = 0
        """Bytes kept now."""

    def get(self, data: bytes) -> T | None:
        """The value that belongs to these bytes, if it is kept."""
        if len(data) > self._budget // 2:
            return None  # hashing it would take milliseconds
        found = self._values.get(data)
        return found[1] if found is not None else None

    def keep(self, data: bytes, value: T, weight: int) -> T:
        """Keeps ``value``, which takes ``weight`` bytes beside ``data`` itself; returns it.

        What would take more than half of the budget is not kept.
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

    def shared(self, data: bytes) -> bytes | None:
        """The equal bytes that are kept here, if there are any, so that nodes that agree hold one copy."""
        found = self._values.get(data)
        return found[0] if found is not None else None
