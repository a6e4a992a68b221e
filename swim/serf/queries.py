"""Queries: sent, with a channel for the replies; received, passed on, and handed out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from swim import events
from swim.addresses import Endpoint
from swim.commands import QueryReply, SendQuery
from swim.core.engine import Engine
from swim.core.output import Finished, Reply
from swim.core.timers import Timer, TimerKind
from swim.errors import LocalError, RemoteError
from swim.events import MemberStatus
from swim.frozen import FrozenMap
from swim.serf.answers import REFUSALS, TAKES_STREAMS, Answers
from swim.serf.internal_queries import PING_QUERY, PREFIX, Asked, InternalQueries
from swim.serf.lamport import LamportClock
from swim.serf.member_list import Roster
from swim.serf.messages import Query, QueryResponse, crashes_serf, encode_serf
from swim.serf.query_filters import TO_NO_NODE, QueryFilters, asked, encode_filters
from swim.serf.queues import SerfQueues
from swim.serf.replies import ACK_FLAG, ReplyChannel, ReplyChannels
from swim.serf.seen import RecentRing

__all__ = ["BROADCAST_NAME", "NO_BROADCAST", "QUERIES_SINCE", "RECEIVED_MAX", "REMINDED_MAX", "Queries"]

BROADCAST_NAME = "swim-broadcast"
"""Name of the queries, to no node, that carry an application's message to all members."""
NO_BROADCAST = 2
_NANOSECONDS = 1e9
_NO_TAGS: Mapping[str, str] = FrozenMap()
_ACK_WANTED = 1
QUERIES_SINCE = 4
"""Serf's protocol that has queries; older members pass none on, and answer none."""
_QUERY_BYTES_MAX = 0xFFFF
"""Largest query accepted, bytes of name and payload; streams could carry any size."""
REMINDED_MAX = 64
"""Members that a query of this node is sent to directly."""
RECEIVED_MAX = 1024
"""Queries that the application may still answer."""


class _Received(NamedTuple):
    """A query that the application may answer; its payload is not kept."""

    query: Query
    source: Endpoint | None
    deadline: float
    is_answered: bool = False


class _Reminder(NamedTuple):
    """A query and its channel, while replies may be missing."""

    channel: ReplyChannel
    body: bytes


class Queries:
    """The query clock and ring, the queries to be answered, and the channels of those sent.

    Attributes:
        clock: stamps queries.
        internal: answers Serf's own queries.
        answers: sends the answers.
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
        self.answers: Answers = Answers(engine, roster, queues, self.channels)
        self._received: dict[tuple[int, int], _Received] = {}
        self._tickets: dict[int, ReplyChannel] = {}
        self._reminder: Timer[_Reminder] = context.timers.kind(
            TimerKind.QUERY_REMINDER, self._remind, lambda reminder: reminder.channel.key in self.channels
        )
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
        reminds: bool = False,
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
            reminds: with ``finish_early``: members that are silent at half of the time are asked directly.

        Raises:
            ConfigError: naming ``tags``, or ``payload``: the query is larger than ``query_size_limit``.
            LocalError: this node speaks a version of Serf's protocol without queries.
        """
        local, config = self._context.local, self._context.config
        if config.delegate_version < QUERIES_SINCE:
            raise LocalError(f"queries need delegate_version {QUERIES_SINCE}, not {config.delegate_version}")
        timeout = self._default_timeout() if timeout is None else timeout
        filters = encode_filters(nodes, tags)
        query = self.made(
            name,
            payload,
            filters=filters,
            ack=ack,
            relay_factor=relay_factor,
            timeout=timeout,
            takes_streams=config.query_response_stream_limit > 0,
        )
        body = encode_serf(query)
        self._queues.check_size("query", body, config.query_size_limit, "query_size_limit")
        channel = ReplyChannel((query.ltime, query.id), len(self._roster), take, ended)
        self.channels.open(channel, now + timeout)
        alive = (
            one
            for one in self._roster.members()
            if one.status is MemberStatus.ALIVE and one.delegate.current >= QUERIES_SINCE
        )
        names = asked(nodes, tags, alive) if finish_early else None
        if names is not None:
            kinds = [ACK_FLAG] * ack + [0] * (name != PING_QUERY)
            channel.awaited = {(one, kind) for one in names for kind in kinds}
        if reminds:
            self._context.timers.at(now + timeout / 2, self._reminder, _Reminder(channel, body))
        self.receive(now, query, local.endpoint)
        self._queues.query(now, body)
        self.channels.end_if_complete(now, channel)
        return channel

    def _default_timeout(self) -> float:
        config = self._context.config
        scale = math.ceil(math.log10(self._context.table.live + 1))
        return config.gossip_interval * config.query_timeout_mult * max(1, scale)

    def _remind(self, now: float, reminder: _Reminder) -> None:
        """Sends a query directly to those that have not replied: gossip may miss a member."""
        silent = sorted({name for name, _ in reminder.channel.awaited or ()})
        for name in silent[:REMINDED_MAX]:
            record = self._context.table.get(name)
            if record is not None and record.is_live and record is not self._context.local:
                self.answers.send_body(record.endpoint, reminder.body)

    def made(
        self,
        name: str,
        payload: bytes,
        *,
        filters: Sequence[bytes],
        ack: bool = False,
        relay_factor: int = 0,
        timeout: float = 0.0,
        takes_streams: bool = False,
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
            _ACK_WANTED * ack | TAKES_STREAMS * takes_streams,
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
        if crashes_serf(query):
            raise RemoteError("crashes-peers")
        if len(query.name) + len(query.payload or b"") > _QUERY_BYTES_MAX:
            raise RemoteError("query-size")
        if not self._ring.admit(query.ltime, query.id):
            return False
        if query.name == BROADCAST_NAME and query.filters == (TO_NO_NODE,):
            return self._take_message(now, query, source)
        if self._filters.match(now, query.filters, self._context.local.name, self._tags):
            if query.flags & _ACK_WANTED:
                self.answers.send(now, query, ACK_FLAG, None, source)
            if not query.name.startswith(PREFIX):
                self._hand_out(now, query, source)
            else:
                self._ask_inside(now, query, source)
        return not query.flags & NO_BROADCAST

    def _ask_inside(self, now: float, query: Query, source: Endpoint | None) -> None:
        """Has the handler of one of Serf's own queries answer it, now or later."""
        asker = query._replace(payload=None, filters=())
        limit = self._context.config.query_response_size_limit
        name = self._context.local.name

        def fits(payload: bytes) -> bool:
            return len(encode_serf(QueryResponse(query.ltime, query.id, name, 0, payload))) <= limit

        def answer(at: float, payload: bytes) -> None:
            self.answers.send(at, asker, 0, payload, source)

        self.internal.handle(query.name, Asked(now, query.payload or b"", fits, answer))

    def _take_message(self, now: float, query: Query, source: Endpoint | None) -> bool:
        """Receives a message to all members; True if it is to be passed on."""
        payload = query.payload or b""
        if source is not None and not self._engine.messages.admits(now, source[0], len(payload)):
            return False
        self.hand_out_message(query.source_node, payload)
        return not query.flags & NO_BROADCAST

    def respond(self, now: float, query: events.Query, payload: bytes) -> int:
        """Sends the application's answer; the ticket returned finishes at once, or with the stream.

        Raises:
            ConfigError: naming ``payload``: the answer is larger than ``query_response_size_limit``, or what
                the asker takes by a stream.
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
        ticket = self._engine.ticket()
        if refusal := self.answers.send(now, received.query, 0, payload, received.source, ticket=ticket):
            raise LocalError(f"the query {query.name!r} cannot be answered: {REFUSALS[refusal]}")
        self._received[key] = received._replace(is_answered=True)
        return ticket

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
