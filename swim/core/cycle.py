"""Names to draw from: round by round, each round in a new random order, or any at random."""

from __future__ import annotations

from collections.abc import Iterator

from swim.core.rng import Rng

__all__ = ["Cycle"]


class Cycle:
    """Names in an order that is drawn while it is walked (Fisher-Yates): the next is any unvisited one.

    A removed name keeps its slot until the walk reaches it.

    Attributes:
        order: the slots to draw from, including those of removed names; read only.
    """

    __slots__ = ("_cursor", "_rng", "_stale", "order")

    def __init__(self, rng: Rng, names: list[str]) -> None:
        self._rng = rng
        self.order: list[str] = names
        self._cursor = 0
        self._stale: set[str] = set()

    def __len__(self) -> int:
        return len(self.order) - len(self._stale)

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.order if name not in self._stale)

    def add(self, name: str) -> None:
        """Adds a name at a uniformly random place; a removed name whose slot is still there gets it back."""
        if name in self._stale:
            self._stale.discard(name)
            return
        order = self.order
        order.append(name)
        if self._rng.below(len(order)) < self._cursor:
            order[self._cursor], order[-1] = name, order[self._cursor]
            self._cursor += 1

    def remove(self, name: str) -> None:
        """Removes a name."""
        self._stale.add(name)

    def at(self, place: int) -> str:
        """The name in a slot; "" if it was removed."""
        name = self.order[place]
        if name in self._stale:
            self._drop(place)
            return ""
        return name

    def next(self, _period: int = 0) -> str:
        """The next name of the round, in a new random order every round; "" if there is none."""
        order = self.order
        while order:
            if self._cursor >= len(order):
                self._cursor = 0
            place = self._cursor + self._rng.below(len(order) - self._cursor)
            name = order[place]
            if name in self._stale:
                self._drop(place)
                continue
            order[place], order[self._cursor] = order[self._cursor], name
            self._cursor += 1
            return name
        return ""

    def phase(self, _period: int) -> float:
        """Without common ranks there is no moment of a period: 0."""
        return 0.0

    def _drop(self, place: int) -> None:
        order = self.order
        self._stale.discard(order[place])
        if place < self._cursor:
            # The gap is closed with a visited name, so that no unvisited one slips behind the cursor.
            self._cursor -= 1
            order[place] = order[self._cursor]
            place = self._cursor
        last = order.pop()
        if place < len(order):
            order[place] = last
