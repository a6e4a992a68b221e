"""Answers to queries: sent straight to the asker in a packet, and through relays; long ones by a stream."""

from __future__ import annotations

from typing import NamedTuple

from swim.addresses import Endpoint
from swim.core.engine import Engine
from swim.core.member import Record, State, endpoint_of
from swim.core.output import Finished
from swim.core.pings import Outstanding
from swim.core.purposes import Answering
from swim.core.token_bucket import TokenBucket
from swim.errors import ConfigError, DeliveryError, RemoteError
from swim.serf.member_list import Roster
from swim.serf.messages import Query, QueryResponse, Relayed, SerfType, encode_serf
from swim.serf.queues import SerfQueues
from swim.serf.replies import ReplyChannels
from swim.text import shown
from swim.wire.codec import encode, encode_user_stream
from swim.wire.messages import Ack, User
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
"""Pings to an address that never acked one, before a response is given up."""
_PING_SECONDS_MIN = 0.2
_HELD_MAX = 64
"""Askers that are pinged at a time, and responses that wait for each."""
_STREAM_BYTES_PER_SECOND = 4 * 1024 * 1024
"""Bytes of responses by streams, in a second and at once."""
REFUSALS = {
    "answer-refused": "the address to answer to is no member's",
    "answer-budget": "this node sent too many answers lately",
    "answer-size": "it is too large",
}
"""Why an answer is not sent, by the counter."""


class _Ready(NamedTuple):
    """A response that may be sent, and how."""

    name: str
    asker: Endpoint
    body: bytes
    query: Query
    relays: int
    by_stream: bool
    ticket: int | None


class _Knock(NamedTuple):
    """The purpose of a ping to an asker that never acked one; the number of pings before it."""

    asker: Endpoint
    before: int


class Answers:
    """Sends the answers of one node.

    They go to a member's address, or to the source of the query, so that a sender cannot aim them at others.
    An address that is only known from others is pinged first.
    """

    def __init__(self, engine: Engine, roster: Roster, queues: SerfQueues, channels: ReplyChannels) -> None:
        self._engine = engine
        self._context = engine.context
        self._roster = roster
        self._queues = queues
        self._channels = channels
        self._packets = TokenBucket(per_second=_ANSWERS_PER_SECOND, burst=5 * _ANSWERS_PER_SECOND)
        self._held: dict[Endpoint, list[_Ready]] = {}
        engine.pings.register(_Knock, self._acked, expired=self._silent)
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
        if asker is None or (record is None and (asker != source or by_stream)):
            return self._refuse("answer-refused")
        if by_stream is None:
            return self._refuse("answer-size")
        if not self._packets.spend(now, 1 + relays) or (by_stream and not self._bytes.spend(now, len(body))):
            return self._refuse("answer-budget")
        name = record.name if record is not None else query.source_node
        ready = _Ready(name, asker, body, query, relays, by_stream, ticket)
        if asker != source and record is not None and not context.is_proven(record):
            return self._hold(now, ready)
        if by_stream and not context.may_dial(asker):
            return self._hold(now, ready)
        self._deliver(now, ready)
        return ""

    def _refuse(self, reason: str) -> str:
        self._context.metrics.dropped(reason)
        return reason

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

    def _hold(self, now: float, ready: _Ready) -> str:
        """Keeps a response until its asker has acked a ping."""
        held = self._held.get(ready.asker, [])
        if len(held) >= _HELD_MAX or (not held and len(self._held) >= _HELD_MAX):
            return self._refuse("answer-budget")
        if not held:
            self._held[ready.asker] = held
            self._ping(now, _Knock(ready.asker, 0), ready.name)
        held.append(ready)
        return ""

    def _ping(self, now: float, knock: _Knock, name: str) -> None:
        context, engine = self._context, self._engine
        until = now + max(context.config.probe_timeout, _PING_SECONDS_MIN)
        ping = engine.pings.ping(now, name, knock.asker, knock, until=until)
        engine.gossip.send_exactly(knock.asker, [encode(ping)], record=context.table.at(knock.asker))

    def _acked(self, now: float, knock: _Knock, _ping: Outstanding, _ack: Ack) -> None:
        for ready in self._held.pop(knock.asker, ()):
            self._deliver(now, ready)

    def _silent(self, now: float, knock: _Knock) -> None:
        if knock.before + 1 < _PINGS:
            self._ping(now, knock._replace(before=knock.before + 1), self._held[knock.asker][0].name)
            return
        for ready in self._held.pop(knock.asker, ()):
            self._fail(ready, "answer-refused", "its address has never acked a ping")

    def _deliver(self, now: float, ready: _Ready) -> None:
        engine, context, body = self._engine, self._context, ready.body
        if not ready.by_stream:
            self.send_body(ready.asker, body)
            self._relay(ready.query, ready.relays, body)
            self._done(ready.ticket)
            return
        purpose, deadline = Answering(ready.ticket, ready.name), now + context.config.tcp_timeout
        if not engine.streams.dial(now, ready.asker, at_once(encode_user_stream(body)), purpose, deadline):
            self._fail(ready, "answer-stream", "too many streams are open (max_streams)")

    def _fail(self, ready: _Ready, reason: str, detail: str) -> None:
        self._context.metrics.dropped(reason)
        if ready.ticket is not None:
            error = DeliveryError(shown(ready.name), "unreachable", detail)
            self._context.output.finished.append(Finished(ready.ticket, error))

    def _relay(self, query: Query, relays: int, body: bytes) -> None:
        relayed = encode_serf(Relayed(query.addr, query.port, query.source_node, body))
        if len(self._roster) > relays > 0 and len(relayed) <= self._context.config.query_response_size_limit:
            for record in self._context.table.pick(relays, self._is_relay):
                self.send_body(record.endpoint, relayed)

    def pass_on(self, message: Relayed) -> None:
        """Relays another node's response, verbatim, and nothing else: other messages would be relayed again.

        It goes to members only, so that a sender cannot aim this node's packets.

        Raises:
            RemoteError: ``relay-refused``.
        """
        endpoint = endpoint_of(message.addr, message.port)
        record = self._context.table.at(endpoint)
        is_response = message.inner[:1] == bytes((SerfType.QUERY_RESPONSE,))
        if record is None or not self._context.is_proven(record) or not is_response:
            raise RemoteError("relay-refused")
        self.send_body(endpoint, message.inner)

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

    def send_body(self, endpoint: Endpoint, body: bytes) -> None:
        """Sends a Serf message in a packet of its own."""
        record = self._context.table.at(endpoint)
        self._engine.gossip.send_exactly(endpoint, [encode(User(body))], record=record)
