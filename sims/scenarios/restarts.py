"""Restarts: at the same or a new address, with or without a snapshot, one by one or all at once."""

from __future__ import annotations

from functools import partial

from sims.measure import FalsePositives, Flaps, mean
from sims.scenarios.registry import Run, scenario
from sims.scenarios.shared import (
    FORGETFUL,
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
from sims.theory.bounds import detection_bound, healing_bound, join_bound
from sims.world import World
from sims.world.host import SimNode
from swim.events import MemberJoined, MemberRestarted

__all__ = [
    "crash_loop_new_name",
    "mass_restart_high_incarnation",
    "mass_restart_new_addresses",
    "migratory_alive",
    "replaced_pod",
    "rolling_deploy",
    "rolling_restart",
    "stale_dns",
]

_SERVICE = "cluster.example"
_ANSWERS = 3


@scenario("rolling-restart", down=1.0, every=5.0)
def rolling_restart(run: Run) -> None:
    """Every node in turn is killed and restarted at the same address: no member may be declared failed.

    ``down``: seconds between the runs, shorter than a suspicion. ``every``: seconds until the next turn.
    """
    world = settled(run)
    failures, flaps, wrong = watch_failures(world), Flaps(), FalsePositives()
    world.observe(flaps)
    world.observe(wrong)
    unseen = 0
    for node in list(world.nodes.values()):
        world.crash(node)
        world.run_for(run["down"])
        world.restart(node)
        news = news_of(world, node.name, MemberRestarted, MemberJoined)
        world.run_for(run["every"])
        unseen += len(others(world, node)) - len(news.seconds.keys() - {node.id})
    run.expect_soon(world, lambda w: w.converged, limit(world, join_bound), "no agreement")
    run.expect(not failures.seconds, f"{len(failures.seconds)} nodes declared a restarting one failed")
    measure_wrong(run, wrong)
    run.measure("restarts_unseen", unseen)
    run.measure("status_changes", sum(flaps.changes.values()))


@scenario("rolling-deploy", down=2.0)
def rolling_deploy(run: Run) -> None:
    """Every node in turn leaves and restarts at a new address: no member may be declared failed.

    The seed is a DNS name whose answer is updated. The name of a left member is free at once; in older
    memberlist it was in conflict with its earlier run for 40 s and more.
    """
    world = _service(run)
    failures, backs = watch_failures(world), []
    for node in list(world.nodes.values()):
        node.leave()
        run.expect_soon(world, partial(_has_ended, node), 30.0, f"{node.id} did not end")
        world.run_for(run["down"])
        endpoint = world.fresh_endpoint()
        world.restart(node, endpoint=endpoint, snapshot=False)
        _publish(world)
        backs.append(_wait_for_address(run, world, node, limit(world, healing_bound)))
    run.measure("back_seconds", mean(backs))
    run.measure("slowest_back_seconds", max(backs))
    run.expect(not failures.seconds, f"{len(failures.seconds)} nodes declared a leaving one failed")
    run.expect(world.converged, "no agreement")


@scenario("mass-restart-new-addresses", dns_seconds=60.0)
def mass_restart_new_addresses(run: Run) -> None:
    """All nodes restart at new addresses without snapshots, while DNS still answers with the old ones.

    If a name is resolved only once, the cluster is lost for good. Here each attempt resolves it again, and
    all nodes must be one cluster soon after the answer is right.
    """
    world = _service(run)
    for node in list(world.nodes.values()):
        world.crash(node)
    for node in list(world.nodes.values()):
        world.restart(node, endpoint=world.fresh_endpoint(), snapshot=False)
    world.run_for(run["dns_seconds"])
    run.measure("alone_nodes", sum(node.node.is_alone for node in world.running()))
    _publish(world)
    within = limit(world, healing_bound)
    run.measure("together_seconds", run.expect_soon(world, lambda w: w.converged, within, "still apart"))


@scenario("stale-dns", stale=20, empty_seconds=30.0, at_least={"nodes": 2})
def stale_dns(run: Run) -> None:
    """The seeds' name has no answer at first, then many dead addresses and a live one: a newcomer must join.

    Addresses are tried in parallel; one after the other, each to its timeout, would take minutes.
    """
    world = settled(run)
    newcomer = world.add("newcomer", seeds=[_SERVICE])
    world.run_for(run["empty_seconds"])
    run.expect(newcomer.node.is_alone, "the newcomer joined through a name without an answer")
    [live] = first_nodes(world, 1)
    dead = [world.fresh_endpoint() for _ in range(run["stale"])]
    world.network.set_names(_SERVICE, [*dead, live.endpoint])
    config = newcomer.config
    within = 1.5 * config.rejoin_interval_alone + config.tcp_timeout + limit(world, join_bound)
    run.measure(
        "in_seconds", run.expect_soon(world, lambda w: w.converged, within, "the newcomer has not joined")
    )


@scenario("mass-restart-high-incarnation", updates=10, down=30.0, at_least={"nodes": 4})
def mass_restart_high_incarnation(run: Run) -> None:
    """Most nodes restart without snapshots, held dead at a high incarnation by the rest: all must return.

    A node that starts at incarnation 1 must learn in its first push/pull at which incarnation it is held
    dead, and refute above it. One of the crashed nodes never restarts, and may never be listed as alive
    again.
    """
    world = settled(run)
    for number in range(run["updates"]):
        for node in world.running():
            node.set_tags({"version": str(number)})
        world.run_for(1.0)
    crashed = first_nodes(world, len(world.nodes), skip=max(2, len(world.nodes) // 4))
    before = max(node.node.local.incarnation for node in crashed)
    run.measure("incarnation_before", before)
    dead = crashed.pop()
    for node in [*crashed, dead]:
        world.crash(node)
    risen = news_of(world, dead.name, MemberJoined, MemberRestarted)
    world.run_for(run["down"])
    for node in crashed:
        world.restart(node, snapshot=False)
    within = limit(world, join_bound)
    run.measure("alive_seconds", run.expect_soon(world, lambda w: w.converged, within, "not all are alive"))
    run.measure("incarnation_after", max(node.node.local.incarnation for node in crashed))
    refuted = all(node.node.local.incarnation > before for node in crashed)
    run.expect(refuted, f"a node came back without refuting above incarnation {before}")
    world.run_for(60.0)
    run.expect(world.converged, "views that agreed differ again")
    restarted = {node.id for node in crashed}
    run.expect(risen.seconds.keys() <= restarted, "the dead node is listed as alive again")


@scenario("migratory-alive", stale=2, seconds=120.0, at_least={"nodes": 2}, beside={"stale": 2})
def migratory_alive(run: Run) -> None:
    """A member died and was reaped; hosts that were asleep send its alive claim: it must stay dead.

    In memberlist, push/pulls bring such a claim back for hours, from node to node.
    """
    world = settled(run, config=run.config(**FORGETFUL))
    dead, *sleepers = first_nodes(world, 1 + run["stale"])
    wake = suspend(world, sleepers)
    world.crash(dead)
    awake = others(world)
    gone = limit(world, detection_bound, failing=1 + len(sleepers)) + 2 * FORGETFUL["reconnect_timeout"]
    run.expect_soon(world, lambda w: all_show(awake, dead.name, ""), gone, "the dead member is not reaped")
    world.run_for(5.0)
    risen = news_of(world, dead.name, MemberJoined)
    wake(world.nodes["n1"])
    world.run_for(run["seconds"])
    run.measure("resurrections", len(risen.seconds))
    run.expect(not risen.seconds, f"{len(risen.seconds)} nodes list the dead member as alive again")
    run.expect(world.converged, "no agreement on who is alive")


@scenario("crash-loop-new-name", loops=20, every=5.0, at_least={"nodes": 2, "every": 0.1})
def crash_loop_new_name(run: Run) -> None:
    """One host crashes again and again, each time under a new name: tables stay small, none is accused."""
    world = settled(run, config=run.config(**FORGETFUL))
    [looper] = first_nodes(world, 1)
    wrong = FalsePositives()
    world.observe(wrong)
    largest = 0
    for number in range(run["loops"]):
        name = f"{looper.id}-{number}"
        world.restart(looper, config=looper.config.with_changes(name=name), snapshot=False)
        world.run_for(run["every"])
        largest = max(largest, *(node.node.stats().members for node in world.running()))
    run.measure("largest_table", largest)
    listed = limit(world, detection_bound) + FORGETFUL["reconnect_timeout"]
    run.expect(largest <= len(world.nodes) + 1 + listed / run["every"], f"{largest} members in a table")
    run.expect_soon(world, lambda w: w.converged and w.agree, listed, "no agreement after the last crash")
    world.run_for(2 * FORGETFUL["reconnect_timeout"])
    sizes = {len(node.members()) for node in world.running()}
    run.expect(sizes == {len(world.nodes)}, f"tables still hold up to {max(sizes)} members")
    measure_wrong(run, wrong)


@scenario("replaced-pod", gap=0.5, at_least={"nodes": 2})
def replaced_pod(run: Run) -> None:
    """A pod is killed and replaced at a new address: at once, after its failure is known, at once again.

    Its old address may not block the name for longer than it takes to detect that no node is there.
    """
    world = settled(run)
    [pod] = first_nodes(world, 1)
    after_failure = limit(world, detection_bound)
    for name, gap in (("first", run["gap"]), ("second", after_failure), ("third", run["gap"])):
        world.crash(pod)
        world.run_for(gap)
        world.restart(pod, endpoint=world.fresh_endpoint(), snapshot=False)
        within = limit(world, detection_bound) + limit(world, healing_bound)
        run.measure(f"{name}_back_seconds", _wait_for_address(run, world, pod, within))
    world.run_for(30.0)
    run.expect(world.converged, "views that agreed differ again")


def _has_ended(node: SimNode, world: World) -> bool:
    return node.state == "left"


def _service(run: Run) -> World:
    """A settled cluster whose nodes all have the same DNS name as their seed."""
    world = run.world(nodes=0)
    endpoints = [world.fresh_endpoint() for _ in range(run["nodes"])]
    world.network.set_names(_SERVICE, endpoints[:_ANSWERS])
    for endpoint in endpoints:
        world.add(endpoint=endpoint, seeds=[_SERVICE])
    run.measure("join_seconds", world.settle())
    world.run_for(5.0)
    return world


def _publish(world: World) -> None:
    """Makes the service's name resolve to the current addresses of the first nodes."""
    world.network.set_names(_SERVICE, [node.endpoint for node in first_nodes(world, _ANSWERS, skip=0)])


def _wait_for_address(run: Run, world: World, node: SimNode, within: float) -> float:
    """Runs until every node lists a member as alive at its current address."""

    def is_known(world: World) -> bool:
        shown = (other.member(node.name) for other in world.running())
        return world.converged and all(m is not None and m.address == node.endpoint[0] for m in shown)

    return run.expect_soon(world, is_known, within, f"{node.name} is not known at its new address")
