"""Observers of a node hear the same with every driver."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from swim.core.output import Close, Dial, Output, Send, Transmit
from swim.net.faults import LinkFaults
from swim.node import Accepted
from tests.net.conftest import until
from tests.net.fake_node import FakeNode
from tests.net.memory import MemoryNetwork
from tests.net.rigs import Driving
from tests.net.test_taps import Ears

HERE, PEER = ("10.0.0.1", 7946), ("10.0.0.9", 7946)


async def test_packets_and_streams_of_both_sides(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    node, ears, faults = FakeNode(), Ears(), LinkFaults()
    faults.tap = ears
    peer = network.transport(*PEER)
    async with driving(node, network.transport(*HERE), faults=faults) as driver:
        node.wishes.transmits.append(Transmit(PEER, b"ping"))
        node.wishes.streams.append(Dial(1, PEER, b"question", trio.current_time() + 5.0))
        driver.call(node.join, ())
        stream, _ = await peer.accept()
        assert await stream.receive_some() == b"question"
        await stream.send_all(b"answer")
        await stream.aclose()
        await until(lambda: node.named("ended"))
        node.accepts = [Accepted(3, trio.current_time() + 5.0)]
        node.on_stream = Output()
        node.on_stream.streams.append(Send(3, b"reply", trio.current_time() + 5.0))
        stream = await peer.connect(HERE)
        await stream.send_all(b"request")
        assert await stream.receive_some() == b"reply"
        await stream.aclose()
        await until(lambda: len(node.named("ended")) == 2)
    assert [(word, data) for word, data, _ in ears.heard] == [
        ("sent", b"ping"),
        ("connected", b""),
        ("sending", b"question"),
        ("got", b"answer"),
        ("closed", b""),
        ("got", b"request"),
        ("sending", b"reply"),
        ("closed", b""),
    ]


async def test_dials_that_fail(driving: Driving, network: MemoryNetwork, autojump_clock: MockClock) -> None:
    node, ears, faults = FakeNode(), Ears(), LinkFaults()
    faults.tap = ears
    network.transport(*PEER)
    faults.block([PEER])
    async with driving(node, network.transport(*HERE), faults=faults) as driver:
        node.wishes.streams.append(Dial(1, PEER, b"x", trio.current_time() + 5.0))
        node.wishes.streams.append(Dial(2, PEER, b"x", trio.current_time() + 50.0))
        node.wishes.streams.append(Dial(3, ("10.0.0.8", 7946), b"x", trio.current_time() + 5.0))
        driver.call(node.join, ())
        await until(lambda: len(node.named("ended")) == 2)
        node.wishes.streams.append(Close(2))
        driver.call(node.join, ())
        await trio.sleep(1.0)
    assert [word for word, _, _ in ears.heard] == [
        "failed: connection refused",
        "failed: timed out",
        "failed: None",
    ]
