"""The members as the application sees them: status, history, and an event for every change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import Any, Final

from swim.core.member import Record
from swim.core.overlay import Overlay
from swim.events import (
    Event,
    Member,
    MemberEvent,
    MemberFailed,
    MemberJoined,
    MemberLeft,
    MemberReaped,
    MemberRestarted,
    MemberState,
    MemberStatus,
    MemberUpdated,
    Query,
    Reason,
    Transition,
    UserEvent,
    UserMessage,
    VersionTriple,
)
from swim.metrics import Metrics
from swim.serf.tags import TagCache

__all__ = ["Entry", "Roster", "RosterBase"]

_COUNTERS: dict[type, str] = {
    MemberJoined: "serf.member.join",
    MemberRestarted: "serf.member.join",
    MemberUpdated: "serf.member.update",
    MemberLeft: "serf.member.left",
    MemberFailed: "serf.member.failed",
    UserEvent: "serf.events",
    Query: "serf.queries",
}
"""Serf's counters of events."""


class Entry:
    """One listed member.

    Attributes:
        member: its current value; replaced, never changed.
        status_ltime: stamp of the newest intent about it.
        since: when its state last changed, seconds; 0 for one that a simulation began with.
        gone_at: when it failed or left, seconds; 0 before that.
        prune_when_gone: an operator pruned it while it was still answering.
        prune_is_ours: the operator did so at this node, which sends the prune once the member is gone.
        joined_at: when it joined, while the stamp of that join is still to come.
        raised_at: when it last raised its incarnation while listed as alive.
        intent_at: when the last stamp of a later join arrived.
        is_returning: it is gone, and the stamp of a newer join arrived before memberlist's alive claim.
    """

    __slots__ = (
        "gone_at",
        "history",
        "intent_at",
        "is_returning",
        "joined_at",
        "member",
        "prune_is_ours",
        "prune_when_gone",
        "raised_at",
        "since",
        "status_ltime",
    )

    def __init__(self, member: Member, status_ltime: int = 0) -> None:
        self.member: Member = member
        self.status_ltime: int = status_ltime
        self.since: float = 0.0
        self.gone_at: float = 0.0
        self.prune_when_gone: bool = False
        self.prune_is_ours: bool = False
        self.is_returning: bool = False
        self.joined_at: float = float("-inf")
        self.raised_at: float = float("-inf")
        self.intent_at: float = float("-inf")
        self.history: tuple[Transition, ...] = ()

    @property
    def status(self) -> MemberStatus:
        """The member's status."""
        return self.member.status


class RosterBase:
    """Members that many rosters start from. None of them changes it: an entry is copied before a change."""

    __slots__ = ("entries", "members")

    def __init__(self, members: Sequence[Member], ltime: int) -> None:
        self.members: Final = tuple(members)
        self.entries: Final[Mapping[str, Entry]] = {member.name: Entry(member, ltime) for member in members}


class Roster(Overlay[Entry]):
    """Every listed member by name, in the order of arrival.

    Every change goes through here, and adds an event and a line of history.

    ``get`` returns an entry to read, which nodes may share; ``own`` returns one to change.
    """

    def __init__(self, *, history_size: int, speaks_serf: bool, metrics: Metrics | None = None) -> None:
        super().__init__()
        self._metrics = metrics or Metrics()
        self._tags = TagCache()
        self._versions: dict[bytes, tuple[VersionTriple, VersionTriple]] = {}
        self._history_size = history_size
        self._speaks_serf = speaks_serf
        self.sequence: int = 0
        """Number of the last event."""
        self.changes: int = 0
        """Grows with every change of a listed member or of its stamp."""
        self._snapshot: tuple[Member, ...] | None = ()
        self._counts = dict.fromkeys(MemberStatus, 0)
        self._gone: dict[str, None] = {}
        self.events: list[Event] = []
        """Events not yet handed out."""
        self.erased: list[Callable[[str], object]] = []
        """Each is called with the name of a member that is no longer listed."""

    def start_from(self, base: RosterBase) -> None:
        """Lists all of ``base``, without events, in a roster that is still empty."""
        assert not self._own
        self._below = base.entries
        self._snapshot = base.members
        for member in base.members:
            self._counts[member.status] += 1

    def __len__(self) -> int:
        return sum(self._counts.values())

    def own(self, entry: Entry) -> Entry:
        """The entry that ``get`` returned, to change."""
        name = entry.member.name
        own = self._own.get(name)
        if own is None:
            own = self._own[name] = copy(entry)
        return own

    def count(self, status: MemberStatus) -> int:
        """How many members have that status."""
        return self._counts[status]

    def longest_gone(self) -> Entry | None:
        """The listed member that failed or left first."""
        return next((self.get(name) for name in self._gone), None)

    def members(self) -> tuple[Member, ...]:
        """All members, in the order in which they were first seen."""
        if self._snapshot is None:
            self._snapshot = tuple(entry.member for entry in self)
        return self._snapshot

    def describe(self, record: Record, status: MemberStatus) -> Member:
        """The member that a core record describes, under ``status``."""
        protocol, delegate = self._version_triples(record.vsn)
        return Member(
            name=record.name,
            address=record.endpoint[0],
            port=record.port,
            tags=self.tags(record.meta),
            status=status,
            is_suspect=False,
            incarnation=record.incarnation,
            protocol=protocol,
            delegate=delegate,
        )

    def tags(self, meta: bytes | None) -> Mapping[str, str]:
        """The tags in a member's metadata; a plain memberlist pool has none."""
        return self._tags.get(meta if self._speaks_serf else b"\xff\x80")

    def add(self, now: float, member: Member, kind: type[MemberEvent], reason: Reason) -> Entry:
        """Lists a member that was unknown."""
        entry = self._own[member.name] = Entry(member)
        self._counts[member.status] += 1
        self._emit(now, entry, None, kind, reason)
        return entry

    def change(
        self, now: float, entry: Entry, member: Member, kind: type[MemberEvent], reason: Reason
    ) -> None:
        """Replaces a member's value."""
        previous = entry.member
        if member == previous:
            return
        self._counts[previous.status] -= 1
        self._counts[member.status] += 1
        entry.member = member
        if member.status in (MemberStatus.FAILED, MemberStatus.LEFT):
            self._gone.setdefault(member.name)
        else:
            self._gone.pop(member.name, None)
        self._emit(now, entry, previous, kind, reason)

    def stamp(self, entry: Entry, ltime: int) -> None:
        """Records the stamp of the newest intent about a member."""
        entry.status_ltime = ltime
        self.changes += 1

    def announce(self, now: float, entry: Entry, kind: type[MemberEvent], reason: Reason) -> None:
        """Adds an event about a member whose value does not change."""
        self._emit(now, entry, entry.member, kind, reason)

    def set_status(
        self,
        now: float,
        entry: Entry,
        status: MemberStatus,
        kind: type[MemberEvent],
        reason: Reason,
        **changes: Any,
    ) -> None:
        """Replaces a member's status (and other fields, by keyword)."""
        member = replace(entry.member, status=status, **changes)
        if status in (MemberStatus.FAILED, MemberStatus.LEFT):
            entry.gone_at = entry.gone_at or now
        else:
            entry.gone_at = 0.0
        self.change(now, entry, member, kind, reason)

    def erase(self, now: float, entry: Entry, reason: Reason) -> None:
        """Forgets a member, with ``MemberReaped``."""
        name = entry.member.name
        entry = self.own(entry)
        self._remove(name)
        self._gone.pop(name, None)
        self._counts[entry.status] -= 1
        for forget in self.erased:
            forget(name)
        self._emit(now, entry, entry.member, MemberReaped, reason)

    def hand_out(self, event: UserEvent | Query | UserMessage) -> None:
        """Leaves an event that is about no member, under the next number."""
        self.sequence += 1
        self._count(type(event))
        self.events.append(replace(event, sequence=self.sequence))

    def history(self, name: str) -> tuple[Transition, ...]:
        """The last transitions of a listed member, oldest first."""
        entry = self.get(name)
        return entry.history if entry is not None else ()

    def _emit(
        self, now: float, entry: Entry, previous: Member | None, kind: type[MemberEvent], reason: Reason
    ) -> None:
        self._snapshot = None
        self.changes += 1
        self.sequence += 1
        member = entry.member
        self._count(kind)
        self.events.append(kind(member, previous, reason, self.sequence))
        before = previous.state if previous is not None else MemberState.UNKNOWN
        after = MemberState.REAPED if kind is MemberReaped else member.state
        self._metrics.count(f"swim.transition.{after}.{reason.cause}")
        if before is MemberState.SUSPECT is not after:
            outcome = "refuted" if after is MemberState.ALIVE else after
            self._metrics.count(f"swim.suspicion.{outcome}")
        if before is not after:
            entry.since = now
        line = Transition(now, before, after, member.incarnation, reason)
        entry.history = (*entry.history, line)[-self._history_size :]

    def _count(self, kind: type[Event]) -> None:
        if name := _COUNTERS.get(kind):
            self._metrics.count(name)

    def _version_triples(self, vsn: bytes) -> tuple[VersionTriple, VersionTriple]:
        triples = self._versions.get(vsn)
        if triples is None:
            triples = VersionTriple(*vsn[:3]), VersionTriple(*vsn[3:6])
            if len(self._versions) < 256:
                self._versions[vsn] = triples
        return triples
