"""Pings that an operator asks for: of one member, in one way. They change nothing but an answer to them."""

from __future__ import annotations

from typing import NamedTuple

from swim.commands import SendPing
from swim.core.context import Context
from swim.core.gossip import Gossip
from swim.core.member import Record, State
from swim.core.output import Finished
from swim.core.pings import Outstanding, Pings
from swim.core.purposes import Pinging
from swim.core.streams import Streams
from swim.errors import LocalError
from swim.wire.codec import encode
from swim.wire.messages import Ack, IndirectPing, Message, Ping
from swim.wire.steps import at_once

__all__ = ["ASKED_MAX", "AskedPings"]

_SECONDS = 1.0
"""Patience where probing, whose interval is the default, is off."""
_RELAYS_MIN = 1
ASKED_MAX = 64
"""Pings that may wait for their ack at a time."""


class _Asked(NamedTuple):
    """A ping in packets: the command that asked for it."""

    ticket: int


class AskedPings:
    """Pings members on command; every command finishes with the seconds until the ack, or with None."""

    def __init__(self, context: Context, gossip: Gossip, pings: Pings, streams: Streams) -> None:
        self._context = context
        self._gossip = gossip
        self._pings = pings
        self._streams = streams
        self._under_way: set[int] = set()
        pings.register(_Asked, self._acked, expired=self._expired)

    @property
    def under_way(self) -> int:
        """Pings that wait for their ack."""
        return len(self._under_way)

    def begin(self, now: float, ticket: int, command: SendPing) -> None:
        """Sends one ping.

        Raises:
            LocalError: there is no such member, it is this node, or it cannot be asked in this way.
        """
        context = self._context
        record = context.table.get(command.name)
        if record is None:
            raise LocalError(f"no member named {command.name!r}")
        if record is context.local:
            raise LocalError("a node does not ping itself")
        if len(self._under_way) >= ASKED_MAX:
            raise LocalError(f"{ASKED_MAX} pings are under way already")
        if wrong := context.why_unreachable(record.endpoint[0]):
            raise LocalError(f"{command.name} cannot be pinged: {wrong}")
        patience = context.config.probe_interval or _SECONDS
        until = now + (patience if command.timeout is None else command.timeout)
        if command.via == "stream":
            self._dial(now, ticket, record, until)
        elif command.via == "relay":
            self._ask_relays(now, ticket, record, until)
        else:
            ping = self._pings.ping(now, record.name, record.endpoint, _Asked(ticket), until=until)
            self._gossip.send(now, record.endpoint, [encode(ping)], record=record)
        self._under_way.add(ticket)

    def replied(self, now: float, purpose: Pinging, message: Message) -> None:
        """The answer on a stream."""
        is_ack = isinstance(message, Ack) and message.seq_no == purpose.seq_no
        self._finish(purpose.ticket, now - purpose.sent_at if is_ack else None)

    def failed(self, purpose: Pinging) -> None:
        """A stream brought no answer."""
        self._finish(purpose.ticket, None)

    def _dial(self, now: float, ticket: int, record: Record, until: float) -> None:
        context = self._context
        if not context.may_dial(record.endpoint):
            raise LocalError(f"no stream to {record.name} is opened before its address has acked a ping")
        purpose = Pinging(ticket, context.rng.below(0xFFFF_FFFF) + 1, now)
        local = context.local
        ping = encode(Ping(purpose.seq_no, record.name, local.addr, local.port, local.name))
        if not self._streams.dial(now, record.endpoint, at_once(ping), purpose, until):
            raise LocalError("too many streams are open (max_streams)")

    def _ask_relays(self, now: float, ticket: int, record: Record, until: float) -> None:
        context, local = self._context, self._context.local

        def is_relay(other: Record) -> bool:
            return other.state is State.ALIVE and other is not local and other.name != record.name

        count = max(context.config.indirect_checks, _RELAYS_MIN)
        relays = context.table.pick(count, is_relay, seen_only=True)
        if not relays:
            raise LocalError("no other member could relay a ping")
        ping = self._pings.ping(now, record.name, record.endpoint, _Asked(ticket), until=until)
        request = encode(
            IndirectPing(
                ping.seq_no, record.addr, record.port, record.name, False, local.addr, local.port, local.name
            )
        )
        for relay in relays:
            self._gossip.send(now, relay.endpoint, [request], record=relay)

    def _acked(self, now: float, asked: _Asked, ping: Outstanding, _ack: Ack) -> None:
        self._finish(asked.ticket, now - ping.sent_at)

    def _expired(self, _now: float, asked: _Asked) -> None:
        self._finish(asked.ticket, None)

    def _finish(self, ticket: int, outcome: float | None) -> None:
        self._under_way.discard(ticket)
        self._context.output.finished.append(Finished(ticket, outcome))
