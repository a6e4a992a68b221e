"""Clusters that must not merge: one rule for gossip and push/pulls, and the other side reads why."""

from __future__ import annotations

import logging
from functools import partial

import pytest

from sims import World
from sims.world.host import SimNode
from swim import MergePolicy
from tests.clusters import add, world_of

BLUE = MergePolicy(tags={"cluster": "blue"})
WHY = "member {} may not join: its tag cluster is {}, and must match blue"
blue = partial(add, tags={"cluster": "blue"}, merge_policy=BLUE)
red = partial(add, tags={"cluster": "red"})


def blue_cluster(count: int = 3) -> tuple[World, list[SimNode]]:
    world = world_of()
    nodes = [blue(world, f"b{number}") for number in range(1, count + 1)]
    for node in nodes[1:]:
        node.join([nodes[0]])
    world.run_for(10.0)
    assert all(names(node) == {one.name for one in nodes} for node in nodes)
    return world, nodes


def names(node: SimNode) -> set[str]:
    return {member.name for member in node.members()}


def dropped(nodes: list[SimNode], what: str) -> int:
    return sum(node.metrics.counters[f"swim.dropped.{what}"] for node in nodes)


def errors_of(world: World, node: SimNode, target: SimNode) -> list[str]:
    ticket = node.join([target])
    world.run_for(15.0)
    return [outcome.error for outcome in ticket.result.outcomes]


def test_a_join_is_refused_and_the_other_side_reads_why(caplog: pytest.LogCaptureFixture) -> None:
    world, nodes = blue_cluster()
    other = red(world, "r1")
    with caplog.at_level(logging.WARNING, "swim"):
        [error] = errors_of(world, other, nodes[0])
    assert WHY.format("r1", "red") in error
    assert WHY.format("r1", "red") in caplog.text
    world.run_for(30.0)
    assert not any("r1" in names(node) for node in nodes)
    assert names(other) == {"r1"}
    assert dropped(nodes, "merge-refused") == 1


def test_a_cluster_with_one_member_that_may_not_join_is_refused_as_a_whole() -> None:
    world, nodes = blue_cluster()
    good = add(world, "g1", tags={"cluster": "blue"})
    bad = red(world, "r1")
    assert errors_of(world, bad, good) == [""]
    assert names(good) == names(bad)
    [error] = errors_of(world, good, nodes[0])
    assert WHY.format("r1", "red") in error
    assert not {"g1", "r1"} & names(nodes[0])


def test_who_dials_such_a_cluster_learns_why_and_does_not_list_it() -> None:
    world, nodes = blue_cluster()
    other = red(world, "r1")
    [error] = errors_of(world, nodes[0], other)
    assert WHY.format("r1", "red") in error
    world.run_for(60.0)
    assert not any("r1" in names(node) for node in nodes)


def test_gossip_is_judged_as_a_push_pull_is() -> None:
    """``g1`` has no policy, so it lets ``r1`` in, and gossips about it to the others."""
    world, nodes = blue_cluster()
    open_node = add(world, "g1", tags={"cluster": "blue"})
    assert errors_of(world, open_node, nodes[0]) == [""]
    other = red(world, "r1")
    assert errors_of(world, other, open_node) == [""]
    world.run_for(90.0)
    assert names(open_node) == {"b1", "b2", "b3", "g1", "r1"}
    assert all(names(node) == {"b1", "b2", "b3", "g1"} for node in nodes)
    assert dropped(nodes, "merge-policy") > 0
    assert dropped(nodes, "merge-refused") > 0, "r1 pushes and pulls with them, and is refused"
    assert all(member.status == "alive" and not member.is_suspect for member in nodes[0].members())


def test_a_member_that_changes_its_tags_stays_until_it_is_gone() -> None:
    world, nodes = blue_cluster()
    nodes[2].set_tags({"cluster": "red"})
    world.run_for(30.0)
    [seen] = {node.member("b3") for node in nodes}
    assert seen is not None
    assert (seen.status, seen.tags) == ("alive", {"cluster": "red"})


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_member_that_returns_as_another_is_refused(elsewhere: bool) -> None:
    world, nodes = blue_cluster()
    world.crash("b3")
    world.run_for(60.0)
    assert nodes[0].status_of("b3") == "failed"
    if elsewhere:
        back = red(world, "b3", id="successor")
    else:
        back = nodes[2]
        back.config = back.config.with_changes(tags={"cluster": "red"}, merge_policy=None)
        world.restart("b3")
    [error] = errors_of(world, back, nodes[0])
    assert WHY.format("b3", "red") in error
    assert nodes[0].status_of("b3") == "failed"


def test_gossip_about_a_return_is_judged_too() -> None:
    """``g1`` takes the member back, and gossips that it is alive under other tags."""
    world, nodes = blue_cluster()
    open_node = add(world, "g1", tags={"cluster": "blue"})
    assert errors_of(world, open_node, nodes[0]) == [""]
    world.crash("b3")
    world.settle()  # it is not reaped yet
    nodes[2].config = nodes[2].config.with_changes(tags={"cluster": "red"}, merge_policy=None)
    world.restart("b3")
    assert errors_of(world, nodes[2], open_node) == [""]
    world.run_for(60.0)
    assert open_node.status_of("b3") == "alive"
    assert {node.status_of("b3") for node in nodes[:2]} == {"failed"}
    assert dropped(nodes[:2], "merge-policy") > 0


def test_all_who_may_join_do() -> None:
    world, nodes = blue_cluster(5)
    world.crash("b5")
    world.run_for(60.0)
    world.restart("b5")
    world.run_for(60.0)
    assert {node.status_of("b5") for node in nodes} == {"alive"}
    assert dropped(nodes, "merge-policy") == dropped(nodes, "merge-refused") == 0


def test_a_pool_without_serf_is_judged_by_names_and_versions() -> None:
    world = world_of()
    policy = MergePolicy(names=["a*"])
    first = add(world, "a1", delegate_version=0, merge_policy=policy)
    good, bad = add(world, "a2", delegate_version=0), add(world, "x1", delegate_version=0)
    assert errors_of(world, good, first) == [""]
    [error] = errors_of(world, bad, first)
    assert "member x1 may not join: its name must match a*" in error
    assert names(first) == {"a1", "a2"}
