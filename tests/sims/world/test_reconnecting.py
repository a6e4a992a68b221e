"""The lost are looked for on one budget of the whole cluster."""

from __future__ import annotations

import pytest

from sims.world import World
from swim import Config

MINUTES = 10


def dials(world: World) -> int:
    """Attempts of all nodes to reach lost members."""
    return sum(node.metrics.counters["swim.rejoin.attempts"] for node in world.running())


@pytest.mark.slow
@pytest.mark.parametrize("nodes", [6, 24])
def test_a_lost_member_costs_about_two_dials_a_minute_however_many_look_for_it(nodes: int) -> None:
    world = World(seed=1, nodes=nodes, config=Config.lan)
    world.settle()
    world.crash("n3")
    world.run_for(60)
    before = dials(world)
    world.run_for(MINUTES * 60)
    assert 1 <= (dials(world) - before) / MINUTES <= 3.5


@pytest.mark.slow
def test_a_member_is_not_looked_for_where_a_successor_lives() -> None:
    world = World(seed=1, nodes=4, config=Config.lan)
    world.settle()
    address = world.host("n3").endpoint
    world.crash("n3")
    world.run_for(30)
    world.add("successor", endpoint=address, seeds=[world.host("n1")])
    world.run_for(60)
    assert world.host("n1").status_of("successor") == "alive"
    before = dials(world)
    world.run_for(300)
    assert dials(world) == before
