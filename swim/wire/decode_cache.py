"""What was read lately, by its bytes: members that agree send each other the same state again and again."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["Known"]

T = TypeVar("T")


class Known(Generic[T]):
    """The last few values that were read, each with the bytes it was read from; common to all nodes.

    Args:
        size: how many values are kept; the oldest goes.
        largest: bytes beyond which a value is not kept.
    """

    __slots__ = ("_largest", "_size", "_values")

    def __init__(self, *, size: int, largest: int) -> None:
        self._size = size
        self._largest = largest
        self._values: dict[bytes, tuple[bytes, T]] = {}

    def get(self, data: bytes) -> T | None:
        """What these bytes meant when they were last read."""
        found = self._values.get(data)
        return found[1] if found is not None else None

    def keep(self, data: bytes, value: T) -> T:
        """Remembers what ``data`` means; returns ``value``."""
        if len(data) <= self._largest:
            if len(self._values) >= self._size:
                self._values.pop(next(iter(self._values)), None)
            self._values[data] = (data, value)
        return value

    def shared(self, data: bytes) -> bytes | None:
        """The equal bytes that are kept here, if there are any: whoever agrees can hold one copy."""
        found = self._values.get(data)
        return found[0] if found is not None else None
