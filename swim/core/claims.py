"""Carries out the decisions of ``precedence``: table, suspicion, broadcast, refutation, events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from swim.core.admission import Admission
from swim.core.broadcast import Priority
from swim.core.context import Context
from swim.core.evidence import Evidence, Known, Own, Source, Unknown
from swim.core.gossip import Gossip
from swim.core.member import INCARNATION_MAX, Record, State, accusation
from swim.core.precedence import Verdict, decide, is_witnessed
from swim.core.reaper import Reaper
from swim.core.suspicion import Suspicion, confirmations_wanted, suspicion_timeout
from swim.core.timers import TimerKind
from swim.core.verify import Verify
from swim.events import Reason
from swim.text import shown
from swim.wire.codec import encode
from swim.wire.messages import Alive, Dead, Suspect

__all__ = ["Claims"]

_COUNTERS: dict[type, str] = {
    Alive: "memberlist.msg.alive",
    Suspect: "memberlist.msg.suspect",
    Dead: "memberlist.msg.dead",
}
_INTERVAL_WITHOUT_PROBES = 1.0
_NEWCOMER_SECONDS = 5.0
_UNVERIFIED_MIN = 32
_UNVERIFIED_SHARE = 2
"""Members that were never seen first-hand may be this many times those that were, or the number above."""


class Claims:
    """Applies claims; owns the running suspicions."""

    def __init__(self, context: Context, gossip: Gossip, verify: Verify) -> None:
        self._context = context
        self._gossip = gossip
        self._verify = verify
        self.admission: Admission = Admission(context)
        self.suspicions: dict[str, Suspicion] = {}
        self.grown: int = 0
        """Members added or revived so far; the push/pull schedule watches it for join bursts."""
        verify.revive = lambda now, claim: self.apply(now, claim, Source("acked", evidence=Evidence.TESTED))
        verify.believe = lambda now, claim, name, detail: self.apply(
            now, claim, Source("unanswered", name=name, evidence=Evidence.TESTED, detail=detail)
        )
        self.consult: Callable[[float, Record], None] = lambda now, record: None
        """Asks a member for its own record; the push/pull part sets it."""
        self._carry_out: dict[Verdict, Callable[[float, Any, Any, Source], None]] = {
            Verdict.ANSWER: self._answer,
            Verdict.JOIN: self._join,
            Verdict.TAKE: self._take,
            Verdict.ADMIT: self._admit,
            Verdict.REFRESH: self._refresh,
            Verdict.PROVE: self._prove,
            Verdict.CONSULT: self._consult,
            Verdict.CONFLICT: self._conflict,
            Verdict.SUSPECT: self._suspect,
            Verdict.CONFIRM: self._confirm,
            Verdict.ASK: self._ask,
            Verdict.DEAD: self._dead,
            Verdict.LEFT: self._left,
            Verdict.ASK_LEAVE: self._ask_leave,
            Verdict.REMEMBER: self._remember,
            Verdict.REFUTE: self._refute_claim,
            Verdict.DEPART: self._depart,
        }
        self._expiry = context.timers.kind(TimerKind.SUSPICION, self._expire, self._is_running)
        self.reaper: Reaper = Reaper(context)

    def apply(self, now: float, claim: Alive | Suspect | Dead, source: Source) -> None:
        """Applies a claim, a peer's or this node's own (memberlist's aliveNode, suspectNode, deadNode)."""
        context = self._context
        record = context.table.get(claim.node)
        context.metrics.counters[_COUNTERS[type(claim)]] += 1
        if isinstance(claim, Alive):
            if claim.port == 0 or context.config.protocol_version < 2:
                claim = claim._replace(port=context.bind_port)
            if not self.admission.admits(now, claim, record):
                return
        stored: Known
        if record is None:
            stored = self._unknown(now, claim.node)
        elif record is context.table.local:
            is_answer = source.evidence is Evidence.ANSWERED
            is_former = context.is_fresh and (is_answer or not context.is_introduced)
            stored = Own(record, context.status, is_former)
        else:
            stored = record
        decision = decide(now, claim, stored, source, context.config)
        if decision.counter:
            context.metrics.counters[decision.counter] += 1
        if decision.verdict is not Verdict.IGNORE:
            self._carry_out[decision.verdict](now, claim, stored, source)

    def _unknown(self, now: float, name: str) -> Unknown:
        table = self._context.table
        most = max(_UNVERIFIED_MIN, _UNVERIFIED_SHARE * table.seen)
        return Unknown(table.tombstone(name, now), self._context.is_newcomer(now), table.unverified >= most)

    # -- claims about this node

    def announce_self(self, now: float, *, ticket: int | None = None) -> None:
        """Queues the local alive claim ahead of everything else."""
        local = self._context.local
        self._queue(now, local.name, encode(local.alive_claim()), Priority.URGENT, ticket=ticket)

    def update_self(self, now: float, meta: bytes | None, *, ticket: int | None = None) -> None:
        """Publishes new metadata under the next incarnation (memberlist UpdateNode)."""
        local = self._context.local
        claim = local.alive_claim()._replace(incarnation=local.next_incarnation, meta=meta)
        previous, local = local, self._context.table.put(local.under(claim))
        reason = Reason("local", detail="metadata update")
        self._context.delegate.member_refreshed(now, local, previous, reason)
        self.announce_self(now, ticket=ticket)

    def leave_self(self, now: float, *, ticket: int | None = None) -> None:
        """Declares the local node to have left and queues the claim (memberlist Leave)."""
        local = self._context.local
        self._context.status = "left"
        local = self._context.table.put(local.turned(State.LEFT, now, local.incarnation))
        claim = Dead(local.incarnation, local.name, local.name)
        self._queue(now, local.name, encode(claim), Priority.URGENT, ticket=ticket)
        self._context.delegate.member_gone(now, local, Reason("local", local.name, "leave"))

    def hold(self, now: float, gap: float) -> None:
        """Extends the suspicions after this node overslept by ``gap`` seconds, so that none expires early."""
        grace = self._context.config.probe_interval
        for name, suspicion in self.suspicions.items():
            suspicion.hold(now, gap, grace)
            self._set_expiry(name, suspicion)

    # -- decisions carried out: alive claims

    def _join(self, now: float, claim: Alive, stored: Known, source: Source) -> None:
        """Lists an unknown, dead or left member as alive, and broadcasts the claim."""
        record = self._list(now, claim, stored, source)
        if record is not None:
            self._verify.forget(record.name)
            self._queue(now, record.name, encode(claim), Priority.ALIVE, origin=source.name)

    def _admit(self, now: float, claim: Alive, stored: Known, source: Source) -> None:
        """The same, but broadcasts the claim only after an ack."""
        if self._list(now, claim, stored, source) is not None:
            self._verify.alive(now, claim, source.name, is_listed=True)

    def _take(self, now: float, claim: Alive, stored: Known, source: Source) -> None:
        """The same without a broadcast: the other members know already."""
        if self._list(now, claim, stored, source) is not None:
            self._verify.forget(claim.node)

    def _list(self, now: float, claim: Alive, stored: Known, source: Source) -> Record | None:
        """Lists a member as alive, if there is room."""
        context = self._context
        witnessed = is_witnessed(claim, stored, source)
        verified = witnessed or not context.config.verify_second_hand
        record = Record(claim, State.ALIVE, now, verified=verified)
        if isinstance(stored, Record):
            context.table.put(record)
        elif self._has_room(now, witnessed=witnessed):
            context.new_members_left -= 1
            context.table.add(record)
        else:
            return None
        self.grown += 1
        if context.table.live - context.local.is_live == 1:
            context.newcomer_until = now + _NEWCOMER_SECONDS
        if context.resized(now):
            self._gossip.poke(now)
        context.delegate.member_joined(now, record, Reason(source.cause, source.name, source.detail))
        return record

    def _refresh(self, now: float, claim: Alive, stored: Record, source: Source) -> None:
        """A live member raised its incarnation, which ends a suspicion."""
        self.suspicions.pop(stored.name, None)
        since = stored.changed_at if stored.state is State.ALIVE else now
        record = self._context.table.put(Record(claim, State.ALIVE, since, verified=stored.verified))
        reason = Reason(source.cause, source.name, source.detail)
        self._context.delegate.member_refreshed(now, record, stored, reason)
        self._verify.refuted(record)
        self._verify.forget(record.name)  # or it would be queued twice
        self._queue(now, record.name, encode(claim), Priority.ALIVE, origin=source.name)

    def _prove(self, now: float, claim: Alive, stored: Known, source: Source) -> None:
        """The claim counts once a node of that name acks a ping at that address."""
        against = b""
        if isinstance(stored, Unknown) and stored.stone is not None:
            against = encode(accusation(stored.stone.record, self._context.local.name))
        self._verify.alive(now, claim, source.name, is_listed=False, against=against)

    def _consult(self, now: float, claim: object, stored: Record, source: Source) -> None:
        self.consult(now, stored)

    def _conflict(self, now: float, claim: Alive, stored: Record | Own, source: Source) -> None:
        self._context.metrics.count("swim.conflicts")
        record = stored.record if isinstance(stored, Own) else stored
        self._context.delegate.member_conflict(now, record, claim)

    def _has_room(self, now: float, *, witnessed: bool) -> bool:
        """Whether one more member may be listed; a member that was seen replaces one that never was."""
        context = self._context
        if context.new_members_left > 0:
            if context.n < context.config.max_members:
                return True
            unseen = context.table.never_seen() if witnessed else None
            if unseen is not None:
                self._drop(now, unseen)
                return True
        context.metrics.dropped("member-limit")
        return False

    def _drop(self, now: float, record: Record) -> None:
        """Forgets a member that was never seen, without a broadcast."""
        self.suspicions.pop(record.name, None)
        self._verify.forget(record.name)
        gone = self._context.table.put(record.turned(State.DEAD, now, record.incarnation))
        reason = Reason("limit", detail="never seen, and the table is full")
        self._context.delegate.member_gone(now, gone, reason)
        self.reaper.forget(now, gone.name)

    # -- decisions carried out: accusations

    def _suspect(self, now: float, claim: Suspect, stored: Record, source: Source) -> None:
        record = self._context.table.put(stored.turned(State.SUSPECT, now, claim.incarnation))
        suspicion = self.suspicions[record.name] = self._suspicion(now, claim, source)
        self._set_expiry(record.name, suspicion)
        self._queue(now, record.name, encode(claim), Priority.SUSPECT, origin=source.name)
        reason = Reason(source.cause, claim.accuser, source.detail)
        self._context.delegate.member_suspected(now, record, reason)

    def _confirm(self, now: float, claim: Suspect, stored: Record, source: Source) -> None:
        suspicion = self.suspicions[stored.name]
        before = suspicion.deadline
        is_news = suspicion.confirm(now, claim.accuser, is_certain=source.evidence is Evidence.TESTED)
        if suspicion.deadline != before:
            self._set_expiry(stored.name, suspicion)
            detail = f"fails in {suspicion.deadline - now:.1f} s, not {before - now:.1f}"
            reason = Reason(source.cause, claim.accuser, detail)
            self._context.delegate.member_accused(now, stored, reason)
        if is_news:
            self._queue(now, stored.name, encode(claim), Priority.SUSPECT, origin=source.name)

    def _ask(self, now: float, claim: Dead, stored: Record, source: Source) -> None:
        """Pings the accused first: it is dead without an ack, or at once if too many pings are under way."""
        if not self._verify.dead(now, stored, claim, source.name):
            self._dead(now, claim, stored, source)

    def _dead(self, now: float, claim: Dead, stored: Record, source: Source) -> None:
        self._mark_gone(now, State.DEAD, claim, stored, source)

    def _left(self, now: float, claim: Dead, stored: Record, source: Source) -> None:
        if stored.is_live and source.endpoint == stored.endpoint:
            # Both its name and its address can be forged, so the member receives the accusation too.
            self._gossip.send_exactly(stored.endpoint, [encode(claim)], record=stored)
        self._mark_gone(now, State.LEFT, claim, stored, source)

    def _ask_leave(self, now: float, claim: Dead, stored: Record, source: Source) -> None:
        """The same for a leave. A member that left may still ack, but it does not refute."""
        if not self._verify.dead(now, stored, claim, source.name):
            self._left(now, claim, stored, source)

    def _remember(self, now: float, claim: Dead, stored: Unknown, source: Source) -> None:
        """A member that was reaped as dead had left."""
        assert stored.stone is not None
        record = stored.stone.record.turned(State.LEFT, now, claim.incarnation)
        self._context.table.remember(record)
        self._context.delegate.member_gone(now, record, Reason(source.cause, claim.accuser, source.detail))

    def _mark_gone(self, now: float, state: State, claim: Dead, stored: Record, source: Source) -> None:
        context = self._context
        self.suspicions.pop(stored.name, None)
        self._verify.forget(stored.name)
        record = context.table.put(stored.turned(state, now, claim.incarnation))
        self._queue(now, record.name, encode(claim), Priority.DEAD, origin=source.name)
        self.reaper.arm(now, record)
        context.delegate.member_gone(now, record, Reason(source.cause, claim.accuser, source.detail))

    def _answer(
        self, now: float, claim: Alive | Suspect | Dead, stored: Record | Own, source: Source
    ) -> None:
        """Sends the accuser the record of the accused: it missed the refutation, or receives it first."""
        context = self._context
        sender = context.table.get(source.name) if context.config.answer_stale_accusations else None
        if sender is not None and source.endpoint is not None and context.corrections_left:
            context.corrections_left -= 1
            record = stored.record if isinstance(stored, Own) else stored
            known = encode(record.alive_claim())
            self._gossip.send_exactly(source.endpoint, [known], record=sender)

    # -- decisions carried out: claims about this node

    def _refute_claim(self, now: float, claim: Alive | Suspect | Dead, stored: Own, source: Source) -> None:
        if isinstance(claim, Alive):
            reason = Reason("claim", detail="alive claim that is not ours")
        elif isinstance(claim, Suspect):
            reason = Reason(source.cause, claim.accuser, "called suspect")
        else:
            called = "called leave" if claim.accuser == claim.node else "called dead"
            reason = Reason(source.cause, claim.accuser, called)
        is_former = (
            stored.is_fresh or isinstance(claim, Alive) or claim.incarnation > stored.record.incarnation
        )
        self._refute(now, claim.incarnation, reason)
        if is_former:
            self._context.first_incarnation = self._context.local.incarnation
        self._answer(now, claim, Own(self._context.local, self._context.status), source)

    def _refute(self, now: float, accused: int, reason: Reason) -> None:
        """Raises this node's incarnation above an accusation (memberlist's refute), never past 32 bits."""
        context = self._context
        local = context.local
        incarnation = max(local.incarnation, accused) + 1
        if incarnation > INCARNATION_MAX:
            context.metrics.dropped("incarnation-wrap")
            accuser = shown(reason.accuser or "?")
            context.warn(now, "accused at incarnation %d by %s: cannot refute", accused, accuser)
            return
        claim = local.alive_claim()._replace(incarnation=incarnation)
        previous, local = local, context.table.put(local.under(claim))
        context.is_fresh = False
        context.awareness.apply(1)
        context.metrics.count("swim.refutations")
        context.paths.accused(now, reason.accuser)
        self.announce_self(now)
        context.delegate.member_refreshed(now, local, previous, reason)

    def _depart(self, now: float, claim: Dead, stored: Own, source: Source) -> None:
        """Ends a leave that others declared, under their incarnation, so that the own leave is not older."""
        claimed = stored.record.alive_claim()._replace(incarnation=claim.incarnation)
        self._context.table.put(stored.record.under(claimed))
        self.leave_self(now)

    # -- suspicion and reaping

    def _suspicion(self, now: float, claim: Suspect, source: Source) -> Suspicion:
        config, n = self._context.config, self._context.n
        # A node that does not probe still gives members suspected by others time to refute.
        low = suspicion_timeout(config.suspicion_mult, n, config.probe_interval or _INTERVAL_WITHOUT_PROBES)
        high = low * config.suspicion_max_timeout_mult
        if config.awareness_stretches_suspicion:
            # Only the minimum: an unhealthy node waits for others to confirm, but no longer than a lone node.
            low = min(self._context.awareness.scale(low), high)
        is_certain = source.evidence is Evidence.TESTED
        wanted = 0 if is_certain else confirmations_wanted(config.suspicion_mult, n)
        return Suspicion(now, claim.incarnation, claim.accuser, low=low, high=high, wanted=wanted)

    def _set_expiry(self, name: str, suspicion: Suspicion) -> None:
        self._context.timers.at(suspicion.deadline, self._expiry, (name, suspicion, suspicion.deadline))

    def _is_running(self, token: tuple[str, Suspicion, float]) -> bool:
        name, suspicion, deadline = token
        return self.suspicions.get(name) is suspicion and suspicion.deadline == deadline

    def _expire(self, now: float, token: tuple[str, Suspicion, float]) -> None:
        name, suspicion, _ = token
        record = self._context.table.get(name)
        if record is None:
            return
        if self._context.is_cut_off:
            interval = self._context.config.probe_interval or _INTERVAL_WITHOUT_PROBES
            suspicion.hold(now, interval, interval)
            self._set_expiry(name, suspicion)
            return
        if not suspicion.is_complete:
            self._context.metrics.count("memberlist.degraded.timeout")
        accusers = ", ".join(sorted(suspicion.accusers))
        source = Source(
            "suspicion-expired",
            evidence=Evidence.TESTED,
            detail=f"after {now - suspicion.started:.1f} s, accused by {accusers}",
        )
        self.apply(now, Dead(record.incarnation, name, self._context.local.name), source)

    def _queue(
        self,
        now: float,
        name: str,
        message: bytes,
        priority: Priority,
        *,
        origin: str = "",
        ticket: int | None = None,
    ) -> None:
        queue = self._context.queue
        self._gossip.queue(now, queue, name, message, priority=priority, origin=origin, ticket=ticket)
