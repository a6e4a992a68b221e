"""Basics: nodes join, leave and crash, one or many at a time."""

from __future__ import annotations

from sims.measure import Completion, Detection, FalsePositives, Traffic, quantile
from sims.scenarios.registry import Run, scenario
from sims.scenarios.shared import (
    all_show,
    first_nodes,
    limit,
    measure_detection,
    measure_quantiles,
    measure_wrong,
    news_of,
    others,
    settled,
)
from sims.theory.bounds import detection_bound, join_bound, leave_bound
from sims.world import World
from swim.events import MemberFailed, MemberJoined, MemberLeft, MemberRestarted

__all__ = ["crash_and_wait", "join", "join_all", "join_storm", "kill", "kill_k", "leave", "thousand_joins"]


_SETTLING_INTERVALS = 32
"""Gossip intervals that the exchanges after a burst of joins take at most, all four of them."""


@scenario("join")
def join(run: Run) -> None:
    """One node joins a quiet cluster: it must learn of all members, and all members of it.

    The newcomer learns by one push/pull with its seed, the others by gossip.
    """
    world = settled(run)
    newcomer = world.add(seeds=first_nodes(world, 1, skip=0))
    news = news_of(world, newcomer.name, MemberJoined)
    seconds = run.expect_soon(world, lambda w: w.converged, limit(world, join_bound), "not known to all")
    run.measure("complete_seconds", seconds)
    measure_quantiles(run, "joined", (at for id, at in news.seconds.items() if id != newcomer.id))


@scenario("leave", at_least={"nodes": 2})
def leave(run: Run) -> None:
    """One node leaves gracefully: all others must soon list it as left, and none ever as failed.

    memberlist's leave ends at a deadline whether or not it spread; a node that missed it declares it failed.
    """
    world = settled(run)
    victim = first_nodes(world, 1)[0]
    left, failed = news_of(world, victim.name, MemberLeft), news_of(world, victim.name, MemberFailed)
    began = world.now
    victim.leave()
    rest = others(world, victim)
    run.expect_soon(
        world, lambda w: all_show(rest, victim.name, "left"), limit(world, leave_bound), "not left everywhere"
    )
    measure_quantiles(run, "left", (at for id, at in left.seconds.items() if id != victim.id))
    run.expect(not failed.seconds, f"{len(failed.seconds)} nodes declared the leaving one failed")
    run.expect_soon(world, lambda w: victim.state == "left", 30.0, "the process did not end")
    run.measure("gone_seconds", victim.since - began)


@scenario("kill", silent=False, at_least={"nodes": 2})
def kill(run: Run) -> None:
    """One node crashes and later comes back: how long until it is suspected, failed, and alive again.

    ``silent``: the whole host is gone, so that nothing refuses a connection.
    """
    world = settled(run)
    victim = first_nodes(world, 1)[0]
    crash_and_wait(run, world, [victim.id], silent=run["silent"])
    world.run_for(5.0)
    world.restart(victim)
    back = news_of(world, victim.name, MemberJoined, MemberRestarted)
    run.expect_soon(world, lambda w: w.converged, limit(world, join_bound), "the restarted node is not back")
    measure_quantiles(run, "back", (at for id, at in back.seconds.items() if id != victim.id))


@scenario("kill-k", kill=3, at_least={"nodes": 2, "kill": 1}, beside={"kill": 1})
def kill_k(run: Run) -> None:
    """Several nodes crash at the same moment: all others must detect each, and accuse no other node."""
    world = settled(run)
    crash_and_wait(run, world, [node.id for node in first_nodes(world, run["kill"])])


@scenario("join-storm", within=0.05, at_least={"nodes": 2})
def join_storm(run: Run) -> None:
    """All nodes join one at the same moment, each while its table is still small: none may be missed.

    With memberlist's rules, broadcasts are retransmitted according to the sender's small table. Some member
    misses one and waits for the next push/pull: 50 to 90 s in a seventh to a half of all storms.
    """
    world = _storm(run)
    traffic = Traffic(world)
    world.run_for(10.0)
    run.measure("packets_per_second", traffic.rates().packets)


@scenario("thousand-joins", is_long=True, nodes=1000, within=1.0, at_least={"nodes": 2})
def thousand_joins(run: Run) -> None:
    """A thousand nodes join one within a second: queues must not overflow, and no node may be missed."""
    world = _storm(run, checked=False)
    drops = sum(node.metrics.counters["swim.dropped.queue-full"] for node in world.nodes.values())
    run.measure("queue_full_drops", drops)


def join_all(run: Run, world: World, within: float) -> dict[str, float]:
    """All nodes join the first one within a number of seconds; returns when each knew the last of the others.

    Ends when all views are complete, or with a violation.
    """
    target, *rest = world.nodes.values()
    rng = world.random_for("storm")
    complete = Completion()
    world.observe(complete)
    for node in rest:
        world.at(world.now + rng.uniform(0.0, within), node.join, [target])
    settling = _SETTLING_INTERVALS * target.config.gossip_interval
    run.expect_soon(world, lambda w: w.converged, within + settling, "not all joined")
    return complete.seconds


def _storm(run: Run, *, checked: bool = True) -> World:
    world = run.world(start="apart", checked=checked)
    complete = join_all(run, world, run["within"])
    run.measure("complete_seconds", max(complete.values()))
    run.measure("median_node_complete_seconds", quantile(complete.values(), 0.5))
    return world


def crash_and_wait(run: Run, world: World, victims: list[str], *, silent: bool = False) -> Detection:
    """Crashes some nodes at once and waits until all others list all of them as failed."""
    seen, wrong = Detection(), FalsePositives()
    world.observe(seen)
    world.observe(wrong)
    for victim in victims:
        world.crash(victim, silent=silent)
    watching = len(world.running())
    run.expect_soon(
        world,
        lambda w: all(len(loss.failed) == watching for loss in seen.losses),
        limit(world, detection_bound, failing=len(victims)),
        "a crash was not detected",
    )
    measure_detection(run, seen)
    measure_wrong(run, wrong)
    return seen
