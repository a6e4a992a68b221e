"""The experiments of the Rapid paper (Suresh et al., USENIX ATC 2018) that memberlist took part in.

Defaults are a tenth of the paper's size, so that a run takes seconds; ``--nodes 1000 --faulty 10`` is the
paper's. ``arm=lifeguard`` is memberlist as the paper ran it, ``arm=ours`` this engine with its defaults.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from sims.errors import UsageError
from sims.measure import FalsePositives, Traffic, ViewSizes, mean, quantile
from sims.scenarios.arms import settings_of
from sims.scenarios.registry import Run, scenario
from sims.scenarios.shared import arm_world
from sims.world import World
from sims.world.host import SimNode
from sims.world.network import Link
from sims.world.observer import Observer
from swim.events import Event, MemberEvent, MemberStatus

__all__ = ["Removals", "rp_blackhole", "rp_bootstrap", "rp_crash", "rp_flipflop", "rp_loss80"]


class Removals(Observer):
    """The healthy members' views of the faulty ones, at every moment.

    Args:
        faulty: ids of the faulty hosts; their own views do not count.
        interval: seconds between two samples.

    Attributes:
        series: time, and how many healthy members list how many faulty ones as gone.
        flaps: how often a healthy member listed a faulty one as alive again.
    """

    def __init__(self, faulty: Mapping[str, SimNode], interval: float = 1.0) -> None:
        self.faulty = faulty
        self.interval = interval
        self.gone: Counter[str] = Counter()
        self.series: list[tuple[float, Counter[int]]] = []
        self.removals = self.flaps = 0

    def attached(self, world: World) -> None:
        """See ``Observer``."""
        world.at(world.now, self._look, world)

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if not isinstance(event, MemberEvent) or event.member.name not in self.faulty:
            return
        if node.id in self.faulty or event.previous is None:
            return
        alive = (MemberStatus.ALIVE, MemberStatus.LEAVING)
        before, after = event.previous.status in alive, event.member.status in alive
        if before and not after:
            self.gone[node.id] += 1
            self.removals += 1
        elif after and not before:
            self.gone[node.id] -= 1
            self.flaps += 1

    def share_without_all(self) -> float:
        """Share of all samples and healthy members in which every faulty member was removed."""
        everybody = sum(sum(counts.values()) for _, counts in self.series)
        return sum(counts[len(self.faulty)] for _, counts in self.series) / max(1, everybody)

    def agreed_without_all(self) -> bool:
        """Whether at any sample every healthy member listed every faulty one as gone."""
        return any(set(counts) == {len(self.faulty)} for _, counts in self.series)

    def sizes(self) -> set[int]:
        """Numbers of faulty members listed as gone, over all samples and observers."""
        return {number for _, counts in self.series for number in counts}

    def _look(self, world: World) -> None:
        counts = Counter(self.gone[name] for name in world.nodes if name not in self.faulty)
        self.series.append((world.now, counts))
        world.at(world.now + self.interval, self._look, world)


@scenario("rp-bootstrap", is_long=True, nodes=100, byte_mode=False, arm="ours", limit=300.0)
def rp_bootstrap(run: Run) -> None:
    """One seed, and ten seconds later all others within a second: when do all see all?"""
    n = run["nodes"]
    world = _world(run, nodes=1)
    [seed] = world.nodes.values()
    sizes = ViewSizes()
    world.observe(sizes)
    world.run_for(10.0)
    rng = world.random_for("bootstrap")
    for moment in sorted(rng.uniform(0.0, 1.0) for _ in range(n - 1)):
        world.at(10.0 + moment, _join, world, seed)
    world.run_for(1.0)
    began = world.now - 1.0
    reached = world.run_until(lambda world: world.converged, run["limit"])
    run.expect(reached, f"not all see all after {run['limit']:g} s", exit_code=128)
    run.measure("all_seconds", world.now - began)
    world.run_for(sizes.interval)
    run.measure("unique_sizes", len(sizes.unique))


@scenario(
    "rp-crash",
    nodes=100,
    byte_mode=False,
    arm="ours",
    faulty=10,
    seconds=60.0,
    at_least={"nodes": 2, "faulty": 1, "seconds": 1},
    beside={"faulty": 1},
)
def rp_crash(run: Run) -> None:
    """Some members crash at once: how many different sizes are seen until all see the rest?"""
    world = _world(run)
    world.run_for(10.0)
    faulty = _pick(run, world)
    sizes = ViewSizes()
    world.observe(sizes)
    traffic = Traffic(world)
    began = world.now
    for node in faulty.values():
        world.crash(node, silent=True)
    reached = world.run_until(lambda world: world.converged, run["seconds"])
    run.expect(reached, f"not all agree after {run['seconds']:g} s", exit_code=128)
    run.measure("all_seconds", world.now - began)
    world.run_for(began + run["seconds"] - world.now)
    run.measure("unique_sizes", len(sizes.unique))
    rates = traffic.rates()
    run.measure("sent_bytes_per_second", rates.packet_bytes + rates.stream_bytes)
    each = [sum(sent[::2]) / run["seconds"] for sent in traffic.per_node().values()]
    run.measure("sent_bytes_per_second_p99", quantile(each, 0.99))


@scenario(
    "rp-flipflop",
    is_long=True,
    nodes=100,
    byte_mode=False,
    arm="ours",
    faulty=1,
    period=20.0,
    seconds=900.0,
    at_least={"nodes": 2, "faulty": 1, "period": 0.1, "seconds": 1},
    beside={"faulty": 1},
)
def rp_flipflop(run: Run) -> None:
    """All packets to some members are dropped for 20 s, pass for 20 s, and so on."""
    world = _world(run)
    world.run_for(10.0)
    faulty = _pick(run, world)
    removals, wrong = _watch(world, faulty)
    end = world.now + run["seconds"]
    while world.now < end:
        run.progress(1 - (end - world.now) / run["seconds"], f"{world.now:.0f} s")
        for link in (Link(loss=1.0), None):
            for name in faulty:
                world.network.set_link(None, name, link)
            world.run_for(run["period"])
    _measure(run, removals, wrong)


@scenario(
    "rp-loss80",
    is_long=True,
    nodes=100,
    byte_mode=False,
    arm="ours",
    faulty=1,
    loss=0.8,
    direction="egress",
    seconds=810.0,
    at_least={"nodes": 2, "faulty": 1, "seconds": 1},
    at_most={"loss": 1},
    beside={"faulty": 1},
)
def rp_loss80(run: Run) -> None:
    """Most packets from some members, or to them (``direction=ingress``), are lost from 90 s on."""
    if run["direction"] not in ("egress", "ingress"):
        raise UsageError(f"option direction: {run['direction']!r} is none of egress, ingress")
    world = _world(run)
    world.run_for(90.0)
    faulty = _pick(run, world)
    removals, wrong = _watch(world, faulty)
    for name in faulty:
        source, target = (name, None) if run["direction"] == "egress" else (None, name)
        world.network.set_link(source, target, Link(loss=run["loss"]))
    for tenth in range(10):
        run.progress(tenth / 10, f"{world.now:.0f} s")
        world.run_for(run["seconds"] / 10)
    _measure(run, removals, wrong)


@scenario("rp-blackhole", nodes=50, byte_mode=False, arm="ours", seconds=300.0, at_least={"nodes": 3})
def rp_blackhole(run: Run) -> None:
    """Nothing passes between one pair of members, in both directions: no member may be removed."""
    world = _world(run)
    world.run_for(10.0)
    wrong = FalsePositives()
    world.observe(wrong)
    names = list(world.nodes)
    world.network.cut(names[:1], names[1:2])
    world.run_for(run["seconds"])
    run.measure("removals", wrong.failed)
    run.measure("suspicions", wrong.suspected)
    run.expect(not wrong.failed, f"{wrong.failed} times a member that others can reach was declared failed")


# -- inside


def _world(run: Run, *, nodes: int | None = None) -> World:
    return arm_world(run, settings_of(run["arm"]), nodes=nodes)


def _join(world: World, seed: SimNode) -> None:
    world.add(seeds=[seed])


def _pick(run: Run, world: World) -> dict[str, SimNode]:
    order = list(world.nodes.values())
    world.random_for("faulty").shuffle(order)
    return {node.id: node for node in order[: run["faulty"]]}


def _watch(world: World, faulty: dict[str, SimNode]) -> tuple[Removals, FalsePositives]:
    removals, wrong = Removals(faulty), FalsePositives(faulty)
    world.observe(removals)
    world.observe(wrong)
    return removals, wrong


def _measure(run: Run, removals: Removals, wrong: FalsePositives) -> None:
    """Records the healthy members' views of each other and of the faulty ones."""
    healthy = run["nodes"] - run["faulty"]
    gone = [sum(k * v for k, v in counts.items()) / healthy for _, counts in removals.series]
    figures: dict[str, Any] = {
        "false_failed_at_healthy": wrong.failed_at_healthy,
        "false_failed_at_faulty": wrong.failed - wrong.failed_at_healthy,
        "faulty_gone_mean": mean(gone),
        "faulty_gone_max": max(gone),
        "without_all_share": removals.share_without_all(),
        "agreed_without_all": removals.agreed_without_all(),
        "unique_sizes": len(removals.sizes()),
        "removals_per_view": removals.removals / healthy,
        "returns_per_view": removals.flaps / healthy,
    }
    for name, value in figures.items():
        run.measure(name, value)
