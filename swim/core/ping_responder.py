"""Pings for others: answering them, relaying them, and saying in time that a relayed one got no answer."""

from __future__ import annotations

from swim.addresses import Endpoint
from swim.config import Config
from swim.core.context import Context
from swim.core.gossip import Gossip
from swim.core.member import Record, State, endpoint_of
from swim.core.pings import Pings, Reply
from swim.wire.codec import encode
from swim.wire.messages import Ack, Dead, IndirectPing, Nack, Ping, Suspect

__all__ = ["PingResponder", "nack_patience"]

_RELAYED_MAX = 1024
_NACK_SHARE = 0.8


def nack_patience(config: Config) -> float:
    """Seconds that a relay waits for an answer before it nacks.

    The requester's round ends soon, and a late nack counts as missing. The requester's settings are taken to
    be the relay's own, unless those leave no time at all.
    """
    left = config.probe_interval - config.probe_timeout
    return min(config.probe_timeout, _NACK_SHARE * left) if left > 0 else config.probe_timeout


class _Relayed:
    """A ping sent on another's behalf."""

    __slots__ = ("may_nack", "requester", "seq_no")

    def __init__(self, requester: Endpoint, seq_no: int, *, may_nack: bool) -> None:
        self.requester = requester
        self.seq_no = seq_no
        self.may_nack = may_nack


class PingResponder:
    """Answers pings and relays indirect ones (memberlist's handlePing, handleIndirectPing)."""

    def __init__(self, context: Context, gossip: Gossip, pings: Pings) -> None:
        self._context = context
        self._gossip = gossip
        self._pings = pings
        self._relayed = 0
        pings.register(_Relayed, self._acked, expired=self._expired)
        context.timers.register("nack", self._nack, lambda relayed: relayed.may_nack)

    def ping(self, now: float, ping: Ping, source: Endpoint) -> None:
        """Answers a ping for this node; one for another name is dropped."""
        context = self._context
        if ping.node and ping.node != context.local.name:
            context.metrics.dropped("ping-for-another")
            return
        reply_to = self._reply_endpoint(source, ping.source_addr, ping.source_port)
        sender = context.table.at(source) or self._heir_of(ping.source_node)
        ack = encode(Ack(ping.seq_no, context.delegate.ack_payload()))
        if context.status == "left":
            # Whoever still probes a node that left has missed its leave.
            local = context.local
            leave = encode(Dead(local.incarnation, local.name, local.name))
            self._gossip.send_exactly(reply_to, [ack, leave], record=sender)
        elif sender is not None and sender.state is not State.ALIVE and ping.source_node == sender.name:
            self._gossip.send(now, reply_to, ack, *self._accusation(sender), record=sender)
        else:
            self._gossip.send(now, reply_to, ack, record=sender)

    def indirect_ping(self, now: float, request: IndirectPing, source: Endpoint) -> None:
        """Pings a known member on behalf of another."""
        context = self._context
        if len(request.target) not in (4, 16):
            context.metrics.dropped("bad-target")
            return
        target = endpoint_of(request.target, request.port or context.bind_port)
        record = context.table.at(target)
        if record is None or self._relayed >= _RELAYED_MAX:
            # Relaying to anybody would let strangers aim our packets.
            context.metrics.dropped("relay-refused")
            return
        requester = self._reply_endpoint(source, request.source_addr, request.source_port)
        relayed = _Relayed(requester, request.seq_no, may_nack=request.nack)
        until = now + context.config.probe_timeout
        ping = self._pings.ping(now, request.node, target, relayed, until=until)
        self._relayed += 1
        self._gossip.send(now, target, encode(ping), record=record)
        if request.nack:
            context.timers.at(now + nack_patience(context.config), "nack", relayed)

    def _acked(self, now: float, relayed: _Relayed, _reply: Reply) -> None:
        """Passes the ack of a relayed ping on."""
        self._relayed -= 1
        relayed.may_nack = False
        self._answer(now, relayed, encode(Ack(relayed.seq_no)))

    def _heir_of(self, name: str) -> Record | None:
        """The dead member whose name somebody at an unknown address bears: it may have moved, and be told."""
        record = self._context.table.get(name)
        return record if record is not None and record.state is State.DEAD else None

    def _accusation(self, sender: Record) -> list[bytes]:
        """What is held against a member that proves to be running, so that it can refute at once."""
        local = self._context.local
        match sender.state:
            case State.SUSPECT if self._context.config.buddy_system:
                return [encode(Suspect(sender.incarnation, sender.name, local.name))]
            case State.DEAD if self._context.config.buddy_system:
                return [encode(Dead(sender.incarnation, sender.name, local.name))]
        return []

    def _reply_endpoint(self, source: Endpoint, addr: bytes, port: int) -> Endpoint:
        """The address a request names, if a member is known there; else where the packet came from."""
        if port and len(addr) in (4, 16):
            named = endpoint_of(addr, port)
            if named == source or self._context.table.at(named) is not None:
                return named
        return source

    def _nack(self, now: float, relayed: _Relayed) -> None:
        relayed.may_nack = False
        self._answer(now, relayed, encode(Nack(relayed.seq_no)))

    def _expired(self, now: float, relayed: _Relayed) -> None:
        self._relayed -= 1
        if relayed.may_nack:
            self._nack(now, relayed)

    def _answer(self, now: float, relayed: _Relayed, message: bytes) -> None:
        requester = self._context.table.at(relayed.requester)
        self._gossip.send(now, relayed.requester, message, record=requester)
