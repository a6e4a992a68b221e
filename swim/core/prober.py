"""Failure detection: one probe round at a time, each member in its turn (memberlist's probeNode)."""

from __future__ import annotations

import math

from swim.addresses import Endpoint
from swim.core.claims import Claims
from swim.core.context import Context
from swim.core.evidence import Evidence, Source
from swim.core.gossip import Gossip
from swim.core.member import Record, State
from swim.core.output import StreamEnd
from swim.core.periods import Periods
from swim.core.pings import Outstanding, Pings
from swim.core.probe import ProbeRound, SelfDoubt
from swim.core.purposes import Fallback
from swim.core.refusals import Refusals
from swim.core.streams import Streams
from swim.core.suspicion import suspicion_timeout
from swim.core.timers import TimerKind
from swim.core.verify import Verify
from swim.wire.codec import encode
from swim.wire.messages import Ack, IndirectPing, Ping, Suspect
from swim.wire.steps import at_once

__all__ = ["CONNECT_SHARE", "Prober"]

_STREAM_PING_SINCE = 3
_NACK_SINCE = 4
_ON_TIME = 0.01
"""Of a period: a round that begins later than this looks whether its period is still the latest."""
CONNECT_SHARE = 0.8
"""Of what is left of a round, for the stream ping to connect. Its ack takes as long again."""


class Prober:
    """Runs probe rounds and accuses members that do not answer."""

    def __init__(
        self,
        context: Context,
        gossip: Gossip,
        pings: Pings,
        claims: Claims,
        verify: Verify,
        streams: Streams,
        refusals: Refusals,
    ) -> None:
        self._context = context
        self._pings = pings
        self._gossip = gossip
        self._claims = claims
        self._verify = verify
        self._streams = streams
        self._refusals = refusals
        self._doubt = SelfDoubt(context.config.self_doubt_threshold)
        self._round: ProbeRound | None = None
        self._armed: float | None = None
        self._planned = 0.0
        self._periods = Periods(context.config.probe_interval)
        self._period = 0
        self._is_drawn = False  # the next round begins at a random moment, not at this node's of a period
        pings.register(ProbeRound, self._acked, nacked=self._nacked)
        timers = context.timers
        self._next_round = timers.kind(TimerKind.PROBE, self._begin, lambda deadline: deadline == self._armed)
        self._no_direct_ack = timers.kind(TimerKind.RELAYS, self._time_out, self._is_direct)
        self._round_end = timers.kind(TimerKind.PROBE_END, self._end, self._is_running)

    def set_clock(self, now: float, offset: float) -> None:
        """Sets how many seconds the node's own clock is behind Unix time."""
        self._periods = Periods(self._context.config.probe_interval, offset)
        if self._round is not None:
            self._period = self._latest(now)
        elif self._armed is not None:
            self._armed = None
            self.arm(now)

    def arm(self, now: float, *, is_joining: bool = False) -> None:
        """Starts probing, unless it runs already or there is no member to probe.

        It starts at this node's moment of the period, or at a random one if probes are not interleaved, or if
        ``is_joining``: many that join at once know only one or two members, and have the same few moments.
        """
        context, config = self._context, self._context.config
        if self._armed is not None or self._round is not None or not config.probe_interval:
            return
        if not context.has_peers:
            return
        if config.interleaved_probes and not is_joining:
            self._period = self._latest(now)
            self._schedule_after(now)
        else:
            self._period = self._latest(now) if config.interleaved_probes else 0
            self._is_drawn = True
            self._set(now + context.rng.uniform(0, config.probe_interval))

    def fallback_done(self, now: float, seq_no: int, end: StreamEnd | None, error: str) -> None:
        """The stream ping was acked (``error`` empty) or failed; ``end`` is the driver's reason, if any."""
        current = self._round
        if current is None or current.seq_no != seq_no:
            return
        current.fallback = error or "acked"
        if end in (StreamEnd.REFUSED, StreamEnd.RESET):
            # The host answers and this node receives it in time, so this node is healthy.
            current.is_refused = True
            self._doubt.answered()
        if end is StreamEnd.REFUSED:
            self._refusals.begin(now, current.target)
        self._end_if_decided(now, current)

    def send_failed(self, now: float, endpoint: Endpoint, detail: str) -> None:
        """A packet could not be sent. If it was this round's ping, asks the relays at once."""
        current = self._round
        if current is not None and not current.is_indirect and current.target.endpoint == endpoint:
            current.send_error = f"direct ({detail})"
            self._ask_relays(now, current.seq_no)

    def hold(self, now: float) -> None:
        """This node overslept: abandons the current round, which proves nothing."""
        self._close()
        self._refusals.stop()
        self._armed = None
        self.arm(now)

    # -- one round

    def _begin(self, now: float, planned: float) -> None:
        self._armed = None
        self._planned = planned
        context = self._context
        if context.is_cut_off:
            self._schedule_after(now)
            return
        config = context.config
        if config.interleaved_probes and (self._is_drawn or now - planned > _ON_TIME * config.probe_interval):
            self._period = max(self._period, self._latest(now))
            self._is_drawn = False
        target = context.table.next_target(self._period)
        if target is None:
            return
        current = ProbeRound(target, now, now + context.awareness.scale(config.probe_interval))
        self._round = current
        ping = self._pings.ping(now, target.name, target.endpoint, current)
        current.seq_no = ping.seq_no
        if target.state is State.SUSPECT and config.buddy_system:
            accusation = Suspect(target.incarnation, target.name, context.local.name)
            self._gossip.send_exactly(target.endpoint, [encode(ping), encode(accusation)], record=target)
        else:
            self._gossip.send(now, target.endpoint, [encode(ping)], record=target)
        relays_at = now + self._patience(target)
        if relays_at <= current.deadline:
            context.timers.at(relays_at, self._no_direct_ack, ping.seq_no)
        else:
            context.timers.at(current.deadline, self._round_end, ping.seq_no)

    def _patience(self, target: Record) -> float:
        """How long the direct ping waits, seconds; longer while this node is unwell, since it reads late."""
        context, longest = self._context, self._context.config.probe_timeout
        if not context.config.measured_timeouts:
            return longest
        return min(longest, context.awareness.scale(context.round_trips.wait(target.name)))

    def _time_out(self, now: float, seq_no: int) -> None:
        if self._round is not None:
            self._context.round_trips.timed_out(self._round.target.name)
        self._ask_relays(now, seq_no)

    def _ask_relays(self, now: float, seq_no: int) -> None:
        current = self._round
        assert current is not None
        current.is_indirect = True
        context, target = self._context, current.target
        context.timers.at(current.deadline, self._round_end, seq_no)
        config, local = context.config, context.local

        def is_relay(record: Record) -> bool:
            return record.state is State.ALIVE and record is not local and record.name != target.name

        for relay in context.table.pick(config.indirect_checks, is_relay, seen_only=True):
            can_nack = relay.protocol_max >= _NACK_SINCE
            current.relays[relay.endpoint] = can_nack
            request = IndirectPing(
                seq_no, target.addr, target.port, target.name, can_nack, local.addr, local.port, local.name
            )
            self._gossip.send(now, relay.endpoint, [encode(request)], record=relay)
        if not config.disable_tcp_pings and target.protocol_max >= _STREAM_PING_SINCE:
            ping = encode(Ping(seq_no, target.name, local.addr, local.port, local.name))
            deadline = current.deadline
            connect_by = now + CONNECT_SHARE * (deadline - now) if config.early_suspicion else math.inf
            if self._streams.dial(
                now, target.endpoint, at_once(ping), Fallback(seq_no), deadline, connect_by
            ):
                current.fallback = "pending"

    def _acked(self, now: float, current: ProbeRound, ping: Outstanding, ack: Ack) -> None:
        context, name = self._context, current.target.name
        record = context.table.get(name)
        context.metrics.counters["swim.probe.indirect" if current.is_indirect else "swim.probe.direct"] += 1
        self._refusals.stop(name)
        if self._verify.accused:
            self._verify.acked(name)
        rtt = now - ping.sent_at
        if context.config.measured_timeouts and record is not None and self._is_own(current, ping):
            context.round_trips.acked(name, rtt)
        if current.is_indirect:
            context.probed.ended(now, current, is_acked=True, source=self._pings.source)
        elif record is not None:
            context.probed.acked(now, name, rtt)
            context.delegate.ping_completed(record, rtt, ack.payload)
            context.paths.acked(record)
        self._round = None
        self._succeed(now, current, record)

    def _is_own(self, current: ProbeRound, ping: Outstanding) -> bool:
        """Whether the ack at hand is the member's own, and no relay's report."""
        return not current.is_indirect or self._pings.source == ping.endpoint

    def _nacked(self, now: float, current: ProbeRound, source: Endpoint) -> None:
        """Counts a relay's nack; once all are in, the round may be decided early."""
        if source in current.nacks or len(current.nacks) >= current.nacks_expected:
            self._context.metrics.dropped("unexpected-nack")
            return
        current.nacks.add(source)
        self._doubt.answered()
        self._end_if_decided(now, current)

    def _succeed(self, now: float, current: ProbeRound, record: Record | None) -> None:
        context = self._context
        context.metrics.took(now, "memberlist.probeNode", current.began)
        self._doubt.answered()
        if context.awareness.score and not current.send_error:
            context.awareness.apply(-1)
        if record is not None and not record.verified:
            self._verify.evidence(now, record)
        self._schedule_after(now)

    def _end(self, now: float, _seq_no: int) -> None:
        current = self._round
        assert current is not None
        if current.fallback == "acked":
            self._context.paths.answers_streams_only(current.target)
            self._context.metrics.count("swim.probe.stream-only")
            self._context.probed.ended(now, current, is_acked=True)
            self._close()
            self._succeed(now, current, self._context.table.get(current.target.name))
        else:
            self._fail(now, current)

    def _end_if_decided(self, now: float, current: ProbeRound) -> None:
        if self._context.config.early_suspicion and current.is_decided:
            self._fail(now, current)

    def _fail(self, now: float, current: ProbeRound) -> None:
        context = self._context
        context.metrics.took(now, "memberlist.probeNode", current.began)
        context.probed.ended(now, current, is_acked=False)
        self._close()
        if current.target.verified or self._doubt.is_raised:
            # A member never seen may not exist: while others answer, its silence is no sign of ill health
            # here.
            context.awareness.apply(current.failure_delta())
        context.metrics.count("memberlist.degraded.probe")
        self._schedule_after(now)
        name = current.target.name
        record = context.table.get(name)
        if record is None or not record.is_live:
            return
        config = context.config
        pause = suspicion_timeout(config.suspicion_mult, context.n, config.probe_interval) / 2
        if not self._doubt.may_accuse(now, name, pause):
            context.awareness.apply(1)
            context.metrics.count("swim.self-doubt")
            return
        claim = Suspect(current.incarnation, name, context.local.name)
        is_certain = current.is_refused and config.early_suspicion
        evidence = Evidence.TESTED if is_certain else Evidence.HEARD
        self._claims.apply(now, claim, Source("probe", None, "", evidence, current.describe_failure()))
        self._refusals.round_failed(now, name)

    def _close(self) -> None:
        """Ends the current round."""
        if self._round is not None:
            self._pings.forget(self._round.seq_no)
            self._round = None

    def _schedule_after(self, now: float) -> None:
        """Schedules the next round whole intervals after this one was due; at once if that just passed."""
        config = self._context.config
        if config.interleaved_probes:
            self._period += 1
            moment = self._moment()
            if moment <= now and (latest := self._latest(now)) > self._period:
                self._period = latest
                moment = self._moment()
            self._set(moment)
            return
        steps = max(1, math.floor((now - self._planned) / config.probe_interval + 1e-9))
        self._set(self._planned + steps * config.probe_interval)

    def _moment(self) -> float:
        """When this node's moment of its period comes."""
        return self._periods.moment(self._period, self._context.table.phase(self._period))

    def _latest(self, now: float) -> int:
        """The latest period in which this node's moment has come."""
        period, part = self._periods.at(now)
        return period if self._context.table.phase(period) <= part else period - 1

    def _set(self, deadline: float) -> None:
        context = self._context
        if not context.has_peers:
            return
        grid = context.config.probe_alignment
        self._armed = math.ceil(deadline / grid - 1e-6) * grid if grid else deadline
        context.timers.at(self._armed, self._next_round, self._armed)

    def _is_running(self, seq_no: int) -> bool:
        return self._round is not None and self._round.seq_no == seq_no

    def _is_direct(self, seq_no: int) -> bool:
        current = self._round
        return current is not None and current.seq_no == seq_no and not current.is_indirect
