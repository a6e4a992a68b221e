"""Planted in what a node keeps: tables, tombstones, the roster, events."""

from __future__ import annotations

from typing import Any

import pytest

from sims.checkers import (
    CrashedMembersAreFailed,
    EventsTellTheTable,
    GoneMembersAreReaped,
    LeavesAreNotFailures,
    LimitsHold,
    NothingResurrects,
    RecordsTellTheSnapshot,
    RosterFollowsTable,
    StampsNeverGoBack,
    TombstonesLast,
    ViewsAgree,
)
from swim.core.broadcast import BroadcastQueue
from swim.core.claims import Claims
from swim.core.evidence import Source
from swim.core.member import Record, State
from swim.core.push_pull import PushPulls
from swim.core.reaper import Reaper
from swim.core.table import Table
from swim.events import MemberFailed
from swim.serf.member_list import Roster
from swim.serf.members import Members
from swim.serf.snapshot import Recorder
from tests.sims.checkers.planted import scripts
from tests.sims.checkers.planted.bug import bug


@bug("Tombstones are forgotten.", scripts.ECHO, NothingResurrects)
def drops_tombstones(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Table, "tombstone", lambda self, name, now: None)


@bug(
    "A member that left is taken from a peer's table as a suspect.",
    scripts.PLAIN_LOST_LEAVE,
    LeavesAreNotFailures,
)
def merges_the_left_as_suspect(patch: pytest.MonkeyPatch) -> None:
    merge = PushPulls._merge_record

    def doubt(self: Any, now: float, record: Any, source: Source) -> None:
        state = State.SUSPECT if record.state == State.LEFT else record.state
        merge(self, now, record._replace(state=state), source)

    patch.setattr(PushPulls, "_merge_record", doubt)


@bug("A dead member in a peer's table is taken for alive.", scripts.LATE_JOIN, NothingResurrects)
def adopts_the_dead(patch: pytest.MonkeyPatch) -> None:
    merge = PushPulls._merge_record

    def adopt(self: Any, now: float, record: Any, source: Source) -> None:
        merge(self, now, record._replace(state=State.ALIVE), source)

    patch.setattr(PushPulls, "_merge_record", adopt)


@bug("Push/pulls are answered and not merged.", scripts.CRASH, ViewsAgree)
def ignores_push_pulls(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PushPulls, "merge", lambda *_, **__: iter(()))


@bug("Dead members are never reaped.", scripts.CRASH, GoneMembersAreReaped)
def never_reaps(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Reaper, "_reap", lambda self, now, token: None)


@bug("Dead members are reaped at once.", scripts.CRASH, GoneMembersAreReaped)
def reaps_at_once(patch: pytest.MonkeyPatch) -> None:
    mark_gone = Claims._mark_gone

    def erase(self: Any, now: float, state: Any, claim: Any, *rest: Any) -> None:
        mark_gone(self, now, state, claim, *rest)
        self.reaper.forget(now, claim.node)

    patch.setattr(Claims, "_mark_gone", erase)


@bug(
    "A member that proves to be alive is stored under the incarnation before.",
    scripts.GOSSIP,
    RosterFollowsTable,
)
def forgets_on_evidence(patch: pytest.MonkeyPatch) -> None:
    witnessed = Record.witnessed

    def older(self: Any) -> Record:
        record = witnessed(self)
        return record.turned(record.state, record.changed_at, max(1, record.incarnation - 1))

    patch.setattr(Record, "witnessed", older)


@bug("The queue grows without end.", scripts.QUEUES, LimitsHold)
def queue_has_no_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(BroadcastQueue, "prune", lambda self, keep: 0)


@bug("Tombstones are kept beyond their limit.", scripts.GRAVES, LimitsHold)
def tombstones_have_no_end(patch: pytest.MonkeyPatch) -> None:
    bury = Table.bury

    def keep_all(self: Any, record: Record, expires: float) -> None:
        self._max_tombstones = len(self._tombstones) + 1
        bury(self, record, expires)

    patch.setattr(Table, "bury", keep_all)


@bug(
    "Tombstones last no longer than the dead are gossiped to.",
    scripts.CRASH,
    TombstonesLast,
)
def tombstones_are_too_short(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        Reaper, "_tombstone_seconds", lambda self, record: self._context.config.gossip_to_the_dead_time
    )


@bug("A tombstone makes room for the next one.", scripts.GRAVES_IN_TURN, TombstonesLast)
def keeps_one_tombstone(patch: pytest.MonkeyPatch) -> None:
    bury = Table.bury

    def keep_last(self: Any, record: Record, expires: float) -> None:
        self._tombstones.clear()
        bury(self, record, expires)

    patch.setattr(Table, "bury", keep_last)


@bug("One member is never probed.", scripts.CRASH, CrashedMembersAreFailed)
def skips_one_member(patch: pytest.MonkeyPatch) -> None:
    next_target = Table.next_target

    def skip(self: Any, period: int) -> Any:
        candidates = (next_target(self, period + turn) for turn in range(9))
        return next((record for record in candidates if record is None or record.name != "n3"), None)

    patch.setattr(Table, "next_target", skip)


@bug("A failure that others found does not reach the roster.", scripts.CRASH, RosterFollowsTable)
def roster_misses_failures(patch: pytest.MonkeyPatch) -> None:
    gone = Members.gone

    def miss(self: Any, now: float, record: Any, reason: Any) -> None:
        if reason.cause != "claim":
            gone(self, now, record, reason)

    patch.setattr(Members, "gone", miss)


@bug("An old join intent counts.", scripts.ECHO, StampsNeverGoBack)
def old_join_intents_count(patch: pytest.MonkeyPatch) -> None:
    join_intent = Members.join_intent

    def forgetful(self: Any, now: float, intent: Any, reason: Any) -> bool:
        entry = self._roster.get(intent.node)
        if entry is not None and intent.ltime < entry.status_ltime:
            entry.status_ltime = 0
        return join_intent(self, now, intent, reason)

    patch.setattr(Members, "join_intent", forgetful)


@bug("Every failure is reported twice.", scripts.CRASH, EventsTellTheTable)
def tells_events_twice(patch: pytest.MonkeyPatch) -> None:
    emit = Roster._emit

    def twice(self: Any, *args: Any) -> None:
        emit(self, *args)
        if isinstance(self.events[-1], MemberFailed):
            self.events.append(self.events[-1])

    patch.setattr(Roster, "_emit", twice)


@bug("Failures change the roster without an event.", scripts.CRASH, EventsTellTheTable)
def forgets_events(patch: pytest.MonkeyPatch) -> None:
    emit = Roster._emit

    def forget(self: Any, *args: Any) -> None:
        emit(self, *args)
        if isinstance(self.events[-1], MemberFailed):
            self.events.pop()
            self.sequence -= 1

    patch.setattr(Roster, "_emit", forget)


@bug("A failed member stays alive in the snapshot.", scripts.CRASH, RecordsTellTheSnapshot)
def does_not_record_failures(patch: pytest.MonkeyPatch) -> None:
    happened = Recorder.happened

    def miss(self: Any, events: Any) -> None:
        happened(self, [event for event in events if not isinstance(event, MemberFailed)])

    patch.setattr(Recorder, "happened", miss)


@bug(
    "A past member that is no longer dialled stays in the snapshot.",
    scripts.CRASH,
    RecordsTellTheSnapshot,
)
def does_not_record_who_is_found(patch: pytest.MonkeyPatch) -> None:
    looked_for = Recorder.looked_for

    def miss(self: Any, name: str, endpoint: Any) -> None:
        if endpoint is not None:
            looked_for(self, name, endpoint)

    patch.setattr(Recorder, "looked_for", miss)
