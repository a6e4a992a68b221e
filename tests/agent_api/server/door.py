"""A server on streams in memory, so that its timeouts pass in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import trio
import trio.testing
from starlette.types import ASGIApp, Receive, Scope, Send

from agent_api.limits import HttpLimits
from agent_api.server import serve_listeners
from agent_api.settings import AgentSettings
from swim import Metrics

Streams = tuple[trio.abc.HalfCloseableStream, trio.abc.HalfCloseableStream]


class MemoryListener(trio.abc.Listener[trio.abc.HalfCloseableStream]):
    """Accepts the other ends of what ``connect`` makes."""

    def __init__(self) -> None:
        self._made, self._waiting = trio.open_memory_channel[trio.abc.HalfCloseableStream](1000)

    def connect(self, pair: Callable[[], Streams] = trio.testing.memory_stream_pair) -> Any:
        ours, theirs = pair()
        self._made.send_nowait(theirs)
        return ours

    async def accept(self) -> trio.abc.HalfCloseableStream:
        return await self._waiting.receive()

    async def aclose(self) -> None:
        await self._waiting.aclose()


class Door:
    """A running server, where to connect to it, and what it counted."""

    def __init__(self, listener: MemoryListener, metrics: Metrics, stop: Callable[[], None]) -> None:
        self.connect = listener.connect
        self.metrics = metrics
        self.stop = stop

    def dropped(self, reason: str) -> int:
        return self.metrics.counters[f"swim.dropped.http-{reason}"]

    async def call(self, request: bytes) -> bytes:
        """Everything that comes back for ``request``, sent on a connection of its own, until it closes."""
        async with self.connect() as stream:
            await stream.send_all(request)
            return await rest_of(stream)


@asynccontextmanager
async def door(app: ASGIApp, **limits: float) -> AsyncIterator[Door]:
    """Serves ``app`` for the length of a block."""
    settings = AgentSettings(limits=replace(HttpLimits(), **limits))  # type: ignore[arg-type]
    listener, metrics = MemoryListener(), Metrics()
    async with trio.open_nursery() as nursery:
        ready = trio.Event()
        nursery.start_soon(_serve, app, listener, settings, metrics, ready)
        await ready.wait()
        yield Door(listener, metrics, nursery.cancel_scope.cancel)
        nursery.cancel_scope.cancel()


async def _serve(
    app: ASGIApp, listener: MemoryListener, settings: AgentSettings, metrics: Metrics, ready: trio.Event
) -> None:
    await serve_listeners(app, [listener], settings, metrics=metrics, started=ready.set)


async def rest_of(stream: trio.abc.ReceiveStream) -> bytes:
    """What a stream still gives until its end."""
    received = b""
    try:
        while data := await stream.receive_some():
            received += data
    except trio.BrokenResourceError:
        pass
    return received


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with method, path and body."""
    if scope["type"] == "lifespan":
        return
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
    text = f"{scope['method']} {scope['path']} ".encode() + body
    await answer(send, text)


async def answer(send: Send, body: bytes, status: int = 200) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [length]})
    await send({"type": "http.response.body", "body": body})
