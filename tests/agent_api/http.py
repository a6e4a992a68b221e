"""An HTTP client that shows every byte, and an agent to point it at."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import trio

from agent_api import AgentSettings, serve
from swim import Cluster
from swim.addresses import Endpoint

TEXT = "text/plain; charset=utf-8"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """One response; header names are lower case, ``body`` is as received (after the length's end)."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    @property
    def kind(self) -> str | None:
        """The content type."""
        return self.headers.get("content-type")

    def json(self) -> Any:
        """The body as JSON, unpacked if need be; the content type has to be right."""
        assert self.kind == JSON
        packed = self.headers.get("content-encoding") == "gzip"
        return json.loads(gzip.decompress(self.body) if packed else self.body)


@dataclass(frozen=True, slots=True)
class Agent:
    """A served API, its cluster and the calls to make."""

    cluster: Any
    endpoint: Endpoint

    @property
    def gossip(self) -> str:
        """The gossip address as text."""
        return "{}:{}".format(*self.cluster.endpoint)

    async def call(
        self, method: str, target: str, *, body: bytes = b"", host: str = "agent", **headers: str
    ) -> Answer:
        """One request on a connection of its own."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        request = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
        with trio.fail_after(20):
            async with await trio.open_tcp_stream(*self.endpoint) as stream:
                await stream.send_all(request)
                received = b"".join([chunk async for chunk in stream])
        return _parse(received)

    async def head(self, method: str, target: str, **headers: str) -> int:
        """The status alone, of an answer that may go on without end."""
        lines = [f"{method} {target} HTTP/1.1", "Host: agent", "Content-Length: 0"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        with trio.fail_after(20):
            async with await trio.open_tcp_stream(*self.endpoint) as stream:
                await stream.send_all("\r\n".join([*lines, "", ""]).encode("latin-1"))
                received = b""
                while b"\r\n" not in received:
                    received += await stream.receive_some()
        return int(received.split()[1])

    async def get(self, target: str, **headers: str) -> Answer:
        """GET."""
        return await self.call("GET", target, **headers)

    async def put(self, target: str, **headers: str) -> Answer:
        """PUT."""
        return await self.call("PUT", target, **headers)


def _parse(received: bytes) -> Answer:
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    pairs = [line.partition(": ") for line in lines]
    assert len({name.lower() for name, _, _ in pairs}) == len(pairs), "a header came twice"
    return Answer(int(first.split()[1]), {name.lower(): value for name, _, value in pairs}, body)


@asynccontextmanager
async def served(
    cluster: Cluster,
    *,
    on_leave: Callable[[], None] | None = None,
    on_reload: Callable[[], Awaitable[None]] | None = None,
    readiness: Callable[[], str] | None = None,
    **settings: Any,
) -> AsyncIterator[Agent]:
    """The API of ``cluster`` on a free port, for the length of a block."""
    chosen = AgentSettings(http="127.0.0.1:0", **settings)
    async with trio.open_nursery() as nursery:
        endpoint = await nursery.start(
            partial(serve, cluster, chosen, on_leave=on_leave, on_reload=on_reload, readiness=readiness)
        )
        yield Agent(cluster, endpoint)
        nursery.cancel_scope.cancel()
