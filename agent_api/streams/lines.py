"""A streamed answer: a source puts lines into a bounded feed, from which one client takes them.

The source never waits for the client. A client that falls behind loses lines and learns how many; the end of
the connection ends the source at once.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Awaitable, Callable, Mapping

import anyio
import anyio.lowlevel
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

__all__ = ["STREAM_BYTES_MAX", "STREAM_LINES_MAX", "Feed", "LineStream", "Source"]

STREAM_LINES_MAX = 512
"""Lines that wait for one reader; more are lost to it."""
STREAM_BYTES_MAX = 4 * 1024 * 1024
"""Bytes that wait for one reader; one line of any length always fits an empty feed."""


class Feed:
    """Lines on their way to one reader.

    Once a line did not fit, all later ones are lost too, until the reader has taken everything before them.
    So the lines that it receives have at most one gap at a time, in a known place.

    Args:
        lines_max: how many lines wait at most.

    Attributes:
        lost: lines that did not fit since the last ``end_gap``.
        on_caught_up: called when the reader has taken everything that came before a gap; may be called often.
    """

    __slots__ = ("_arrived", "_bytes", "_is_closed", "_lines", "_lines_max", "lost", "on_caught_up")

    def __init__(self, lines_max: int = STREAM_LINES_MAX) -> None:
        self.lost: int = 0
        self.on_caught_up: Callable[[], None] = _nothing
        self._lines: deque[bytes] = deque()
        self._lines_max = lines_max
        self._bytes = 0
        self._is_closed = False
        self._arrived = anyio.Event()

    @property
    def is_empty(self) -> bool:
        """Whether the reader has taken everything."""
        return not self._lines

    def put(self, line: bytes) -> None:
        """Adds a line, or counts it as lost. Never waits."""
        if self.lost or not self._fits(len(line)):
            self.lose(1)
        else:
            self.insert(line)

    def insert(self, line: bytes) -> None:
        """Adds a line that always fits: the first one, and the one after a gap."""
        self._lines.append(line)
        self._bytes += len(line)
        self._arrived.set()

    def lose(self, count: int) -> None:
        """Counts lines that the source itself had to leave out."""
        self.lost += count
        self._arrived.set()

    def end_gap(self, notice: bytes) -> None:
        """Adds ``notice``, which always fits, in place of what was lost; later lines fit again."""
        self.lost = 0
        self.insert(notice)

    def close(self) -> None:
        """No more lines come."""
        self._is_closed = True
        self._arrived.set()

    async def next(self) -> bytes | None:
        """The next line; None after the last one."""
        while not self._lines:
            if self.lost:
                self.on_caught_up()
            if self._is_closed:
                return None
            self._arrived = anyio.Event()
            await self._arrived.wait()
        line = self._lines.popleft()
        self._bytes -= len(line)
        return line

    def _fits(self, size: int) -> bool:
        return not self._lines or (
            len(self._lines) < self._lines_max and self._bytes + size <= STREAM_BYTES_MAX
        )


def _nothing() -> None:
    """The default of ``on_caught_up``: the source looks at the feed by itself."""


Source = Callable[[Feed], Awaitable[None]]
"""Puts lines into the feed; returns when there will be no more."""


class LineStream(Response):
    """An answer whose body is what a source puts into its feed. The source has begun before the body does.

    Args:
        source: started with the answer, cancelled when the client goes.
        heartbeat: makes what is sent when nothing else was for ``every`` seconds; None for no heartbeats.
        every: seconds.
        at_once: also begin with a heartbeat, so that the head is sent before the first line.
        is_steady: send one every so often, whatever else was sent.
        media_type: of the body.
    """

    def __init__(
        self,
        source: Source,
        *,
        heartbeat: Callable[[], bytes] | None,
        every: float,
        at_once: bool = True,
        is_steady: bool = False,
        media_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self.init_headers({"Cache-Control": "no-cache", **(headers or {})})
        self._source = source
        self._heartbeat = heartbeat
        self._every = every
        self._at_once = at_once
        self._is_steady = is_steady
        self._due = math.inf

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with anyio.create_task_group() as tasks:
            feed = Feed()
            self._due = anyio.current_time() + self._every
            tasks.start_soon(until_gone, receive, tasks.cancel_scope)
            tasks.start_soon(_produce, self._source, feed)
            for _ in range(2):  # a task begins before its parent has passed on twice
                await anyio.lowlevel.checkpoint()
            if self._at_once:
                await self._send(send, self._heartbeat() if self._heartbeat else b"")
            while (line := await self._next(feed)) is not None:
                await self._send(send, line)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            tasks.cancel_scope.cancel()

    async def _next(self, feed: Feed) -> bytes | None:
        """The next line or heartbeat."""
        if self._heartbeat is None:
            return await feed.next()
        if not self._is_steady:
            self._due = anyio.current_time() + self._every
        if not self._is_steady or anyio.current_time() < self._due:
            with anyio.CancelScope(deadline=self._due):
                return await feed.next()
        self._due += self._every
        return self._heartbeat()

    @staticmethod
    async def _send(send: Send, body: bytes) -> None:
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _produce(source: Source, feed: Feed) -> None:
    await source(feed)
    feed.close()


async def until_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    """Cancels the answer once the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
