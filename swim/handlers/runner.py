"""Runs event handlers beside a cluster, on trio: in order for each handler, and never in the node's way."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

import trio

from swim.errors import ConfigError, SwimError
from swim.events import Event, EventsLost, Member, MemberEvent, MemberJoined, Query, UserEvent
from swim.handlers.message import environment, member_lines, payload_lines
from swim.handlers.script import OUTPUT_BYTES, TIMEOUT, Outcome, Script
from swim.handlers.spec import ANY, EventHandler, type_of
from swim.log import report
from swim.net.cluster import Cluster
from swim.net.subscriptions import Subscription
from swim.policies import Coalescer
from swim.text import brief, shown

__all__ = ["EventHandlers"]

_QUEUE_EVENTS = 1024
_CONCURRENT = 4
_GRACE_SECONDS = 3.0

_log = logging.getLogger("swim.handlers")


class _Job(NamedTuple):
    """One event, as handlers see it: ``members``, or a ``message``."""

    type: str
    members: tuple[Member, ...] = ()
    message: UserEvent | Query | None = None

    @property
    def name(self) -> str:
        """The name of the user event or query; "" for members."""
        return self.message.name if self.message is not None else ""

    @property
    def stdin(self) -> bytes:
        """The input of the command."""
        return payload_lines(self.message.payload) if self.message is not None else member_lines(self.members)


@dataclass(slots=True)
class _Line:
    """The queue of one handler."""

    handler: EventHandler
    jobs: trio.MemorySendChannel[_Job]


class EventHandlers:
    """The event handlers of one cluster: ``async with EventHandlers(cluster, handlers).running(): ...``.

    Each handler runs its command for one event at a time, in the order of the events; different handlers
    run beside each other. A handler that falls behind loses events, which is counted and logged; it never
    delays the node, other handlers or subscribers.

    Args:
        cluster: from ``swim.open_cluster``.
        handlers: ``EventHandler`` values, or texts for ``EventHandler.parse``.
        timeout: seconds after which a run is killed with all that it started; 0 for no limit.
        concurrent: commands that may run at once, at least 1.
        queue_events: events that may wait for one handler, at least 1.
        forbid_remote: runs nothing for user events and queries, which any member can send.
        coalesce: handlers see a burst of changes of members once it is over, all members of a type in one
            run, as those of Serf's agent do (``swim.policies.Coalescer``); if off, each event at once.

    Attributes:
        grace: seconds that waiting and running commands have at the end; they are killed then.

    Raises:
        ConfigError: naming ``event_handler``: a wrong text, or this is not a POSIX system.
    """

    def __init__(
        self,
        cluster: Cluster,
        handlers: Iterable[EventHandler | str],
        *,
        timeout: float = TIMEOUT,
        concurrent: int = _CONCURRENT,
        queue_events: int = _QUEUE_EVENTS,
        forbid_remote: bool = False,
        coalesce: bool = True,
    ) -> None:
        self._cluster = cluster
        self._wanted = _parsed(handlers)
        self._timeout = timeout or math.inf
        self._limiter = trio.CapacityLimiter(concurrent)
        self._queue_events = queue_events
        self._forbid_remote = forbid_remote
        self._coalesce = coalesce
        self.grace: float = _GRACE_SECONDS
        self._lines: list[_Line] = []
        self._nursery: trio.Nursery | None = None
        self._idle = trio.Event()
        self._unfinished = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[EventHandlers]:
        """Runs the handlers for the length of a block.

        They first see the members that are alive now as joined.
        """
        events = self._cluster.events(kinds=(MemberEvent, UserEvent, Query))
        async with trio.open_nursery() as self._nursery:
            self.replace(self._wanted)
            self._nursery.start_soon(self._read, events, self._cluster.alive())
            yield self
            events.close()
            with trio.move_on_after(self.grace):
                await self._finished()
            self._nursery.cancel_scope.cancel()

    @property
    def handlers(self) -> tuple[EventHandler, ...]:
        """The event handlers at present."""
        return tuple(line.handler for line in self._lines)

    def replace(self, handlers: Iterable[EventHandler | str]) -> None:
        """Changes the handlers. One that stays keeps its queue; one that goes still empties its own.

        Raises:
            ConfigError: naming ``event_handler``; then nothing changes.
        """
        wanted = _parsed(handlers)
        kept = {line.handler: line for line in self._lines}
        self._lines = []
        for handler in wanted:
            line = kept.pop(handler, None) or self._start(handler)
            self._lines.append(line)
        for line in kept.values():
            line.jobs.close()
        filters = {each.type for handler in wanted for each in handler.filters}
        if self._forbid_remote and filters & {ANY, "user", "query"}:
            _log.warning("remote execution is disabled: no handler runs for user events and queries")

    def _start(self, handler: EventHandler) -> _Line:
        assert self._nursery is not None
        jobs, waiting = trio.open_memory_channel[_Job](self._queue_events)
        self._nursery.start_soon(self._work, handler, waiting)
        return _Line(handler, jobs)

    async def _read(self, events: Subscription, members: Iterable[Member]) -> None:
        coalescer = Coalescer() if self._coalesce else Coalescer(period=0.0, quiescence=0.0)
        for member in members:
            self._report(coalescer.feed(trio.current_time(), MemberJoined(member)))
        is_over = False
        while not is_over:
            event: Event | None = None
            with trio.move_on_at(coalescer.deadline) as wait:
                event = await anext(events, None)
            is_over = event is None and not wait.cancelled_caught
            if event is None or isinstance(event, EventsLost) or type_of(event) is not None:
                self._report(coalescer.feed(trio.current_time(), event))

    def _report(self, events: Iterable[Event]) -> None:
        """Offers the events; changes of members of one type together."""
        changes: dict[str, list[Member]] = {}
        for event in events:
            event_type = type_of(event)
            match event:
                case EventsLost():
                    self._dropped(event.count, "all handlers")
                case MemberEvent() if event_type is not None:
                    changes.setdefault(event_type, []).append(event.member)
                case UserEvent() | Query() if event_type is not None:
                    self._offer(_Job(event_type, message=event))
        for event_type, members in changes.items():
            self._offer(_Job(event_type, tuple(members)))

    def _offer(self, job: _Job) -> None:
        lines = [line for line in self._lines if line.handler.admits(job.type, job.name)]
        if self._forbid_remote and job.message is not None:
            if lines:
                self._cluster.metrics.dropped("handler_forbidden")
                _log.info(
                    "no handler runs for %s %s: remote execution is disabled", job.type, shown(job.name)
                )
            return
        for line in lines:
            try:
                line.jobs.send_nowait(job)
            except trio.WouldBlock:
                self._dropped(1, f"handler {shown(line.handler.script)}")
            else:
                self._unfinished += 1

    def _dropped(self, count: int, of: str) -> None:
        self._cluster.metrics.dropped("handler_queue", count)
        report(
            _log, logging.WARNING, "handler too slow", "%s lost %d events: too many wait", of, count,
            lost=count,
        )  # fmt: skip

    async def _work(self, handler: EventHandler, waiting: trio.MemoryReceiveChannel[_Job]) -> None:
        async for job in waiting:
            async with self._limiter:
                await self._run(handler, job)
            self._unfinished -= 1
            if not self._unfinished:
                self._idle.set()

    async def _finished(self) -> None:
        while self._unfinished:
            self._idle = trio.Event()
            await self._idle.wait()

    async def _run(self, handler: EventHandler, job: _Job) -> None:
        """One run, and the answer to a query; whatever goes wrong is logged."""
        self._cluster.metrics.count("swim.handlers.runs")
        variables = environment(os.environ, self._cluster.local, job.type, job.message)
        script = Script(handler.script, variables, job.stdin, timeout=self._timeout)
        try:
            # Its thread ends at once when the command is killed.
            outcome = await trio.to_thread.run_sync(script.run, abandon_on_cancel=True)
        except (OSError, ValueError) as error:
            self._failed(handler, job, f"cannot run: {error}")
            return
        finally:
            script.kill()
        if outcome.written > OUTPUT_BYTES:
            _log.warning(
                "handler %s wrote %d bytes: only the last %d are kept",
                shown(handler.script), outcome.written, OUTPUT_BYTES,
            )  # fmt: skip
        _log.debug("handler %s for %s wrote: %s", shown(handler.script), job.type, brief(_text(outcome)))
        if outcome.timed_out:
            self._failed(handler, job, f"killed after {self._timeout:g} s")
        elif outcome.code:
            self._failed(handler, job, _why(outcome.code))
        elif isinstance(job.message, Query) and outcome.output:
            await self._respond(job.message, outcome.output)

    async def _respond(self, query: Query, output: bytes) -> None:
        try:
            await self._cluster.respond(query, output)
        except SwimError as error:
            self._cluster.metrics.count("swim.handlers.unanswered")
            _log.warning("failed to respond to query %s: %s", shown(query.name), error)

    def _failed(self, handler: EventHandler, job: _Job, why: str) -> None:
        self._cluster.metrics.count("swim.handlers.failed")
        report(
            _log, logging.ERROR, "handler failed", "handler %s failed for %s: %s",
            shown(handler.script), job.type, why, script=handler.script, event=job.type, error=why,
        )  # fmt: skip


def _parsed(handlers: Iterable[EventHandler | str]) -> Sequence[EventHandler]:
    """Each handler once."""
    wanted = [each if isinstance(each, EventHandler) else EventHandler.parse(each) for each in handlers]
    if wanted and os.name != "posix":
        raise ConfigError("event_handler", "needs a POSIX system: there is no /bin/sh here")
    return tuple(dict.fromkeys(wanted))


def _text(outcome: Outcome) -> str:
    return outcome.output.decode("utf-8", "backslashreplace")


def _why(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
