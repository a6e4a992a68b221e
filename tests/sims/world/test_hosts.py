"""Hosts of a world: who may live where, and what a process that stands still or lags behind does."""

from __future__ import annotations

import pytest

from sims.errors import UsageError
from sims.world import World
from sims.world.host import SimNode
from sims.world.latency import Constant, Uniform
from sims.world.network import Link, Nat, Network
from sims.world.observer import Observer, Packet


def settled(nodes: int = 3, network: Network | None = None) -> World:
    world = World(1, nodes=nodes, network=network)
    world.settle()
    return world


def test_a_host_that_is_not_admitted_leaves_nothing_behind() -> None:
    world = settled(nodes=3)
    taken = world.nodes["n1"].endpoint
    with pytest.raises(UsageError, match="x cannot have the address of n1"):
        world.add("x", endpoint=taken)
    with pytest.raises(UsageError, match="n2 cannot have the address of n1"):
        world.restart("n2", endpoint=taken)
    with pytest.raises(UsageError, match="n2 cannot have the address of n1"):
        world.translate("n2", Nat(taken))
    assert list(world.nodes) == ["n1", "n2", "n3"]
    assert world.nodes["n2"].state == "running"
    world.run_for(10)
    assert world.converged


def test_who_moves_out_leaves_the_address_to_who_moved_in() -> None:
    world = settled(nodes=3)
    old = world.nodes["n3"].endpoint
    world.crash("n3")
    world.run_for(20)
    heir = world.add("heir", endpoint=old, seeds=["10.0.0.1:7946"])
    world.restart("n3", endpoint=world.fresh_endpoint())
    world.settle()
    assert world.host_at(old) is heir


def test_an_address_that_was_given_by_hand_is_not_fresh() -> None:
    world = World(1, nodes=1)
    world.add("x", endpoint=("10.0.0.2", 7946))
    assert world.fresh_endpoint() == ("10.0.0.3", 7946)


def test_a_paused_process_takes_no_command() -> None:
    world = settled(nodes=3)
    world.pause("n2")
    for command in (lambda: world.leave("n2"), lambda: world.nodes["n2"].set_tags({"a": "b"})):
        with pytest.raises(UsageError, match="n2 does not run, it is paused"):
            command()
    world.resume("n2")
    world.leave("n2")


def test_who_left_remembers_when_it_comes_back_with_its_snapshot() -> None:
    world = settled(nodes=3)
    world.nodes["n2"].set_tags({"role": "web"})
    world.run_for(5)
    before = world.nodes["n1"].member("n2")
    world.leave("n2")
    world.run_for(10)
    world.restart("n2")
    world.settle()
    after = world.nodes["n1"].member("n2")
    assert before is not None
    assert after is not None
    assert after.incarnation > before.incarnation
    assert "leave" in world.nodes["n2"].snapshot


def test_what_waits_behind_a_block_waits_for_the_next_one_too() -> None:
    sent: list[float] = []

    class Tap(Observer):
        def sent(self, world: World, packet: Packet) -> None:
            if packet.source == "n2":
                sent.append(packet.sent_at)

    world = settled(nodes=6)
    world.observe(Tap())
    began = world.now
    world.block("n2", 5.0)
    world.at(began + 3.0, world.block, "n2", 10.0)
    world.run_for(20)
    assert min(sent) == began + 13.0


class ReadBy(Observer):
    """Numbers of the packets that one host read, in the order in which it did."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.order: list[int] = []

    def received(self, world: World, node: SimNode, packet: Packet) -> None:
        if node.id == self.host:
            self.order.append(packet.number)


@pytest.mark.parametrize("later", [Uniform(0.5, 2.5), None], ids=["goes on", "is fast again"])
def test_a_late_reader_reads_in_order(later: Uniform | None) -> None:
    world, read = settled(network=Network(Link(latency=Constant(0.001)))), ReadBy("n2")
    world.observe(read)
    for reader in (Uniform(0.5, 2.5), later):
        world.nodes["n2"].reader = reader
        world.run_for(10)
    assert len(read.order) > 10
    assert read.order == sorted(read.order)
