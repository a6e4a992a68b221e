"""The member table: lookup by name and endpoint, probe order, random choice, tombstones.

Nothing here scans the members on the packet path or on a timer tick: the probe order is a permutation that is
drawn as it is walked, and a reaped name stays in it until it is met.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from swim.addresses import Endpoint
from swim.core.member import Record
from swim.core.rng import Rng

__all__ = ["Table", "TableBase", "Tombstone"]


class Tombstone(NamedTuple):
    """What is remembered of a reaped member."""

    incarnation: int
    expires: float


class TableBase:
    """Records that many tables start from. None of them changes it: what they change they keep themselves."""

    __slots__ = ("endpoints", "live", "names", "records")

    def __init__(self, records: Sequence[Record]) -> None:
        self.records: Final[Mapping[str, Record]] = {record.name: record for record in records}
        self.endpoints: Final[Mapping[Endpoint, str]] = {record.endpoint: record.name for record in records}
        self.names: Final[Sequence[str]] = sorted(self.records)
        self.live: Final = sum(record.is_live for record in records)


class _Shared:
    """The names at an endpoint that has more than one: those proven alive, other live ones, and those gone.

    Within each the latest comes last.
    """

    __slots__ = ("_by_rank",)

    def __init__(self) -> None:
        self._by_rank: tuple[dict[str, None], ...] = ({}, {}, {})

    def __len__(self) -> int:
        return sum(map(len, self._by_rank))

    def put(self, record: Record) -> None:
        rank = 2 if not record.is_live else 0 if record.verified else 1
        if record.name not in self._by_rank[rank]:
            self.discard(record.name)
            self._by_rank[rank][record.name] = None

    def discard(self, name: str) -> None:
        for names in self._by_rank:
            names.pop(name, None)

    @property
    def first(self) -> str:
        """Whom a packet from there is taken to be from."""
        return next(next(reversed(names)) for names in self._by_rank if names)

    @property
    def is_ambiguous(self) -> bool:
        """Whether several may be alive there, and none is proven to be."""
        proven, unproven, _ = self._by_rank
        return not proven and len(unproven) > 1


_NO_BASE = TableBase(())
_UNCHANGED = object()


class Table:
    """Every known member, self included.

    Attributes:
        local: the node's own record; listed once it was added.
        live: members alive or suspect, self included.
        changes: grows with every change of a record.
    """

    __slots__ = (
        "_base",
        "_count",
        "_cursor",
        "_endpoints",
        "_max_tombstones",
        "_names",
        "_order",
        "_own",
        "_rng",
        "_shared",
        "_stale",
        "_tombstones",
        "changes",
        "live",
        "local",
    )

    def __init__(self, rng: Rng, local: Record, *, max_tombstones: int) -> None:
        self._rng = rng
        self.local = local
        self._base = _NO_BASE
        self._own: dict[str, Record | None] = {}  # None: reaped, though the base has it
        self._endpoints: dict[Endpoint, str] = {}
        self._shared: dict[Endpoint, _Shared] = {}
        self._count = 0
        self._order: list[str] | None = None
        self._cursor = 0
        self._stale: set[str] = set()
        self._names: Sequence[str] | None = None
        self._tombstones: dict[str, Tombstone] = {}
        self._max_tombstones = max_tombstones
        self.live = 0
        self.changes = 0

    def start_from(self, base: TableBase) -> None:
        """Lists all of ``base``, which has the local member too, in a table that lists nobody yet."""
        assert not self._count
        self._base = base
        self._names = base.names
        self._count = len(base.names)
        self.live = base.live
        self.local = base.records[self.local.name]

    def __len__(self) -> int:
        """memberlist's node-count estimate: everyone not reaped, dead and self included."""
        return self._count

    def __iter__(self) -> Iterator[Record]:
        """All records, by name."""
        if self._names is None:
            listed = self._base.records.keys() | self._own.keys()
            self._names = sorted(name for name in listed if self.get(name) is not None)
        own, base = self._own, self._base.records
        for name in self._names:
            record = own.get(name)
            yield record if record is not None else base[name]

    def get(self, name: str) -> Record | None:
        """The record of ``name``."""
        record = self._own.get(name, _UNCHANGED)
        return self._base.records.get(name) if record is _UNCHANGED else record  # type: ignore[return-value]

    def at(self, endpoint: Endpoint) -> Record | None:
        """The member at ``endpoint``; of several one that is proven to be alive, else a live one."""
        name = self._endpoints.get(endpoint) or self._base.endpoints.get(endpoint)
        if name is None:
            return None
        record = self.get(name)
        return record if record is not None and record.endpoint == endpoint else None

    def is_ambiguous(self, endpoint: Endpoint) -> bool:
        """Whether several members claim ``endpoint`` and none is proven: a packet from there proves none."""
        shared = self._shared.get(endpoint)
        return shared is not None and shared.is_ambiguous

    def add(self, record: Record) -> None:
        """Lists a new member, at a uniformly random place of the probe order."""
        name = record.name
        self._tombstones.pop(name, None)
        self._count += 1
        self._names = None
        self.live += record.is_live
        self._store(record)
        order = self._cycle()
        if name in self._stale:
            self._stale.discard(name)  # where it was
            return
        order.append(name)
        if self._rng.below(len(order)) < self._cursor:
            order[self._cursor], order[-1] = name, order[self._cursor]
            self._cursor += 1

    def put(self, record: Record) -> Record:
        """Replaces a listed member's record; returns the new one."""
        before = self.get(record.name)
        assert before is not None
        self.live += record.is_live - before.is_live
        if before.endpoint != record.endpoint:
            self._leave(before)
        self._store(record)
        return record

    def bury(self, record: Record, expires: float) -> None:
        """Removes a member and remembers its incarnation until ``expires``."""
        name = record.name
        self._leave(record)
        if name in self._base.records:
            self._own[name] = None
        else:
            del self._own[name]
        self._stale.add(name)
        self._names = None
        self._count -= 1
        self.changes += 1
        self.live -= record.is_live
        self._tombstones.pop(name, None)
        if len(self._tombstones) >= self._max_tombstones > 0:
            del self._tombstones[next(iter(self._tombstones))]
        if self._max_tombstones:
            self._tombstones[name] = Tombstone(record.incarnation, expires)

    def tombstone(self, name: str, now: float) -> Tombstone | None:
        """The unexpired tombstone of ``name``."""
        stone = self._tombstones.get(name)
        if stone is not None and stone.expires <= now:
            del self._tombstones[name]
            return None
        return stone

    def exhume(self, name: str) -> None:
        """Forgets a tombstone: the member proved to be alive."""
        self._tombstones.pop(name, None)

    def next_target(self) -> Record | None:
        """The next live member of the round-robin probe order, in a new random order every cycle; never self.

        The order is drawn as it is walked (Fisher-Yates): whoever comes next is any of those still to come.
        """
        order, below = self._cycle(), self._rng.below
        for _ in range(2 * len(order)):  # a wrap in between may show some twice before others once
            cursor = self._cursor
            if cursor >= len(order):
                cursor = 0
            place = cursor + below(len(order) - cursor)
            name = order[place]
            record = self.get(name)
            if record is None:
                self._cursor = cursor
                self._drop(place)
                continue
            order[place], order[cursor] = order[cursor], name
            self._cursor = cursor + 1
            if record.is_live and record is not self.local:
                return record
        return None

    def pick(self, count: int, eligible: Callable[[Record], bool]) -> list[Record]:
        """Up to ``count`` distinct random members that are eligible.

        By rejection, at most 3n draws; in a small table by a shuffled scan, so that nobody is missed
        (memberlist since 0.6.0).
        """
        order, rng = self._cycle(), self._rng
        chosen: list[Record] = []
        if self._count < 3 * count:
            candidates = [record for record in self if eligible(record)]
            rng.shuffle(candidates)
            return candidates[:count]
        for _ in range(3 * len(order)):
            if len(chosen) == count:
                break
            place = rng.below(len(order))
            record = self.get(order[place])
            if record is None:
                self._drop(place)
            elif eligible(record) and record not in chosen:
                chosen.append(record)
        return chosen

    def _cycle(self) -> list[str]:
        """The probe order: before the cursor who had its turn, from there on who is still to come."""
        if self._order is None:
            self._order = list(self._base.names)
        return self._order

    def _drop(self, place: int) -> None:
        """Takes a reaped name out of the probe order, wherever the cycle stands."""
        order = self._cycle()
        self._stale.discard(order[place])
        if place < self._cursor:
            # The gap is closed with a visited name, so that no unvisited one slips behind the cursor.
            self._cursor -= 1
            order[place] = order[self._cursor]
            place = self._cursor
        last = order.pop()
        if place < len(order):
            order[place] = last

    def _store(self, record: Record) -> None:
        name, endpoint = record.name, record.endpoint
        shared, first = self._shared.get(endpoint), self.at(endpoint)
        self._own[name] = record
        if shared is None and first is not None and first.name != name:
            shared = self._shared[endpoint] = _Shared()
            shared.put(first)
        if shared is not None:
            shared.put(record)
            name = shared.first
        self._endpoints[endpoint] = name
        self.changes += 1
        if record.name == self.local.name:
            self.local = record

    def _leave(self, record: Record) -> None:
        """``record`` is not to be found at its endpoint any more."""
        endpoint = record.endpoint
        shared = self._shared.get(endpoint)
        if shared is not None:
            shared.discard(record.name)
            self._endpoints[endpoint] = shared.first
            if len(shared) == 1:
                del self._shared[endpoint]
        elif self._endpoints.get(endpoint) == record.name:
            del self._endpoints[endpoint]
