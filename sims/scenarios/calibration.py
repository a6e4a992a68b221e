"""Experiments that others published, or that were run with real agents, to compare their figures with ours.

The prefix names the source of the figures: ``bn`` Serf agents on one machine, ``kn`` kinship's simulator and
its real clusters, ``sc`` ScaleCube, ``cc`` chitchat.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sims.errors import UsageError
from sims.measure import Detection, Dissemination, FalsePositives, Traffic, quantile
from sims.scenarios.basics import join_all
from sims.scenarios.registry import Run, scenario
from sims.scenarios.shared import first_nodes, limit, measure_detection, measure_quantiles, measure_wrong
from sims.theory.bounds import (
    detection_bound,
    dissemination_bound,
    gossip_bound,
    join_bound,
    refutation_bound,
)
from sims.world import World
from sims.world.host import SimNode
from sims.world.latency import Exponential, Uniform
from sims.world.network import Link, Network
from sims.world.observer import Observer, Packet
from swim.events import MemberUpdated

__all__ = ["bn_cycle", "bn_join", "bn_pause", "cc_loss50", "kn_grid", "kn_kill", "sc_gossip"]

_ARMS: dict[str, dict[str, Any]] = {
    "ours": {},
    "plain": {
        "awareness_max_multiplier": 1,
        "suspicion_max_timeout_mult": 1,
        "buddy_system": False,
        "awareness_stretches_suspicion": False,
        "self_doubt_threshold": 0,
    },
}
_ARMS["plain-no-tcp"] = _ARMS["plain"] | {"disable_tcp_pings": True}
"""Settings by arm. ``plain`` is not exactly SWIM: early ends, verification and eager gossip stay on."""
_CHECKED_MAX = 50
"""Larger clusters run without checkers, which cost as much as the nodes."""
_NEWS = "heard it through the grapevine"


@scenario("bn-pause", nodes=50, stopped=1, seconds=10.0, beside={"stopped": 1})
def bn_pause(run: Run) -> None:
    """Some members are stopped and continue: real Serf agents accused no running member in 15 such runs.

    Published: none of five stopped for 5 s were declared at once, 9 of 10 for 10 s and all for 20 s, the
    first after 8.3 to 9.4 s.
    """
    world = _at_rest(run)
    stopped = first_nodes(world, run["stopped"])
    seen, wrong = _watch(world, stopped)
    for node in stopped:
        world.pause(node, run["seconds"])
    world.run_for(run["seconds"] + 20.0)
    _judge_pauses(run, seen, wrong)


@scenario(
    "bn-cycle",
    nodes=100,
    is_long=True,
    stopped=4,
    seconds=64.0,
    freeze=8.0,
    awake=0.1,
    at_least={"freeze": 0.1},
    beside={"stopped": 1},
)
def bn_cycle(run: Run) -> None:
    """Some members are stopped again and again, with moments awake: they flap, and no other member may.

    Published for 64 s at 100 agents: 4 stopped members were declared failed 101 times in all views together,
    16 stopped ones 3,430 times, and one running member once.
    """
    world = _at_rest(run)
    stopped = first_nodes(world, run["stopped"])
    seen, wrong = _watch(world, stopped)
    ends = world.now + run["seconds"]
    while world.now < ends:
        for node in stopped:
            world.pause(node, run["freeze"])
        world.run_for(run["freeze"] + run["awake"])
    world.run_for(30.0)
    _judge_pauses(run, seen, wrong)


@scenario("bn-join", storms=5, within=0.05, at_least={"nodes": 2, "storms": 1})
def bn_join(run: Run) -> None:
    """Storms of joins at one seed: how many take longer than 2 s because a node was missed?

    Published for Serf: 1 of 7 storms of 20 nodes and 3 of 7 of 50 took 53 to 78 s; with ``profile=local`` all
    of 100 nodes.
    """
    complete, middle = [], []
    for number in range(run["storms"]):
        run.progress(number / run["storms"], f"storm {number + 1}")
        storm = join_all(run, run.world(start="apart", seed=run.seed * 1000 + number), run["within"])
        complete.append(max(storm.values()))
        middle.append(quantile(storm.values(), 0.5))
    run.measure("complete_seconds", quantile(complete, 0.5))
    run.measure("slowest_complete_seconds", max(complete))
    run.measure("median_node_complete_seconds", quantile(middle, 0.5))
    run.measure("share_over_2_seconds", sum(seconds > 2.0 for seconds in complete) / len(complete))


@scenario("kn-kill", nodes=100, waves_of=25, at_least={"nodes": 2, "waves_of": 1})
def kn_kill(run: Run) -> None:
    """A cluster that joined in waves, with 2 ms latency and 1 % loss, loses a node: when do all know?

    Published for 100 nodes, 30 kills: memberlist p50 9.86 s, p99 11.98 s, 0.38 s from the first to the last;
    kinship 9.52 s, 12.50 s, 0.09 s.
    """
    link = Link(latency=Uniform(0.001, 0.003), loss=0.01)
    world = run.world(nodes=1, network=Network(link), checked=run["nodes"] <= _CHECKED_MAX)
    seed = world.nodes["n1"]
    while len(world.nodes) < run["nodes"]:
        for _ in range(min(run["waves_of"], run["nodes"] - len(world.nodes))):
            world.add(seeds=[seed])
        world.run_for(1.0)
    run.expect_soon(world, lambda w: w.converged, limit(world, join_bound), "not all joined")
    world.run_for(15.0)
    [victim] = first_nodes(world, 1)
    seen, wrong = _watch(world, [])
    world.crash(victim)
    _expect_noticed(run, world, seen)
    seconds = seen.each_failed()
    run.measure("detection_p50_seconds", quantile(seconds, 0.5))
    run.measure("detection_p99_seconds", quantile(seconds, 0.99))
    run.measure("spread_seconds", max(seconds) - min(seconds))
    measure_wrong(run, wrong)


@scenario(
    "kn-grid",
    nodes=50,
    loss=0.03,
    starved=0.05,
    arm="ours",
    at_least={"nodes": 2},
    at_most={"loss": 1, "starved": 1},
)
def kn_grid(run: Run) -> None:
    """One cell of a grid of loss and starved members, with one crash: false deaths, and the true one.

    ``starved``: the share of members that read each packet 0.5 to 2.5 s late. ``arm``: ``ours``, ``plain``
        (no
    Lifeguard and no self-doubt, but early ends of rounds, verification and eager gossip) or ``plain-no-tcp``.
    Published: a false death in 3 % of the runs of starved cells with Lifeguard, in 63 % without; half of all
    true ones shown after 8.4 to 8.8 s at 50 nodes.
    """
    arm = _ARMS.get(run["arm"])
    if arm is None:
        raise UsageError(f"option arm: {run['arm']!r} is none of {', '.join(_ARMS)}")
    world = _at_rest(run, network=Network(Link(loss=run["loss"])), config=run.config(**arm))
    starved = first_nodes(world, round(run["starved"] * run["nodes"]), skip=2)
    seen, wrong = _watch(world, starved)
    for node in starved:
        node.reader = Uniform(0.5, 2.5)
    world.run_for(60.0)
    world.crash(first_nodes(world, 1)[0])
    world.run_for(60.0)
    seconds = seen.each_failed()
    run.expect(bool(seconds), "no node detected the crash within 60 s", exit_code=128)
    if seconds:
        run.measure("detection_p50_seconds", quantile(seconds, 0.5))
        run.measure("detection_p99_seconds", quantile(seconds, 0.99))
    run.measure("noticed_share", len(seconds) / len(world.running()))
    measure_wrong(run, wrong, allowed=True)


@scenario("sc-gossip", nodes=50, loss=0.0, delay_ms=2.0, at_most={"loss": 1})
def sc_gossip(run: Run) -> None:
    """One node changes its tags on a slow or lossy network: how soon do all know, and at what cost?

    ScaleCube's matrix: 2 to 50 nodes, 0 to 50 % loss, 2 or 100 ms of exponential delay; its own figures for
    50 nodes with 1 % loss are 3.5 s and 588 bytes per node and second.
    """
    delay = Exponential(run["delay_ms"] / 1000.0)
    world = _at_rest(run, network=Network(Link(latency=delay, loss=run["loss"])))
    world.run_for(5.0)
    news = Dissemination(lambda event: isinstance(event, MemberUpdated) and "news" in event.member.tags)
    copies, traffic = _Copies(_NEWS), Traffic(world)
    world.observe(news)
    world.observe(copies)
    world.nodes["n1"].set_tags({"news": _NEWS})
    total = run["nodes"]
    within = limit(world, dissemination_bound if run["loss"] else gossip_bound)
    run.expect_soon(world, lambda w: len(news.seconds) == total, within, "not all nodes know")
    measure_quantiles(run, "learnt", news.seconds.values())
    world.run_for(5.0)
    run.measure("sends_per_node", copies.sent_packets / total)
    run.measure("duplicates_per_node", (copies.received_packets - (total - 1)) / total)
    run.measure("packet_bytes_per_second", traffic.rates().packet_bytes)


@scenario("cc-loss50", nodes=10, loss=0.5, seconds=30.0, at_most={"loss": 1})
def cc_loss50(run: Run) -> None:
    """Half of all packets are lost for 30 s: no member may be declared failed, or be missing afterwards.

    chitchat's tests require this of 10 nodes; it has no probes, only heartbeats in gossip.
    """
    world = _at_rest(run)
    _, wrong = _watch(world, [])
    world.network.set_default(Link(loss=run["loss"]))
    world.run_for(run["seconds"])
    world.network.calm()
    within = limit(world, refutation_bound)
    run.measure("recover_seconds", run.expect_soon(world, lambda w: w.converged, within, "no agreement"))
    measure_wrong(run, wrong)


class _Copies(Observer):
    """Counts packets that carry some text, sent and received."""

    def __init__(self, text: str) -> None:
        self.sent_packets = self.received_packets = 0
        self._text = text.encode()

    def sent(self, world: World, packet: Packet) -> None:
        """See ``Observer``."""
        self.sent_packets += self._text in bytes(packet.data)

    def received(self, world: World, node: SimNode, packet: Packet) -> None:
        """See ``Observer``."""
        self.received_packets += self._text in bytes(packet.data)


def _at_rest(run: Run, **how: Any) -> World:
    """A cluster that has converged; with checkers unless it is large."""
    world = run.world(start="converged", checked=run["nodes"] <= _CHECKED_MAX, **how)
    world.run_for(5.0)
    return world


def _watch(world: World, faulty: Iterable[SimNode]) -> tuple[Detection, FalsePositives]:
    seen = Detection(kinds=("crash", "pause"))
    wrong = FalsePositives({node.id for node in faulty})
    world.observe(seen)
    world.observe(wrong)
    return seen, wrong


def _expect_noticed(run: Run, world: World, seen: Detection) -> None:
    watching = len(world.running())
    run.expect_soon(
        world,
        lambda w: all(len(loss.failed) == watching for loss in seen.losses),
        limit(world, detection_bound),
        "the crash was not detected",
    )


def _judge_pauses(run: Run, seen: Detection, wrong: FalsePositives) -> None:
    """Measures claims about the stopped members, and checks that there are none about the others."""
    run.measure("failed_about_stopped", wrong.about_faulty)
    measure_detection(run, seen)
    measure_wrong(run, wrong)
