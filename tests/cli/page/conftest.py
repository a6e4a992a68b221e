"""Three real nodes in this process, and the server of their page on a real socket."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from swim.cli.cluster.commands import Commands
from swim.cli.cluster.node import ClusterPlan
from swim.cli.cluster.page.serving import serve_page
from swim.cli.cluster.run import LocalCluster
from swim.cli.cluster.script import Word
from swim.listening import listening_socket
from tests.agent_api.http import Agent, Answer

Line = dict[str, Any]


class Lines:
    """A stream of JSON lines as a page reads it: chunks of a body of unknown length."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._buffer = b""

    async def head(self) -> bytes:
        return await self._until(b"\r\n\r\n")

    async def next(self) -> Line:
        while b"\n" not in (line := await self._chunk()):
            pass
        document: Line = json.loads(line)
        return document

    async def until(self, wanted: Callable[[Line], object]) -> list[Line]:
        """All lines up to the first that is wanted."""
        lines = [await self.next()]
        while not wanted(lines[-1]):
            lines.append(await self.next())
        return lines

    async def _chunk(self) -> bytes:
        size = int(await self._until(b"\r\n"), 16)
        while len(self._buffer) < size + 2:
            self._buffer += await self._stream.receive_some(65536)
        chunk, self._buffer = self._buffer[:size], self._buffer[size + 2 :]
        return chunk

    async def _until(self, end: bytes) -> bytes:
        while end not in self._buffer:
            more = await self._stream.receive_some(65536)
            assert more, "the stream ended"
            self._buffer += more
        found, _, self._buffer = self._buffer.partition(end)
        return found


class Served:
    """A running cluster, and its page."""

    def __init__(self, cluster: LocalCluster, commands: Commands, port: int, words: list[Word]) -> None:
        self.cluster = cluster
        self.commands = commands
        self.words = words
        self.endpoint = ("127.0.0.1", port)
        self._http = Agent(cluster, self.endpoint)

    async def get(self, path: str, **headers: str) -> Answer:
        return await self._http.call("GET", path, host="localhost", **headers)

    async def state(self) -> Line:
        state: Line = (await self.get("/v1/cluster/state")).json()
        return state

    async def post(self, body: bytes, **headers: str) -> Answer:
        return await self._http.call(
            "POST", "/v1/cluster/command", body=body, **{"host": "localhost", **headers}
        )

    async def command(self, verb: str) -> Line:
        answer = await self.post(json.dumps({"verb": verb}).encode())
        assert answer.status == 200, answer.text
        document: Line = answer.json()
        return document

    @asynccontextmanager
    async def lines(self, path: str) -> AsyncIterator[Lines]:
        with trio.fail_after(30):
            async with await trio.open_tcp_stream(*self.endpoint) as stream:
                await stream.send_all(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                lines = Lines(stream)
                assert b" 200 " in await lines.head()
                yield lines

    async def until(self, condition: Callable[[], object]) -> None:
        with trio.fail_after(30):
            while not condition():  # noqa: ASYNC110  the condition is the cluster's
                await trio.sleep(0.02)


@asynccontextmanager
async def serving(nodes: int, *keys: bytes) -> AsyncIterator[Served]:
    """Nodes that run, and whose page is served."""
    plan = ClusterPlan(nodes, "local", 0, 0, label="", keys=keys, seed=1)
    words: list[Word] = []
    cluster = LocalCluster(plan)
    commands = Commands(cluster, words.append, lambda _: None)
    listener = listening_socket("ui", "127.0.0.1:0", advice="")
    port = listener.getsockname()[1]
    async with trio.open_nursery() as nursery:
        commands.start()

        async def page(*, task_status: trio.TaskStatus[None]) -> None:
            await serve_page(cluster, commands, listener, record_to=None, task_status=task_status)

        await nursery.start(page)
        await nursery.start(cluster.run)
        commands.begin(nursery)
        yield Served(cluster, commands, port, words)
        commands.end()
        nursery.cancel_scope.cancel()


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving(3) as served:
        yield served
