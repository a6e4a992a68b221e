"""Operators: force members out, prune them, and reuse addresses of one cluster in another."""

from __future__ import annotations

from typing import Any

from sims.errors import UsageError
from sims.measure import FalsePositives, Flaps
from sims.scenarios.registry import Run, scenario
from sims.scenarios.shared import (
    all_show,
    first_nodes,
    limit,
    measure_wrong,
    news_of,
    others,
    settled,
    suspend,
    watch_failures,
)
from sims.theory.bounds import detection_bound, healing_bound, join_bound, refutation_bound
from sims.world import World
from sims.world.host import SimNode
from swim.events import MemberJoined

__all__ = ["address_swap_two_clusters", "force_leave_live", "label_migration", "prune_then_late_alive"]


@scenario("force-leave-live", at_least={"nodes": 2})
def force_leave_live(run: Run) -> None:
    """An operator forces out a member that is alive: it must refute, and not stay "leaving".

    Serf agents stayed in that state for good, until every agent of the cluster was restarted.
    """
    world = settled(run)
    operator, victim = first_nodes(world, 2, skip=0)
    wrong, flaps = FalsePositives(), Flaps()
    world.observe(wrong)
    world.observe(flaps)
    ticket = operator.force_leave(victim.name)
    world.run_until(lambda w: ticket.is_done, operator.config.broadcast_timeout + 1.0)
    outcome = ticket.result if ticket.is_done else "none"
    run.expect(outcome in ("refuted", "leaving"), f"the operator's answer was {outcome}")
    run.measure("answered_refuted", outcome == "refuted")
    within = limit(world, refutation_bound)
    run.measure(
        "alive_seconds", run.expect_soon(world, lambda w: w.converged, within, "it is not alive again")
    )
    world.run_for(120.0)
    run.expect(world.converged, "views that agreed differ again")
    run.measure("status_changes", flaps.changes[victim.name])
    measure_wrong(run, wrong)


@scenario("prune-then-late-alive", stale=2, seconds=120.0, at_least={"nodes": 2}, beside={"stale": 2})
def prune_then_late_alive(run: Run) -> None:
    """An operator prunes a dead member; hosts that were asleep send its alive claim: it may not come back."""
    world = settled(run)
    dead, *sleepers = first_nodes(world, 1 + run["stale"])
    operator = first_nodes(world, 1, skip=0)[0]
    wake = suspend(world, sleepers)
    world.crash(dead)
    awake = others(world)
    failing = 1 + len(sleepers)
    run.expect_soon(
        world,
        lambda w: all_show(awake, dead.name, "failed"),
        limit(world, detection_bound, failing=failing),
        "the crash was not detected",
    )
    operator.force_leave(dead.name, prune=True)
    pruned = run.expect_soon(world, lambda w: all_show(awake, dead.name, ""), 60.0, "not pruned everywhere")
    run.measure("pruned_seconds", pruned)
    risen = news_of(world, dead.name, MemberJoined)
    wake(operator)
    world.run_for(run["seconds"])
    run.measure("resurrections", len(risen.seconds))
    run.expect(not risen.seconds, f"{len(risen.seconds)} nodes list the pruned member as alive again")
    run.expect(world.converged, "no agreement on who is alive")


@scenario("address-swap-two-clusters", labels=True, swapped=3, at_least={"nodes": 4})
def address_swap_two_clusters(run: Run) -> None:
    """Nodes of two clusters restart at each other's addresses: with labels the clusters must stay apart.

    A node that remembers peers by address then dials the other cluster. Without labels the two merge for
    good, as memberlist's do; run it with ``labels=false`` to see that.
    """
    if run["swapped"] >= run["nodes"] // 2:
        raise UsageError(
            f"option swapped: must be less than half of {run['nodes']} nodes, not {run['swapped']}"
        )
    world = run.world(nodes=0)
    clusters = [_cluster(run, world, prefix) for prefix in ("a", "b")]
    world.run_for(10.0)
    for nodes in clusters:
        run.expect(_is_whole(nodes), "a cluster has not formed")
    pairs = [(a, b) for a, b in zip(*clusters, strict=True)][1 : 1 + run["swapped"]]
    for a, b in pairs:
        world.crash(a)
        world.crash(b)
    for a, b in pairs:
        old, new = a.endpoint, world.fresh_endpoint()
        world.restart(a, endpoint=new)
        world.restart(b, endpoint=old)
    within = limit(world, detection_bound, failing=run["swapped"]) + limit(world, healing_bound)
    if run["labels"]:
        whole = run.expect_soon(
            world, lambda w: all(map(_is_whole, clusters)), within, "a cluster is not complete"
        )
        run.measure("whole_seconds", whole)
    world.run_for(60.0)
    names = [frozenset(node.name for node in nodes) for nodes in clusters]
    foreign = sum(
        len(node.statuses().keys() - own)
        for nodes, own in zip(clusters, names, strict=True)
        for node in nodes
    )
    run.measure("foreign_members", foreign)
    run.measure("merged", world.converged)
    counters = [node.metrics.counters for node in world.nodes.values()]
    run.measure("dropped_for_label", sum(found["swim.dropped.label"] for found in counters))
    if run["labels"]:
        run.expect(not foreign, f"members of the other cluster are listed {foreign} times")


def _cluster(run: Run, world: World, prefix: str) -> list[SimNode]:
    config = run.config(label=prefix if run["labels"] else "")
    nodes: list[SimNode] = []
    for number in range(run["nodes"] // 2):
        nodes.append(world.add(f"{prefix}{number + 1}", config=config, seeds=nodes[:1]))
    return nodes


def _is_whole(nodes: list[SimNode]) -> bool:
    """Whether every node lists exactly its own cluster as alive, at the members' current addresses."""
    expected = {node.name: node.endpoint[0] for node in nodes}
    return all(
        {m.name: m.address for m in node.members() if m.status == "alive"} == expected for node in nodes
    )


_LABEL_STEPS: tuple[dict[str, Any], ...] = (
    {"send_label": False, "accept_unlabelled": True},
    {"send_label": True, "accept_unlabelled": True},
    {"send_label": True, "accept_unlabelled": False},
)


@scenario("label-migration", every=5.0, at_least={"nodes": 2})
def label_migration(run: Run) -> None:
    """A label is added to a running cluster in three rolling restarts: no member may be listed as failed.

    At the end no node without the label can join.

    ``every``: seconds until the next node's turn.
    """
    world = settled(run)
    failures = watch_failures(world)
    for step in _LABEL_STEPS:
        for node in list(world.nodes.values()):
            world.restart(node, config=node.config.with_changes(label="blue", **step))
            world.run_for(run["every"])
    run.expect_soon(world, lambda w: w.converged, limit(world, join_bound), "no agreement")
    run.expect(not failures.seconds, f"{len(failures.seconds)} nodes declared a member failed")
    first = next(iter(world.nodes.values()))
    unlabelled = world.add(
        "unlabelled", config=first.config.with_changes(label="", name="unlabelled"), seeds=[first]
    )
    world.run_for(10.0)
    run.expect(all_show(others(world, unlabelled), "unlabelled", ""), "a node without the label joined")
