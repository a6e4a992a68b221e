"""Costly input: answers leave between packets, other tasks get their turn, and slow packets are reported."""

from __future__ import annotations

import logging

import pytest
import trio
from trio.testing import MockClock

from swim.addresses import Endpoint
from swim.core.gossip import GOSSIP_ROUNDS
from swim.core.output import Transmit
from tests.net.conftest import until
from tests.net.fake_node import FakeNode
from tests.net.memory import MemoryNetwork, MemoryTransport
from tests.net.rigs import Driving

HERE = ("10.0.0.1", 7946)
PEER = ("10.0.0.9", 7946)


class SlowNode(FakeNode):
    """Each input takes a while, and each packet is answered."""

    def __init__(self, clock: MockClock, *, packet: float = 0.0, stream: float = 0.0) -> None:
        super().__init__()
        self._clock, self._packet, self._stream = clock, packet, stream

    def receive_packet(self, now: float, data: bytes, source: Endpoint) -> None:
        super().receive_packet(now, data, source)
        self._clock.jump(self._packet)
        self.wishes.transmits.append(Transmit(source, b"ack " + data))

    def receive_stream(self, now: float, stream_id: int, data: bytes) -> None:
        super().receive_stream(now, stream_id, data)
        self._clock.jump(self._stream)


class GossipingNode(FakeNode):
    """Its timers take a while, in which it may gossip."""

    gossips, seconds = False, 0.0

    def __init__(self, clock: MockClock) -> None:
        super().__init__()
        self._clock = clock

    def handle_timeout(self, now: float, *, overslept: float = 0.0) -> None:
        super().handle_timeout(now, overslept=overslept)
        self._clock.jump(self.seconds)
        if self.gossips:
            self.metrics.count(GOSSIP_ROUNDS)


def sends(transport: MemoryTransport, peer: MemoryTransport, node: FakeNode, count: int) -> list[int]:
    """Sends packets to the node; returns how many it had read each time one of its answers left."""
    read: list[int] = []
    send = transport.send

    def noted(endpoint: Endpoint, data: bytes) -> None:
        read.append(len(node.named("packet")))
        send(endpoint, data)

    transport.send = noted  # type: ignore[method-assign]
    for number in range(count):
        peer.send(HERE, b"%d" % number)
    return read


async def test_answers_leave_while_more_packets_wait(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    network.latency = 0.0
    node = SlowNode(autojump_clock, packet=0.003)
    peer, transport = network.transport(*PEER), network.transport(*HERE)
    async with driving(node, transport):
        await trio.testing.wait_all_tasks_blocked()
        read = sends(transport, peer, node, 40)
        await until(lambda: len(read) == 40)
    assert all(now - number <= 1 for number, now in enumerate(read))


async def test_other_tasks_run_while_costly_packets_wait(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    network.latency = 0.0
    node = SlowNode(autojump_clock, packet=0.009)
    peer = network.transport(*PEER)
    longest = 0.0
    async with driving(node, network.transport(*HERE)):
        await trio.testing.wait_all_tasks_blocked()
        for number in range(60):
            peer.send(HERE, b"%d" % number)
        while len(node.named("packet")) < 60:
            before = trio.current_time()
            await trio.lowlevel.checkpoint()
            longest = max(longest, trio.current_time() - before)
    assert longest < 0.06, "two portions at most"


async def test_a_timer_waits_for_costly_packets_and_hears_that_it_is_late(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    network.latency = 0.0
    node = SlowNode(autojump_clock, packet=0.009)
    peer = network.transport(*PEER)
    async with driving(node, network.transport(*HERE)) as driver:
        await trio.testing.wait_all_tasks_blocked()
        node.deadline = trio.current_time() + 0.01
        driver.call(node.join, ())
        for number in range(60):
            peer.send(HERE, b"%d" % number)
        await until(lambda: node.named("timeout"))
    assert [call[0] for call in node.calls].index("timeout") == 62, "after all packets"
    assert node.named("timeout") == [(pytest.approx(60 * 0.009 - 0.01, abs=0.01),)]


async def test_packets_are_answered_between_the_steps_of_many_streams(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    network.latency = 0.0
    node = SlowNode(autojump_clock, stream=0.006)
    peer, transport = network.transport(*PEER), network.transport(*HERE)
    async with driving(node, transport) as driver:
        await trio.testing.wait_all_tasks_blocked()
        sends(transport, peer, node, 1)
        for step in range(40):
            driver.call(node.receive_stream, 1, b"%d" % step)
        assert node.named("packet"), "read by then"
    kinds = [call[0] for call in node.calls]
    assert kinds.index("packet") <= 4


async def test_a_round_of_gossip_takes_as_long_as_the_turn_that_sends_it(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    node = GossipingNode(autojump_clock)
    async with driving(node, network.transport(*HERE)) as driver:
        for gossips, seconds in [(True, 0.004), (False, 0.5), (True, 0.012)]:
            node.gossips, node.seconds = gossips, seconds
            node.deadline = trio.current_time() + 1.0
            driver.call(node.join, ())
            await trio.sleep(5.0)
    samples = node.metrics.samples["memberlist.gossip"]
    assert (samples.count, samples.sum) == (2, pytest.approx(16.0))


@pytest.mark.parametrize(("seconds", "reported"), [(0.009, 0), (0.011, 1)])
async def test_a_slow_packet_is_reported_with_its_source_and_rarely(
    driving: Driving,
    network: MemoryNetwork,
    autojump_clock: MockClock,
    caplog: pytest.LogCaptureFixture,
    seconds: float,
    reported: int,
) -> None:
    node = SlowNode(autojump_clock, packet=seconds)
    peer = network.transport(*PEER)
    with caplog.at_level(logging.WARNING, "swim.net"):
        async with driving(node, network.transport(*HERE)):
            for _ in range(5):
                peer.send(HERE, b"x")
                await trio.sleep(1.0)
    messages = [record.getMessage() for record in caplog.records if "took" in record.getMessage()]
    assert messages == ["a packet from 10.0.0.9:7946 took 11 ms"] * reported
    assert node.metrics.counters["swim.slow-packets"] == 5 * reported
