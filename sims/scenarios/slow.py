"""Nodes and links that are slow, frozen or lossy, but not dead: which members are accused, and by which?"""

from __future__ import annotations

from sims.measure import FalsePositives
from sims.scenarios.registry import Run, scenario
from sims.scenarios.shared import (
    all_show,
    first_nodes,
    late_reader,
    limit,
    measure_wrong,
    news_of,
    others,
    settled,
)
from sims.theory.bounds import refutation_bound
from sims.world import World
from sims.world.network import Link, Nat
from swim.events import MemberFailed, MemberLeft

__all__ = ["frozen_observer", "heavy_loss", "leave_under_loss", "nat_link", "slow_relay"]


@scenario("frozen-observer", pause=10.0, freezes=3, at_least={"nodes": 2, "freezes": 1})
def frozen_observer(run: Run) -> None:
    """One node is paused for a while, several times: when it resumes, it may not accuse healthy members.

    Everything it waited for is late at once: acks, refutations, its own suspicions. It first reads its input,
    extends its suspicions by a round, and doubts itself.
    """
    world = settled(run)
    [frozen] = first_nodes(world, 1)
    wrong = FalsePositives({frozen.id})
    world.observe(wrong)
    backs = []
    for _ in range(run["freezes"]):
        world.pause(frozen)
        world.run_for(run["pause"])
        world.resume(frozen)
        within = limit(world, refutation_bound)
        backs.append(run.expect_soon(world, lambda w: w.converged, within, "the frozen node is not back"))
        world.run_for(10.0)
    run.measure("slowest_back_seconds", max(backs))
    measure_wrong(run, wrong)


@scenario("heavy-loss", loss=0.3, seconds=120.0, at_least={"seconds": 1}, at_most={"loss": 1})
def heavy_loss(run: Run) -> None:
    """A third of all packets are lost, streams only get slower: no member may be declared failed."""
    world = settled(run)
    wrong = FalsePositives()
    world.observe(wrong)
    world.network.set_default(Link(loss=run["loss"]))
    world.run_for(run["seconds"])
    node_hours = len(world.nodes) * run["seconds"] / 3600.0
    run.measure("suspicions_per_node_hour", wrong.suspected / node_hours)
    measure_wrong(run, wrong)
    recover(run, world)


@scenario("slow-relay", slow=2, seconds=120.0, least=0.5, most=2.5, tcp_pings=False, beside={"slow": 1})
def slow_relay(run: Run) -> None:
    """Some nodes read each packet late: as probers, relays and observers they may not harm healthy members.

    ``least`` to ``most`` seconds pass until a packet is read, in order. Timers and streams are on time, so
    ``tcp_pings``, the fallback that would reach such a node, are off.
    """
    reader = late_reader(run, "least", "most")
    world = settled(run, config=run.config(disable_tcp_pings=not run["tcp_pings"]))
    slow = first_nodes(world, run["slow"])
    wrong = FalsePositives({node.id for node in slow})
    world.observe(wrong)
    for node in slow:
        node.reader = reader
    world.run_for(run["seconds"])
    measure_wrong(run, wrong, allowed=True)
    run.expect(not wrong.failed_at_healthy, f"{wrong.failed_at_healthy} healthy members failed")
    for node in slow:
        node.reader = None
    recover(run, world)


@scenario("leave-under-loss", loss=0.2, at_least={"nodes": 2}, at_most={"loss": 1})
def leave_under_loss(run: Run) -> None:
    """A node leaves while a fifth of all packets are lost: how many nodes list it as failed rather than left?

    A node that missed the leave probes a node that is gone. At the end all must list it as left.
    """
    world = settled(run)
    world.network.set_default(Link(loss=run["loss"]))
    [victim] = first_nodes(world, 1)
    left, failed = news_of(world, victim.name, MemberLeft), news_of(world, victim.name, MemberFailed)
    victim.leave()
    rest = others(world, victim)
    within = limit(world, refutation_bound)
    run.expect_soon(world, lambda w: all_show(rest, victim.name, "left"), within, "not left everywhere")
    run.measure("all_left_seconds", max(left.seconds.values(), default=0.0))
    run.measure("called_failed", len(failed.seconds))
    run.expect(not failed.seconds, f"{len(failed.seconds)} nodes declared the leaving one failed")


@scenario("nat-link", restricted=True, seconds=120.0)
def nat_link(run: Run) -> None:
    """One node is behind address translation and advertises its public address: it must stay a member.

    ``restricted``: only packets from hosts that it sent to in the last 30 s pass, and no streams.
    """
    world = settled(run)
    public = world.fresh_endpoint()
    address = f"{public[0]}:{public[1]}"
    hidden = world.add("hidden", config=run.config(advertise=address))
    world.translate(hidden, Nat(public, restricted=run["restricted"]))
    began = world.now
    hidden.join(first_nodes(world, 1, skip=0))
    run.expect_soon(world, lambda w: w.converged, limit(world, refutation_bound), "it is not known to all")
    run.measure("known_seconds", world.now - began)
    wrong = FalsePositives()
    world.observe(wrong)
    world.run_for(run["seconds"])
    measure_wrong(run, wrong)
    run.expect(world.converged, "views that agreed differ again")
    shown = {member.address for node in others(world, hidden) if (member := node.member(hidden.name))}
    run.expect(shown == {public[0]}, "not all nodes know its public address")


def recover(run: Run, world: World) -> None:
    """After the network is calm again, all must soon be alive in every view."""
    world.network.calm()
    within = limit(world, refutation_bound)
    run.measure("recover_seconds", run.expect_soon(world, lambda w: w.converged, within, "no agreement"))
