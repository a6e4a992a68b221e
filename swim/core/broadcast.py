"""The transmit-limited broadcast queue: what this node still has to send, and how often.

memberlist's TransmitLimitedQueue (fewest transmits first, then longest, then newest), preceded by a priority.
It also remembers which member each broadcast came from (it is not sent back there), and which broadcasts were
retired under a smaller cluster size.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections import OrderedDict
from collections.abc import Mapping
from enum import IntEnum

__all__ = ["RETIRED_MAX", "Backlog", "Broadcast", "BroadcastQueue", "Priority", "retransmit_limit"]

RETIRED_MAX = 2048
"""Broadcasts sent often enough that are kept for when the cluster grows."""
_RETIRED_SECONDS = 60.0


def retransmit_limit(mult: int, n: int) -> int:
    """How often a broadcast is sent in a cluster of ``n``: ``mult * ceil(log10(n + 1))``."""
    return mult * math.ceil(math.log10(n + 1))


class Priority(IntEnum):
    """Which broadcasts go first when a packet is full."""

    URGENT = 0
    """Refutations and the node's own leave."""
    DEAD = 1
    SUSPECT = 2
    ALIVE = 3
    OTHER = 4


class Broadcast:
    """One queued message. At most one per ``name`` is queued; a newer one replaces it."""

    __slots__ = ("message", "name", "order", "origin", "priority", "retired_at", "ticket", "transmits")

    def __init__(
        self, name: str, message: bytes, priority: Priority, origin: str, ticket: int | None
    ) -> None:
        self.name: str = name
        self.message: bytes = message
        self.priority: Priority = priority
        self.origin: str = origin
        self.ticket: int | None = ticket
        self.order: int = 0
        self.transmits: int = 0
        self.retired_at: float = 0.0


class Backlog:
    """What the queues of one node have in common.

    Attributes:
        waiting: entries queued in all of them.
        finished: tickets of broadcasts that were sent often enough or replaced; the owner drains it.
    """

    __slots__ = ("finished", "waiting")

    def __init__(self) -> None:
        self.waiting: int = 0
        self.finished: list[int] = []


_Tier = list[tuple[int, int, Broadcast]]


class BroadcastQueue:
    """Queued broadcasts in tiers of equal priority and transmit count, each sorted by length and age.

    Args:
        mult: transmits per decimal digit of the cluster size.
        max_depth: entries at most.
        max_bytes: of all messages together.
        backlog: shared with the node's other queues; one of its own by default.

    Attributes:
        backlog: shared with the node's other queues.
        waiting: the queued entries by name.
        limit: transmits a broadcast gets; follows the cluster size through ``resize``.
    """

    __slots__ = (
        "_bytes",
        "_max_bytes",
        "_mult",
        "_next_order",
        "_retired",
        "_retired_bytes",
        "_tiers",
        "backlog",
        "limit",
        "max_depth",
        "waiting",
    )

    def __init__(
        self, mult: int, *, max_depth: int, max_bytes: int = 2 * 1024 * 1024, backlog: Backlog | None = None
    ) -> None:
        self.backlog: Backlog = backlog or Backlog()
        self._bytes = self._retired_bytes = 0
        self._max_bytes = max_bytes
        self._mult = mult
        self._tiers: dict[tuple[int, int], _Tier] = {}
        self.waiting: dict[str, Broadcast] = {}
        self._retired: OrderedDict[str, Broadcast] = OrderedDict()
        self._next_order = 0
        self.max_depth: int = max_depth
        self.limit: int = retransmit_limit(mult, 1)

    def __len__(self) -> int:
        return len(self.waiting)

    @property
    def queued(self) -> int:
        """How many broadcasts were ever queued."""
        return self._next_order

    @property
    def retired(self) -> Mapping[str, Broadcast]:
        """What was sent often enough a short while ago, by name."""
        return self._retired

    def queue(
        self,
        name: str,
        message: bytes,
        *,
        priority: Priority = Priority.OTHER,
        origin: str = "",
        ticket: int | None = None,
    ) -> int:
        """Queues ``message``, replacing (and finishing) the entry of the same name.

        Returns:
            How many entries were dropped, most transmitted first, to stay within ``max_depth`` and
            ``max_bytes``.
        """
        self.discard(name)
        self._next_order += 1
        entry = Broadcast(name, message, priority, origin, ticket)
        entry.order = self._next_order
        self._wait(entry)
        if len(self.waiting) <= self.max_depth and self._bytes <= self._max_bytes:
            return 0
        return self.prune(self.max_depth)

    def discard(self, name: str) -> None:
        """Drops the entry of ``name``; it counts as finished."""
        if self._retired:
            self._unretire(name)
        entry = self.waiting.pop(name, None)
        if entry is not None:
            self.backlog.waiting -= 1
            self._remove(entry)
            self._finish(entry)

    def prune(self, keep: int) -> int:
        """Keeps the first ``keep`` entries in sending order, as far as the bytes allow.

        Returns:
            How many were dropped.
        """
        dropped = 0
        while len(self.waiting) > keep or self._bytes > self._max_bytes:
            tier = self._tiers[max(self._tiers)]
            self.discard(tier[0][2].name)
            dropped += 1
        return dropped

    def take(
        self,
        now: float,
        room: int,
        overhead: int,
        *,
        most: int = 127,
        exclude: str = "",
        charge: bool = True,
    ) -> list[bytes]:
        """Messages for one packet, each at most once.

        Args:
            now: seconds, to date what is retired.
            room: bytes available.
            overhead: bytes each message costs beyond its length.
            most: messages at most (decoders before memberlist 0.2.4 fail on 128 parts).
            exclude: name of the receiving member; broadcasts that came from it are not sent back.
            charge: whether this counts as a transmit (it does not towards dead members).
        """
        if not self.waiting:
            return []
        taken: list[Broadcast] = []
        for key in sorted(self._tiers):
            if room <= overhead or len(taken) >= most:
                break
            tier = self._tiers[key]
            place = len(tier)
            while room > overhead and len(taken) < most:
                place = min(place, bisect_right(tier, (room - overhead, self._next_order + 1)))
                while place and exclude and tier[place - 1][2].origin == exclude:
                    place -= 1
                if not place:
                    break
                place -= 1
                length, _, entry = tier[place]
                taken.append(entry)
                room -= length + overhead
                if charge:
                    del tier[place]
                    self._bytes -= length
            if not tier:
                del self._tiers[key]
        if charge:
            self._charge(now, taken)
        return [entry.message for entry in taken]

    def resize(self, now: float, n: int) -> bool:
        """Adapts the transmit limit to ``n`` nodes; True if entries retired too early are queued again.

        A node that joins sees a small cluster and stops sending too early. As its view grows, it sends the
        missing transmits, as far as there is room.
        """
        limit = retransmit_limit(self._mult, n)
        grew = limit > self.limit
        self.limit = limit
        if not grew or not self._retired:
            return False
        revived = False
        for entry in self._retired.values():
            if len(self.waiting) >= self.max_depth or self._bytes >= self._max_bytes:
                break
            if entry.transmits < limit and now - entry.retired_at <= _RETIRED_SECONDS:
                self._wait(entry)
                revived = True
        self._retired.clear()
        self._retired_bytes = 0
        return revived

    def _charge(self, now: float, taken: list[Broadcast]) -> None:
        for entry in taken:
            entry.transmits += 1
            if entry.transmits < self.limit:
                self._insert(entry)
                continue
            del self.waiting[entry.name]
            self.backlog.waiting -= 1
            self._finish(entry)
            entry.retired_at = now
            self._retired[entry.name] = entry
            self._retired_bytes += len(entry.message)
            while len(self._retired) > RETIRED_MAX or self._retired_bytes > self._max_bytes:
                self._unretire(next(iter(self._retired)))

    def _unretire(self, name: str) -> None:
        entry = self._retired.pop(name, None)
        if entry is not None:
            self._retired_bytes -= len(entry.message)

    def _finish(self, entry: Broadcast) -> None:
        if entry.ticket is not None:
            self.backlog.finished.append(entry.ticket)
            entry.ticket = None

    def _wait(self, entry: Broadcast) -> None:
        self.waiting[entry.name] = entry
        self.backlog.waiting += 1
        self._insert(entry)

    def _insert(self, entry: Broadcast) -> None:
        tier = self._tiers.setdefault((entry.priority, entry.transmits), [])
        insort(tier, (len(entry.message), entry.order, entry))
        self._bytes += len(entry.message)

    def _remove(self, entry: Broadcast) -> None:
        key = (entry.priority, entry.transmits)
        tier = self._tiers[key]
        tier.remove((len(entry.message), entry.order, entry))
        self._bytes -= len(entry.message)
        if not tier:
            del self._tiers[key]
