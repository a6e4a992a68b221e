"""The trace of the cluster in memory: all transitions and faults; packets for those who read them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal, get_args

import trio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from swim.cli.cluster.run import LocalCluster

__all__ = ["KEPT_BYTES_MAX", "LEVELS", "Level", "Tape", "TraceStream"]

KEPT_BYTES_MAX = 16 * 1024 * 1024
"""Bytes of transitions and faults that are kept; after that, no trace from the beginning is given."""
_WAITING_BYTES_MAX = 8 * 1024 * 1024
"""Bytes that wait for one reader; one that falls further behind is cut off."""

Level = Literal["events", "all"]
LEVELS = get_args(Level)


class _Reader:
    """One reader that follows."""

    def __init__(self, level: Level) -> None:
        self.level: Level = level
        self.is_cut_off: bool = False
        self._lines: deque[str] = deque()
        self._bytes = 0
        self._arrived = trio.Event()

    def put(self, line: str) -> None:
        """Adds a line, or cuts the reader off."""
        if self._bytes + len(line) > _WAITING_BYTES_MAX:
            self.is_cut_off = True
        else:
            self._lines.append(line)
            self._bytes += len(line)
        self._arrived.set()

    async def next(self) -> bytes:
        """Everything that waits, at least one line; b"" if the reader was cut off."""
        await self._arrived.wait()
        self._arrived = trio.Event()
        text = "".join(self._lines)
        self._lines.clear()
        self._bytes = 0
        return text.encode("ascii")


class Tape:
    """Takes the lines of a ``ClusterTrace``, the header first.

    Args:
        cluster: whose packets are recorded only while a reader wants them.
        write: receives every line as well; None for none.

    Attributes:
        is_full: more happened than is kept.
    """

    def __init__(self, cluster: LocalCluster, write: Callable[[str], object] | None) -> None:
        self.is_full: bool = False
        self._cluster = cluster
        self._write = write
        self._kept: list[str] = []
        self._bytes = 0
        self._readers: set[_Reader] = set()
        cluster.trace_to(self.put, self.put_packet)
        self._kept.clear()  # the header: each reader gets the one of its level
        self._choose()

    def put(self, line: str) -> None:
        """Adds a transition or a fault."""
        self.is_full = self.is_full or self._bytes + len(line) > KEPT_BYTES_MAX
        if not self.is_full:
            self._kept.append(line)
            self._bytes += len(line)
        self._pass_on(line, LEVELS)

    def put_packet(self, line: str) -> None:
        """Adds a packet or a step of a stream, which is not kept."""
        self._pass_on(line, ("all",))

    def kept(self, level: Level) -> bytes:
        """The header, and all transitions and faults so far."""
        assert self._cluster.trace is not None
        return "".join([self._cluster.trace.header(level), *self._kept]).encode("ascii")

    def follow(self, level: Level) -> _Reader:
        """A reader of what comes from now on; ``leave`` ends it."""
        reader = _Reader(level)
        self._readers.add(reader)
        self._choose()
        return reader

    def leave(self, reader: _Reader) -> None:
        """The reader wants no more."""
        self._readers.discard(reader)
        self._choose()

    def _pass_on(self, line: str, levels: tuple[str, ...]) -> None:
        if self._write is not None:
            self._write(line)
        for reader in self._readers:
            if reader.level in levels:
                reader.put(line)

    def _choose(self) -> None:
        wanted = self._write is not None or any(reader.level == "all" for reader in self._readers)
        self._cluster.record_packets(wanted)


class TraceStream(Response):
    """The answer to a client that follows: what is kept, then what comes."""

    media_type = "application/x-ndjson"

    def __init__(self, tape: Tape, level: Level) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({"Cache-Control": "no-cache"})
        self._tape = tape
        self._level = level

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._until_gone, receive, nursery.cancel_scope)
            await self._pass_on(send)
            nursery.cancel_scope.cancel()

    async def _pass_on(self, send: Send) -> None:
        kept, reader = self._tape.kept(self._level), self._tape.follow(self._level)
        try:
            await send({"type": "http.response.body", "body": kept, "more_body": True})
            while not reader.is_cut_off:
                await send({"type": "http.response.body", "body": await reader.next(), "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._tape.leave(reader)

    @staticmethod
    async def _until_gone(receive: Receive, scope: trio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        scope.cancel()
