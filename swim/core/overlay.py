"""Values by name over a base that many nodes share: each node stores only what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Generic, TypeVar

__all__ = ["UNCHANGED", "Overlay"]

Value = TypeVar("Value")
UNCHANGED: Final[Any] = object()
"""What a node has not changed."""


class Overlay(Generic[Value]):
    """A base that never changes, and the changes of one node."""

    __slots__ = ("_below", "_own")

    def __init__(self) -> None:
        self._below: Mapping[str, Value] = {}
        self._own: dict[str, Value | None] = {}  # None: removed, though the base has it

    def __iter__(self) -> Iterator[Value]:
        """All values: those of the base in its order, then the others in the order of their arrival."""
        own, below = self._own, self._below
        for name, shared in below.items():
            value = own.get(name, shared)
            if value is not None:
                yield value
        for name, value in own.items():
            if value is not None and name not in below:
                yield value

    def get(self, name: str) -> Value | None:
        """The value of ``name``, which other nodes may share."""
        value = self._own.get(name, UNCHANGED)
        return self._below.get(name) if value is UNCHANGED else value

    def _remove(self, name: str) -> None:
        if name in self._below:
            self._own[name] = None
        else:
            del self._own[name]
