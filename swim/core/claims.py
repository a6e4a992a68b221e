"""Claims applied to the table: alive, suspect, dead and leave, about others and about this node.

``precedence`` decides; this part carries the verdict out: state, suspicion, rebroadcast, refutation, and word
to the layer above. Mirrors memberlist's aliveNode, suspectNode and deadNode.
"""

from __future__ import annotations

from typing import NamedTuple

from swim.addresses import Endpoint
from swim.core.broadcast import Priority
from swim.core.context import Context, logger
from swim.core.gossip import Gossip
from swim.core.member import INCARNATION_MAX, Record, State, endpoint_of, same_address
from swim.core.precedence import Claim, Stored, Verdict, age, decide, decide_self, verdicts
from swim.core.push_pull_schedule import push_pull_scale
from swim.core.second_look import SecondLook
from swim.core.suspicion import Suspicion, confirmations_wanted, suspicion_timeout
from swim.core.verifier import Verifier
from swim.events import Reason
from swim.text import shown
from swim.wire.codec import encode
from swim.wire.messages import Alive, Dead, Suspect

__all__ = ["Claims", "Source"]

_INTERVAL_WITHOUT_PROBES = 1.0
_ON_ALIVE = verdicts(Claim.ALIVE)
_ON_SUSPECT = verdicts(Claim.SUSPECT)
_ON_DEAD = verdicts(Claim.DEAD)
_ON_LEAVE = verdicts(Claim.LEAVE)
_SELF_STORED = {
    "idle": Stored.RUNNING,
    "running": Stored.RUNNING,
    "leaving": Stored.LEAVING,
    "left": Stored.GONE,
}


class Source(NamedTuple):
    """Where a claim came from.

    Attributes:
        cause: goes into the transition's reason: ``claim``, ``push-pull``, ``probe``, ``suspicion-expired``,
        ... endpoint: the sender's, if it came in a packet. name: the sender's name if known; it is not told
        the claim again. is_first_hand: the sender is the member itself. detail: rest of the reason.
    """

    cause: str
    endpoint: Endpoint | None = None
    name: str = ""
    is_first_hand: bool = False
    detail: str = ""


class Claims:
    """Applies claims; owns the running suspicions and the reaping of dead records."""

    def __init__(self, context: Context, gossip: Gossip, verifier: Verifier, second_look: SecondLook) -> None:
        self._context = context
        self._gossip = gossip
        self._verifier = verifier
        self._second_look = second_look
        self.suspicions: dict[str, Suspicion] = {}
        self.grown = 0
        """Members added or revived so far; the push/pull schedule watches it for join bursts."""
        verifier.revive = lambda now, claim: self.alive(now, claim, Source("acked", is_first_hand=True))
        second_look.believe = lambda now, claim, name: self.dead(now, claim, Source("unanswered", name=name))
        context.timers.register("suspicion", self._expire, self._is_running)
        context.timers.register("reap", self._reap, self._is_reapable)

    # -- alive

    def alive(self, now: float, claim: Alive, source: Source) -> None:
        """Applies an alive claim (memberlist's aliveNode)."""
        context = self._context
        if claim.port == 0 or context.config.protocol_version < 2:
            claim = claim._replace(port=context.bind_port)
        context.metrics.count("memberlist.msg.alive")
        if not context.delegate.allow_alive(claim):
            context.metrics.dropped("vetoed-alive")
            return
        record = context.table.get(claim.node)
        if record is None:
            self._stranger(now, claim, source)
        elif claim.port != record.port or not same_address(claim.addr, record.addr):
            self._moved(now, record, claim, source)
        elif record is context.local:
            self._alive_self(now, claim)
        else:
            verdict = _ON_ALIVE[record.state][age(claim.incarnation, record.incarnation)]
            if verdict is not Verdict.IGNORE:
                self._revive(now, record, claim, source)

    def announce_self(self, now: float, *, ticket: int | None = None) -> None:
        """Queues the local alive claim ahead of everything else."""
        local = self._context.local
        self._queue(now, local.name, encode(local.alive_claim()), Priority.URGENT, ticket=ticket)

    def update_self(self, now: float, meta: bytes | None, *, ticket: int | None = None) -> None:
        """Publishes new metadata under the next incarnation (memberlist UpdateNode)."""
        local = self._context.local
        claim = local.alive_claim()._replace(incarnation=local.next_incarnation, meta=meta)
        local = self._context.table.put(local.under(claim))
        self._context.delegate.member_refreshed(now, local, Reason("local", detail="metadata update"))
        self.announce_self(now, ticket=ticket)

    def _stranger(self, now: float, claim: Alive, source: Source) -> None:
        context = self._context
        if claim.incarnation == 0:
            return
        record = Record(claim, State.ALIVE, now, verified=self._is_witnessed(source, claim))
        if not context.allows(record.endpoint[0]):
            context.metrics.dropped("cidr")
            return
        if context.n >= context.config.max_members or context.new_members_left <= 0:
            context.metrics.dropped("member-limit")
            return
        stone = context.table.tombstone(claim.node, now)
        if stone is not None and not record.verified:
            verdict = decide(Claim.ALIVE, claim.incarnation, Stored.TOMBSTONE, stone.incarnation)
            if verdict is Verdict.VERIFY:
                self._verifier.hold(now, claim, source.name, is_entombed=True)
                return
        context.new_members_left -= 1
        context.table.add(record)
        self._grow(now)
        context.delegate.member_joined(now, record, Reason(source.cause, source.name, source.detail))
        self._pass_on(now, record, claim, source)

    def _moved(self, now: float, record: Record, claim: Alive, source: Source) -> None:
        """An alive claim from another address: a takeover if the name is free, else a conflict."""
        context = self._context
        if record is context.local and context.status != "running":
            return  # who leaves gives its name up
        reclaim = context.config.dead_node_reclaim_time
        is_dead = record is not context.local and record.state is State.DEAD
        is_aged = is_dead and 0 < reclaim < now - record.changed_at
        is_proven = is_dead and context.config.reclaim_if_acked and source.is_first_hand
        if not context.allows(endpoint_of(claim.addr, claim.port)[0]):
            context.metrics.dropped("cidr")
        elif (record is not context.local and record.state is State.LEFT) or is_aged or is_proven:
            self._revive(now, record, claim, source)
        elif (is_dead and context.config.reclaim_if_acked) or (
            record is context.local and source.cause != "acked"
        ):
            # Where nobody answers there is no heir of the dead one, or no rival: a former life of our own.
            self._verifier.hold(now, claim, source.name, is_entombed=True)
        else:
            context.metrics.count("swim.conflicts")
            context.delegate.member_conflict(now, record, claim)

    def _revive(self, now: float, record: Record, claim: Alive, source: Source) -> None:
        """Adopts a winning alive claim about a known member."""
        context = self._context
        self.suspicions.pop(record.name, None)
        since = record.changed_at if record.state is State.ALIVE else now
        reason = Reason(source.cause, source.name, source.detail)
        if record.is_live:
            record = context.table.put(Record(claim, State.ALIVE, since, verified=record.verified))
            context.delegate.member_refreshed(now, record, reason)
            self._verifier.forget(record.name)  # else it would be told twice
            self._queue(now, record.name, encode(claim), Priority.ALIVE, origin=source.name)
            return
        witnessed = self._is_witnessed(source, claim)
        record = context.table.put(Record(claim, State.ALIVE, since, verified=witnessed))
        self._grow(now)
        context.delegate.member_joined(now, record, reason)
        self._pass_on(now, record, claim, source)

    def _pass_on(self, now: float, record: Record, claim: Alive, source: Source) -> None:
        """Spreads the news of a joined member, at once or after it acked a ping of ours."""
        if record.verified or not self._context.config.verify_second_hand:
            self._queue(now, record.name, encode(claim), Priority.ALIVE, origin=source.name)
        else:
            self._verifier.hold(now, claim, source.name)

    def _grow(self, now: float) -> None:
        self.grown += 1
        if self._context.resized(now):
            self._gossip.poke(now)

    @staticmethod
    def _is_witnessed(source: Source, claim: Alive) -> bool:
        return source.is_first_hand or source.endpoint == endpoint_of(claim.addr, claim.port)

    def _alive_self(self, now: float, claim: Alive) -> None:
        local = self._context.local
        stored = _SELF_STORED[self._context.status]
        verdict = decide_self(Claim.ALIVE, claim.incarnation, stored, local.incarnation)
        differs = (claim.meta or b"") != (local.meta or b"") or claim.vsn != local.vsn
        if verdict is Verdict.REFUTE or (verdict is Verdict.COMPARE and differs):
            self._refute(now, claim.incarnation, Reason("claim", detail="alive claim that is not ours"))

    # -- suspect, dead, leave

    def suspect(self, now: float, claim: Suspect, source: Source) -> None:
        """Applies a suspect claim, from a peer or from the own probe (memberlist's suspectNode)."""
        context = self._context
        context.metrics.count("memberlist.msg.suspect")
        record = context.table.get(claim.node)
        if record is None:
            return
        if record is context.local:
            self._accused(now, Claim.SUSPECT, claim, source)
            return
        verdict = _ON_SUSPECT[record.state][age(claim.incarnation, record.incarnation)]
        if verdict is Verdict.SUSPECT:
            record = context.table.put(record.turned(State.SUSPECT, now, claim.incarnation))
            suspicion = self._suspicion(now, claim)
            self.suspicions[record.name] = suspicion
            context.timers.at(suspicion.deadline, "suspicion", (record.name, suspicion, suspicion.deadline))
            self._queue(now, record.name, encode(claim), Priority.SUSPECT, origin=source.name)
            context.delegate.member_suspected(now, record, Reason(source.cause, claim.accuser, source.detail))
        elif verdict is Verdict.CONFIRM:
            suspicion = self.suspicions[record.name]
            if suspicion.confirm(now, claim.accuser):
                context.timers.at(
                    suspicion.deadline, "suspicion", (record.name, suspicion, suspicion.deadline)
                )
                self._queue(now, record.name, encode(claim), Priority.SUSPECT, origin=source.name)
        else:
            self._correct(record, claim, source)

    def dead(self, now: float, claim: Dead, source: Source) -> None:
        """Applies a dead claim, or a leave (``accuser == node``)."""
        context = self._context
        context.metrics.count("memberlist.msg.dead")
        record = context.table.get(claim.node)
        is_leave = claim.accuser == claim.node
        if record is None:
            return
        if record is context.local:
            self._accused(now, Claim.LEAVE if is_leave else Claim.DEAD, claim, source)
            return
        rows = _ON_LEAVE if is_leave else _ON_DEAD
        verdict = rows[record.state][age(claim.incarnation, record.incarnation)]
        is_news = verdict is Verdict.DEAD and record.state is State.ALIVE and source.cause == "claim"
        if is_news and record.verified and self._second_look.hold(now, record, claim, source.name):
            return
        if verdict in (Verdict.DEAD, Verdict.LEFT):
            self._bury(now, record, claim, verdict, source)
        else:
            self._correct(record, claim, source)

    def leave_self(self, now: float, *, ticket: int | None = None) -> None:
        """Declares the local node to have left and queues the claim (memberlist Leave)."""
        local = self._context.local
        self._context.status = "left"
        local = self._context.table.put(local.turned(State.LEFT, now, local.incarnation))
        claim = Dead(local.incarnation, local.name, local.name)
        self._queue(now, local.name, encode(claim), Priority.URGENT, ticket=ticket)
        self._context.delegate.member_gone(now, local, Reason("local", local.name, "leave"))

    def forget(self, now: float, name: str) -> None:
        """Removes a dead or left member at once, leaving a tombstone."""
        record = self._context.table.get(name)
        if record is not None and not record.is_live and record is not self._context.local:
            self._reap(now, (name, record.changed_at))

    def hold(self, now: float, gap: float) -> None:
        """This node slept for ``gap`` seconds: no suspicion expires on account of that."""
        grace = self._context.config.probe_interval
        for name, suspicion in self.suspicions.items():
            suspicion.hold(now, gap, grace)
            self._context.timers.at(suspicion.deadline, "suspicion", (name, suspicion, suspicion.deadline))

    def _bury(self, now: float, record: Record, claim: Dead, verdict: Verdict, source: Source) -> None:
        context = self._context
        self.suspicions.pop(record.name, None)
        self._verifier.forget(record.name)
        state = State.LEFT if verdict is Verdict.LEFT else State.DEAD
        record = context.table.put(record.turned(state, now, claim.incarnation))
        self._queue(now, record.name, encode(claim), Priority.DEAD, origin=source.name)
        context.timers.at(now + context.config.gossip_to_the_dead_time, "reap", (record.name, now))
        context.delegate.member_gone(now, record, Reason(source.cause, claim.accuser, source.detail))

    def _accused(self, now: float, kind: Claim, claim: Suspect | Dead, source: Source) -> None:
        context = self._context
        stored = _SELF_STORED[context.status]
        verdict = decide_self(kind, claim.incarnation, stored, context.local.incarnation)
        if verdict is Verdict.REFUTE:
            self._refute(now, claim.incarnation, Reason(source.cause, claim.accuser, f"called {kind.value}"))
        elif verdict is Verdict.LEFT:
            local = context.local
            context.table.put(local.under(local.alive_claim()._replace(incarnation=claim.incarnation)))
            self.leave_self(now)
        else:
            self._correct(context.local, claim, source)

    def _correct(self, record: Record, claim: Suspect | Dead, source: Source) -> None:
        """Tells a member that its accusation is out of date: the refutation passed it by, maybe for good."""
        context = self._context
        if record.state is not State.ALIVE or claim.incarnation >= record.incarnation:
            return
        sender = context.table.get(source.name)
        if sender is not None and source.endpoint is not None and context.corrections_left:
            context.corrections_left -= 1
            self._gossip.send_exactly(source.endpoint, [encode(record.alive_claim())], record=sender)

    def _refute(self, now: float, accused: int, reason: Reason) -> None:
        """Raises the own incarnation above an accusation (memberlist's refute), never past its 32 bits."""
        context = self._context
        local = context.local
        incarnation = max(local.incarnation, accused) + 1
        if incarnation > INCARNATION_MAX:
            context.metrics.dropped("incarnation-wrap")
            logger.warning(
                "accused at incarnation %d by %s: cannot refute", accused, shown(reason.accuser or "?")
            )
            return
        local = context.table.put(local.under(local.alive_claim()._replace(incarnation=incarnation)))
        context.awareness.apply(1)
        context.metrics.count("swim.refutations")
        self.announce_self(now)
        context.delegate.member_refreshed(now, local, reason)

    # -- suspicion and reaping

    def _suspicion(self, now: float, claim: Suspect) -> Suspicion:
        config, n = self._context.config, self._context.n
        # A node that does not probe still gives others' suspects time to refute.
        low = suspicion_timeout(config.suspicion_mult, n, config.probe_interval or _INTERVAL_WITHOUT_PROBES)
        high = low * config.suspicion_max_timeout_mult
        if config.awareness_stretches_suspicion:
            # Only the shortest: an unhealthy node waits for others' word, but no longer than one alone.
            low = min(self._context.awareness.scale(low), high)
        return Suspicion(
            now,
            claim.incarnation,
            claim.accuser,
            low=low,
            high=high,
            wanted=confirmations_wanted(config.suspicion_mult, n),
        )

    def _is_running(self, token: tuple[str, Suspicion, float]) -> bool:
        name, suspicion, deadline = token
        return self.suspicions.get(name) is suspicion and suspicion.deadline == deadline

    def _expire(self, now: float, token: tuple[str, Suspicion, float]) -> None:
        name, suspicion, _ = token
        record = self._context.table.get(name)
        if record is None:
            return
        accusers = ", ".join(sorted(suspicion.accusers))
        source = Source(
            "suspicion-expired", detail=f"after {now - suspicion.started:.1f} s, accused by {accusers}"
        )
        self.dead(now, Dead(record.incarnation, name, self._context.local.name), source)

    def _is_reapable(self, token: tuple[str, float]) -> bool:
        name, changed_at = token
        record = self._context.table.get(name)
        return record is not None and record.changed_at == changed_at and not record.is_live

    def _reap(self, now: float, token: tuple[str, float]) -> None:
        name, _ = token
        record = self._context.table.get(name)
        if record is not None and not record.is_live:
            self._context.queue.discard(name)
            self._context.table.bury(record, now + self._tombstone_seconds())
            self._context.resized(now)

    def _tombstone_seconds(self) -> float:
        """The longest time a stale alive claim can circulate.

        A peer that missed the news probes the member within two rounds of its list, suspects it for the
        longest timeout, and may have handed its record to others by push/pull meanwhile.
        """
        config, n = self._context.config, self._context.n
        probes = (2 * n - 1) * config.probe_interval
        suspicion = suspicion_timeout(config.suspicion_mult, n, config.probe_interval)
        exchanges = 2 * push_pull_scale(config.push_pull_interval, n)
        longest = probes + suspicion * config.suspicion_max_timeout_mult + exchanges
        return max(longest, config.gossip_to_the_dead_time)

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
        dropped = self._context.queue.queue(name, message, priority=priority, origin=origin, ticket=ticket)
        if dropped:
            self._context.metrics.dropped("queue-full", dropped)
        self._gossip.poke(now)
