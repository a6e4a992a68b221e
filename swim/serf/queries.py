"""Queries: sent, with a channel for the replies; received, passed on, acked and answered."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from swim import events
from swim.addresses import Endpoint
from swim.commands import QueryReply, SendQuery
from swim.core.engine import Engine
from swim.core.member import Record, State, endpoint_of
from swim.core.output import Finished, Reply
from swim.core.token_bucket import TokenBucket
from swim.errors import LocalError, RemoteError
from swim.events import MemberStatus
from swim.frozen import FrozenMap
from swim.serf.internal_queries import PING_QUERY, PREFIX, InternalQueries
from swim.serf.lamport import LamportClock
from swim.serf.member_list import Roster
from swim.serf.messages import Query, QueryResponse, Relayed, encode_serf
from swim.serf.query_filters import TO_NO_NODE, QueryFilters, asked, encode_filters
from swim.serf.queues import SerfQueues
from swim.serf.replies import ACK_FLAG, ReplyChannel, ReplyChannels
from swim.serf.seen import RecentRing
from swim.wire.codec import encode
from swim.wire.messages import User

__all__ = ["BROADCAST_NAME", "NO_BROADCAST", "RECEIVED_MAX", "Queries"]

BROADCAST_NAME = "swim-broadcast"
"""Name of the queries, to no node, that carry an application's message to all members."""
NO_BROADCAST = 2
_NANOSECONDS = 1e9
_NO_TAGS: Mapping[str, str] = FrozenMap()
_ACK_WANTED = 1
_RELAY_SINCE_PROTOCOL = 5
_RELAYS_MAX = 5
"""Most relays that a response is sent through, whatever the query asks for."""
_ANSWERS_PER_SECOND = 100
"""Packets with responses per second, relayed ones included; five times as many at once."""
_QUERY_BYTES_MAX = 0xFFFF
"""Largest query accepted, bytes of name and payload; streams could carry any size."""
RECEIVED_MAX = 1024
"""Queries that the application may still answer."""
_REFUSALS = {
    "answer-refused": "the address to answer to is no member's",
    "answer-budget": "this node sent too many answers lately",
}


class _Received(NamedTuple):
    """A query that the application may answer; its payload is not kept."""

    query: Query
    source: Endpoint | None
    deadline: float
    is_answered: bool = False


class Queries:
    """The query clock and ring, the queries to be answered, and the channels of those sent.

    Attributes:
        clock: stamps queries.
        internal: answers Serf's own queries.
        channels: take the replies to queries of this node.
        hand_out_message: gives the application a message to all members: its sender's name and the payload.
    """

    def __init__(self, engine: Engine, roster: Roster, queues: SerfQueues) -> None:
        context = engine.context
        self._engine = engine
        self._context = context
        self._roster = roster
        self._queues = queues
        self.clock: LamportClock = LamportClock()
        self.internal: InternalQueries = InternalQueries(context.local.name, roster, context.metrics)
        self.channels: ReplyChannels = ReplyChannels(context)
        self._ring: RecentRing[int] = RecentRing(self.clock, dropped=context.metrics.dropped)
        self._filters = QueryFilters(context.metrics)
        self._allowance = TokenBucket(per_second=_ANSWERS_PER_SECOND, burst=5 * _ANSWERS_PER_SECOND)
        self._received: dict[tuple[int, int], _Received] = {}
        self._tickets: dict[int, ReplyChannel] = {}
        self.hand_out_message: Callable[[str, bytes], None] = lambda source, payload: None

    @property
    def received(self) -> int:
        """How many received queries are remembered, to be answered by the application."""
        return len(self._received)

    def ignore_before(self, ltime: int) -> None:
        """Ignores queries with earlier stamps (Serf's queryMinTime)."""
        self._ring.ignore_before(ltime)

    # -- sent

    def send(self, now: float, command: SendQuery) -> int:
        """Asks for the application: each reply is handed out under the ticket returned, until it finishes.

        Raises:
            ConfigError, LocalError: as ``ask``; or too many queries are under way.
        """
        if self.channels.is_full:
            raise LocalError("too many queries of this node wait for replies already")
        ticket = self._engine.ticket()

        def take(response: QueryResponse, _source: Endpoint | None) -> None:
            reply: QueryReply = events.QueryAck(response.node)
            if not response.flags & ACK_FLAG:
                reply = events.QueryResponse(response.node, response.payload or b"")
            self._context.output.replies.append(Reply(ticket, reply))

        def ended(_at: float) -> None:
            self._tickets.pop(ticket, None)
            self._context.output.finished.append(Finished(ticket, None))

        channel = self.ask(
            now,
            command.name,
            command.payload,
            take=take,
            ended=ended,
            nodes=command.nodes,
            tags=command.tags,
            ack=command.ack,
            relay_factor=command.relay_factor,
            timeout=command.timeout,
            finish_early=command.finish_early,
        )
        if channel.key in self.channels:
            self._tickets[ticket] = channel
        return ticket

    def end(self, now: float, ticket: int) -> None:
        """Ends the wait for replies to that query."""
        channel = self._tickets.get(ticket)
        if channel is not None:
            self.channels.end(now, channel)

    def ask(
        self,
        now: float,
        name: str,
        payload: bytes,
        *,
        take: Callable[[QueryResponse, Endpoint | None], None],
        ended: Callable[[float], None],
        nodes: Sequence[str] = (),
        tags: Mapping[str, str] = _NO_TAGS,
        ack: bool = False,
        relay_factor: int = 0,
        timeout: float | None = None,
        finish_early: bool = False,
    ) -> ReplyChannel:
        """Sends a query to all members that the filters match, including this node; see ``SendQuery``.

        Args:
            now: seconds.
            name: of the query.
            payload: of the query.
            take: see ``ReplyChannel``; called for this node's own reply too, before this returns.
            ended: see ``ReplyChannel``; called before this returns, if nothing is expected.
            nodes: names of the members asked; none for all.
            tags: expressions that their tags match.
            ack: also ask for an ack of each member.
            relay_factor: by how many relays a reply comes too.
            timeout: seconds until the channel closes; None for Serf's default.
            finish_early: close the channel once every member asked has replied.

        Raises:
            ConfigError: naming ``tags``, or ``payload``: the query is larger than ``query_size_limit``.
        """
        local, config = self._context.local, self._context.config
        if timeout is None:
            scale = math.ceil(math.log10(self._context.table.live + 1))
            timeout = config.gossip_interval * config.query_timeout_mult * max(1, scale)
        filters = encode_filters(nodes, tags)
        query = self.made(name, payload, filters=filters, ack=ack, relay_factor=relay_factor, timeout=timeout)
        body = encode_serf(query)
        self._queues.check_size("query", body, config.query_size_limit, "query_size_limit")
        channel = ReplyChannel((query.ltime, query.id), len(self._roster), take, ended)
        self.channels.open(channel, now + timeout)
        alive = (one for one in self._roster.members() if one.status is MemberStatus.ALIVE)
        names = asked(nodes, tags, alive) if finish_early else None
        if names is not None:
            kinds = [ACK_FLAG] * ack + [0] * (name != PING_QUERY)
            channel.awaited = {(one, kind) for one in names for kind in kinds}
        self.receive(now, query, local.endpoint)
        self._queues.query(now, body)
        self.channels.end_if_complete(now, channel)
        return channel

    def made(
        self,
        name: str,
        payload: bytes,
        *,
        filters: Sequence[bytes],
        ack: bool = False,
        relay_factor: int = 0,
        timeout: float = 0.0,
    ) -> Query:
        """A query of this node, under the current stamp; see ``ask``."""
        local = self._context.local
        return Query(
            self.clock.time,
            self._context.rng.below(1 << 31),
            local.addr,
            local.port,
            local.name,
            tuple(filters),
            _ACK_WANTED if ack else 0,
            relay_factor,
            int(timeout * _NANOSECONDS),
            name,
            payload or None,
        )

    # -- received

    def receive(self, now: float, query: Query, source: Endpoint | None) -> bool:
        """Receives a query; True if it is to be passed on.

        Args:
            now: seconds.
            query: it names the address that responses go to.
            source: where the packet came from; None on a stream.

        Raises:
            RemoteError: ``crashes-peers``, for a query that crashes Serf agents; ``query-size``.
        """
        if self.internal.crashes_serf(query):
            raise RemoteError("crashes-peers")
        if len(query.name) + len(query.payload or b"") > _QUERY_BYTES_MAX:
            raise RemoteError("query-size")
        if not self._ring.admit(query.ltime, query.id):
            return False
        if query.name == BROADCAST_NAME and query.filters == (TO_NO_NODE,):
            return self._take_message(now, query, source)
        if self._filters.match(now, query.filters, self._context.local.name, self._tags):
            if query.flags & _ACK_WANTED:
                self._answer(now, query, ACK_FLAG, None, source)
            if not query.name.startswith(PREFIX):
                self._hand_out(now, query, source)
            elif (answer := self.internal.answer(query)) is not None:
                self._answer(now, query, 0, answer, source)
        return not query.flags & NO_BROADCAST

    def _take_message(self, now: float, query: Query, source: Endpoint | None) -> bool:
        """Receives a message to all members; True if it is to be passed on."""
        payload = query.payload or b""
        if source is not None and not self._engine.messages.admits(now, source[0], len(payload)):
            return False
        self.hand_out_message(query.source_node, payload)
        return not query.flags & NO_BROADCAST

    def respond(self, now: float, query: events.Query, payload: bytes) -> None:
        """Sends the application's answer.

        Raises:
            ConfigError: naming ``payload``: the answer is larger than ``query_response_size_limit``.
            LocalError: the query was answered, is past its deadline, or unknown; or the answer may not be
                sent: to an address that is not known to be a node's, or too soon after too many others.
        """
        key = (query.ltime, query.id)
        received = self._received.get(key)
        if received is None:
            raise LocalError(f"this node has not received the query {query.name!r}, or too long ago")
        if received.is_answered:
            raise LocalError(f"the query {query.name!r} was answered already")
        if now > received.deadline:
            raise LocalError(f"the query {query.name!r} is past its deadline")
        if refusal := self._answer(now, received.query, 0, payload, received.source, is_own=True):
            raise LocalError(f"the query {query.name!r} cannot be answered: {_REFUSALS[refusal]}")
        self._received[key] = received._replace(is_answered=True)

    def _hand_out(self, now: float, query: Query, source: Endpoint | None) -> None:
        """Delivers a query to the application, and remembers how to answer it."""
        deadline = now + query.timeout / _NANOSECONDS
        if len(self._received) >= RECEIVED_MAX:
            oldest = self._received.pop(next(iter(self._received)))
            if oldest.deadline >= now and not oldest.is_answered:
                self._context.metrics.dropped("unanswered-query")
        self._received[query.ltime, query.id] = _Received(
            query._replace(payload=None, filters=()), source, deadline
        )
        self._roster.hand_out(
            events.Query(query.name, query.payload or b"", query.source_node, query.ltime, query.id, deadline)
        )

    @property
    def _tags(self) -> Mapping[str, str]:
        entry = self._roster.get(self._context.local.name)
        return entry.member.tags if entry is not None else {}

    # -- answers

    def _answer(
        self,
        now: float,
        query: Query,
        flags: int,
        payload: bytes | None,
        source: Endpoint | None,
        *,
        is_own: bool = False,
    ) -> str:
        """Sends a response directly to the sender, and through as many relays as the query asks for.

        Only to a member's address or to the query's source, so a sender cannot aim responses at others.

        Args:
            is_own: the application's answer, whose size is the application's fault.

        Returns:
            Why it was not sent, or "".
        """
        context = self._context
        response = QueryResponse(query.ltime, query.id, context.local.name, flags, payload)
        body = encode_serf(response)
        limit = context.config.query_response_size_limit
        if is_own:
            self._queues.check_size("answer", body, limit, "query_response_size_limit")
        is_address = len(query.addr) in (4, 16)
        asker = endpoint_of(query.addr, query.port) if is_address else None
        if asker == context.local.endpoint:
            self._answer_self(now, response)
            return ""
        record = None if asker is None else context.table.at(asker)
        relays = min(query.relay_factor, _RELAYS_MAX)
        refusal = ""
        if asker is None or (asker != source and (record is None or not context.is_proven(record))):
            refusal = "answer-refused"
        elif len(body) > limit:
            refusal = "answer-size"
        elif not self._allowance.spend(now, 1 + relays):
            refusal = "answer-budget"
        if refusal or asker is None:
            context.metrics.dropped(refusal)
            return refusal
        self._send(asker, body)
        relayed = encode_serf(Relayed(query.addr, query.port, query.source_node, body))
        if relays and len(self._roster) > relays and len(relayed) <= limit:
            for record in context.table.pick(relays, self._is_relay):
                self._send(record.endpoint, relayed)
        return ""

    def _answer_self(self, now: float, response: QueryResponse) -> None:
        """Replies to a query of this node, unless it has ended."""
        if (response.ltime, response.id) in self.channels:
            try:
                self.channels.receive(now, response, self._context.local.endpoint)
            except RemoteError as error:
                self._context.metrics.dropped(error.reason)

    def _is_relay(self, record: Record) -> bool:
        is_alive = record.state is State.ALIVE and record is not self._context.local
        return is_alive and record.protocol_max >= _RELAY_SINCE_PROTOCOL

    def _send(self, endpoint: Endpoint, body: bytes) -> None:
        record = self._context.table.at(endpoint)
        self._engine.gossip.send_exactly(endpoint, [encode(User(body))], record=record)
