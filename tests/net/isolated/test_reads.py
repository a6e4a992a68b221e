"""How often the loop of an isolated node asks its socket: a quiet node pays for each call."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from swim.addresses import Endpoint
from tests.net.fake_node import FakeNode
from tests.net.memory import MemoryNetwork, MemoryTransport
from tests.net.rigs import on_a_loop

OURS, PEER = ("10.0.0.1", 7946), ("10.0.0.9", 7946)


def reads_of(transport: MemoryTransport) -> list[bytes]:
    """What each read of its socket gave; nothing is b""."""
    reads: list[bytes] = []
    receive = transport.receive

    def noted() -> tuple[bytes, Endpoint]:
        reads.append(b"")
        packet = receive()
        reads[-1] = packet[0]
        return packet

    transport.receive = noted  # type: ignore[method-assign]
    return reads


async def test_a_packet_takes_one_read_and_a_timer_on_time_none(autojump_clock: MockClock) -> None:
    network, node = MemoryNetwork(), FakeNode()
    transport, peer = network.transport(*OURS), network.transport(*PEER)
    reads = reads_of(transport)
    node.deadline = trio.current_time() + 0.65
    async with on_a_loop(node, transport):
        await trio.sleep(0.1)
        for number in range(10):
            peer.send(OURS, b"%d" % number)
            await trio.sleep(0.1)
    assert node.named("timeout") == [(0.0,)]
    assert reads == [b"%d" % number for number in range(10)]


async def test_packets_that_follow_each_other_are_read_together(autojump_clock: MockClock) -> None:
    network, node = MemoryNetwork(), FakeNode()
    transport, peer = network.transport(*OURS), network.transport(*PEER)
    reads = reads_of(transport)
    async with on_a_loop(node, transport):
        await trio.sleep(1.0)
        for number in range(10):
            peer.send(OURS, b"%d" % number)
        await trio.sleep(0.1)
    assert [data for data, _ in node.named("packet")] == [b"%d" % number for number in range(10)]
    assert reads == [b"%d" % number for number in range(10)] + [b""]


async def test_a_timer_that_fires_late_reads_once_more_first(autojump_clock: MockClock) -> None:
    network, node = MemoryNetwork(), FakeNode()
    transport = network.transport(*OURS)
    reads = reads_of(transport)
    async with on_a_loop(node, transport) as loop:
        node.deadline = trio.current_time() + 1.0
        loop.call(node.join, ())
        await trio.sleep(0.5)
        reads.clear()
        autojump_clock.jump(0.52)
        await trio.sleep(0.1)
    assert len(node.named("timeout")) == 1
    assert reads == [b""]
