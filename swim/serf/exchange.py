"""Serf's part of a push/pull: sends this node's clocks, stamps and events, merges a peer's in steps."""

from __future__ import annotations

from collections.abc import Callable

from swim.core.context import Context
from swim.errors import RemoteError
from swim.events import MemberStatus, Reason
from swim.serf.lamport import LamportClock
from swim.serf.member_list import Roster
from swim.serf.members import Members
from swim.serf.push_pull import KNOWN_STATES, PushPullState, RecentEvents, decode_state_steps, encode_state
from swim.serf.user_events import UserEvents
from swim.wire.decode_cache import OwnState
from swim.wire.steps import Pause, Steps

__all__ = ["StateExchange"]

_MERGED_PER_STEP = 256
"""Stamps merged in one step, which takes some milliseconds."""
_READ_PER_STEP = 2048
"""Members of this node's state read in one step, which takes a millisecond or two."""
_SLOTS_PER_STEP = 32
"""Stamps whose user events are merged in one step."""


class StateExchange:
    """Builds and merges states.

    Args:
        context: of the node.
        clocks: of members, of user events, of queries.
        roster: its stamps are sent.
        members: receives what peers list about members.
        events: the recent user events, sent along and received.
    """

    def __init__(
        self,
        context: Context,
        *,
        clocks: tuple[LamportClock, LamportClock, LamportClock],
        roster: Roster,
        members: Members,
        events: UserEvents,
    ) -> None:
        self._context = context
        self._clocks = clocks
        self._roster = roster
        self._members = members
        self._events = events
        self._encoded = OwnState(KNOWN_STATES)

    def local_state(self) -> Steps[bytes]:
        """This node's state, in steps; names in order, so that members that agree send the same bytes."""
        version = (*(clock.time for clock in self._clocks), self._roster.changes, self._events.admitted)
        return self._encoded.get(version) or self._encoded.keep(version, (yield from self._encode()))

    def merge(self, clock: Callable[[], float], state: bytes, *, peer: str, replay: bool) -> Steps[None]:
        """Merges a peer's state: clocks, left members, other stamps, then events (Serf's MergeRemoteState).

        Unless they are to be ``replay``ed, events that the peer knows already count as too old.
        """
        try:
            theirs = yield from decode_state_steps(state)
        except RemoteError as error:
            self._context.metrics.dropped(error.reason)
            return
        if state == (yield from self.local_state()):
            return
        for lamport, ltime in zip(
            self._clocks, (theirs.ltime, theirs.event_ltime, theirs.query_ltime), strict=True
        ):
            lamport.witness(ltime - 1)
        left = set(theirs.left_members)
        reason = Reason("push-pull", peer, "listed as left")
        for number, name in enumerate(theirs.left_members, 1):
            if not number % _MERGED_PER_STEP:
                yield Pause.TURN
            self._merge_stamp(clock(), name, theirs.status_ltimes.get(name, 0), reason, left=True)
        reason = Reason("push-pull", peer)
        for number, (name, ltime) in enumerate(theirs.status_ltimes.items(), 1):
            if not number % _MERGED_PER_STEP:
                yield Pause.TURN
            if name not in left:
                self._merge_stamp(clock(), name, ltime, reason)
        if not replay:
            self._events.ignore_before(theirs.event_ltime)
        for number, slot in enumerate(theirs.events, 1):
            if not number % _SLOTS_PER_STEP:
                yield Pause.TURN
            for event_name, payload in slot.events:
                self._events.receive(slot.ltime, event_name, payload)
        self._events.caught_up()

    def _merge_stamp(self, now: float, name: str, ltime: int, reason: Reason, *, left: bool = False) -> None:
        if self._clocks[0].is_absurd(ltime):
            return
        if left:
            self._members.listed_left(now, name, ltime, reason)
            return
        if name != self._context.local.name:
            self._clocks[0].witness(ltime)
        self._members.stamped(now, name, ltime, reason)

    def _encode(self) -> Steps[bytes]:
        stamps: dict[str, int] = {}
        left: list[str] = []
        entries = list(self._roster)
        for start in range(0, len(entries), _READ_PER_STEP):
            if start:
                yield Pause.TURN
            for entry in entries[start : start + _READ_PER_STEP]:
                name = entry.member.name
                stamps[name] = entry.status_ltime
                # Under the stamp of its newer join, Serf peers that list it as back would show it as leaving
                # for good.
                if entry.status is MemberStatus.LEFT and not entry.is_returning:
                    left.append(name)
        if len(entries) > _READ_PER_STEP:
            yield Pause.TURN
        ordered = {name: stamps[name] for name in sorted(stamps)}
        if len(entries) > _READ_PER_STEP:
            yield Pause.TURN
        recent = [RecentEvents(ltime, keys) for ltime, keys in self._events.recent()]
        member_time, event_time, query_time = (clock.time for clock in self._clocks)
        return encode_state(PushPullState(member_time, ordered, sorted(left), event_time, recent, query_time))
