"""The streams of one connection: events, the log, and the replies to queries, as records of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import trio

from swim import (
    ConfigError,
    Event,
    EventsLost,
    LocalError,
    Member,
    MemberEvent,
    Query,
    Responses,
    Subscription,
    UserEvent,
)
from swim.formatters import SERF_LEVELS, serf_line
from swim.handlers.spec import EventFilter, type_of
from swim.ipc.answer import Answer
from swim.ipc.filters import event_filters
from swim.ipc.log_tap import LogTap
from swim.ipc.records import (
    DONE,
    members_record,
    query_record,
    reply_record,
    user_event_record,
)
from swim.ipc.requests import Fields
from swim.ipc.service import Service
from swim.policies import Coalescer
from swim.verbosity import listening

__all__ = ["Streams"]

_BACKLOG_LINES = 512
_DONE_SECONDS = 0.1
"""How long after the last record of a query its ``done`` may come: Serf's command drops what it has not shown
when it reads it."""
_INTERNAL = "_serf_"
_PING = "_serf_ping"
_NANOSECONDS = 1e9
_NOT_ANSWERED = "failed to respond to key query"
"""Serf's words, for every query."""

Send = Callable[..., Awaitable[None]]
"""Sends objects in one piece; without any, waits until all before were written."""


class Streams:
    """Begins and ends the streams of one connection.

    Args:
        service: the cluster, its log, and the limits.
        nursery: of the connection; its tasks end with it.
        send: see ``Send``.
    """

    def __init__(self, service: Service, nursery: trio.Nursery, send: Send) -> None:
        self._service = service
        self._nursery = nursery
        self._send = send
        self._streams: dict[int, trio.CancelScope] = {}
        self._monitor: tuple[int, trio.CancelScope] | None = None
        self._queries = 0
        self._shown: dict[int, Query] = {}
        self._answered: set[int] = set()
        self._last_id = 0

    @property
    def are_open(self) -> bool:
        """Whether there is any."""
        return bool(self._streams or self._monitor or self._queries)

    async def stream(self, seq: int, request: Fields) -> Answer:
        """Begins to send events."""
        try:
            wanted = event_filters(request["Type"])
        except ValueError:
            return Answer("Invalid event filter")
        if seq in self._streams:
            return Answer("Stream with given sequence exists")
        self._check_room()
        events = self._service.cluster.events(kinds=(MemberEvent, UserEvent, Query))
        scope = self._streams[seq] = trio.CancelScope()
        return Answer(after=partial(self._nursery.start_soon, self._send_events, seq, scope, wanted, events))

    async def monitor(self, seq: int, request: Fields) -> Answer:
        """Begins to send the log: first what is kept of it, then every new line."""
        level = request["LogLevel"].upper()
        if level not in SERF_LEVELS:
            return Answer(f"Unknown log level: {level}")
        if self._monitor is not None:
            return Answer("Monitor already exists")
        scope = trio.CancelScope()
        self._monitor = seq, scope
        return Answer(after=partial(self._nursery.start_soon, self._send_log, seq, scope, SERF_LEVELS[level]))

    async def stop(self, _: int, request: Fields) -> Answer:
        """Ends the stream and the monitor of a sequence number; none is no error."""
        seq = request["Stop"]
        if self._monitor is not None and self._monitor[0] == seq:
            self._monitor[1].cancel()
            self._monitor = None
        if seq in self._streams:
            self._streams.pop(seq).cancel()
        return Answer()

    async def query(self, seq: int, request: Fields) -> Answer:
        """Sends a query to the cluster, and its replies to the client."""
        name, payload = request["Name"], request["Payload"]
        if name.startswith(_INTERNAL) and (name != _PING or payload):
            return Answer(f"Queries cannot contain the '{_INTERNAL}' prefix")
        self._check_room()
        cluster = self._service.cluster
        try:
            replies = cluster.query(
                name,
                payload,
                nodes=request["FilterNodes"],
                tags=request["FilterTags"],
                ack=request["RequestAck"],
                relay_factor=request["RelayFactor"],
                timeout=request["Timeout"] / _NANOSECONDS if request["Timeout"] else None,
                finish_early=True,
            )
        except ConfigError as error:
            if error.field != "payload":
                raise
            return Answer(f"query exceeds limit of {cluster.config.query_size_limit} bytes")
        self._queries += 1
        return Answer(after=partial(self._nursery.start_soon, self._send_replies, seq, replies))

    async def respond(self, _: int, request: Fields) -> Answer:
        """Answers a query that was shown on this connection, once and before its deadline."""
        number, cluster = request["ID"], self._service.cluster
        self._forget_expired()
        query = self._shown.get(number)
        if query is None or cluster.now() > query.deadline:
            return Answer("No pending queries matching ID")
        try:
            if number in self._answered:
                raise LocalError("response already sent")
            await cluster.respond(query, request["Payload"])
        except (ConfigError, LocalError) as error:
            return Answer(f"{_NOT_ANSWERED}: {error}")
        self._answered.add(number)
        return Answer()

    @trio.lowlevel.enable_ki_protection
    async def _send_events(
        self, seq: int, scope: trio.CancelScope, wanted: Sequence[EventFilter], events: Subscription
    ) -> None:
        coalescer = Coalescer() if self._service.settings.coalesce else None
        with scope:
            async with events:
                while True:
                    event: Event | None = None
                    with trio.move_on_at(coalescer.deadline if coalescer else float("inf")):
                        try:
                            event = await anext(events)
                        except StopAsyncIteration:
                            return
                    if coalescer is not None:
                        await self._send_batch(seq, wanted, coalescer.feed(trio.current_time(), event))
                    elif event is not None:
                        await self._send_batch(seq, wanted, (event,))

    async def _send_batch(self, seq: int, wanted: Sequence[EventFilter], events: Sequence[Event]) -> None:
        """One record for each user event and query, and one for all members to which the same happened."""
        members: dict[str, list[Member]] = {}
        for event in events:
            if isinstance(event, EventsLost):
                self._service.metrics.dropped("ipc-records", event.count)
            kind, name = type_of(event), getattr(event, "name", "")
            if kind is None or not any(one.admits(kind, name) for one in wanted):
                continue
            if isinstance(event, UserEvent):
                await self._record(seq, user_event_record(event))
            elif isinstance(event, Query):
                await self._record(seq, query_record(event, self._show(event)))
            elif isinstance(event, MemberEvent):
                members.setdefault(kind, []).append(event.member)
        for kind, those in members.items():
            await self._record(seq, members_record(kind, those))

    @trio.lowlevel.enable_ki_protection
    async def _send_log(self, seq: int, scope: trio.CancelScope, level: int) -> None:
        tap = LogTap(level)
        with scope, listening(tap):
            for record in self._service.recent_log(level)[-_BACKLOG_LINES:]:
                await self._record(seq, {"Log": serf_line(record)})
            while True:
                lines, lost = await tap.read()
                for line in lines:
                    await self._record(seq, {"Log": line})
                if lost:
                    self._service.metrics.dropped("ipc-records", lost)

    @trio.lowlevel.enable_ki_protection
    async def _send_replies(self, seq: int, replies: Responses) -> None:
        try:
            async with replies:
                async for reply in replies:
                    if reply.source:  # a record of no member would end the client's loop
                        await self._record(seq, reply_record(reply))
            await self._send()
            await trio.sleep(_DONE_SECONDS)
            await self._record(seq, DONE)
        finally:
            self._queries -= 1

    async def _record(self, seq: int, record: Any) -> None:
        await self._send({"Seq": seq, "Error": ""}, record)

    def _show(self, query: Query) -> int:
        """Remembers a query; its number on this connection."""
        self._forget_expired()
        while len(self._shown) >= self._service.settings.max_pending_queries:
            self._forget(next(iter(self._shown)))
        self._last_id += 1
        self._shown[self._last_id] = query
        return self._last_id

    def _forget_expired(self) -> None:
        """Those at the front; one behind a longer-lived one goes later, and is not answered either."""
        now = self._service.cluster.now()
        while self._shown and now > self._shown[number := next(iter(self._shown))].deadline:
            self._forget(number)

    def _forget(self, number: int) -> None:
        del self._shown[number]
        self._answered.discard(number)

    def _check_room(self) -> None:
        limit = self._service.settings.max_streams
        if len(self._streams) + self._queries >= limit:
            raise LocalError(f"this connection has {limit} streams and queries already (max_streams)")
