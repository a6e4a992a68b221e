"""Queries of others passed on, acked and handed to the application; the internal conflict query asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from swim import events
from swim.addresses import Endpoint
from swim.core.engine import Engine
from swim.core.member import Record, State, endpoint_of, pack_address, same_address
from swim.core.timers import TimerKind
from swim.core.token_bucket import TokenBucket
from swim.errors import RemoteError
from swim.serf.lamport import LamportClock
from swim.serf.member_list import Roster
from swim.serf.messages import (
    ConflictResponse,
    Query,
    QueryResponse,
    Relayed,
    decode_conflict_response,
    encode_conflict_response,
    encode_serf,
)
from swim.serf.query_filters import QueryFilters
from swim.serf.seen import RecentRing
from swim.wire.codec import encode
from swim.wire.messages import User

__all__ = ["CONFLICT_QUERY", "NO_BROADCAST", "Queries", "is_vote_for"]

CONFLICT_QUERY = "_serf_conflict"
_INTERNAL = "_serf_"
"""Prefix of the names of queries that are for the Serf layer itself."""
_KEY_QUERIES = frozenset(f"_serf_{word}" for word in ("install-key", "use-key", "remove-key", "list-keys"))
NO_BROADCAST = 2
_NANOSECONDS = 1e9
_ACK_WANTED = 1
_ACK = 1
_RELAY_SINCE_PROTOCOL = 5
_RESPONSE_BYTES_MAX = 1024
_RELAYS_MAX = 5
"""Most relays that a response is sent through, whatever the query asks for."""
_ANSWERS_PER_SECOND = 100
"""Packets with responses per second, relayed ones included; five times as many at once."""
_STATUS_NUMBERS = {"alive": 1, "leaving": 2, "left": 3, "failed": 4}


class _Pending(NamedTuple):
    ltime: int
    id: int
    answers: dict[str, ConflictResponse]
    done: Callable[[float, list[ConflictResponse]], None]


class Queries:
    """The query clock and ring, responses to internal queries, and the one query that this node sends."""

    def __init__(self, engine: Engine, roster: Roster) -> None:
        self._engine = engine
        self._roster = roster
        self.clock = LamportClock()
        self._ring: RecentRing[int] = RecentRing(self.clock, dropped=engine.context.metrics.dropped)
        self._filters = QueryFilters(engine.context.metrics)
        self._allowance = TokenBucket(per_second=_ANSWERS_PER_SECOND, burst=5 * _ANSWERS_PER_SECOND)
        self._pending: _Pending | None = None
        self._query_end = engine.context.timers.kind(
            TimerKind.QUERY_END, self._end, lambda pending: pending is self._pending
        )

    def ignore_before(self, ltime: int) -> None:
        """Queries stamped earlier are not wanted any more (Serf's queryMinTime)."""
        self._ring.ignore_before(ltime)

    def receive(self, now: float, query: Query, source: Endpoint | None) -> bool:
        """Receives a peer's query; True if it is to be passed on.

        Args:
            now: seconds.
            query: it names the address that responses go to.
            source: where the packet came from; None on a stream.

        Raises:
            RemoteError: ``crashes-peers``, for a query that crashes Serf agents; it is not passed on.
        """
        if not all(query.filters) or (query.name in _KEY_QUERIES and not query.payload):
            raise RemoteError("crashes-peers")
        if not self._ring.admit(query.ltime, query.id):
            return False
        if self._filters.match(now, query.filters, self._name, self._tags):
            if query.flags & _ACK_WANTED:
                ack = QueryResponse(query.ltime, query.id, self._name, _ACK, None)
                self._respond(now, query, ack, source)
            if query.name == CONFLICT_QUERY:
                self._answer_conflict(now, query, source)
            elif not query.name.startswith(_INTERNAL):
                self._hand_out(now, query)
        return not query.flags & NO_BROADCAST

    def receive_response(self, response: QueryResponse, source: Endpoint | None) -> None:
        """Receives a response to the pending conflict query: one per live member, from its own address.

        Raises:
            RemoteError: ``unexpected-response`` without a query, ``vote-of-non-member`` from other senders.
        """
        pending = self._pending
        if pending is None or (pending.ltime, pending.id) != (response.ltime, response.id):
            raise RemoteError("unexpected-response")
        voter = self._engine.context.table.get(response.node)
        if voter is None or not voter.is_live or not voter.verified or source != voter.endpoint:
            raise RemoteError("vote-of-non-member")
        if not response.flags & _ACK and response.node not in pending.answers:
            pending.answers[response.node] = decode_conflict_response(response.payload)

    def ask_conflict(self, now: float, done: Callable[[float, list[ConflictResponse]], None]) -> Query | None:
        """Builds the query that asks all members who owns this node's name; None if one is pending.

        ``done`` receives the responses after the default query timeout.
        """
        if self._pending is not None:
            return None
        local = self._engine.context.local
        config = self._engine.context.config
        query_id = self._engine.context.rng.below(1 << 31)
        scale = math.ceil(math.log10(self._engine.context.table.live + 1))
        timeout = config.gossip_interval * config.query_timeout_mult * max(1, scale)
        query = Query(
            self.clock.stamp(),
            query_id,
            local.addr,
            local.port,
            local.name,
            (),
            0,
            0,
            int(timeout * _NANOSECONDS),
            CONFLICT_QUERY,
            local.name.encode("utf-8", "surrogateescape"),
        )
        self._ring.admit(query.ltime, query_id)
        self._pending = _Pending(query.ltime, query_id, {}, done)
        self._engine.context.timers.at(now + timeout, self._query_end, self._pending)
        return query

    def _hand_out(self, now: float, query: Query) -> None:
        """Hands the query to the application."""
        event = events.Query(
            query.name,
            query.payload or b"",
            query.source_node,
            query.ltime,
            query.id,
            now + query.timeout / _NANOSECONDS,
        )
        self._roster.hand_out(event)

    @property
    def _name(self) -> str:
        return self._engine.context.local.name

    @property
    def _tags(self) -> Mapping[str, str]:
        entry = self._roster.get(self._name)
        return entry.member.tags if entry is not None else {}

    def _answer_conflict(self, now: float, query: Query, source: Endpoint | None) -> None:
        name = (query.payload or b"").decode("utf-8", "surrogateescape")
        if name == self._name:
            return
        entry = self._roster.get(name)
        member = None
        if entry is not None:
            protocol, delegate = entry.member.protocol, entry.member.delegate
            member = {
                "Addr": pack_address(entry.member.address),
                "DelegateCur": delegate.current,
                "DelegateMax": delegate.max,
                "DelegateMin": delegate.min,
                "Name": name,
                "Port": entry.member.port,
                "ProtocolCur": protocol.current,
                "ProtocolMax": protocol.max,
                "ProtocolMin": protocol.min,
                "Status": _STATUS_NUMBERS[entry.status],
                "Tags": dict(entry.member.tags),
            }
        answer = QueryResponse(query.ltime, query.id, self._name, 0, encode_conflict_response(member))
        self._respond(now, query, answer, source)

    def _respond(self, now: float, query: Query, response: QueryResponse, source: Endpoint | None) -> None:
        """Sends a response directly to the sender, and through as many relays as the query asks for.

        Only to a member's address or to the query's source, so a sender cannot aim responses at others.
        """
        if len(query.addr) not in (4, 16):
            raise RemoteError("msgpack", "query address")
        context = self._engine.context
        asker = endpoint_of(query.addr, query.port)
        record = context.table.at(asker)
        if asker != source and (record is None or not context.is_proven(record)):
            context.metrics.dropped("answer-refused")
            return
        body = encode_serf(response)
        if len(body) > _RESPONSE_BYTES_MAX:
            context.metrics.dropped("answer-size")
            return
        relays = min(query.relay_factor, _RELAYS_MAX)
        if not self._allowance.spend(now, 1 + relays):
            context.metrics.dropped("answer-budget")
            return
        self._send(asker, body)
        if not relays or len(self._roster) < relays + 1:
            return
        relayed = encode_serf(Relayed(query.addr, query.port, query.source_node, body))
        local = context.local

        def is_relay(record: Record) -> bool:
            alive = record.state is State.ALIVE and record is not local
            return alive and record.protocol_max >= _RELAY_SINCE_PROTOCOL

        for record in context.table.pick(relays, is_relay):
            self._send(record.endpoint, relayed)

    def _send(self, endpoint: Endpoint, body: bytes) -> None:
        record = self._engine.context.table.at(endpoint)
        self._engine.gossip.send_exactly(endpoint, [encode(User(body))], record=record)

    def _end(self, now: float, pending: _Pending) -> None:
        self._pending = None
        pending.done(now, list(pending.answers.values()))


def is_vote_for(answer: ConflictResponse, addr: bytes, port: int) -> bool:
    """Whether a response gives this address for the name."""
    return answer.port == port and bool(answer.addr) and same_address(answer.addr, addr)
