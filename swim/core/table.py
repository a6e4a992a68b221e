"""The member table: lookup by name and endpoint, probe order, random choice, tombstones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from swim.core.member import Record, State
from swim.core.output import Endpoint
from swim.core.rng import Rng

__all__ = ["Table", "Tombstone"]


class Tombstone(NamedTuple):
    """What is remembered of a reaped member."""

    incarnation: int
    expires: float


class Table:
    """Every known member, self included. No operation scans it except the reshuffle once a cycle."""

    __slots__ = (
        "_cursor",
        "_endpoints",
        "_max_tombstones",
        "_order",
        "_records",
        "_rng",
        "_tombstones",
        "live",
    )

    def __init__(self, rng: Rng, *, max_tombstones: int) -> None:
        self._rng = rng
        self._records: dict[str, Record] = {}
        self._endpoints: dict[Endpoint, str] = {}
        self._order: list[Record] = []
        self._cursor = 0
        self._tombstones: dict[str, Tombstone] = {}
        self._max_tombstones = max_tombstones
        self.live = 0
        """Members alive or suspect, self included."""

    def __len__(self) -> int:
        """memberlist's node-count estimate: everyone not reaped, dead and self included."""
        return len(self._records)

    def __iter__(self) -> Iterator[Record]:
        """All records in probe order."""
        return iter(self._order)

    def get(self, name: str) -> Record | None:
        """The record of ``name``."""
        return self._records.get(name)

    def at(self, endpoint: Endpoint) -> Record | None:
        """The record last known at ``endpoint``."""
        name = self._endpoints.get(endpoint)
        return self._records.get(name) if name is not None else None

    def add(self, record: Record) -> None:
        """Inserts a new record at a uniformly random place of the probe order."""
        self._tombstones.pop(record.name, None)
        self._records[record.name] = record
        self._endpoints[record.endpoint] = record.name
        order = self._order
        place = self._rng.below(len(order) + 1)
        order.append(record)
        order[place], order[-1] = order[-1], order[place]
        order[-1].position = len(order) - 1
        order[place].position = place
        self.live += record.is_live

    def moved(self, record: Record, before: Endpoint) -> None:
        """Notes that a record's endpoint changed."""
        if self._endpoints.get(before) == record.name:
            del self._endpoints[before]
        self._endpoints[record.endpoint] = record.name

    def set_state(self, record: Record, state: State, now: float) -> None:
        """Changes a record's state and when it changed."""
        self.live += (state <= State.SUSPECT) - record.is_live
        record.state = state
        record.changed_at = now

    def bury(self, record: Record, expires: float) -> None:
        """Removes a record and remembers its incarnation until ``expires``."""
        del self._records[record.name]
        if self._endpoints.get(record.endpoint) == record.name:
            del self._endpoints[record.endpoint]
        self._take_out(record.position)
        self.live -= record.is_live
        self._tombstones.pop(record.name, None)
        if len(self._tombstones) >= self._max_tombstones > 0:
            del self._tombstones[next(iter(self._tombstones))]
        if self._max_tombstones:
            self._tombstones[record.name] = Tombstone(record.incarnation, expires)

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

    def next_target(self, skip: Record) -> Record | None:
        """The next live member of the round-robin probe order, reshuffled at every wrap; never ``skip``."""
        order = self._order
        for _ in range(2 * len(order)):  # a wrap in between may show some twice before others once
            if self._cursor >= len(order):
                self._rng.shuffle(order)
                for position, record in enumerate(order):
                    record.position = position
                self._cursor = 0
            record = order[self._cursor]
            self._cursor += 1
            if record.is_live and record is not skip:
                return record
        return None

    def pick(self, count: int, eligible: Callable[[Record], bool]) -> list[Record]:
        """Up to ``count`` distinct random members that are eligible.

        By rejection, at most 3n draws; in a small table by a shuffled scan, so that nobody is missed
        (memberlist since 0.6.0).
        """
        order, rng = self._order, self._rng
        chosen: list[Record] = []
        if len(order) < 3 * count:
            candidates = [record for record in order if eligible(record)]
            rng.shuffle(candidates)
            return candidates[:count]
        for _ in range(3 * len(order)):
            if len(chosen) == count:
                break
            record = order[rng.below(len(order))]
            if eligible(record) and record not in chosen:
                chosen.append(record)
        return chosen

    def _take_out(self, position: int) -> None:
        order = self._order
        if position < self._cursor:
            # Close the gap with an already visited record, so that no unvisited one slips behind the cursor.
            self._cursor -= 1
            self._put(position, order[self._cursor])
            position = self._cursor
        last = order.pop()
        if position < len(order):
            self._put(position, last)

    def _put(self, position: int, record: Record) -> None:
        self._order[position] = record
        record.position = position
