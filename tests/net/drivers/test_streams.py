"""Streams between one node's driver and a scripted peer, over real loopback sockets and in memory."""

from __future__ import annotations

import errno
import itertools
import os
import socket
import struct

import pytest
import trio
from trio.testing import MockClock

from swim.config import Config
from swim.core.output import Close, Dial, Output, Send, StreamAction, StreamEnd
from swim.net.stream_rules import why_ended
from swim.node import Accepted
from tests.net.conftest import until
from tests.net.fake_node import FakeNode
from tests.net.memory import MemoryNetwork
from tests.net.rigs import Driving, OnSockets

PEER = ("10.0.0.9", 7946)


def wanting(action: StreamAction) -> Output:
    output = Output()
    output.streams.append(action)
    return output


async def test_a_dial_writes_reads_and_reports_the_end(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    node = FakeNode()
    peer = network.transport(*PEER)
    async with driving(node, network.transport("10.0.0.1")) as driver:
        node.wishes.streams.append(Dial(7, PEER, b"question", trio.current_time() + 5.0))
        driver.call(node.join, ())
        stream, _ = await peer.accept()
        assert await stream.receive_some(100) == b"question"
        await stream.send_all(b"ans")
        await trio.sleep(1.0)
        await stream.send_all(b"wer")
        await stream.aclose()
        await until(lambda: node.named("ended"))
    assert node.named("stream") == [(7, b"ans"), (7, b"wer")]
    assert node.named("ended") == [(7, StreamEnd.EOF, "")]


async def test_a_silent_peer_times_out_at_the_deadline(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    node = FakeNode()
    peer = network.transport(*PEER)
    async with driving(node, network.transport("10.0.0.1")) as driver:
        due = trio.current_time() + 5.0
        node.wishes.streams.append(Dial(7, PEER, b"question", due))
        driver.call(node.join, ())
        stream, _ = await peer.accept()
        await until(lambda: node.named("ended"))
        assert node.at[-1] == pytest.approx(due, abs=0.01)
        assert await stream.receive_some(100) == b"question"
        assert await stream.receive_some(100) == b"", "our side must be closed"
    assert node.named("ended") == [(7, StreamEnd.TIMEOUT, "")]


@pytest.mark.parametrize(("latency", "ends_after"), [(1.1, 2.0), (0.9, 5.0)])
async def test_a_dial_connects_in_time_or_ends(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock, latency: float, ends_after: float
) -> None:
    """Connecting takes two latencies here, and the peer says nothing."""
    node = FakeNode()
    _peer = network.transport(*PEER)
    network.latency = latency
    async with driving(node, network.transport("10.0.0.1")) as driver:
        now = trio.current_time()
        node.wishes.streams.append(Dial(7, PEER, b"question", now + 5.0, connect_by=now + 2.0))
        driver.call(node.join, ())
        await until(lambda: node.named("ended"))
        assert node.at[-1] == pytest.approx(now + ends_after, abs=0.01)
    assert node.named("ended") == [(7, StreamEnd.TIMEOUT, "")]


async def test_a_closed_stream_reports_nothing(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    node = FakeNode()
    peer = network.transport(*PEER)
    async with driving(node, network.transport("10.0.0.1")) as driver:
        node.wishes.streams.append(Dial(7, PEER, b"question", trio.current_time() + 5.0))
        node.on_stream = wanting(Close(7))
        driver.call(node.join, ())
        stream, _ = await peer.accept()
        await stream.receive_some(100)
        await stream.send_all(b"enough")
        await trio.sleep(0.1)
        assert await stream.receive_some(100) == b""
        await trio.sleep(10.0)
    assert node.named("ended") == []


async def test_closing_a_dial_before_it_connects(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    node = FakeNode()
    network.latency = 3.0
    async with driving(node, network.transport("10.0.0.1")) as driver:
        node.wishes.streams.append(Dial(7, PEER, b"", trio.current_time() + 50.0))
        driver.call(node.join, ())
        await trio.sleep(1.0)
        node.wishes.streams.append(Close(7))
        driver.call(node.join, ())
        await trio.sleep(100.0)
    assert node.named("ended") == []


async def test_a_refused_dial(driving: Driving, network: MemoryNetwork, autojump_clock: MockClock) -> None:
    node = FakeNode()
    async with driving(node, network.transport("10.0.0.1")) as driver:
        node.wishes.streams.append(Dial(7, PEER, b"", trio.current_time() + 5.0))
        driver.call(node.join, ())
        await until(lambda: node.named("ended"))
    assert node.named("ended") == [(7, StreamEnd.REFUSED, "Connection refused")]


async def test_an_answer_may_come_later_than_the_question(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    node = FakeNode()
    node.accepts = [Accepted(3, trio.current_time() + 5.0)]
    peer = network.transport(*PEER)
    async with driving(node, network.transport("10.0.0.1")) as driver:
        stream = await peer.connect(("10.0.0.1", 7946))
        await stream.send_all(b"question")
        await trio.sleep(1.0)
        node.wishes.streams.append(Send(3, b"answer", trio.current_time() + 5.0))
        driver.call(node.join, ())
        assert await stream.receive_some(100) == b"answer"
        assert await stream.receive_some(100) == b"", "the answer ends our side"
        await stream.send_all(b"more, which is discarded")
        await stream.aclose()
        await until(lambda: node.named("ended"))
    assert node.named("stream") == [(3, b"question")]
    assert node.named("ended") == [(3, StreamEnd.EOF, "")]


async def test_a_peer_that_never_closes_is_drained_for_a_moment_only(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    node = FakeNode()
    began = trio.current_time()
    node.accepts = [Accepted(3, began + 50.0)]
    peer = network.transport(*PEER)
    async with driving(node, network.transport("10.0.0.1")):
        node.on_stream = wanting(Send(3, b"answer", began + 50.0))
        stream = await peer.connect(("10.0.0.1", 7946))
        await stream.send_all(b"question")
        await until(lambda: node.named("ended"))
    assert node.at[-1] - began < 2.0


async def test_a_refused_stream_is_closed_unread(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    node = FakeNode()
    peer = network.transport(*PEER)
    async with driving(node, network.transport("10.0.0.1")):
        stream = await peer.connect(("10.0.0.1", 7946))
        assert await stream.receive_some(100) == b""
    assert [call[0] for call in node.calls] == ["start", "accept"]


async def test_accepting_goes_on_when_descriptors_run_out(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    node = FakeNode()
    transport = network.transport("10.0.0.1")
    peer = network.transport(*PEER)
    transport.accept_errors = [OSError(errno.EMFILE, "Too many open files") for _ in range(12)]
    async with driving(node, transport):
        stream = await peer.connect(("10.0.0.1", 7946))
        assert await stream.receive_some(100) == b""
    pauses = [later - earlier for earlier, later in itertools.pairwise(transport.refused_at)]
    assert pauses[0] == pytest.approx(0.005)
    assert max(pauses) == pytest.approx(1.0)


async def test_an_error_reply_survives_a_request_still_being_written(on_sockets: OnSockets) -> None:
    """Closing at once, with the peer's bytes unread, would send a reset instead of the reply."""
    node = FakeNode()
    node.accepts = [Accepted(3, trio.current_time() + 5.0)]
    async with on_sockets(node) as (_, endpoint):
        node.on_stream = wanting(Send(3, b"no", trio.current_time() + 5.0))
        stream = await trio.open_tcp_stream(*endpoint)
        await stream.send_all(bytes(4_000_000))
        await stream.send_eof()
        assert await stream.receive_some(100) == b"no"
        assert await stream.receive_some(100) == b""
        await stream.aclose()


async def test_a_real_reset_and_a_real_refusal(on_sockets: OnSockets) -> None:
    node = FakeNode()
    listener = socket.create_server(("127.0.0.1", 0))
    async with on_sockets(node) as (driver, _):
        node.wishes.streams.append(Dial(1, listener.getsockname(), b"hi", trio.current_time() + 5.0))
        driver.call(node.join, ())
        peer, _ = await trio.to_thread.run_sync(listener.accept)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        await until(lambda: node.named("ended"))
        listener.close()
        node.wishes.streams.append(Dial(2, listener_endpoint(), b"hi", trio.current_time() + 5.0))
        driver.call(node.join, ())
        await until(lambda: len(node.named("ended")) == 2)
    assert node.named("ended") == [
        (1, StreamEnd.RESET, "Connection reset by peer"),
        (2, StreamEnd.REFUSED, "Connection refused"),
    ]


def listener_endpoint() -> tuple[str, int]:
    """An endpoint without a listener."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint: tuple[str, int] = listener.getsockname()
    return endpoint


@pytest.mark.parametrize(
    ("number", "end"),
    [
        (errno.EHOSTUNREACH, StreamEnd.UNREACHABLE),
        (errno.ETIMEDOUT, StreamEnd.TIMEOUT),
        (errno.EPIPE, StreamEnd.RESET),
        (errno.EMFILE, StreamEnd.LOCAL),
    ],
)
def test_errors_are_sorted(number: int, end: StreamEnd) -> None:
    assert why_ended(OSError(number, "text")) == (end, os.strerror(number))


async def test_replies_that_nobody_reads_give_way_to_other_hosts(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    """A host with many unread replies loses its oldest to a newcomer from elsewhere."""
    node = FakeNode(Config.local(name="fake", max_streams=2))
    rude, polite = network.transport(*PEER), network.transport("10.0.0.8")
    async with driving(node, network.transport("10.0.0.1")):
        held = []
        for number in range(7):
            node.accepts.append(Accepted(number, trio.current_time() + 60.0))
            held.append(await rude.connect(("10.0.0.1", 7946)))
            node.on_stream = wanting(Send(number, bytes(10_000_000), trio.current_time() + 60.0))
            await held[-1].send_all(b"?")
            await trio.sleep(0.01)
        assert len(node.named("accept")) == 6, "the seventh was refused"
        node.accepts = [Accepted(9, trio.current_time() + 60.0)]
        node.on_stream = wanting(Send(9, b"welcome", trio.current_time() + 60.0))
        stream = await polite.connect(("10.0.0.1", 7946))
        await stream.send_all(b"?")
        assert await stream.receive_some(100) == b"welcome"
    assert node.named("ended")[0][0] == 0
