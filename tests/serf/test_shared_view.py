"""Nodes that start from one shared view of a cluster at rest."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from swim.commands import ForceLeave, Leave, SetTags
from swim.config import Config
from swim.core.rng import Rng
from swim.errors import LocalError
from swim.events import MemberFailed, MemberJoined
from swim.node import BaseView, Node
from tests.core.views import agree, all_see, events_of
from tests.world import World


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


def test_all_are_listed_at_once_and_nothing_happens(new_world: Callable[..., World]) -> None:
    world = new_world()
    world.converged(20, tags={"role": "web"})
    assert agree(world.all)
    world.run(200)
    assert [peer.events for peer in world.all] == [[]] * 20
    assert world.all[3].node.local.tags == {"role": "web"}


def test_what_happens_to_one_is_seen_by_all_and_leaves_the_view_as_it_was(
    new_world: Callable[..., World],
) -> None:
    world = new_world()
    view = world.converged(12)
    before = contents(view)
    killed, left, retagged, forced, restarted, *others = world.all
    world.kill(killed)
    world.command(left, Leave())
    world.command(retagged, SetTags({"role": "db"}))
    world.kill(restarted)
    again = world.add("n5", 7004)
    world.join(again, others[0])
    world.run(60)
    world.kill(forced)
    world.run(60)
    world.command(others[0], ForceLeave("n4", prune=True))
    world.add("n13", 7900)
    world.join(world.all[-1], others[1])
    world.run(60)
    for name, status in (
        ("n1", "failed"),
        ("n2", "left"),
        ("n4", "absent"),
        ("n5", "alive"),
        ("n13", "alive"),
    ):
        assert all_see(others, name, status), name
    assert all(peer.node.member("n3").tags == {"role": "db"} for peer in others)  # type: ignore[union-attr]
    assert contents(view) == before


def test_it_is_like_a_cluster_that_joined(new_world: Callable[..., World]) -> None:
    """The same kill takes about as long to be known in both."""
    seconds = []
    for start in ("joined", "from a view"):
        world = new_world(seed=5)
        if start == "joined":
            world.cluster(10)
            world.run(60)
        else:
            world.converged(10)
            world.run(30)
        victim = world.all[4]
        world.kill(victim)
        since = world.now
        rest = [peer for peer in world.all if peer is not victim]
        assert world.run(60, until=lambda rest=rest: all_see(rest, "n5", "failed"))
        seconds.append(world.now - since)
        assert len(events_of(rest, MemberFailed)) == 9
    assert max(seconds) < 3 * min(seconds)


def test_a_member_that_is_back_is_announced_as_joined(new_world: Callable[..., World]) -> None:
    world = new_world()
    world.converged(6)
    world.kill(world.all[2])
    world.run(40)
    back = world.add("n3", 7002)
    world.join(back, world.all[0])
    world.run(30)
    rest = [peer for peer in world.all[:6] if peer.up]
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
