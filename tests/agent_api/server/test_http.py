"""HTTP as clients write it: framing, order, versions, and what the application sees of it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
import trio.testing
from starlette.types import Receive, Scope, Send

from agent_api import AgentSettings, serve
from tests.agent_api.server.door import answer, door, echo, rest_of

HEAD = b"Host: a\r\n"
CHUNKED = b"PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
CLOSE = HEAD + b"Connection: close\r\n"


async def echoed(request: bytes) -> bytes:
    """The body that ``echo`` answers with."""
    async with door(echo) as server:
        received = await server.call(request)
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), received
    return body


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (b"GET /x HTTP/1.1\r\n" + CLOSE + b"\r\n", b"GET /x "),
        (b"GET /x HTTP/1.0\r\n\r\n", b"GET /x "),
        (b"GET /%C3%A4%ff?q HTTP/1.1\r\n" + CLOSE + b"\r\n", "GET /ä\ufffd ".encode()),
        (b"GET http://b:1/x?y HTTP/1.1\r\n" + CLOSE + b"\r\n", b"GET /x "),
        (b"GET http://b?y HTTP/1.1\r\n" + CLOSE + b"\r\n", b"GET / "),
        (b"OPTIONS * HTTP/1.1\r\n" + CLOSE + b"\r\n", b"OPTIONS * "),
        (b"PUT /x HTTP/1.1\r\n" + CLOSE + b"Content-Length: 3\r\n\r\nabc", b"PUT /x abc"),
        (CHUNKED + b"2;e=1\r\nab\r\n1\r\nc\r\n0\r\nT: t\r\n\r\n", b"PUT /x abc"),
        (b"GET /x HTTP/1.1\r\n" + CLOSE + b"Upgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n", b"GET /x "),
        (b"GET /x HTTP/1.1\r\n" + CLOSE + b"Upgrade: websocket\r\n\r\n\x80", b"GET /x "),
        (b"GET /x HTTP/1.1\r\n" + CLOSE + b"X: \x80\xff\r\n\r\n", b"GET /x "),
    ],
)  # fmt: skip
async def test_requests(request_: bytes, expected: bytes) -> None:
    assert await echoed(request_) == expected


@pytest.mark.parametrize(
    ("status", "request_"),
    [
        (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        (400, b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n"),
        (400, b"GET x HTTP/1.1\r\nHost: a\r\n\r\n"),
        (400, b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n"),
        (400, b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
        (400, b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"),
        (400, CHUNKED.replace(b"Host", b"Content-Length: 3\r\nHost") + b"0\r\n\r\n"),
        (400, b"PUT / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (400, CHUNKED + b"nonsense\r\n"),
        (400, CHUNKED + b"-1\r\nx\r\n"),
        (400, CHUNKED + b"1\r\nxyz\r\n"),
        (501, b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"),
        (405, b"CONNECT b:1 HTTP/1.1\r\nHost: a\r\n\r\n"),
        (505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        (413, b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n"),
        (413, CHUNKED + b"400\r\n" + b"x" * 1024 + b"\r\n1\r\nx\r\n"),
        (431, b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"),
        (431, b"GET / HTTP/1.1\r\nHost: a\r\n" + b"x: y\r\n" * 101 + b"\r\n"),
    ],
    ids=lambda value: str(value)[:60],
)  # fmt: skip
async def test_refusals(status: int, request_: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with door(echo, max_body_bytes=1024) as server:
        received = await server.call(request_)
        assert sum(server.metrics.counters.values()) == 1
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert lines[0].startswith(b"http/1.1 %d " % status)
    assert {b"connection: close", b"x-content-type-options: nosniff", b"vary: accept-encoding"} <= set(lines)
    assert body.startswith(b"%d " % status)
    assert not caplog.records


async def test_requests_that_came_ahead_are_answered_in_order() -> None:
    async with door(echo) as server:
        requests = [b"PUT /%d HTTP/1.1\r\n%sContent-Length: 1\r\n\r\n%d" % (n, HEAD, n) for n in range(9)]
        received = await server.call(b"".join(requests) + b"GET /end HTTP/1.0\r\n\r\n")
    bodies = [part.partition(b"\r\n\r\n")[2] for part in received.split(b"HTTP/1.1 200 ")[1:]]
    assert bodies == [b"PUT /%d %d" % (n, n) for n in range(9)] + [b"GET /end "]


async def test_a_client_that_closed_its_half_is_answered() -> None:
    async with door(echo) as server, server.connect() as stream:
        await stream.send_all(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab")
        await stream.send_eof()
        assert (await rest_of(stream)).endswith(b"PUT / ab")


async def test_an_answer_that_begins_while_100_is_sent_follows_it() -> None:
    async def streaming(scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, and in another task reads the body, as a stream of lines does."""
        if scope["type"] == "http":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(receive)
                for _ in range(5):
                    await trio.lowlevel.checkpoint()
                await answer(send, b"done")

    async with door(streaming) as server, server.connect(trio.testing.lockstep_stream_pair) as stream:
        await stream.send_all(
            b"GET / HTTP/1.1\r\n" + CLOSE + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"
        )
        await trio.testing.wait_all_tasks_blocked()
        received = await stream.receive_some()
        await stream.send_all(b"x")
        received += await rest_of(stream)
        assert received.startswith(b"HTTP/1.1 100 \r\n\r\nHTTP/1.1 200 ")
        assert received.endswith(b"done")
        assert not server.metrics.counters["swim.http.failed"]


async def test_expect_100_continue() -> None:
    async with door(echo) as server, server.connect() as stream:
        await stream.send_all(
            b"PUT / HTTP/1.1\r\n" + CLOSE + b"Expect: 100-continue\r\nContent-Length: 1\r\n\r\n"
        )
        assert await stream.receive_some() == b"HTTP/1.1 100 \r\n\r\n"
        await stream.send_all(b"x")
        assert (await rest_of(stream)).endswith(b"PUT / x")


async def no_reader(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers 404 and looks at no body."""
    if scope["type"] == "http":
        await answer(send, b"no", 404)


async def test_a_body_that_nobody_asked_for_is_not_waited_for() -> None:
    async with door(no_reader) as server:
        received = await server.call(
            b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
        )
    assert received.startswith(b"HTTP/1.1 404")
    assert b"connection: close" in received


@pytest.mark.parametrize("size", [0, 10, 200_000])
async def test_an_unread_body_does_not_end_the_connection(size: int) -> None:
    async with door(no_reader) as server:
        request = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
        received = await server.call(request + b"GET / HTTP/1.0\r\n\r\n")
    assert received.count(b"HTTP/1.1 404") == 2


@pytest.mark.parametrize("framing", [b"Content-Length: 900000", b"Transfer-Encoding: chunked"])
async def test_unless_it_is_long(framing: bytes) -> None:
    body = b"dbba0\r\n" + b"x" * 900_000 + b"\r\n0\r\n\r\n" if b"chunked" in framing else b"x" * 900_000
    async with door(no_reader) as server:
        request = b"PUT / HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n" + body
        received = await server.call(request + b"GET / HTTP/1.0\r\n\r\n")
    assert received.count(b"HTTP/1.1 404") == 1


async def stream(scope: Scope, receive: Receive, send: Send) -> None:
    """Two parts of unknown length."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": int(scope["path"][1:]), "headers": []})
        await send({"type": "http.response.body", "body": b"ab", "more_body": True})
        await send({"type": "http.response.body", "body": b"c"})


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        (b"GET /200 HTTP/1.1\r\n" + CLOSE + b"\r\n", b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n"),
        (b"GET /200 HTTP/1.0\r\n\r\n", b"abc"),
        (b"HEAD /200 HTTP/1.1\r\n" + CLOSE + b"\r\n", b""),
        (b"GET /204 HTTP/1.1\r\n" + CLOSE + b"\r\n", b""),
        (b"GET /304 HTTP/1.1\r\n" + CLOSE + b"\r\n", b""),
    ],
)
async def test_a_body_of_unknown_length(
    request_: bytes, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with door(stream) as server:
        received = await server.call(request_)
    assert received.partition(b"\r\n\r\n")[2] == body
    assert not caplog.records


async def test_the_application_sees_the_client_go_and_what_it_sends_then_fails() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        seen.append(await receive())
        seen.append(await receive())
        try:
            await answer(send, b"")
        except OSError as error:
            seen.append(type(error).__name__)
            raise

    async with door(app) as server:
        stream = server.connect()
        await stream.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await trio.testing.wait_all_tasks_blocked()
        assert len(seen) == 1
        await stream.aclose()
        await trio.testing.wait_all_tasks_blocked()
        assert server.metrics.counters["swim.http.failed"] == 0
    assert seen == [
        {"type": "http.request", "body": b"", "more_body": False},
        {"type": "http.disconnect"},
        "ClientGone",
    ]


async def test_a_client_that_floods_while_the_application_waits_counts_as_gone() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            while (await receive())["type"] != "http.disconnect":
                pass

    async with door(app) as server, server.connect() as stream:
        await stream.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + b"x" * 1_000_000)
        with trio.fail_after(5):
            await rest_of(stream)


def raising(when: str) -> Any:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        if when == "silent":
            return
        if when == "in a group":
            async with trio.open_nursery():
                raise ValueError("bug")
        if when != "before":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
            await send({"type": "http.response.body", "body": b"a", "more_body": True})
        if when == "too much":
            await send({"type": "http.response.body", "body": b"abc"})
        raise ValueError("bug")

    return app


@pytest.mark.parametrize("when", ["before", "silent", "in a group", "amid", "too much"])
async def test_a_failing_application_ends_one_connection(when: str, caplog: pytest.LogCaptureFixture) -> None:
    async with door(raising(when)) as server:
        for _ in range(2):
            received = await server.call(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert received.startswith(b"HTTP/1.1 200" if when in ("amid", "too much") else b"HTTP/1.1 500")
        assert server.metrics.counters["swim.http.failed"] == 2
    assert [(record.name, record.levelno) for record in caplog.records] == 2 * [
        ("swim.http.server", logging.ERROR)
    ]


class BrokenStream(trio.abc.ReceiveStream):
    """Fails as no stream should."""

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        raise ValueError("bug")

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()


def broken_pair() -> tuple[Any, Any]:
    ours, theirs = trio.testing.memory_stream_pair()
    return ours, trio.StapledStream(theirs.send_stream, BrokenStream())


async def test_a_failing_connection_ends_alone(caplog: pytest.LogCaptureFixture) -> None:
    async with door(echo) as server:
        assert await rest_of(server.connect(broken_pair)) == b""
        assert (await server.call(b"GET / HTTP/1.0\r\n\r\n")).endswith(b"GET / ")
        assert server.metrics.counters["swim.http.failed"] == 1
    (record,) = caplog.records
    assert record.getMessage() == "connection from a client closed: ValueError"


async def test_an_application_that_fails_while_it_is_cancelled_ends_alone(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.sleep_forever)
                try:
                    await trio.sleep_forever()
                finally:
                    raise ValueError("bug")

    async with door(app) as server:
        await server.connect().send_all(b"GET / HTTP/1.0\r\n\r\n")
        await trio.testing.wait_all_tasks_blocked()
        server.stop()
    (record,) = caplog.records
    assert record.getMessage() == "connection from a client closed: ExceptionGroup"


# -- lifespan


async def test_lifespan_surrounds_the_requests_and_shares_its_state() -> None:
    order: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            order.append(scope["state"]["name"])
            await answer(send, b"")
            return
        assert (await receive())["type"] == "lifespan.startup"
        scope["state"]["name"] = "request"
        order.append("startup")
        await send({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        order.append("shutdown")
        await send({"type": "lifespan.shutdown.complete"})

    async with door(app) as server:
        await server.call(b"GET / HTTP/1.0\r\n\r\n")
    assert order == ["startup", "request", "shutdown"]


async def test_an_application_that_cannot_start(autojump_clock: trio.testing.MockClock) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(RuntimeError, match=r"^the application did not start: no database$"):
        await serve(app, AgentSettings(http="127.0.0.1:0"))


async def test_a_lifespan_that_breaks_or_never_ends_keeps_nobody(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.complete"})
        raise ValueError("bug")

    async def hangs(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.complete"})
        await trio.sleep_forever()

    for app in (breaks, hangs):
        async with door(app):
            pass
    (record,) = caplog.records
    assert "ValueError" in record.getMessage()
