"""Carries out the decisions of ``member_status``: roster, events, buffered intents, timers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from swim.config import Config
from swim.core.engine import Engine
from swim.core.member import Record, State
from swim.core.timers import TimerKind
from swim.events import (
    MemberAccused,
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
from swim.serf.member_status import Cause, Change, Effect, decide, row_of
from swim.serf.messages import JoinIntent, LeaveIntent

__all__ = ["Members"]

_RESTART_WINDOW = 10.0
"""Seconds within which a newer stamp is that of a join, or turns a raised incarnation into a restart."""
_FLAP_TIMEOUT = 60.0
"""Seconds within which the return of a failed member counts as flapping (Serf's ``FlapTimeout``)."""
_STAMPED_ABOVE = {Cause.JOIN: 0, Cause.LEAVE: 1, Cause.PRUNE: 1, Cause.STAMPED: 0, Cause.LISTED_LEFT: 2}
"""How far above its stamp a claim about this node has to be refuted.

A leave with the stamp of this node's join may reach peers that have not received the join yet, and Serf peers
read a member listed as left as a leave stamped one higher.
"""


class Members:
    """Applies what the core and the intents say about members to the roster."""

    def __init__(self, engine: Engine, roster: Roster, config: Config) -> None:
        self._engine = engine
        self._roster = roster
        roster.erased += [engine.context.probed.forget, engine.context.round_trips.forget]
        self._config = config
        self.refute: Callable[[float, int], None] = lambda now, ltime: None
        """Announces this node's join again, above a stamp; the delegate sets it."""
        self.send_prune: Callable[[float, str], None] = lambda now, name: None
        """Prunes a member that is gone, at this node and at its peers; the delegate sets it."""
        self.intents: IntentBuffer = IntentBuffer(
            size=config.max_intents, timeout=config.recent_intent_timeout
        )
        timers = engine.context.timers
        self._forgetting = timers.kind(TimerKind.FORGET, self._forget, self._is_forgettable)
        self._leave_doubt = timers.kind(TimerKind.LEAVING, self._doubt_leaving, self._is_stuck_leaving)
        self._leave_end = timers.kind(TimerKind.LEAVING_END, self._end_leaving, self._is_stuck_leaving)

    # -- reports of the core

    def joined(self, now: float, record: Record, reason: Reason) -> None:
        """A member is alive that was unknown, dead or left."""
        name = record.name
        kept = self.intents.get(now, name)
        entry = self._roster.get(name)
        change = self._decide(Cause.JOINED, name, entry, announced=isinstance(kept, LeaveIntent))
        if change.effect is Effect.IGNORE:
            return
        self._engine.rejoining.forget(name)
        if entry is not None:
            self._rejoin(now, self._roster.own(entry), record, reason)
            return
        self._make_room(now)
        status = MemberStatus.LEAVING if change.effect is Effect.JOIN_LEAVING else MemberStatus.ALIVE
        entry = self._roster.add(now, self._roster.describe(record, status), MemberJoined, reason)
        if kept is not None:
            self._roster.stamp(entry, kept.ltime)
        if not isinstance(kept, JoinIntent):
            entry.joined_at = now
        if status is MemberStatus.LEAVING:
            self._watch_leaving(now, entry)

    def refreshed(self, now: float, record: Record, reason: Reason, *, is_changed: bool) -> None:
        """A live member raised its incarnation, and may have changed metadata other than tags."""
        entry = self._roster.get(record.name)
        if entry is None or self._decide(Cause.RAISED, record.name, entry).effect is not Effect.RAISE:
            return
        entry = self._roster.own(entry)
        member = self._roster.describe(record, entry.status)
        before = entry.member
        same = replace(member, incarnation=before.incarnation, is_suspect=before.is_suspect) == before
        entry.raised_at = now
        kind: type[MemberUpdated] | type[MemberRefuted] | type[MemberRestarted]
        kind = MemberRefuted if same and not is_changed else MemberUpdated
        if now - entry.intent_at <= _RESTART_WINDOW:
            kind = MemberRestarted
            entry.intent_at = entry.raised_at = float("-inf")
        self._roster.change(now, entry, member, kind, reason)

    def suspected(self, now: float, record: Record, reason: Reason) -> None:
        """A member is suspect now."""
        entry = self._roster.get(record.name)
        if entry is None or self._decide(Cause.SUSPECTED, record.name, entry).effect is not Effect.SUSPECT:
            return
        entry = self._roster.own(entry)
        member = replace(entry.member, is_suspect=True, incarnation=record.incarnation)
        self._roster.change(now, entry, member, MemberSuspected, reason)

    def accused(self, now: float, record: Record, reason: Reason) -> None:
        """A suspect has one more accuser, and its suspicion ends sooner."""
        entry = self._roster.get(record.name)
        if entry is not None and entry.member.is_suspect:
            self._roster.announce(now, self._roster.own(entry), MemberAccused, reason)

    def gone(self, now: float, record: Record, reason: Reason) -> None:
        """The core holds a member dead or left."""
        entry = self._roster.get(record.name)
        cause = Cause.LEFT if record.state is State.LEFT else Cause.DIED
        effect = self._decide(cause, record.name, entry).effect
        if entry is None:
            return
        if effect is Effect.LEFT:
            entry = self._roster.own(entry)
            self._left(now, entry, reason, incarnation=record.incarnation)
            if entry.prune_when_gone and entry.prune_is_ours:
                self.send_prune(now, record.name)
            elif entry.prune_when_gone:
                self.erase(now, entry, Reason("prune"))
        elif effect is Effect.FAIL:
            self._failed(now, self._roster.own(entry), record, reason)

    # -- intents and push/pulls

    def join_intent(self, now: float, intent: JoinIntent, reason: Reason) -> bool:
        """Applies a join intent; True if it is to be passed on."""
        return self._said(now, Cause.JOIN, intent, reason)

    def leave_intent(self, now: float, intent: LeaveIntent, reason: Reason) -> bool:
        """Applies a leave intent; True if it is to be passed on."""
        return self._said(now, Cause.PRUNE if intent.prune else Cause.LEAVE, intent, reason)

    def prune_later(self, name: str) -> None:
        """An operator prunes a member that is alive: it is forgotten, at every member, once it is gone."""
        entry = self._roster.get(name)
        if entry is not None:
            entry = self._roster.own(entry)
            entry.prune_when_gone = entry.prune_is_ours = True

    def stamped(self, now: float, name: str, ltime: int, reason: Reason) -> None:
        """A peer's push/pull lists ``name`` with this stamp, and not as left."""
        self._said(now, Cause.STAMPED, JoinIntent(ltime, name), reason)

    def listed_left(self, now: float, name: str, ltime: int, reason: Reason) -> None:
        """A peer's push/pull lists ``name`` as left, with this stamp."""
        self._said(now, Cause.LISTED_LEFT, LeaveIntent(ltime, name), reason)

    def _said(self, now: float, cause: Cause, intent: JoinIntent | LeaveIntent, reason: Reason) -> bool:
        entry = self._roster.get(intent.node)
        change = self._decide(cause, intent.node, entry, ltime=intent.ltime)
        match change.effect:
            case Effect.IGNORE:
                return False
            case Effect.KEEP:
                return self.intents.offer(now, intent)
            case Effect.REFUTE:
                self.refute(now, intent.ltime + _STAMPED_ABOVE[cause])
                return False
        assert entry is not None
        entry = self._roster.own(entry)
        is_first = entry.status_ltime == 0
        self._roster.stamp(entry, intent.ltime)
        if cause in (Cause.LEAVE, Cause.PRUNE):
            entry.is_returning = False
        match change.effect:
            case Effect.NOTE:
                self._note_join(now, entry, reason, is_first=is_first, is_listed=cause is Cause.STAMPED)
            case Effect.EXPECT:
                entry.is_returning = True
            case Effect.RETURN:
                entry.prune_when_gone = False
                self._roster.set_status(now, entry, MemberStatus.ALIVE, MemberRefuted, reason)
            case Effect.LEAVE | Effect.PRUNE_LATER:
                entry.prune_when_gone = change.effect is Effect.PRUNE_LATER
                entry.prune_is_ours = False
                self._roster.set_status(now, entry, MemberStatus.LEAVING, MemberLeaving, reason)
                self._watch_leaving(now, entry)
            case Effect.LEFT:
                self._left(now, entry, reason)
            case Effect.PRUNE:
                self._left(now, entry, reason)
                self.erase(now, entry, Reason("prune", reason.accuser))
            case Effect.ERASE:
                self.erase(now, entry, Reason("prune", reason.accuser))
        return True

    def erase(self, now: float, entry: Entry, reason: Reason) -> None:
        """Forgets a member, also in the core, whose tombstone keeps stale claims out; never this node."""
        name = entry.member.name
        if name == self._config.name:
            return
        self.intents.settle(now, name, entry.status_ltime)
        self._engine.rejoining.forget(name)
        self._engine.claims.reaper.forget(now, name)
        self._roster.erase(now, entry, reason)

    # -- details

    def _decide(
        self, cause: Cause, name: str, entry: Entry | None, *, ltime: int = 1, announced: bool = False
    ) -> Change:
        context = self._engine.context
        own = context.status if name == context.local.name else ""
        row = row_of(entry.status if entry is not None else None, own, announced=announced)
        known = entry.status_ltime if entry is not None and cause in _STAMPED_ABOVE else 0
        change = decide(cause, row, ltime, known)
        if change.effect is Effect.IGNORE:
            context.metrics.count(f"swim.ignored.status.{change.why}")
        return change

    def _rejoin(self, now: float, entry: Entry, record: Record, reason: Reason) -> None:
        """A listed member is back."""
        if entry.status is MemberStatus.FAILED and now - entry.gone_at < _FLAP_TIMEOUT:
            self._engine.context.metrics.count("serf.member.flap")
        entry.joined_at = float("-inf") if entry.is_returning else now
        entry.prune_when_gone = entry.is_returning = False
        entry.gone_at = 0.0
        member = self._roster.describe(record, MemberStatus.ALIVE)
        self._roster.change(now, entry, member, MemberJoined, reason)

    def _failed(self, now: float, entry: Entry, record: Record, reason: Reason) -> None:
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
            now + self._config.reconnect_timeout, self._forgetting, (record.name, entry.gone_at)
        )

    def _make_room(self, now: float) -> None:
        """Keeps the roster within ``max_members``, the core's limit: forgets the member gone longest."""
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
            now + self._config.tombstone_timeout, self._forgetting, (entry.member.name, entry.gone_at)
        )

    def _note_join(
        self, now: float, entry: Entry, reason: Reason, *, is_first: bool, is_listed: bool
    ) -> None:
        """A newer stamp of a live member is that of its join, or of a restart if it raised its incarnation.

        Push/pulls list a member's stamp even if its intent was missed, up to an interval later.
        """
        patience = self._config.push_pull_interval if is_listed else 0.0
        if now - entry.joined_at <= _RESTART_WINDOW or (is_first and is_listed):
            entry.joined_at = float("-inf")
        elif now - entry.raised_at <= _RESTART_WINDOW + patience:
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
        is_aged = self._decide(Cause.AGED, name, entry).effect is Effect.ERASE
        if is_aged and now >= gone_at + timeout:
            # Not from the list of past members: failed ones are still dialled.
            self._roster.erase(now, entry, Reason("reap", detail=f"{entry.status} for {now - gone_at:.0f} s"))

    def _watch_leaving(self, now: float, entry: Entry) -> None:
        """Half of the timeout is for leaving; a member that answers in the other half stays."""
        token = (entry.member.name, entry.status_ltime)
        self._engine.context.timers.at(now + self._config.leaving_timeout / 2, self._leave_doubt, token)

    def _doubt_leaving(self, now: float, token: tuple[str, int]) -> None:
        context = self._engine.context
        record = context.table.get(token[0])
        if record is None or record is context.local:
            return
        context.table.put(record.unseen())
        context.timers.at(now + self._config.leaving_timeout / 2, self._leave_end, token)

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
        elif self._decide(Cause.ANSWERS, name, entry).effect is Effect.RETURN:
            entry.prune_when_gone = False
            reason = Reason("acked", detail="still answers long after it was to leave")
            self._roster.set_status(now, entry, MemberStatus.ALIVE, MemberRefuted, reason)
