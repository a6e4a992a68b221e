"""Interleaved probes: who probes whom in which period, so that each member is probed once in every period.

All members stand in the order of a hash of their names. In period p the member at rank i of n probes the one
at rank t, which is ``1 + p mod (n - 1)`` ranks further on, at the moment t/n of the period. With equal views,
each member is probed once in every period, by another one each time and always at the same moment: a crash is
noticed within a period, where random orders leave a tail of several. In n - 1 periods each member probes each
other one once, and its rounds are 1 + 1/n periods apart, but for one in n.

Views differ, and members come and go. So every member also has a turn, as in a round-robin. It is probed at
most n - 1 turns late, even if another one has the rank to be probed, and so at most 2 (n - 1) turns after the
last time. (With one turn less, a member that lost its period to a late one would take another's, for ever.)
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b

__all__ = ["Ranks", "in_order"]


def _digest(name: str) -> bytes:
    return blake2b(name.encode("utf-8", "surrogateescape"), digest_size=16, person=b"swim.rank").digest()


_place = lru_cache(maxsize=1024)(_digest)


def in_order(names: Sequence[str]) -> list[str]:
    """Names in the order that is the same at every member."""
    return sorted(names, key=_digest)


class Ranks:
    """Names in the common order, and when each has its turn.

    A turn passes with every name drawn, and with every removed name whose turn comes.

    Args:
        own: the local member's name, which is never drawn; it counts for the ranks if it is listed.
        order: names to begin with, in order; copied before it is changed.

    Attributes:
        order: all names; read only.
    """

    __slots__ = (
        "_due",
        "_gone",
        "_is_shared",
        "_own",
        "_placed",
        "_reached",
        "_start",
        "_turn",
        "_undrawn",
        "order",
    )

    def __init__(self, own: str, order: list[str]) -> None:
        self._own = own
        self.order: list[str] = order
        self._is_shared = True
        self._placed: tuple[int, int] | None = None
        self._turn = 0
        # Those of the start have their turns in order. Each moves to ``_due`` when it is drawn.
        self._start: Sequence[str] = order
        self._reached = 0
        self._undrawn = len(order)
        self._due: OrderedDict[str, int] = OrderedDict()
        self._gone: set[str] = {own} if order else set()

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[str]:
        return iter(self.order)

    def at(self, place: int) -> str:
        """The name at a rank."""
        return self.order[place]

    def phase(self, period: int) -> float:
        """At which part of a period the local member probes, from 0 up to 1."""
        first, others = self._placed or self._place_own()
        size = len(self.order)
        return (first + period % others) % size / size if size else 0.0

    def add(self, name: str) -> None:
        """Adds a name; its turn comes after those of all that wait."""
        self._change().insert(bisect_left(self.order, _place(name), key=_place), name)
        if name == self._own:
            return
        if name in self._gone:
            self._gone.discard(name)
        else:
            self._due[name] = self._turn + self._undrawn + len(self._due)

    def remove(self, name: str) -> None:
        """Removes a name."""
        del self._change()[bisect_left(self.order, _place(name), key=_place)]
        if name != self._own:
            self._gone.add(name)

    def next(self, period: int) -> str:
        """The name to probe in a period; "" if there is none."""
        name, turn = self._longest_waiting()
        if not name:
            return ""
        first, others = self._placed or self._place_own()
        if self._turn - turn < others:
            name = self.order[(first + period % others) % len(self.order)]
        self._turn += 1
        if self._due.pop(name, None) is None:
            self._undrawn -= 1
        self._due[name] = self._turn + self._undrawn + len(self._due)
        return name

    def _longest_waiting(self) -> tuple[str, int]:
        """The name that waits for the longest time, and its turn."""
        start, due, gone = self._start, self._due, self._gone
        while self._reached < len(start):
            name = start[self._reached]
            if name not in due:
                if name not in gone:
                    return name, self._reached
                gone.discard(name)
                self._undrawn -= 1
                self._turn += 1
            self._reached += 1
        while due:
            name = next(iter(due))
            if name not in gone:
                return name, due[name]
            gone.discard(name)
            del due[name]
            self._turn += 1
        return "", 0

    def _place_own(self) -> tuple[int, int]:
        """The rank to be probed in period 0, and how many others there are, but at least 1."""
        rank = bisect_left(self.order, _place(self._own), key=_place)
        is_listed = self.order[rank : rank + 1] == [self._own]
        self._placed = rank + is_listed, max(1, len(self.order) - is_listed)
        return self._placed

    def _change(self) -> list[str]:
        if self._is_shared:
            self.order, self._is_shared = list(self.order), False
        self._placed = None
        return self.order
