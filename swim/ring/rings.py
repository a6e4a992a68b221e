"""``Ring``: who owns which key, as one snapshot shows it."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import isfinite, log
from typing import Literal, NamedTuple, TypeAlias

from swim import checks
from swim.errors import ConfigError, LocalError
from swim.events import Member
from swim.ring.fencing import fence
from swim.ring.hashing import Key, Place, circle, hash_of_key, hash_of_name, walk
from swim.where import Where, alive_matching, as_predicate, described, snapshot

__all__ = ["WEIGHT_MAX", "EmptyRingError", "Hashing", "Move", "Ring", "moved"]

Hashing: TypeAlias = Literal["rendezvous", "consistent"]

WEIGHT_MAX = 100.0
"""Weights above it count as this much: points on a consistent ring take memory."""
_MASK = 2**64 - 1


class EmptyRingError(LocalError):
    """No alive member of the snapshot passes the ring's filter. No state is affected."""


class Move(NamedTuple):
    """A key whose owner changed. None stands for no owner: no member was on the ring."""

    key: Key
    source: Member | None
    target: Member | None


class Ring:
    """Who owns which key, as one snapshot shows it. Never changes.

    Members that are alive own keys, suspect ones too: a member that only stalls keeps what it has. The same
    members, in any order, give the same owners in every process and on every Python version.

    Args:
        members: the whole snapshot, such as ``cluster.members()``; failed and left members matter to
            ``fence``.
        where: tags that a member must have to own keys, or a function of a ``Member``; None for all.
        hashing: ``rendezvous`` compares all members for every key. ``consistent`` finds the owner in
            O(log members), after some milliseconds of preparation for a hundred members.
        weight_tag: the tag with a member's weight, a number from 0 (owns nothing) to ``WEIGHT_MAX``; a member
            owns keys in proportion. A missing tag, and one that is no such number, counts as 1.
        zone_tag: the tag with a member's zone. Members without it share the zone "".
        clock: the stamp of the membership clock when the snapshot was taken, ``cluster.stats().member_time``;
            it counts in ``fence`` only.

    Raises:
        ConfigError: naming the argument that is wrong.
    """

    __slots__ = (
        "_circle",
        "_clock",
        "_hashes",
        "_is_weighted",
        "_matches",
        "_places",
        "_snapshot",
        "_tags",
        "members",
    )

    def __init__(
        self,
        members: Iterable[Member],
        *,
        where: Where = None,
        hashing: Hashing = "rendezvous",
        weight_tag: str = "",
        zone_tag: str = "",
        clock: int = 0,
    ) -> None:
        if hashing not in ("rendezvous", "consistent"):
            raise ConfigError("hashing", f"must be rendezvous or consistent, not {hashing!r}")
        checks.text("weight_tag", weight_tag)
        checks.text("zone_tag", zone_tag)
        self._matches = (where, as_predicate("where", where))
        self._tags = (hashing, weight_tag, zone_tag)
        self._put(snapshot("members", members), checks.whole_number("clock", clock))

    def _put(self, members: tuple[Member, ...], clock: int) -> None:
        _, weight_tag, zone_tag = self._tags
        self._snapshot, self._clock = members, clock
        weighted = [
            (one, _weight(one, weight_tag) if weight_tag else 1.0)
            for one in alive_matching(members, self._matches[1])
        ]
        owners = [(one, weight) for one, weight in weighted if weight > 0.0]
        self.members: tuple[Member, ...] = tuple(one for one, _ in owners)
        """The members that own keys, sorted by name."""
        self._places = tuple(Place(one.name, weight, one.tags.get(zone_tag, "")) for one, weight in owners)
        self._hashes = [hash_of_name(one.name) for one in self.members]
        self._circle: array[int] | None = None
        self._is_weighted = len({place.weight for place in self._places}) > 1

    def over(self, members: Iterable[Member], *, clock: int = 0) -> Ring:
        """The ring of another snapshot, by the same rules.

        Raises:
            ConfigError: naming the argument that is wrong.
        """
        other = object.__new__(Ring)
        other._matches, other._tags = self._matches, self._tags
        other._put(snapshot("members", members), checks.whole_number("clock", clock))
        return other

    def __len__(self) -> int:
        return len(self.members)

    def __repr__(self) -> str:
        return f"<Ring of {len(self)} members, {self._tags[0]}, {self._filter()}>"

    @property
    def fence(self) -> int:
        """The fencing number of everything that is owned now; see the function ``fence``."""
        return fence(self._snapshot, clock=self._clock)

    def owner(self, key: Key, *, new_work: bool = False) -> Member:
        """The member that owns a key.

        Args:
            key: a string or bytes.
            new_work: passes over members that are suspect, for work that has not begun. They keep what they
                have, so such an owner is no reason to move anything, and ``fence`` does not order it.

        Raises:
            EmptyRingError: no member is left.
            ConfigTypeError: naming ``key``, if it is neither.
        """
        for place in self._ranking(key):
            member = self.members[place]
            if not (new_work and member.is_suspect):
                return member
        raise self._empty(new_work)

    def owners(self, key: Key, count: int, *, new_work: bool = False) -> tuple[Member, ...]:
        """The owner of a key and the next in line, each in a zone of its own while there are unused zones.

        Beyond that every zone gets a second one before any gets a third. Fewer than ``count`` if the ring has
        fewer members. If a member goes, the others of its keys stay and one more comes.

        Raises:
            EmptyRingError: no member is left.
            ConfigError: naming ``key`` or ``count``, if it is wrong; ``count`` is at least 1.
        """
        checks.whole_number("count", count, at_least=1)
        used: Counter[str] = Counter()
        rounds: list[tuple[int, Member]] = []
        first = 0
        for place in self._ranking(key, whole=True):
            member, zone = self.members[place], self._places[place].zone
            if new_work and member.is_suspect:
                continue
            rounds.append((used[zone] if self._tags[2] else 0, member))
            first += not rounds[-1][0]
            if first == count:
                break
            used[zone] += 1
        if not rounds:
            raise self._empty(new_work)
        rounds.sort(key=lambda one: one[0])
        return tuple(member for _, member in rounds[:count])

    def _ranking(self, key: Key, *, whole: bool = False) -> Iterable[int]:
        """Places in the order in which they come for a key; perhaps only the first, unless ``whole``."""
        found = hash_of_key(key)
        if self._tags[0] == "consistent":
            if self._circle is None:
                self._circle = circle(self._places)
            return walk(found, self._circle)
        return self._rendezvous(found, whole)

    def _rendezvous(self, key: int, whole: bool) -> Iterator[int]:
        # Multiplicative hashing by numbers that are random themselves: 7 us for a hundred, blake2b takes 70.
        if not self._is_weighted:
            scores: Sequence[float] = [one * key & _MASK for one in self._hashes]
        else:
            scores = [
                place.weight / -log(((one * key & _MASK) // 2**12 + 0.5) / 2**52)
                for place, one in zip(self._places, self._hashes, strict=True)
            ]
        if scores and not whole:
            yield scores.index(max(scores))
        yield from sorted(range(len(scores)), key=scores.__getitem__, reverse=True)

    def _filter(self) -> str:
        where = self._matches[0]
        return "no filter" if where is None else f"where {described(where)}"

    def _empty(self, new_work: bool) -> EmptyRingError:
        kind = "alive member that is not suspect" if new_work and self.members else "alive member"
        return EmptyRingError(f"no owner: {len(self._snapshot)} members, but no {kind} ({self._filter()})")


def moved(keys: Iterable[Key], before: Ring, after: Ring) -> tuple[Move, ...]:
    """Which of these keys have another owner in a second ring, in the given order.

    A member that restarted is the same owner, if it was not declared failed in between.

    Raises:
        ConfigTypeError: naming the argument that is wrong.
    """
    _is_ring("before", before)
    _is_ring("after", after)
    _are_keys("keys", keys)
    if before._places == after._places and before._tags == after._tags:
        return ()
    moves = []
    for key in keys:
        source = before.owner(key) if before.members else None
        target = after.owner(key) if after.members else None
        if (source.name if source else None) != (target.name if target else None):
            moves.append(Move(key, source, target))
    return tuple(moves)


_is_ring = checks.instance("a swim.ring.Ring", Ring)
_are_keys = checks.instance("an iterable of keys", Iterable, but=(str, bytes))


def _weight(member: Member, tag: str) -> float:
    """A peer's tag may hold anything."""
    try:
        weight = float(member.tags.get(tag, "1"))
    except ValueError:
        return 1.0
    return min(weight, WEIGHT_MAX) if isfinite(weight) and weight >= 0.0 else 1.0
