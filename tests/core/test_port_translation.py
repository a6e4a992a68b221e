"""Members behind port translation: what they send comes from another port than the one they advertise."""

from __future__ import annotations

import pytest

from sims.measure import FalsePositives
from sims.world import World
from sims.world.network import Nat
from swim.config import Config

PORT, OTHER_PORT = 7777, 40_000


def grow(world: World, name: str, *, tcp_pings: bool, is_translated: bool) -> None:
    """A new member that joins the first one."""
    endpoint = world.fresh_endpoint()
    host = endpoint[0]
    port = PORT if is_translated else endpoint[1]
    seeds = [f"{node.node.local.address}:{node.node.local.port}" for node in list(world.nodes.values())[:1]]
    config = Config.lan(
        name=name, bind=f"{host}:{endpoint[1]}", advertise=f"{host}:{port}", disable_tcp_pings=not tcp_pings
    )
    world.add(name, config=config, endpoint=endpoint, seeds=seeds)
    if is_translated:
        world.translate(name, Nat((host, PORT), restricted=False, outgoing=(host, OTHER_PORT)))


def cluster(world: World, count: int, *, tcp_pings: bool, translated: int) -> None:
    """``n1``, ``n2``, ..., the last ``translated`` of them behind port translation."""
    for number in range(count):
        grow(world, f"n{number + 1}", tcp_pings=tcp_pings, is_translated=number >= count - translated)
        world.run_for(1.0)
    world.run_for(20.0)
    assert world.converged


@pytest.mark.parametrize("tcp_pings", [True, False], ids=["tcp pings", "no tcp pings"])
@pytest.mark.parametrize("translated", [1, 5], ids=["one of them", "all of them"])
def test_members_behind_port_translation_are_believed(tcp_pings: bool, translated: int) -> None:
    """By direct probes and by verification, without a stream."""
    wrong = FalsePositives()
    world = World(3, nodes=0, observers=[wrong])
    cluster(world, 5, tcp_pings=tcp_pings, translated=translated)
    world.run_for(60.0)
    assert world.converged
    assert wrong.suspected == 0
    for node in world.nodes.values():
        counters = node.metrics.counters
        assert counters["swim.probe.stream-only"] == counters["memberlist.degraded.probe"] == 0
        assert counters["swim.dropped.unmatched-ack"] == counters["swim.dropped.unexpected-nack"] == 0
        assert all(record.verified for record in node.inspect().table)


def test_relayed_acks_and_nacks_pass_through_translated_ports() -> None:
    """Two members cannot reach each other: relays vouch for them, and later report that a third is gone."""
    wrong = FalsePositives()
    world = World(4, nodes=0, observers=[wrong])
    cluster(world, 4, tcp_pings=False, translated=4)
    cut = world.network.cut(["n1"], ["n2"])
    world.run_for(30.0)
    assert wrong.suspected == 0
    assert world.host("n1").inspect().health_score == 0
    world.network.heal(cut)
    world.crash("n3")
    world.run_for(30.0)
    gone = world.host("n1").member("n3")
    assert gone is not None
    assert gone.status == "failed"
    assert world.host("n1").metrics.counters["swim.dropped.unexpected-nack"] == 0
    assert world.host("n1").inspect().health_score == 0, "each relay's nack was counted"
