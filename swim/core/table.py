"""The member table: lookup by name and endpoint, probe order, random choice, tombstones.

Nothing here scans the members on the packet path or when a timer fires. Live members seen first-hand, live
members never seen first-hand and dead members have a cycle each. Members that left are in none, so a random
draw costs the same however many have left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from swim.addresses import Endpoint
from swim.core.cycle import Cycle
from swim.core.member import Record, State
from swim.core.overlay import UNCHANGED, Overlay
from swim.core.ranks import Ranks, in_order
from swim.core.rng import Rng
from swim.core.shared_endpoint import SharedEndpoint

__all__ = ["Table", "TableBase", "Tombstone"]


class Tombstone(NamedTuple):
    """What is remembered of a reaped member: its last record, dead or left."""

    record: Record
    expires: float

    @property
    def incarnation(self) -> int:
        """The highest incarnation known of the member."""
        return self.record.incarnation


class TableBase:
    """Records that many tables start from. A table keeps its changes itself; the base never changes."""

    __slots__ = ("_ranked", "endpoints", "live", "names", "records", "unverified")

    def __init__(self, records: Sequence[Record]) -> None:
        self.records: Final[Mapping[str, Record]] = {record.name: record for record in records}
        self.endpoints: Final[Mapping[Endpoint, str]] = {record.endpoint: record.name for record in records}
        self.names: Final[Sequence[str]] = sorted(self.records)
        self.live: Final = sum(record.is_live for record in records)
        self.unverified: Final = sum(not record.verified for record in records)
        self._ranked: list[str] | None = None

    @property
    def ranked(self) -> list[str]:
        """All names in the order of interleaved probes; not to be changed."""
        if self._ranked is None:
            self._ranked = in_order(self.names)
        return self._ranked


class _Cycles(NamedTuple):
    seen: Cycle | Ranks
    heard_of: Cycle
    dead: Cycle

    def of(self, record: Record) -> Cycle | Ranks | None:
        """The group that a record's name belongs to."""
        if record.is_live:
            return self.seen if record.verified else self.heard_of
        return self.dead if record.state is State.DEAD else None


_NO_BASE = TableBase(())


class Table(Overlay[Record]):
    """Every known member, self included.

    Args:
        rng: draws names.
        local: the node's own record.
        max_tombstones: how many are kept.
        interleaved: members seen first-hand are probed in the order of ``ranks``, not in random ones.

    Attributes:
        local: the node's own record; listed once it is added.
        live: members alive or suspect, self included.
        changes: grows with every change of a record.
        unverified: members of any state that were never seen first-hand.
    """

    __slots__ = (
        "_base",
        "_count",
        "_credit",
        "_cycles",
        "_endpoints",
        "_interleaved",
        "_max_tombstones",
        "_names",
        "_rng",
        "_shared",
        "_tombstones",
        "changes",
        "live",
        "local",
        "unverified",
    )

    def __init__(self, rng: Rng, local: Record, *, max_tombstones: int, interleaved: bool = False) -> None:
        super().__init__()
        self._rng = rng
        self._interleaved = interleaved
        self.local: Record = local
        self._base = _NO_BASE
        self._endpoints: dict[Endpoint, str] = {}
        self._shared: dict[Endpoint, SharedEndpoint] = {}
        self._count = 0
        self._cycles: _Cycles | None = None
        self._credit = 0.0
        self._names: Sequence[str] | None = None
        self._tombstones: dict[str, Tombstone] = {}
        self._max_tombstones = max_tombstones
        self.live: int = 0
        self.unverified: int = 0
        self.changes: int = 0

    def start_from(self, base: TableBase) -> None:
        """Lists all of ``base``, including the local member, in a table that is still empty."""
        assert not self._count
        self._base, self._below = base, base.records
        self._names = base.names
        self._count = len(base.names)
        self.live = base.live
        self.unverified = base.unverified
        self.local = base.records[self.local.name]

    def __len__(self) -> int:
        """memberlist's node-count estimate: all members not reaped, including dead ones and self."""
        return self._count

    def __iter__(self) -> Iterator[Record]:
        """All records, by name."""
        if self._names is None:
            self._names = sorted(record.name for record in super().__iter__())
        own, below = self._own, self._below
        for name in self._names:
            record = own.get(name)
            yield record if record is not None else below[name]

    def at(self, endpoint: Endpoint) -> Record | None:
        """The member at ``endpoint``; of several, one that is proven alive, else a live one."""
        name = self._endpoints.get(endpoint) or self._base.endpoints.get(endpoint)
        if name is None:
            return None
        record = self._own.get(name, UNCHANGED)  # as ``get``; every packet passes here
        if record is UNCHANGED:
            record = self._below.get(name)
        return record if record is not None and record.endpoint == endpoint else None

    def is_ambiguous(self, endpoint: Endpoint) -> bool:
        """Whether several members claim ``endpoint`` and none is proven: a packet from there proves none."""
        shared = self._shared.get(endpoint)
        return shared is not None and shared.is_ambiguous

    def add(self, record: Record) -> None:
        """Lists a new member."""
        self._tombstones.pop(record.name, None)
        self._count += 1
        self._names = None
        self.live += record.is_live
        self.unverified += not record.verified
        if (cycle := self._drawn().of(record)) is not None:
            cycle.add(record.name)
        self._store(record)

    def put(self, record: Record) -> Record:
        """Replaces a listed member's record; returns the new one."""
        before = self.get(record.name)
        assert before is not None
        if record.is_live != before.is_live or record.verified != before.verified:
            self.live += record.is_live - before.is_live
            self.unverified += before.verified - record.verified
            self._move(before, record)
        elif record.state is not before.state and not record.is_live:
            self._move(before, record)
        if before.endpoint != record.endpoint:
            self._leave(before)
        self._store(record)
        return record

    def bury(self, record: Record, expires: float) -> None:
        """Removes a member and remembers its incarnation until ``expires``."""
        name = record.name
        self._leave(record)
        self._remove(name)
        if (cycle := self._drawn().of(record)) is not None:
            cycle.remove(name)
        self._names = None
        self._count -= 1
        self.changes += 1
        self.live -= record.is_live
        self.unverified -= not record.verified
        self._tombstones.pop(name, None)
        if len(self._tombstones) >= self._max_tombstones > 0:
            del self._tombstones[next(iter(self._tombstones))]
        if self._max_tombstones:
            self._tombstones[name] = Tombstone(record, expires)

    def tombstone(self, name: str, now: float) -> Tombstone | None:
        """The unexpired tombstone of ``name``."""
        stone = self._tombstones.get(name)
        if stone is not None and stone.expires <= now:
            del self._tombstones[name]
            return None
        return stone

    def remember(self, record: Record) -> None:
        """Replaces the record in a member's tombstone."""
        stone = self._tombstones[record.name]
        self._tombstones[record.name] = stone._replace(record=record)

    @property
    def tombstones(self) -> Mapping[str, Tombstone]:
        """The tombstones by name, expired ones included."""
        return self._tombstones

    @property
    def endpoints(self) -> int:
        """Endpoints of members that were added or changed since the start."""
        return len(self._endpoints)

    def remembered_leaves(self, now: float, most: int) -> list[Record]:
        """Records of up to ``most`` members that left and were reaped, the last reaped first."""
        stones = (
            stone.record
            for stone in reversed(self._tombstones.values())
            if stone.record.state is State.LEFT and stone.expires > now
        )
        return list(islice(stones, most))

    def exhume(self, name: str) -> None:
        """Removes a tombstone: the member proved to be alive."""
        self._tombstones.pop(name, None)

    @property
    def seen(self) -> int:
        """The number of live members seen first-hand, self included."""
        return len(self._drawn().seen)

    def never_seen(self) -> Record | None:
        """A live member that was never seen first-hand."""
        name = self._drawn().heard_of.next()
        return self._listed(name) if name else None

    def phase(self, period: int) -> float:
        """At which part of a period this node probes, from 0 up to 1; 0 if probes are not interleaved."""
        return (self._cycles or self._drawn()).seen.phase(period)

    def next_target(self, period: int = 0) -> Record | None:
        """The live member to probe next; never self.

        Of members seen first-hand, the one whose turn it is in this ``period`` (see ``ranks``), or in a
        round-robin, in a new random order every cycle. Members never seen first-hand take at most every other
        turn, so made-up members do not delay the others.
        """
        cycles = self._drawn()
        turns: tuple[Cycle | Ranks, ...] = (cycles.seen,)
        if cycles.heard_of.order and (heard_of := len(cycles.heard_of)):
            turns = (cycles.seen, cycles.heard_of)
            self._credit = min(self._credit, 1.0) + min(0.5, heard_of / (len(cycles.seen) + heard_of))
            if self._credit >= 1.0:
                self._credit -= 1.0
                turns = (cycles.heard_of, cycles.seen)
        for cycle in turns:
            # Self may come last in one round and first in the next, so two of three draws may return it.
            for _ in range(3):
                record = self.get(cycle.next(period))
                if record is not None and record is not self.local:
                    return record
        return None

    def pick(
        self, count: int, eligible: Callable[[Record], bool], *, seen_only: bool = False, dead: bool = False
    ) -> list[Record]:
        """Up to ``count`` distinct random live members that are eligible.

        By rejection, at most 3n draws; in a small table by a shuffled scan, so that none is missed (as in
        memberlist since 0.6.0).

        Args:
            count: how many at most.
            eligible: further condition.
            seen_only: only of those that were seen first-hand.
            dead: include dead members.
        """
        cycles, rng = self._drawn(), self._rng
        among = [cycles.seen, *([] if seen_only else [cycles.heard_of]), *([cycles.dead] if dead else [])]
        if sum(map(len, among)) < 3 * count:
            candidates = [one for cycle in among for name in cycle if eligible(one := self._listed(name))]
            rng.shuffle(candidates)
            return candidates[:count]
        chosen: list[Record] = []
        for _ in range(3 * sum(len(cycle.order) for cycle in among)):
            if len(chosen) == count:
                break
            place = rng.below(sum(len(cycle.order) for cycle in among))
            for cycle in among:
                if place < len(cycle.order):
                    break
                place -= len(cycle.order)
            name = cycle.at(place)
            if name and eligible(record := self._listed(name)) and record not in chosen:
                chosen.append(record)
        return chosen

    def _drawn(self) -> _Cycles:
        """The cycles; drawing from a base begins with all of its members."""
        if self._cycles is None:
            base, rng, own = self._base, self._rng, self.local.name
            is_whole = base.live == len(base.names) and not base.unverified
            seen: Cycle | Ranks
            if self._interleaved:
                seen = Ranks(own, base.ranked if is_whole else [])
            else:
                seen = Cycle(rng, list(base.names) if is_whole else [])
            self._cycles = _Cycles(seen, Cycle(rng, []), Cycle(rng, []))
            if not is_whole:
                for name, record in base.records.items():
                    if (cycle := self._cycles.of(record)) is not None:
                        cycle.add(name)
        return self._cycles

    def _move(self, before: Record, record: Record) -> None:
        cycles = self._drawn()
        if (cycle := cycles.of(before)) is not None:
            cycle.remove(record.name)
        if (cycle := cycles.of(record)) is not None:
            cycle.add(record.name)

    def _listed(self, name: str) -> Record:
        record = self.get(name)
        assert record is not None
        return record

    def _store(self, record: Record) -> None:
        name, endpoint = record.name, record.endpoint
        shared, first = self._shared.get(endpoint), self.at(endpoint)
        self._own[name] = record
        if shared is None and first is not None and first.name != name:
            shared = self._shared[endpoint] = SharedEndpoint()
            shared.put(first)
        if shared is not None:
            shared.put(record)
            name = shared.first
        self._endpoints[endpoint] = name
        self.changes += 1
        if record.name == self.local.name:
            self.local = record

    def _leave(self, record: Record) -> None:
        """Removes ``record`` from its endpoint."""
        endpoint = record.endpoint
        shared = self._shared.get(endpoint)
        if shared is not None:
            shared.discard(record.name)
            self._endpoints[endpoint] = shared.first
            if len(shared) == 1:
                del self._shared[endpoint]
        elif self._endpoints.get(endpoint) == record.name:
            del self._endpoints[endpoint]
