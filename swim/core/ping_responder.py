"""Answers pings, relays indirect pings, and nacks in time when a relayed one gets no ack."""

from __future__ import annotations

from collections import Counter

from swim.addresses import Endpoint
from swim.config import Config
from swim.core.context import Context
from swim.core.gossip import Gossip
from swim.core.member import Record, State, accusation, endpoint_of
from swim.core.pings import Outstanding, Pings
from swim.core.timers import TimerKind
from swim.wire.codec import encode
from swim.wire.messages import Ack, Dead, IndirectPing, Nack, Ping

__all__ = ["PingResponder", "nack_patience"]

_NACK_SHARE = 0.8


def nack_patience(config: Config) -> float:
    """Seconds that a relay waits for an ack before it nacks.

    A nack that arrives after the end of the requester's round counts as missing. The relay assumes that the
    requester has its own settings, unless those leave no time at all.
    """
    left = config.probe_interval - config.probe_timeout
    return min(config.probe_timeout, _NACK_SHARE * left) if left > 0 else config.probe_timeout


class _Relayed:
    """A ping sent on behalf of another node."""

    __slots__ = ("host", "may_nack", "requester", "seq_no")

    def __init__(self, requester: Endpoint, seq_no: int, host: str, *, may_nack: bool) -> None:
        self.requester = requester
        self.seq_no = seq_no
        self.host = host
        self.may_nack = may_nack


class PingResponder:
    """Answers pings and relays indirect ones (memberlist's handlePing, handleIndirectPing)."""

    def __init__(self, context: Context, gossip: Gossip, pings: Pings) -> None:
        self._context = context
        self._gossip = gossip
        self._pings = pings
        self._relayed: Counter[str] = Counter()
        pings.register(_Relayed, self._acked, expired=self._expired)
        self._nack_due = context.timers.kind(TimerKind.NACK, self._nack, lambda relayed: relayed.may_nack)

    def ping(self, now: float, ping: Ping, source: Endpoint) -> None:
        """Answers a ping for this node; one for another name is dropped."""
        context = self._context
        if ping.node and ping.node != context.table.local.name:
            context.metrics.dropped("ping-for-another")
            return
        reply_to = self._reply_endpoint(source, ping)
        if reply_to is None or not self._may_answer():
            return
        sender = context.table.at(reply_to) or self._heir_of(ping.source_node)
        if source != reply_to or sender is None:
            context.paths.seen(ping.source_node, source)
        ack = encode(Ack(ping.seq_no, context.delegate.ack_payload() if sender is not None else None))
        if context.status == "left":
            # A member that still probes this node after its leave has missed the leave.
            local = context.local
            leave = encode(Dead(local.incarnation, local.name, local.name))
            self._gossip.send_exactly(reply_to, [ack, leave], record=sender)
        else:
            parts = [ack]
            if sender is None or sender.state is not State.ALIVE:
                parts += self._held_against(now, ping.source_node, sender)
            self._gossip.answer(now, source[0], reply_to, parts, record=sender)

    def indirect_ping(self, now: float, request: IndirectPing, source: Endpoint) -> None:
        """Pings a member on behalf of another node; a declined request is nacked, if a nack was asked for."""
        context = self._context
        requester = self._reply_endpoint(source, request)
        if requester is None or not self._may_answer():
            return
        relayed = _Relayed(requester, request.seq_no, source[0], may_nack=request.nack)
        refusal = self._refusal(now, request, relayed)
        if refusal:
            context.metrics.dropped(refusal)
            if request.nack:
                self._nack(now, relayed)
            return
        target = endpoint_of(request.target, request.port or context.bind_port)
        until = now + context.config.probe_timeout
        ping = self._pings.ping(now, request.node, target, relayed, until=until)
        self._relayed[relayed.host] += 1
        record = context.table.at(target)
        proven = record if record is not None and context.is_proven(record) else None
        data = encode(ping)
        context.allowance.spend(now, len(data), relayed.host)
        self._gossip.answer(now, relayed.host, target, [data], record=proven)
        if request.nack:
            context.timers.at(now + nack_patience(context.config), self._nack_due, relayed)

    @property
    def relayed(self) -> int:
        """Pings relayed for others that wait for an ack."""
        return self._relayed.total()

    def _may_answer(self) -> bool:
        context = self._context
        if context.answers_left <= 0:
            context.metrics.dropped("answers-per-packet")
            return False
        context.answers_left -= 1
        return True

    def _refusal(self, now: float, request: IndirectPing, relayed: _Relayed) -> str:
        """Why a ping is not relayed, or "". Any host can ask, so only members are pinged, within limits."""
        context, config = self._context, self._context.config
        if len(request.target) not in (4, 16):
            return "bad-target"
        target = endpoint_of(request.target, request.port or context.bind_port)
        record = context.table.at(target)
        if record is None or (context.contacts.is_silent(target) and not context.is_proven(record)):
            return "relay-refused"
        most = config.max_relayed_pings
        if context.table.at(relayed.requester) is None:
            most //= 2
        is_full = (
            self._relayed.total() >= most
            or self._relayed[relayed.host] >= config.max_relayed_pings_per_host
            or not context.allowance.has(now, relayed.host)
        )
        return "relay-limit" if is_full else ""

    def _acked(self, now: float, relayed: _Relayed, _ping: Outstanding, _ack: Ack) -> None:
        """Passes the ack of a relayed ping on."""
        relayed.may_nack = False
        self._end(relayed)
        self._report(now, relayed, Ack(relayed.seq_no))

    def _nack(self, now: float, relayed: _Relayed) -> None:
        relayed.may_nack = False
        self._report(now, relayed, Nack(relayed.seq_no))

    def _expired(self, now: float, relayed: _Relayed) -> None:
        self._end(relayed)
        if relayed.may_nack:
            self._nack(now, relayed)

    def _end(self, relayed: _Relayed) -> None:
        self._relayed[relayed.host] -= 1
        if not self._relayed[relayed.host]:
            del self._relayed[relayed.host]

    def _report(self, now: float, relayed: _Relayed, outcome: Ack | Nack) -> None:
        requester = self._context.table.at(relayed.requester)
        self._gossip.answer(now, relayed.host, relayed.requester, [encode(outcome)], record=requester)

    def _heir_of(self, name: str) -> Record | None:
        """The dead or left member that a ping from an unknown address names as sender: it may have moved."""
        record = self._context.table.get(name)
        return record if record is not None and not record.is_live else None

    def _held_against(self, now: float, name: str, sender: Record | None) -> list[bytes]:
        """The accusation of a member that proves to be running, reaped or not, so that it can refute."""
        context = self._context
        if not context.config.buddy_system:
            return []
        if sender is None and context.table.tombstones:
            stone = context.table.tombstone(name, now)
            sender = stone.record if stone is not None else None
        if sender is None or sender.name != name:
            return []
        return [encode(accusation(sender, context.local.name))]

    def _reply_endpoint(self, source: Endpoint, request: Ping | IndirectPing) -> Endpoint | None:
        """Where the answer goes; a sender cannot aim it at a third party.

        The answer goes to the address in the request if a member is known to answer there, else to the source
        of the packet. With keys, a non-member's request that names an address other than its own is not
        answered at all, since it may be a replay.
        """
        context = self._context
        named = source
        if request.source_port and len(request.source_addr) in (4, 16):
            named = endpoint_of(request.source_addr, request.source_port)
        if named == source:
            return source
        record = context.table.at(named)
        if record is not None:
            return named if context.is_proven(record) else source
        if context.is_authenticated and context.table.at(source) is None:
            context.metrics.dropped("ping-from-elsewhere")
            return None
        return source
