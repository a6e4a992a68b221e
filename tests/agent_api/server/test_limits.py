"""What one client, and all of them together, may take: time in virtual seconds, connections, descriptors."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from starlette.types import Receive, Scope, Send

from agent_api import AgentSettings, serve
from agent_api.limits import HttpLimits
from agent_api.server import serve_listeners
from swim import ConfigError, Metrics
from tests.agent_api.fakes import FakeCluster
from tests.agent_api.http import Agent
from tests.agent_api.server.door import MemoryListener, answer, door, echo, rest_of

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKS = b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 300 + b"0\r\n\r\n"


async def seconds_until_closed(stream: Any) -> tuple[float, bytes]:
    """How long the server keeps ``stream``, and what it still says."""
    started = trio.current_time()
    received = await rest_of(stream)
    return round(trio.current_time() - started, 3), received


@pytest.mark.parametrize(
    ("sent", "seconds", "status", "counter"),
    [
        (b"", 10, None, "slow"),
        (b"GET / HTTP/1.1\r\nHost:", 10, 408, "slow"),
        (REQUEST[:-1], 10, 408, "slow"),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n1234", 30, 408, "slow"),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n1234", 30, 408, "slow"),
        (REQUEST, 60, 200, "idle"),
    ],
)
async def test_a_silent_client_is_closed(
    sent: bytes, seconds: float, status: int | None, counter: str, autojump_clock: trio.testing.MockClock
) -> None:
    async with door(echo) as server, server.connect() as stream:
        await stream.send_all(sent)
        waited, received = await seconds_until_closed(stream)
    assert seconds <= waited <= seconds + 1
    assert received.startswith(b"HTTP/1.1 %d" % status if status else b"")
    assert bool(received) == bool(status)
    assert server.dropped(counter) == 1


@pytest.mark.parametrize(
    ("limit", "start", "drop"),
    [
        ("head_timeout", b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"x"),
        ("body_timeout", b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n", b"x"),
        ("body_timeout", b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    ],
)
async def test_dripping_extends_nothing(
    limit: str, start: bytes, drop: bytes, autojump_clock: trio.testing.MockClock
) -> None:
    async with door(echo, **{limit: 5.0}) as server, server.connect() as stream:
        await stream.send_all(start)

        async def drip() -> None:
            while True:
                await trio.sleep(0.5)
                await stream.send_all(drop)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(drip)
            started = trio.current_time()
            while b"HTTP/1.1 408" not in await stream.receive_some():
                pass
            assert 5 <= trio.current_time() - started <= 5.5
            nursery.cancel_scope.cancel()
        assert server.dropped("slow") == 1


@pytest.mark.slow
async def test_many_unfinished_heads_are_all_closed(autojump_clock: trio.testing.MockClock) -> None:
    async with door(echo) as server:
        streams = [server.connect() for _ in range(300)]
        for stream in streams:
            await stream.send_all(b"GET / HTTP/1.1\r\nHost")
        for stream in streams:
            assert (await rest_of(stream)).startswith(b"HTTP/1.1 408")
        assert trio.current_time() < 12
        await trio.sleep(2)
        assert server.metrics.gauges["swim.http.connections"] == 0


async def endless(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends without end and never checks for a disconnect."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})


async def test_a_client_that_takes_nothing_is_closed(autojump_clock: trio.testing.MockClock) -> None:
    async with door(endless, send_timeout=7.0) as server:
        stream = server.connect(trio.testing.lockstep_stream_pair)
        await stream.send_all(REQUEST)
        await trio.sleep(6.9)
        assert server.metrics.gauges["swim.http.connections"] == 1
        await trio.sleep(2)
        assert server.metrics.gauges["swim.http.connections"] == 0
        assert server.metrics.counters["swim.http.failed"] == 0
        assert server.dropped("slow") == 1


async def waiting(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers ``/wait`` after a minute, all else at once."""
    if scope["type"] == "http":
        if scope["path"] == "/wait":
            await trio.sleep(60)
        await answer(send, b"done")


async def test_at_the_limit_the_oldest_that_asks_for_nothing_makes_room(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with door(waiting, max_conns=3) as server:
        busy, idle, half = server.connect(), server.connect(), server.connect()
        await busy.send_all(REQUEST.replace(b"/ ", b"/wait "))
        await idle.send_all(REQUEST)
        await half.send_all(REQUEST[:9])
        await trio.testing.wait_all_tasks_blocked()
        assert (await server.call(REQUEST.replace(b"1.1", b"1.0"))).endswith(b"done")
        assert (await rest_of(idle)).endswith(b"done")
        assert trio.current_time() < 1
        assert server.dropped("made-room") == 1
        assert (await busy.receive_some()).startswith(b"HTTP/1.1 200")


async def test_when_all_are_busy_the_new_one_is_turned_away(autojump_clock: trio.testing.MockClock) -> None:
    async with door(waiting, max_conns=3) as server:
        busy = [server.connect() for _ in range(3)]
        for stream in busy:
            await stream.send_all(REQUEST.replace(b"/ ", b"/wait "))
        await trio.testing.wait_all_tasks_blocked()
        assert (await rest_of(server.connect())).startswith(b"HTTP/1.1 503")
        assert server.dropped("connections") == 1
        for stream in busy:
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")


async def open_streams(agent: Agent, count: int, sent: bytes) -> list[trio.SocketStream]:
    streams = [await trio.open_tcp_stream(*agent.endpoint) for _ in range(count)]
    for stream in streams:
        await stream.send_all(sent)
    return streams


@asynccontextmanager
async def limited(app: Any, **limits: Any) -> AsyncIterator[Agent]:
    settings = AgentSettings(http="127.0.0.1:0", limits=HttpLimits(**limits))
    async with trio.open_nursery() as nursery:
        yield Agent(None, await nursery.start(partial(serve, app, settings)))
        nursery.cancel_scope.cancel()


@pytest.mark.slow
async def test_one_client_has_a_share_and_another_one_its_own() -> None:
    begun = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal begun
        if scope["type"] == "http":
            begun += 1
            if scope["path"] == "/wait":
                await trio.sleep_forever()
            await answer(send, b"done")

    async with limited(app, max_conns_per_client=5) as agent:
        streams = await open_streams(agent, 5, REQUEST.replace(b"/ ", b"/wait "))
        with trio.fail_after(5):
            while begun < 5:
                await trio.testing.wait_all_tasks_blocked()
            refused = await agent.get("/")
            assert (refused.status, refused.headers["x-content-type-options"]) == (429, "nosniff")
            other = await trio.open_tcp_stream(*agent.endpoint, local_address="127.0.0.2")
            await other.send_all(REQUEST.replace(b"1.1", b"1.0"))
            assert (await rest_of(other)).endswith(b"done")
        for stream in [*streams, other]:
            await stream.aclose()


@pytest.mark.slow
async def test_more_connections_than_the_limit_never_stay_open(cluster: FakeCluster) -> None:
    async with limited(cluster_app(cluster), max_conns_per_client=20) as agent:
        for sent in (b"", b"GET / HTT", REQUEST):
            streams = await open_streams(agent, 60, b"")
            for stream in streams:
                with suppress(trio.BrokenResourceError):
                    await stream.send_all(sent)
            assert (await agent.get("/v1/agent/members")).status == 200
            for stream in streams:
                await stream.aclose()


def cluster_app(cluster: Any) -> Any:
    from agent_api import create_app

    return create_app(cluster)


class FailingListener(MemoryListener):
    """Runs out of descriptors a given number of times."""

    def __init__(self) -> None:
        super().__init__()
        self.failures: list[int] = []

    async def accept(self) -> trio.abc.HalfCloseableStream:
        if self.failures:
            await trio.lowlevel.checkpoint()
            number = self.failures.pop()
            raise OSError(number, "Too many open files")
        return await super().accept()


async def test_accepting_backs_off_says_so_once_and_recovers(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    listener, metrics = FailingListener(), Metrics()
    listener.failures = [errno.EMFILE] * 100 + [errno.ECONNABORTED]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(serve_listeners, echo, [listener], metrics=metrics))
        stream = listener.connect()
        await stream.send_all(REQUEST)
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 200")
        assert 10 < trio.current_time() < 60
        assert [record.getMessage() for record in caplog.records] == [
            "cannot accept HTTP connections: Too many open files; trying again",
            "accepting HTTP connections again",
        ]
        assert metrics.counters["swim.http.accept_errors"] == 101
        nursery.cancel_scope.cancel()


async def test_connections_that_ask_for_nothing_make_room_for_descriptors(
    autojump_clock: trio.testing.MockClock,
) -> None:
    listener, metrics = FailingListener(), Metrics()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(serve_listeners, echo, [listener], metrics=metrics))
        idle, other = listener.connect(), listener.connect()
        await trio.testing.wait_all_tasks_blocked()
        listener.failures = [errno.EMFILE]
        await listener.connect().aclose()
        await listener.connect().aclose()
        assert await rest_of(idle) == b""
        assert trio.current_time() < 1
        await other.send_all(REQUEST)
        assert (await other.receive_some()).startswith(b"HTTP/1.1 200")
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.parametrize(
    "ahead", [REQUEST * 300, b"PUT / HTTP/1.1\r\nHost: a\r\n" + CHUNKS], ids=["requests", "chunks"]
)
async def test_what_came_ahead_does_not_keep_other_tasks_waiting(ahead: bytes, reads: bool) -> None:
    turns = 0

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            while reads and (await receive()).get("more_body"):
                pass
            await answer(send, b"")

    async def ticker() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    async with door(app) as server, trio.open_nursery() as nursery:
        stream = server.connect()
        await stream.send_all(ahead)
        await stream.send_eof()
        nursery.start_soon(ticker)
        await rest_of(stream)
        assert turns > 250
        nursery.cancel_scope.cancel()


# -- stopping


async def test_idle_connections_do_not_delay_a_stop(autojump_clock: trio.testing.MockClock) -> None:
    async with door(echo) as server:
        await server.connect().send_all(REQUEST)
        await server.connect().send_all(REQUEST[:9])
        await trio.testing.wait_all_tasks_blocked()
        started = trio.current_time()
        server.stop()
    assert trio.current_time() == started


async def test_stopping_closes_idle_connections_at_once_and_waits_a_moment_for_answers(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await trio.sleep(float(scope["path"][1:]))
            await answer(send, b"done")

    async with door(slow) as server:
        streams = [server.connect() for _ in range(3)]
        for stream, path in zip(streams, (b"/0 ", b"/0.5 ", b"/9 "), strict=True):
            await stream.send_all(REQUEST.replace(b"/ ", path))
        assert (await streams[0].receive_some()).endswith(b"done")
        started = trio.current_time()
        server.stop()
    assert trio.current_time() - started == pytest.approx(1)
    with trio.CancelScope(shield=True):
        results = [await rest_of(stream) for stream in streams]
    assert results[0] == results[2] == b""
    assert results[1].endswith(b"done")
    assert b"connection: close" in results[1]


async def test_what_streams_without_end_stops_at_once_if_it_listens(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def listens(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            while (await receive())["type"] != "http.disconnect":
                pass

    async with door(listens) as server:
        await server.connect().send_all(REQUEST)
        await trio.testing.wait_all_tasks_blocked()
        started = trio.current_time()
        server.stop()
    assert trio.current_time() == started


async def test_a_client_that_takes_nothing_cannot_keep_the_server(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with door(endless) as server:
        await server.connect(trio.testing.lockstep_stream_pair).send_all(REQUEST)
        await trio.testing.wait_all_tasks_blocked()
        started = trio.current_time()
        server.stop()
    assert trio.current_time() - started == pytest.approx(1)


@pytest.mark.parametrize("seconds", [0, 1])
async def test_a_server_cancelled_before_it_serves_ends(
    seconds: float, autojump_clock: trio.testing.MockClock
) -> None:
    async def never_ready(scope: Scope, receive: Receive, send: Send) -> None:
        await trio.sleep_forever()

    with trio.fail_after(10), trio.move_on_after(seconds):
        await serve_listeners(never_ready, [MemoryListener()])
    assert trio.current_time() == pytest.approx(seconds + 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_conns", 0), ("max_conns_per_client", -1), ("head_timeout", 0), ("idle_timeout", "1")],
)
def test_limits_name_the_field(name: str, value: Any) -> None:
    with pytest.raises(ConfigError) as refusal:
        HttpLimits(**{name: value})
    assert refusal.value.field == name
