"""Answers to queries: sent straight to the asker in a packet, and through relays; long ones by a stream."""

from __future__ import annotations

from typing import NamedTuple

from swim.addresses import Endpoint
from swim.core.engine import Engine
from swim.core.member import Record, State, endpoint_of
from swim.core.output import Finished
from swim.core.purposes import Answering
from swim.core.token_bucket import TokenBucket
from swim.errors import ConfigError, DeliveryError, RemoteError
from swim.serf.member_list import Roster
from swim.serf.messages import Query, QueryResponse, Relayed, encode_serf
from swim.serf.queues import SerfQueues
from swim.serf.replies import ReplyChannels
from swim.text import shown
from swim.wire.codec import encode, encode_user_stream
from swim.wire.messages import User
from swim.wire.steps import at_once

__all__ = ["REFUSALS", "TAKES_STREAMS", "Answers"]

TAKES_STREAMS = 64
"""Flag of a query: the asker takes long answers by a stream. Serf passes it on and does not know it."""
_RELAY_SINCE_PROTOCOL = 5
_RELAYS_MAX = 5
"""Most relays that a response is sent through, whatever the query asks for."""
_ANSWERS_PER_SECOND = 100
"""Responses per second, relayed copies included; five times as many at once."""
_PINGS = 3
"""Pings to an address that never acked one, before a response by a stream is given up."""
_PING_SECONDS_MIN = 0.2
_STREAM_BYTES_PER_SECOND = 4 * 1024 * 1024
"""Bytes of responses by streams, in a second and at once."""
REFUSALS = {
    "answer-refused": "the address to answer to is no member's",
    "answer-budget": "this node sent too many answers lately",
    "answer-size": "it is too large",
}
"""Why an answer is not sent, by the counter."""


class _Delivery(NamedTuple):
    """A response that goes by a stream, and the purpose of the pings before it."""

    name: str
    asker: Endpoint
    body: bytes
    ticket: int | None
    pings: int = 0


class Answers:
    """Sends the answers of one node.

    They go to a member's address, or to the source of the query, so that a sender cannot aim them at others.
    """

    def __init__(self, engine: Engine, roster: Roster, queues: SerfQueues, channels: ReplyChannels) -> None:
        self._engine = engine
        self._context = engine.context
        self._roster = roster
        self._queues = queues
        self._channels = channels
        self._packets = TokenBucket(per_second=_ANSWERS_PER_SECOND, burst=5 * _ANSWERS_PER_SECOND)
        engine.pings.register(
            _Delivery,
            lambda now, one, ping, ack: self._deliver(now, one),
            expired=self._deliver,
        )
        self._bytes = TokenBucket(per_second=_STREAM_BYTES_PER_SECOND, burst=_STREAM_BYTES_PER_SECOND)

    def send(
        self,
        now: float,
        query: Query,
        flags: int,
        payload: bytes | None,
        source: Endpoint | None,
        *,
        ticket: int | None = None,
    ) -> str:
        """Sends a response.

        Args:
            now: seconds.
            query: what is answered.
            flags: of the response.
            payload: of the response.
            source: where the query came from.
            ticket: of the application's command, which finishes once it is sent.

        Returns:
            Why it was not sent, a key of ``REFUSALS``; or "".

        Raises:
            ConfigError: naming ``payload``: the application's answer is too large.
        """
        context = self._context
        response = QueryResponse(query.ltime, query.id, context.local.name, flags, payload)
        body = encode_serf(response)
        by_stream = self._by_stream(query, body, is_own=ticket is not None)
        is_address = len(query.addr) in (4, 16)
        asker = endpoint_of(query.addr, query.port) if is_address else None
        if asker == context.local.endpoint:
            self._answer_self(now, response)
            self._done(ticket)
            return ""
        record = None if asker is None else context.table.at(asker)
        relays = 0 if by_stream else min(query.relay_factor, _RELAYS_MAX)
        refusal = ""
        if asker is None or (asker != source and (record is None or not context.is_proven(record))):
            refusal = "answer-refused"
        elif by_stream is None:
            refusal = "answer-size"
        elif not self._packets.spend(now, 1 + relays) or (
            by_stream and not self._bytes.spend(now, len(body))
        ):
            refusal = "answer-budget"
        elif by_stream:
            self._deliver(now, _Delivery(record.name if record is not None else "", asker, body, ticket))
        if refusal or asker is None:
            context.metrics.dropped(refusal)
            return refusal
        if not by_stream:
            self._send(asker, body)
            self._relay(query, relays, body)
            self._done(ticket)
        return ""

    def _by_stream(self, query: Query, body: bytes, *, is_own: bool) -> bool | None:
        """Whether a response goes by a stream; None if it is too large for any way.

        Raises:
            ConfigError: instead of None, if ``is_own``.
        """
        config = self._context.config
        limit = config.query_response_size_limit
        try:
            self._queues.check_size("answer", body, limit, "query_response_size_limit")
        except ConfigError:
            takes_streams = query.flags & TAKES_STREAMS and config.query_response_stream_limit
            if takes_streams and len(body) <= config.query_response_stream_limit:
                return True
            if not is_own:
                return None
            if takes_streams:
                longest, setting = config.query_response_stream_limit, "query_response_stream_limit"
                self._queues.refuse("answer", body, longest, setting)
            raise
        return False

    def _deliver(self, now: float, one: _Delivery) -> None:
        """Sends a response by a stream, to an address that acked a ping; otherwise it is pinged first."""
        context, engine = self._context, self._engine
        if context.may_dial(one.asker):
            message, deadline = at_once(encode_user_stream(one.body)), now + context.config.tcp_timeout
            purpose = Answering(one.ticket, one.name)
            if not engine.streams.dial(now, one.asker, message, purpose, deadline):
                self._fail(one, "too many streams are open (max_streams)")
        elif one.pings < _PINGS:
            until = now + max(context.config.probe_timeout, _PING_SECONDS_MIN)
            ping = engine.pings.ping(now, one.name, one.asker, one._replace(pings=one.pings + 1), until=until)
            self._engine.gossip.send_exactly(one.asker, [encode(ping)], record=context.table.at(one.asker))
        else:
            self._fail(one, "its address has never acked a ping")

    def _fail(self, one: _Delivery, why: str) -> None:
        self._context.metrics.dropped("answer-stream")
        if one.ticket is not None:
            error = DeliveryError(shown(one.name), "unreachable", why)
            self._context.output.finished.append(Finished(one.ticket, error))

    def _relay(self, query: Query, relays: int, body: bytes) -> None:
        relayed = encode_serf(Relayed(query.addr, query.port, query.source_node, body))
        if len(self._roster) > relays > 0 and len(relayed) <= self._context.config.query_response_size_limit:
            for record in self._context.table.pick(relays, self._is_relay):
                self._send(record.endpoint, relayed)

    def _answer_self(self, now: float, response: QueryResponse) -> None:
        """Replies to a query of this node, unless it has ended."""
        if (response.ltime, response.id) in self._channels:
            try:
                self._channels.receive(now, response, self._context.local.endpoint)
            except RemoteError as error:
                self._context.metrics.dropped(error.reason)

    def _done(self, ticket: int | None) -> None:
        if ticket is not None:
            self._context.output.finished.append(Finished(ticket, None))

    def _is_relay(self, record: Record) -> bool:
        is_alive = record.state is State.ALIVE and record is not self._context.local
        return is_alive and record.protocol_max >= _RELAY_SINCE_PROTOCOL

    def _send(self, endpoint: Endpoint, body: bytes) -> None:
        record = self._context.table.at(endpoint)
        self._engine.gossip.send_exactly(endpoint, [encode(User(body))], record=record)
