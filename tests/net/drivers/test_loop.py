"""The loop: input before timers, oversleep, commands from other tasks, floods, failing sends."""

from __future__ import annotations

import errno

import pytest
import trio
from trio.testing import MockClock

from swim.commands import Join
from swim.core.output import Dial, Lookup, StreamEnd, Transmit
from swim.errors import LocalError
from swim.net.faults import LinkFaults
from tests.net.conftest import until
from tests.net.fake_node import FakeNode
from tests.net.memory import MemoryNetwork
from tests.net.rigs import Driving

PEER = ("10.0.0.9", 7946)


@pytest.mark.parametrize("late", [0.01, 4.0])
async def test_packets_that_wait_go_in_before_a_due_timer(
    driving: Driving, network: MemoryNetwork, mock_clock: MockClock, late: float
) -> None:
    node = FakeNode()
    node.deadline = trio.current_time() + 1.0
    peer = network.transport(*PEER)
    async with driving(node, network.transport("10.0.0.1")):
        await trio.testing.wait_all_tasks_blocked()
        peer.send(("10.0.0.1", 7946), b"late")
        mock_clock.jump(1.0 + late)
        await trio.testing.wait_all_tasks_blocked()
    assert [call[0] for call in node.calls] == ["start", "packet", "timeout"]
    assert node.named("timeout") == [(pytest.approx(late if late > 1.0 else 0.0),)]


async def test_oversleep_is_reported_though_the_packet_came_that_the_timer_was_for(
    driving: Driving, network: MemoryNetwork, mock_clock: MockClock
) -> None:
    node = FakeNode()
    node.deadline = trio.current_time() + 1.0
    node.is_answered_by_packets = True
    peer = network.transport(*PEER)
    async with driving(node, network.transport("10.0.0.1")):
        await trio.testing.wait_all_tasks_blocked()
        peer.send(("10.0.0.1", 7946), b"an ack that waited")
        mock_clock.jump(5.0)
        await trio.testing.wait_all_tasks_blocked()
    assert [call[0] for call in node.calls] == ["start", "packet", "timeout"]
    assert node.named("timeout") == [(pytest.approx(4.0),)]


async def test_a_timer_on_time_did_not_oversleep(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    node = FakeNode()
    due = node.deadline = trio.current_time() + 1.0
    async with driving(node, network.transport("10.0.0.1")):
        await until(lambda: node.named("timeout"))
    assert node.named("timeout") == [(0.0,)]
    assert node.at[-1] == pytest.approx(due, abs=0.001)


async def test_a_command_moves_the_alarm_of_the_waiting_loop(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    node = FakeNode()
    async with driving(node, network.transport("10.0.0.1")) as driver:
        await trio.sleep(1.0)
        due = node.deadline = trio.current_time() + 0.5
        driver.call(node.join, ())
        await until(lambda: node.named("timeout"), within=2.0)
    assert node.at[-1] == pytest.approx(due, abs=0.001)


async def test_a_flood_is_taken_in_portions(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    network.latency = 0.0
    node = FakeNode()
    node.config = node.config.with_changes(handoff_queue_depth=10)
    peer = network.transport(*PEER)
    turns_elsewhere = set()
    async with driving(node, network.transport("10.0.0.1")):
        await trio.testing.wait_all_tasks_blocked()
        for i in range(100):
            peer.send(("10.0.0.1", 7946), b"%d" % i)
        while len(node.named("packet")) < 100:
            await trio.lowlevel.checkpoint()
            turns_elsewhere.add(len(node.named("packet")))
    assert [data for data, _ in node.named("packet")] == [b"%d" % i for i in range(100)]
    assert len(turns_elsewhere) >= 4, "other tasks must run between the portions"


async def test_a_failing_send_is_told_to_the_node_and_looked_after_at_once(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    node = FakeNode()
    transport = network.transport("10.0.0.1")
    async with driving(node, transport) as driver:
        transport.send_error = OSError(errno.ENETUNREACH, "Network is unreachable")
        node.wishes.transmits.append(Transmit(PEER, b"x"))
        driver.call(node.join, ())
        assert node.named("send_failed") == [(PEER, "[Errno 101] Network is unreachable")]
        transport.send_error = None
        peer = network.transport(*PEER)
        node.wishes.transmits.append(Transmit(PEER, b"consequence"))
        await trio.sleep(0.1)
        assert peer.receive()[0] == b"consequence"


async def test_a_full_send_buffer_drops_and_counts(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    node = FakeNode()
    transport = network.transport("10.0.0.1")
    async with driving(node, transport) as driver:
        transport.send_error = BlockingIOError()
        node.wishes.transmits.append(Transmit(PEER, b"x"))
        driver.call(node.join, ())
    assert node.named("send_failed") == []
    assert node.metrics.counters["swim.dropped.send-buffer-full"] == 1


async def test_a_paused_node_stands_still_and_oversleeps(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    node = FakeNode()
    node.deadline = trio.current_time() + 1.0
    faults = LinkFaults()
    peer = network.transport(*PEER)
    async with driving(node, network.transport("10.0.0.1"), faults=faults) as driver:
        await trio.sleep(0.5)
        faults.pause()
        peer.send(("10.0.0.1", 7946), b"waits")
        node.wishes.transmits.append(Transmit(PEER, b"held"))
        driver.call(node.join, ())
        await trio.sleep(10.0)
        assert node.named("packet") == node.named("timeout") == []
        with pytest.raises(BlockingIOError):
            peer.receive()
        faults.resume()
        await trio.sleep(0.1)
        assert peer.receive()[0] == b"held"
    assert [call[0] for call in node.calls[-2:]] == ["packet", "timeout"]
    assert node.named("timeout") == [(pytest.approx(9.5, abs=0.01),)]


async def test_blocked_endpoints_and_loss(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    node = FakeNode()
    faults = LinkFaults()
    peer, other = network.transport(*PEER), network.transport("10.0.0.8")
    async with driving(node, network.transport("10.0.0.1"), faults=faults) as driver:
        faults.block([PEER])
        for transport in (peer, other):
            transport.send(("10.0.0.1", 7946), b"hello")
            node.wishes.transmits.append(Transmit(transport.endpoint, b"hello"))
        driver.call(node.join, ())
        await trio.sleep(0.1)
        assert node.named("packet") == [(b"hello", other.endpoint)]
        other.receive()
        with pytest.raises(BlockingIOError):
            peer.receive()
        node.wishes.streams.append(Dial(1, PEER, b"", trio.current_time() + 1.0))
        driver.call(node.join, ())
        await until(lambda: node.named("ended"))
        assert node.named("ended") == [(1, StreamEnd.TIMEOUT, "")]
        faults.unblock()
        faults.loss = 1.0
        peer.send(("10.0.0.1", 7946), b"lost")
        await trio.sleep(0.1)
        faults.loss = 0.0
        peer.send(("10.0.0.1", 7946), b"through")
        await trio.sleep(0.1)
    assert node.named("packet")[1:] == [(b"through", PEER)]


async def test_lookups(driving: Driving, network: MemoryNetwork, autojump_clock: MockClock) -> None:
    network.names = {"seed.example": ["10.0.0.1", "10.0.0.2", "fd00::1"], "six.example": ["fd00::1"]}
    node = FakeNode()
    addresses = [
        "10.0.0.5",
        "10.0.0.5:99",
        "[fd00::1]:99",
        "a/seed.example:1",
        "six.example",
        "gone.example",
        "10.0.0.5:",
        "/10.0.0.5",
    ]
    async with driving(node, network.transport("10.0.0.1", 7000)) as driver:
        driver.call(node.join, addresses)
        await until(lambda: len(node.named("resolved")) == len(addresses))
    found = {address: (endpoints, error) for address, endpoints, error in node.named("resolved")}
    wrong_family = "has no IPv4 address, the family this node is bound to"
    assert found == {
        "10.0.0.5": ((("10.0.0.5", 7000),), ""),
        "10.0.0.5:99": ((("10.0.0.5", 99),), ""),
        "[fd00::1]:99": ((), f"fd00::1 {wrong_family}"),
        "a/seed.example:1": ((("10.0.0.1", 1), ("10.0.0.2", 1)), ""),
        "six.example": ((), f"six.example {wrong_family}"),
        "gone.example": ((), "Name or service not known"),
        "10.0.0.5:": ((), "'10.0.0.5:' ends in ':' without a port"),
        "/10.0.0.5": ((), "'/10.0.0.5' has an empty node name before '/'"),
    }
    assert sorted(network.lookups) == ["gone.example", "seed.example", "six.example"]


async def test_a_lookup_under_way_is_not_begun_again(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    network.names = {"seed.example": ["10.0.0.2"]}
    node = FakeNode()
    async with driving(node, network.transport("10.0.0.1")) as driver:
        for _ in range(3):
            driver.call(node.join, ["seed.example"])
        await trio.sleep(1.0)
        assert len(node.named("resolved")) == 1
        driver.call(node.join, ["seed.example"])
        await trio.sleep(1.0)
    assert network.lookups == ["seed.example"] * 2


async def test_a_lookup_that_hangs_times_out(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    network.latency = 1000.0
    node = FakeNode()
    node.wishes.lookups.append(Lookup("slow.example"))
    async with driving(node, network.transport("10.0.0.1")):
        await until(lambda: node.named("resolved"), within=2.0)
    assert node.named("resolved") == [("slow.example", (), "the name lookup timed out")]


async def test_a_node_may_stop_everything(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    node = FakeNode()
    with trio.CancelScope():
        async with driving(node, network.transport("10.0.0.1")) as driver:
            node.wishes.stop = "lost the name"
            driver.call(node.join, ())
            await trio.sleep(1.0)
            pytest.fail("the nursery must be cancelled")
    assert driver.stopped == "lost the name"


async def test_closing_ends_commands(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    node = FakeNode()
    async with driving(node, network.transport("10.0.0.1")) as driver:
        ticket = driver.submit(Join([]))
        assert not ticket.is_done
    with pytest.raises(LocalError, match="closed"):
        _ = ticket.result


@pytest.mark.parametrize("inbound", [True, False])
async def test_a_one_way_block_stops_packets_of_one_direction_and_all_streams(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock, *, inbound: bool
) -> None:
    node, faults, peer = FakeNode(), LinkFaults(), network.transport(*PEER)
    async with driving(node, network.transport("10.0.0.1"), faults=faults) as driver:
        faults.block([PEER], inbound=inbound, outbound=not inbound)
        peer.send(("10.0.0.1", 7946), b"in")
        node.wishes.transmits.append(Transmit(PEER, b"out"))
        node.wishes.streams.append(Dial(1, PEER, b"", trio.current_time() + 1.0))
        driver.call(node.join, ())
        await until(lambda: node.named("ended"))
        assert node.named("ended") == [(1, StreamEnd.TIMEOUT, "")]
        assert node.named("packet") == ([] if inbound else [(b"in", PEER)])
        if inbound:
            assert peer.receive()[0] == b"out"
        else:
            with pytest.raises(BlockingIOError):
                peer.receive()
        faults.unblock([PEER])
        assert not faults.blocked
        assert not faults.stops_some
