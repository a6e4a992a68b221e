"""Nodes that take their time, and take turns."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from sims.world import World
from sims.world.cpu import Processor
from sims.world.host import SimNode
from sims.world.latency import Constant
from sims.world.network import Link, Network
from sims.world.observer import Observer, Packet
from swim.config import Config
from swim.events import MemberSuspected

WORK = 0.01


class Times(Observer):
    """When packets left and were read, by host."""

    def __init__(self) -> None:
        self.sent_at: list[float] = []
        self.read_at: list[tuple[float, str]] = []

    def sent(self, world: World, packet: Packet) -> None:
        self.sent_at.append(packet.sent_at)

    def received(self, world: World, node: SimNode, packet: Packet) -> None:
        self.read_at.append((world.now, node.id))


def at_rest(nodes: int, **settings: object) -> World:
    """A cluster in which nothing happens by itself, on a network without delay."""
    quiet: Mapping[str, object] = {"probe_interval": 0, "push_pull_interval": 0, "rejoin_interval": 0}
    config = Config.lan(name="any", **{**quiet, **settings})
    return World(nodes=nodes, config=config, network=Network(Link(latency=Constant(0.0))), start="converged")


def ping(world: World, target: str, count: int) -> None:
    """Packets that every node reads and drops."""
    for _ in range(count):
        world.driver.packets.send(world.host("n1"), world.host(target).endpoint, b"?")


def test_what_reaches_a_busy_processor_waits_for_its_turn() -> None:
    world, times = at_rest(2), Times()
    world.observe(times)
    world.host("n2").processor = processor = Processor(world, packet=Constant(WORK))
    ping(world, "n2", 3)
    world.run_for(1.0)
    assert [at for at, _ in times.read_at] == pytest.approx([0.0, WORK, 2 * WORK])
    assert processor.busy == pytest.approx(3 * WORK)


def test_nodes_that_share_a_processor_take_turns_and_others_do_not() -> None:
    for shared, moments in ((True, [0.0, WORK]), (False, [0.0, 0.0])):
        world, times = at_rest(3), Times()
        world.observe(times)
        one = Processor(world, packet=Constant(WORK))
        world.host("n2").processor = one
        world.host("n3").processor = one if shared else Processor(world, packet=Constant(WORK))
        ping(world, "n2", 1)
        ping(world, "n3", 1)
        world.run_for(1.0)
        assert [at for at, _ in times.read_at] == pytest.approx(moments)


def test_packets_of_one_turn_leave_one_after_another() -> None:
    world, times = at_rest(2), Times()
    world.observe(times)
    processor = Processor(world, packet=Constant(WORK), send=Constant(0.002))
    world.host("n1").processor = processor
    ping(world, "n2", 3)
    world.run_for(1.0)
    assert times.sent_at == pytest.approx([0.002, 0.004, 0.006])


def test_what_waits_when_the_process_is_paused_is_read_later() -> None:
    world, times = at_rest(2), Times()
    world.observe(times)
    world.host("n2").processor = Processor(world, packet=Constant(WORK))
    ping(world, "n2", 3)
    world.run_for(WORK / 2)
    world.pause("n2")
    world.run_for(1.0)
    assert len(times.read_at) == 1
    world.resume("n2")
    world.run_for(1.0)
    assert len(times.read_at) == 3


@pytest.mark.parametrize(("seconds", "is_late"), [(0.0001, False), (1.0, True)])
def test_a_processor_that_cannot_keep_up_has_its_node_suspected(seconds: float, is_late: bool) -> None:
    world = World(seed=3, nodes=8, start="converged")
    world.host("n5").processor = Processor(world, packet=Constant(seconds))
    world.run_for(30.0)
    events = [event for node in world.running() if node.id != "n5" for event in node.events]
    suspected = {event.member.name for event in events if isinstance(event, MemberSuspected)}
    assert ("n5" in suspected) is is_late
    assert is_late or not suspected


def test_runs_with_processors_repeat() -> None:
    def play() -> list[tuple[float, str]]:
        world, times = World(seed=5, nodes=0), Times()
        world.observe(times)
        processor = Processor(world, packet=Constant(WORK), stream=Constant(WORK), send=Constant(WORK))
        first = world.add()
        first.processor = processor
        for _ in range(4):
            world.add(seeds=[first]).processor = processor
        world.settle()
        return times.read_at

    once = play()
    assert once == play()
    assert len({at for at, _ in once}) == len(once), "no two at the same time"
