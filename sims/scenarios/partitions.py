"""Partitions, complete or partial: which members are declared failed, and do all find each other again?"""

from __future__ import annotations

from sims.measure import FalsePositives, Flaps
from sims.scenarios.registry import Run, scenario
from sims.scenarios.shared import FORGETFUL, first_nodes, limit, measure_wrong, settled
from sims.theory.bounds import detection_bound, healing_bound, refutation_bound
from sims.world import World
from swim.addresses import join_host_port

__all__ = [
    "half_detached_node",
    "lonely_minority",
    "long_partition",
    "one_way_loss",
    "partition_heal",
    "startup_islands",
]


@scenario("partition-heal", seconds=60.0, at_least={"nodes": 2})
def partition_heal(run: Run) -> None:
    """The network splits in two halves for a while: both continue alone, then find each other again.

    In memberlist, two halves that declared each other dead never communicate again unless a join dials
    across.
    """
    world = settled(run)
    names = list(world.nodes)
    left, right = names[: len(names) // 2], names[len(names) // 2 :]
    world.network.partition(left, right)
    part(run, world, left, right, run["seconds"])
    heal(run, world)


@scenario("long-partition", seconds=300.0, at_least={"nodes": 2})
def long_partition(run: Run) -> None:
    """Two halves are apart until both have forgotten each other, with tombstones: they must reunite.

    Past members and seeds stay candidates for reconnects, even when they are reaped.
    """
    world = settled(run, config=run.config(**FORGETFUL))
    names = list(world.nodes)
    left, right = names[: len(names) // 2], names[len(names) // 2 :]
    world.network.partition(left, right)
    part(run, world, left, right, run["seconds"])
    forgotten = all(not set(right) & node.statuses().keys() for node in map(world.host, left))
    run.expect(forgotten, "a node still lists a member of the other half: the partition was too short")
    heal(run, world)


@scenario("lonely-minority", seconds=300.0, at_least={"nodes": 2})
def lonely_minority(run: Run) -> None:
    """One node is cut off until it and all others have forgotten each other: it must come back by itself."""
    world = settled(run, config=run.config(**FORGETFUL))
    [lonely] = first_nodes(world, 1)
    rest = [name for name in world.nodes if name != lonely.id]
    wrong = FalsePositives({lonely.id})
    world.observe(wrong)
    world.network.partition([lonely.id], rest)
    part(run, world, [lonely.id], rest, run["seconds"])
    run.expect(lonely.node.is_alone, "the node cut off does not know that it is alone")
    measure_wrong(run, wrong, allowed=True)
    run.expect(not wrong.failed_at_healthy, "the majority declared one of its own failed")
    heal(run, world)


@scenario("startup-islands", islands=3, seconds=30.0, at_least={"islands": 1}, beside={"islands": 0})
def startup_islands(run: Run) -> None:
    """The network is partitioned when the cluster starts: islands form, and must merge once it is healed.

    Every node has the same seeds, one per island, so some of them do not answer. A join that is tried only
    once leaves the islands apart for good.
    """
    world = run.world(nodes=0)
    total, count = run["nodes"], run["islands"]
    ids = [f"n{index + 1}" for index in range(total)]
    islands = [ids[index::count] for index in range(count)]
    world.network.partition(*islands)
    endpoints = [world.fresh_endpoint() for _ in ids]
    seeds = [join_host_port(*endpoint) for endpoint in endpoints[:count]]
    for id, endpoint in zip(ids, endpoints, strict=True):
        world.add(
            id, endpoint=endpoint, seeds=[seed for seed in seeds if not seed.startswith(f"{endpoint[0]}:")]
        )
    world.run_for(run["seconds"])
    whole = all(
        node.alive_names() == frozenset(islands[int(node.id[1:]) % count - 1]) for node in world.running()
    )
    run.expect(whole, "an island has not formed")
    run.measure("islands", len({node.alive_names() for node in world.running()}))
    heal(run, world)


@scenario("one-way-loss", seconds=60.0, at_least={"nodes": 2})
def one_way_loss(run: Run) -> None:
    """One node can send but receives nothing: the others must stay alive in all other views; it may fail.

    All its probes fail, and its accusations reach all others. Healthy members must refute them, and the node
    should doubt itself first. Afterwards it must be back.
    """
    world = settled(run)
    [deaf] = first_nodes(world, 1)
    wrong, flaps = FalsePositives({deaf.id}), Flaps()
    world.observe(wrong)
    world.observe(flaps)
    world.network.cut([n for n in world.nodes if n != deaf.id], [deaf.id], one_way=True)
    world.run_for(run["seconds"])
    measure_wrong(run, wrong, allowed=True)
    run.expect(
        not wrong.failed_at_healthy, f"{wrong.failed_at_healthy} times a healthy member was declared failed"
    )
    heal(run, world)
    run.measure("status_changes", sum(flaps.changes.values()))


@scenario("half-detached-node", seconds=120.0, at_least={"nodes": 3})
def half_detached_node(run: Run) -> None:
    """One node reaches only half of the others, both ways: no node may be declared failed, nor this one.

    Relays in the reachable half can confirm that it is alive; without them one such node starts storms of
    accusations.
    """
    world = settled(run)
    [detached] = first_nodes(world, 1)
    names = [name for name in world.nodes if name != detached.id]
    wrong = FalsePositives()
    world.observe(wrong)
    world.network.cut([detached.id], names[len(names) // 2 :])
    world.run_for(run["seconds"])
    measure_wrong(run, wrong)
    heal(run, world)


def part(run: Run, world: World, left: list[str], right: list[str], seconds: float) -> None:
    """Lets a partition last; at its end each side must list the other as failed or not at all."""
    began = world.now
    sides = [(world.host(id), frozenset(right)) for id in left] + [
        (world.host(id), frozenset(left)) for id in right
    ]
    world.run_for(seconds)
    failing = max(len(left), len(right))
    waits = max(0.0, limit(world, detection_bound, failing=failing) - seconds)
    noticed = world.run_until(lambda w: all(not node.alive_names() & gone for node, gone in sides), waits)
    run.expect(noticed, "a side still lists the other as alive", exit_code=128)
    run.measure("parted_seconds", world.now - began)


def heal(run: Run, world: World) -> None:
    """Removes every cut and waits until all running nodes are alive in every view."""
    world.network.heal()
    within = limit(world, healing_bound)
    run.measure("heal_seconds", run.expect_soon(world, lambda w: w.converged, within, "no agreement"))
    world.run_for(min(60.0, limit(world, refutation_bound)))
    run.expect(world.converged, "views that agreed differ again")
