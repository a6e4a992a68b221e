"""Leaves that some nodes missed, members that come back after a leave, and forged leaves."""

from __future__ import annotations

import pytest

from sims.world import World
from sims.world.host import SimNode
from swim.addresses import join_host_port
from swim.config import Config
from swim.events import MemberEvent, MemberJoined, MemberLeft
from swim.wire.codec import encode
from swim.wire.messages import Dead

pytestmark = pytest.mark.slow


def news_of(name: str, node: SimNode) -> list[type[MemberEvent]]:
    return [type(e) for e in node.events if isinstance(e, MemberEvent) and e.member.name == name]


@pytest.mark.parametrize("delegate_version", [0, 5], ids=["plain", "serf"])
@pytest.mark.parametrize("seconds", [60.0, 7200.0], ids=["a minute", "two hours"])
def test_a_leave_missed_during_a_cut_is_learnt_when_it_heals(delegate_version: int, seconds: float) -> None:
    config = Config.lan(name="n", delegate_version=delegate_version)
    world = World(3, nodes=5, config=config, start="converged")
    others = [name for name in world.nodes if name not in ("n1", "n2")]
    world.network.partition(["n1"], ["n2", *others])
    world.run_for(20.0)
    world.leave("n2")
    world.run_for(seconds)
    assert world.host("n1").statuses()["n2"] == "failed"
    world.network.heal()
    assert world.run_until(
        lambda w: all(w.host(name).statuses()["n2"] == "left" for name in ("n1", *others)), 300.0
    )
    world.run_for(60.0)
    assert world.agree


@pytest.mark.parametrize("delegate_version", [0, 5], ids=["plain", "serf"])
@pytest.mark.parametrize("seconds", [10.0, 120.0], ids=["remembered", "reaped"])
def test_a_member_that_comes_back_after_its_leave_joins_once(delegate_version: int, seconds: float) -> None:
    config = Config.local(name="n", delegate_version=delegate_version)
    world = World(4, nodes=6, config=config, start="converged")
    world.leave("n2")
    world.run_for(seconds)
    watching = [world.host(name) for name in world.nodes if name != "n2"]
    for node in watching:
        node.events.clear()
    seeds = (join_host_port(*world.host("n1").endpoint),)
    world.restart("n2", snapshot=False, config=world.host("n2").config.with_changes(seeds=seeds))
    assert world.run_until(lambda w: all(n.statuses().get("n2") == "alive" for n in watching), 2.0)
    world.run_for(20.0)
    for node in watching:
        assert news_of("n2", node).count(MemberJoined) == 1
        assert MemberLeft not in news_of("n2", node)


@pytest.mark.parametrize("spoofed", [False, True], ids=["from anywhere", "from its address"])
def test_a_forged_leave_is_refuted_within_a_round_trip(spoofed: bool) -> None:
    world = World(5, nodes=6, config=Config.lan(name="n"), start="converged")
    victim, fooled = world.host("n2"), world.host("n1")
    source = victim.endpoint if spoofed else ("10.9.9.9", 9)
    world.inject(fooled, encode(Dead(victim.node.local.incarnation, "n2", "n2")), source)
    assert world.run_until(lambda w: victim.node.local.incarnation > 1, 0.1)
    world.run_for(0.1)
    assert fooled.statuses()["n2"] == "alive"
    if not spoofed:
        assert MemberLeft not in news_of("n2", fooled)
    world.run_for(30.0)
    assert world.agree
    assert all(MemberLeft not in news_of("n2", n) for n in world.running() if n is not fooled)
