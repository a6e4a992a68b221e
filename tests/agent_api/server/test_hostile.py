"""Whatever one connection sends ends at most that connection, and leaves nothing behind."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_api import create_app
from swim import Config
from tests.agent_api.fakes import FakeCluster
from tests.agent_api.http import Agent, served
from tests.agent_api.server.door import door, rest_of
from tests.agent_api.server.hostile import KNOWN

MEMBERS = b"GET /v1/agent/members HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def held() -> int:
    """Descriptors and tasks."""
    return len(os.listdir("/proc/self/fd")) + trio.lowlevel.current_statistics().tasks_living


async def provoke(agent: Agent, data: bytes, ending: str) -> None:
    """Sends ``data`` and ends the connection in one of the ways that there are."""
    stream = await trio.open_tcp_stream(*agent.endpoint)
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        await stream.send_all(data)
        if ending == "half-close":
            await stream.send_eof()
        if ending != "at once":
            with trio.move_on_after(0.02):
                await rest_of(stream)
    if ending == "reset":
        stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    await stream.aclose()


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["at once", "close", "half-close", "reset"])
async def test_no_request_ends_the_server(
    cluster: FakeCluster, ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(cluster) as agent:
        await agent.get("/v1/agent/members")
        await trio.testing.wait_all_tasks_blocked()
        before = held()
        for data in KNOWN.values():
            await provoke(agent, data, ending)
        assert (await agent.get("/v1/agent/members")).status == 200
        with trio.fail_after(10):
            while held() > before:
                await trio.lowlevel.checkpoint()
        assert not cluster.metrics.counters["swim.http.failed"]
    assert not caplog.records


@pytest.mark.parametrize("name", KNOWN)
async def test_every_request_ends(name: str, autojump_clock: trio.testing.MockClock) -> None:
    """In memory, where no byte is lost: it ends within the timeouts, and the next client is served."""
    cluster = FakeCluster(Config(name="n1.global"))
    async with door(create_app(cluster)) as server:
        async with server.connect() as stream:
            await stream.send_all(KNOWN[name])
            await stream.send_eof()
            with trio.fail_after(120):
                await rest_of(stream)
        assert (await server.call(MEMBERS)).startswith(b"HTTP/1.1 200")
        await trio.sleep(2)
        assert server.metrics.gauges["swim.http.connections"] == 0
        assert not server.metrics.counters["swim.http.failed"]


async def test_a_hundred_checks_that_only_connect_leave_nothing(agent: Agent) -> None:
    await agent.get("/v1/agent/members")
    await trio.testing.wait_all_tasks_blocked()
    before = held()
    for _ in range(100):
        await (await trio.open_tcp_stream(*agent.endpoint)).aclose()
    with trio.fail_after(5):
        while held() > before:
            await trio.lowlevel.checkpoint()


LINES = st.sampled_from(
    [b"GET / HTTP/1.1", b"PUT /v1/agent/join HTTP/1.1", b"Host: a", b"Content-Length: 3",
     b"Connection: close", b"Connection: upgrade", b"Upgrade: websocket", b"Transfer-Encoding: chunked",
     b"Expect: 100-continue", b"", b"", b"3", b"abc", b"0", b"CONNECT a:1 HTTP/1.1", b"PRI * HTTP/2.0",
     b"GET /%ff?a=%ff HTTP/1.0"]
)  # fmt: skip
REQUESTS = st.lists(st.one_of(LINES, st.binary(max_size=20)), max_size=12).map(b"\r\n".join)


@pytest.mark.slow
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(pieces=st.lists(st.one_of(REQUESTS, st.binary(max_size=50)), max_size=5), closes=st.booleans())
def test_any_bytes(pieces: list[bytes], closes: bool) -> None:
    async def run() -> None:
        cluster: Any = FakeCluster(Config(name="n1.global"))
        async with door(create_app(cluster)) as server:
            async with server.connect() as stream:
                for piece in pieces:
                    await stream.send_all(piece)
                    await trio.testing.wait_all_tasks_blocked()
                if closes:
                    await stream.send_eof()
                    with trio.fail_after(200):
                        await rest_of(stream)
            assert (await server.call(MEMBERS)).startswith(b"HTTP/1.1 200")
            await trio.sleep(2)
            assert server.metrics.gauges["swim.http.connections"] == 0
            assert not server.metrics.counters["swim.http.failed"]

    trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0))
