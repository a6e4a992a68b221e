"""How causes change a member's status: Serf's transitions, with cures for its known ills.

Differences from Serf: a memberlist leave (dead with accuser = node) counts as left even without an intent; a
stale "left" about a member that answers is ignored; stamps of left members do not ratchet; a member stuck in
leaving comes back; prune never hides a member that answers.
"""

from __future__ import annotations

from dataclasses import replace

from swim.config import Config
from swim.core.engine import Engine
from swim.core.member import Record, State
from swim.events import (
    MemberFailed,
    MemberJoined,
    MemberLeaving,
    MemberLeft,
    MemberRefuted,
    MemberRestarted,
    MemberStatus,
    MemberSuspected,
    MemberUpdated,
    Reason,
)
from swim.serf.intents import IntentBuffer
from swim.serf.member_list import Entry, Roster
from swim.serf.messages import JoinIntent, LeaveIntent

__all__ = ["StatusTable"]

_RESTART_WINDOW = 10.0


class StatusTable:
    """Applies what the core and the intents say about members to the roster."""

    def __init__(self, engine: Engine, roster: Roster, config: Config) -> None:
        self._engine = engine
        self._roster = roster
        self._config = config
        self._intents = IntentBuffer(size=config.max_intents, timeout=config.recent_intent_timeout)
        timers = engine.context.timers
        timers.register("forget", self._forget, self._is_forgettable)
        timers.register("leaving", self._doubt_leaving, self._is_stuck_leaving)
        timers.register("leaving-end", self._end_leaving, self._is_stuck_leaving)

    # -- what the core says

    def joined(self, now: float, record: Record, reason: Reason) -> None:
        """A member is alive that was unknown, dead or left."""
        self._engine.rejoining.forget(record.name)
        entry = self._roster.get(record.name)
        if entry is not None:
            entry = self._roster.own(entry)
            entry.joined_at = now
            entry.prune_when_gone = entry.is_returning = False
            member = self._roster.describe(record, MemberStatus.ALIVE)
            entry.gone_at = 0.0
            self._roster.change(now, entry, member, MemberJoined, reason)
            return
        self._make_room(now)
        kept = self._intents.get(now, record.name)
        status = MemberStatus.LEAVING if isinstance(kept, LeaveIntent) else MemberStatus.ALIVE
        entry = self._roster.add(now, self._roster.describe(record, status), MemberJoined, reason)
        if kept is not None:
            self._roster.stamp(entry, kept.ltime)
        if not isinstance(kept, JoinIntent):
            entry.joined_at = now
        if status is MemberStatus.LEAVING:
            self._watch_leaving(now, entry)

    def refreshed(self, now: float, record: Record, reason: Reason) -> None:
        """A live member raised its incarnation."""
        entry = self._roster.get(record.name)
        if entry is None:
            return
        entry = self._roster.own(entry)
        member = self._roster.describe(record, entry.status)
        before = entry.member
        same = replace(member, incarnation=before.incarnation, is_suspect=before.is_suspect) == before
        entry.raised_at = now
        kind: type[MemberUpdated] | type[MemberRefuted] | type[MemberRestarted]
        kind = MemberRefuted if same else MemberUpdated
        if now - entry.intent_at <= _RESTART_WINDOW:
            kind = MemberRestarted
            entry.intent_at = float("-inf")
        self._roster.change(now, entry, member, kind, reason)

    def suspected(self, now: float, record: Record, reason: Reason) -> None:
        """A member is suspect now."""
        entry = self._roster.get(record.name)
        if entry is not None:
            entry = self._roster.own(entry)
            member = replace(entry.member, is_suspect=True, incarnation=record.incarnation)
            self._roster.change(now, entry, member, MemberSuspected, reason)

    def gone(self, now: float, record: Record, reason: Reason) -> None:
        """The core holds a member dead or left."""
        entry = self._roster.get(record.name)
        if entry is None or entry.status is MemberStatus.LEFT:
            return
        entry = self._roster.own(entry)
        left = record.state is State.LEFT or entry.status is MemberStatus.LEAVING
        if left:
            self._left(now, entry, reason, incarnation=record.incarnation)
            if entry.prune_when_gone:
                self.erase(now, entry, Reason("prune"))
        elif entry.status is not MemberStatus.FAILED:
            if record.verified:
                self._engine.rejoining.lost(now, record.name, record.endpoint)
            self._roster.set_status(
                now,
                entry,
                MemberStatus.FAILED,
                MemberFailed,
                reason,
                is_suspect=False,
                incarnation=record.incarnation,
            )
            self._engine.context.timers.at(
                now + self._config.reconnect_timeout, "forget", (record.name, entry.gone_at)
            )

    # -- what intents say

    def join_intent(self, now: float, intent: JoinIntent, reason: Reason) -> bool:
        """Applies a join intent; True if it was newer than what is known.

        A node that leaves does not take the join of a former life for a change of its mind.
        """
        entry = self._roster.get(intent.node)
        if entry is None:
            return self._intents.offer(now, intent)
        if intent.ltime <= entry.status_ltime:
            return False
        entry = self._roster.own(entry)
        self._roster.stamp(entry, intent.ltime)
        leaves = intent.node == self._engine.context.local.name and self._engine.context.status != "running"
        if entry.status is MemberStatus.LEAVING and not leaves:
            entry.prune_when_gone = False
            self._roster.set_status(now, entry, MemberStatus.ALIVE, MemberRefuted, reason)
        elif entry.status is MemberStatus.LEFT:
            entry.is_returning = True
        elif entry.status is MemberStatus.ALIVE and reason.cause == "intent":
            self._note_join_intent(now, entry, reason)
        return True

    def leave_intent(self, now: float, intent: LeaveIntent, reason: Reason) -> bool:
        """Applies a leave intent about another member (or the own, announced one); True if it was newer."""
        entry = self._roster.get(intent.node)
        if entry is None:
            return self._intents.offer(now, intent)
        if intent.ltime <= entry.status_ltime:
            return False
        entry = self._roster.own(entry)
        self._roster.stamp(entry, intent.ltime)
        entry.is_returning = False
        if entry.status in (MemberStatus.ALIVE, MemberStatus.LEAVING):
            entry.prune_when_gone = intent.prune
            self._roster.set_status(now, entry, MemberStatus.LEAVING, MemberLeaving, reason)
            self._watch_leaving(now, entry)
        elif entry.status is MemberStatus.FAILED:
            self._left(now, entry, reason)
        if intent.prune and entry.status is MemberStatus.LEFT:
            self.erase(now, entry, Reason("prune", reason.accuser))
        return True

    def listed_left(self, now: float, name: str, ltime: int, reason: Reason) -> None:
        """A peer's push/pull lists ``name`` as left, with its stamp (cured: Serf adds 1 each time)."""
        entry = self._roster.get(name)
        if entry is None:
            self._intents.offer(now, LeaveIntent(ltime, name))
        elif entry.status is MemberStatus.LEFT and ltime > entry.status_ltime:
            self._roster.stamp(self._roster.own(entry), ltime)
        elif entry.status is MemberStatus.FAILED and ltime >= entry.status_ltime:
            entry = self._roster.own(entry)
            self._roster.stamp(entry, ltime)
            self._left(now, entry, reason)

    def erase(self, now: float, entry: Entry, reason: Reason) -> None:
        """Forgets a member here and in the core, whose tombstone keeps stale claims out; never this node."""
        name = entry.member.name
        if name == self._config.name:
            return
        self._engine.rejoining.forget(name)
        self._engine.claims.forget(now, name)
        self._roster.erase(now, entry, reason)

    # -- details

    def _make_room(self, now: float) -> None:
        """Keeps the roster within ``max_members``, the core's limit: who has been gone longest goes."""
        gone = self._roster.longest_gone()
        if len(self._roster) >= self._config.max_members and gone is not None:
            self._engine.context.metrics.dropped("member-limit")
            self._roster.erase(now, gone, Reason("reap", detail="too many members"))

    def _left(self, now: float, entry: Entry, reason: Reason, **changes: object) -> None:
        self._engine.rejoining.forget(entry.member.name)
        self._engine.rejoining.arm(now)  # it may have been a seed
        self._roster.set_status(
            now, entry, MemberStatus.LEFT, MemberLeft, reason, is_suspect=False, **changes
        )
        self._engine.context.timers.at(
            now + self._config.tombstone_timeout, "forget", (entry.member.name, entry.gone_at)
        )

    def _note_join_intent(self, now: float, entry: Entry, reason: Reason) -> None:
        """A join intent beyond the one of its join, of a member that raised its incarnation: it restarted."""
        if now - entry.joined_at <= _RESTART_WINDOW:
            entry.joined_at = float("-inf")
        elif now - entry.raised_at <= _RESTART_WINDOW:
            entry.raised_at = float("-inf")
            self._roster.announce(now, entry, MemberRestarted, reason)
        else:
            entry.intent_at = now

    def _is_forgettable(self, token: tuple[str, float]) -> bool:
        name, gone_at = token
        entry = self._roster.get(name)
        return entry is not None and entry.gone_at == gone_at > 0

    def _forget(self, now: float, token: tuple[str, float]) -> None:
        name, gone_at = token
        entry = self._roster.get(name)
        assert entry is not None
        timeout = (
            self._config.tombstone_timeout
            if entry.status is MemberStatus.LEFT
            else self._config.reconnect_timeout
        )
        if now >= gone_at + timeout and name != self._config.name:
            # Not from the rejoin list: whoever failed is still looked for.
            self._roster.erase(now, entry, Reason("reap", detail=f"{entry.status} for {now - gone_at:.0f} s"))

    def _watch_leaving(self, now: float, entry: Entry) -> None:
        """Half of the time is for leaving; who is heard of in the other half stays."""
        token = (entry.member.name, entry.status_ltime)
        self._engine.context.timers.at(now + self._config.leaving_timeout / 2, "leaving", token)

    def _doubt_leaving(self, now: float, token: tuple[str, int]) -> None:
        context = self._engine.context
        record = context.table.get(token[0])
        if record is None or record is context.local:
            return
        context.table.put(record.unseen())
        context.timers.at(now + self._config.leaving_timeout / 2, "leaving-end", token)

    def _is_stuck_leaving(self, token: tuple[str, int]) -> bool:
        name, ltime = token
        entry = self._roster.get(name)
        return entry is not None and entry.status is MemberStatus.LEAVING and entry.status_ltime == ltime

    def _end_leaving(self, now: float, token: tuple[str, int]) -> None:
        name, _ = token
        entry = self._roster.get(name)
        record = self._engine.context.table.get(name)
        if entry is None or record is None or not record.is_live:
            return
        entry = self._roster.own(entry)
        if record.state is State.SUSPECT or not record.verified:
            self._watch_leaving(now, entry)
        else:
            entry.prune_when_gone = False
            reason = Reason("acked", detail="still answers long after it was to leave")
            self._roster.set_status(now, entry, MemberStatus.ALIVE, MemberRefuted, reason)
