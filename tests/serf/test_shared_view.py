"""Nodes that start from one shared view of a cluster at rest."""

from __future__ import annotations

import random
import tracemalloc
from typing import Any

import pytest

from swim.commands import ForceLeave, Leave, SetTags
from swim.config import Config
from swim.core.rng import Rng
from swim.errors import LocalError
from swim.events import MemberFailed, MemberJoined
from swim.node import BaseView, Node
from tests.clusters import add, agree, all_see, cluster, events_of, world_of


def contents(view: BaseView) -> list[Any]:
    """Everything a shared view holds, to compare."""
    entries = [(n, [getattr(e, s) for s in e.__slots__]) for n, e in view.roster.entries.items()]
    return [
        dict(view.table.records),
        [record.as_wire() for record in view.table.records.values()],
        entries,
        view.roster.members,
        list(view.table.names),
        dict(view.table.endpoints),
    ]


def node(name: str, port: int) -> Node:
    config = Config.lan(name=name, bind=f"127.0.0.1:{port}", tags={"build": "1.2.3", "dc": "dc1"})
    rng = Rng(random.Random(port))
    return Node(config, advertise=("127.0.0.1", port), bind_port=port, rng=rng)


def test_all_are_listed_at_once_and_nothing_happens() -> None:
    world = world_of(20, start="converged", tags={"role": "web"})
    nodes = list(world.nodes.values())
    assert agree(nodes)
    world.run_for(200)
    assert not any(node.events for node in nodes)
    assert nodes[3].node.local.tags == {"role": "web"}


def test_what_happens_to_one_is_seen_by_all_and_leaves_the_view_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[BaseView] = []

    class Kept(BaseView):
        def __init__(self, *args: Any, **settings: Any) -> None:
            super().__init__(*args, **settings)
            made.append(self)

    monkeypatch.setattr("sims.world.driver.BaseView", Kept)
    world = world_of(12, start="converged")
    [view] = made
    before = contents(view)
    killed, left, retagged, forced, restarted, *others = world.nodes.values()
    world.crash(killed)
    left.do(Leave())
    retagged.do(SetTags({"role": "db"}))
    world.restart(restarted, snapshot=False)
    restarted.join([others[0]])
    world.run_for(60)
    world.crash(forced)
    world.run_for(60)
    others[0].do(ForceLeave("n4", prune=True))
    add(world, "n13").join([others[1]])
    world.run_for(60)
    for name, status in (
        ("n1", "failed"),
        ("n2", "left"),
        ("n4", "absent"),
        ("n5", "alive"),
        ("n13", "alive"),
    ):
        assert all_see(others, name, status), name
    assert all(peer.member("n3").tags == {"role": "db"} for peer in others)  # type: ignore[union-attr]
    assert contents(view) == before


def test_it_is_like_a_cluster_that_joined() -> None:
    """The same kill takes about as long to be known in both."""
    seconds = []
    for start in ("joined", "from a view"):
        world = cluster(10, 5)[0] if start == "joined" else world_of(10, 5, start="converged")
        world.run_for(60)
        victim, since = world.host("n5"), world.now
        world.crash(victim)
        rest = [node for node in world.nodes.values() if node is not victim]
        assert world.run_until(lambda _, rest=rest: all_see(rest, "n5", "failed"), 60)
        seconds.append(world.now - since)
        assert len(events_of(rest, MemberFailed)) == 9
    assert max(seconds) < 3 * min(seconds)


def test_a_member_that_is_back_is_announced_as_joined() -> None:
    world = world_of(6, start="converged")
    *rest, back = sorted(world.nodes.values(), key=lambda node: node.id == "n3")
    world.crash(back)
    world.run_for(40)
    world.restart(back, snapshot=False)
    back.join([rest[0]])
    world.run_for(30)
    assert agree([*rest, back])
    assert len(events_of(rest, MemberJoined, "n3")) == 5


def test_a_view_that_does_not_list_the_node_as_it_is_is_refused() -> None:
    first, second, third = node("a", 7001), node("b", 7002), node("c", 7003)
    view = BaseView([first.claim, second.claim._replace(incarnation=7)])
    first.start(0.0, view=view)
    for other in (second, third):
        with pytest.raises(LocalError, match="does not list"):
            other.start(0.0, view=view)
    second.start(0.0)
    assert len(second.members()) == 1


def test_a_node_keeps_little_of_a_large_view_for_itself() -> None:
    first = node("n1", 7001)
    names = range(2, 2001)
    claims = [first.claim._replace(node=f"n{i}", addr=bytes((127, 1, i >> 8, i & 255))) for i in names]
    view = BaseView([first.claim, *claims])
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        second = node("n1", 7001)
        second.start(0.0, view=view)
        assert len(second.members()) == 2000
        while not second.poll().transmits:
            now = second.next_deadline()
            assert now is not None
            second.handle_timeout(now)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 100 * 1024
