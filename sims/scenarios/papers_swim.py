"""The experiments of the SWIM paper (Das, Gupta, Motivala, DSN 2002), section 5.

Its protocol: one member probed per period of 2 s, one indirect prober, claims only piggybacked on pings and
acks, each at most 3 ln(N + 1) times, suspicions of as many periods. No streams, no gossip rounds, no
Lifeguard. Logarithms are rounded up; where this engine's settings are whole multiples of a decimal logarithm,
the nearest multiple is taken.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

from sims.errors import UsageError
from sims.measure import Detection, FalsePositives, mean, quantile
from sims.scenarios.arms import settings_of
from sims.scenarios.registry import Run, scenario
from sims.scenarios.shared import arm_world
from sims.theory.formulas import probe_failure
from sims.world import World
from sims.world.host import SimNode
from sims.world.network import Link, Network
from sims.world.observer import Observer, Packet
from swim.events import Event, MemberEvent, MemberFailed, MemberSuspected

__all__ = ["PERIOD", "swim_accuracy", "swim_detect", "swim_load", "swim_loss", "swim_settings"]

PERIOD = 2.0
"""Seconds from one probe to the next."""

_DISSEMINATIONS = ("multicast", "infection", "suspicion")


def swim_settings(n: int) -> dict[str, Any]:
    """Fields of ``Config`` for the paper's protocol in a cluster of ``n``."""
    periods = 3 * math.ceil(math.log(n + 1))
    return settings_of("swim") | {
        "probe_interval": PERIOD,
        "probe_timeout": PERIOD / 4,
        "indirect_checks": 1,
        "disable_tcp_pings": True,
        "gossip_interval": 0.0,
        "push_pull_interval": 0.0,
        "rejoin_interval": 0.0,
        "retransmit_mult": math.ceil(periods / math.ceil(math.log10(n + 1))),
        "suspicion_mult": round(periods / max(1.0, math.log10(n))),
        "delegate_version": 0,
    }


@scenario("swim-load", nodes=28, periods=40, at_least={"nodes": 2, "periods": 1})
def swim_load(run: Run) -> None:
    """Packets per member and protocol period in a quiet cluster, and how unevenly they are distributed."""
    world = _world(run)
    world.run_for(2 * PERIOD)
    load = _Load(world.now)
    world.observe(load)
    world.run_for(run["periods"] * PERIOD)
    sent = [load.out[name, period] for name in world.nodes for period in range(run["periods"])]
    run.measure("sent_per_period", mean(sent))
    run.measure("received_per_period", sum(load.into.values()) / len(sent))
    run.measure("sent_p99_per_period", quantile(sent, 0.99))
    run.measure("sent_under_5_share", mean(value < 5 for value in sent))


@scenario("swim-detect", nodes=28, repeats=5, at_least={"nodes": 2, "repeats": 1})
def swim_detect(run: Run) -> None:
    """A member crashes: periods until it is first detected, and until the median and the last member know.

    ``detection`` counts whole periods until the probe that detects it, without the probe's own period, as in
    the paper. ``infection`` is the time for the suspicion to spread from the first member to the median one,
    ``spread`` to the last; ``removal`` is from the crash until the last member declares it failed.
    """
    found: dict[str, list[float]] = {name: [] for name in ("detection", "infection", "spread", "removal")}
    for number in range(run["repeats"]):
        run.progress(number / run["repeats"], f"crash {number + 1}")
        world = _world(run, seed=run.seed * 1000 + number)
        rng = world.random_for("crash")
        world.run_for(10 * PERIOD + rng.uniform(0, PERIOD))
        seen = Detection()
        world.observe(seen)
        world.crash(rng.choice(list(world.nodes.values())), silent=True)
        world.run_for(PERIOD * (6 * math.ceil(math.log(run["nodes"] + 1)) + 30))
        [loss] = seen.losses
        run.expect(len(loss.failed) == run["nodes"] - 1, f"{len(loss.failed)} members noticed", exit_code=128)
        first = min(loss.suspected.values())
        found["detection"].append(math.ceil(first / PERIOD - 1))
        found["infection"].append((quantile(loss.suspected.values(), 0.5) - first) / PERIOD)
        found["spread"].append((max(loss.suspected.values()) - first) / PERIOD)
        found["removal"].append(max(loss.failed.values()) / PERIOD)
    for name, periods in found.items():
        run.measure(f"{name}_periods", mean(periods))


@scenario("swim-loss", nodes=17, variant="suspicion", loss=0.1, seconds=175.0, at_most={"loss": 1})
def swim_loss(run: Run) -> None:
    """Members join one by one while packets get lost: how large is the group in the end?

    A member declared failed by any other is removed for good, as in the paper: the run ends its process.
    Variants: ``multicast`` informs all members at once, ``infection`` piggybacks claims on pings, and in both
    a failed probe is final; ``suspicion`` piggybacks and first waits for a refutation.
    """
    variant, n = run["variant"], run["nodes"]
    if variant not in _DISSEMINATIONS:
        raise UsageError(f"option variant: {variant!r} is none of {', '.join(_DISSEMINATIONS)}")
    settings = swim_settings(n)
    if variant == "multicast":
        settings |= {"gossip_interval": 0.05, "gossip_nodes": n, "retransmit_mult": math.ceil(n / 2)}
    world = run.world(
        nodes=1,
        config=run.config(**settings),
        network=Network(Link(loss=run["loss"])),
        checked=False,
        observers=[out := _Out(MemberFailed if variant == "suspicion" else MemberSuspected)],
    )
    seed = next(iter(world.nodes.values()))
    peak = 1.0
    while world.now < run["seconds"]:
        if len(world.nodes) < n and world.now >= 5.0 * len(world.nodes):
            world.add(seeds=[node for node in [seed, *world.running()] if node.is_up][:3])
        world.run_for(1.0)
        peak = max(peak, _group_size(world))
    run.measure("group_size", _group_size(world))
    run.measure("group_size_peak", peak)
    run.measure("running", len(world.running()))
    run.measure("expelled", len(out.expelled))


@scenario(
    "swim-accuracy",
    nodes=28,
    loss=0.1,
    periods=200,
    byte_mode=False,
    at_least={"nodes": 2, "periods": 1},
    at_most={"loss": 1},
)
def swim_accuracy(run: Run) -> None:
    """Packets get lost, no node fails: how often is a healthy member accused, and how often declared failed?

    ``accused`` counts failed probes, per member and period; ``expected`` is their probability by section 3.1.
    ``suspected`` and ``failed`` count transitions in the views, per view, member and period.
    """
    world = _world(run)
    world.run_for(2 * PERIOD)
    world.network.set_default(Link(loss=run["loss"]))
    wrong = FalsePositives()
    world.observe(wrong)
    before = _failed_probes(world)
    world.run_for(run["periods"] * PERIOD)
    chances = run["nodes"] * run["periods"]
    config = next(iter(world.nodes.values())).config
    run.measure("accused_per_period", (_failed_probes(world) - before) / chances)
    run.measure("expected_per_period", probe_failure(config, run["loss"]))
    run.measure("suspected_per_period", wrong.suspected / chances / run["nodes"])
    run.measure("failed_per_period", wrong.failed / chances / run["nodes"])


# -- inside


def _failed_probes(world: World) -> float:
    return sum(node.metrics.counters["memberlist.degraded.probe"] for node in world.nodes.values())


class _Load(Observer):
    """Packets by member and period."""

    def __init__(self, began: float) -> None:
        self._began = began
        self.out: Counter[tuple[str, int]] = Counter()
        self.into: Counter[tuple[str, int]] = Counter()

    def sent(self, world: World, packet: Packet) -> None:
        """See ``Observer``."""
        self.out[packet.source, int((world.now - self._began) / PERIOD)] += 1

    def received(self, world: World, node: SimNode, packet: Packet) -> None:
        """See ``Observer``."""
        self.into[node.id, int((world.now - self._began) / PERIOD)] += 1


class _Out(Observer):
    """Ends the process of a member that is declared failed."""

    def __init__(self, failure: type[MemberEvent]) -> None:
        self.failure = failure
        self.expelled: set[str] = set()

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if isinstance(event, self.failure) and event.member.name not in self.expelled:
            self.expelled.add(event.member.name)
            world.at(world.now, world.crash, event.member.name)


def _group_size(world: World) -> float:
    """The median view of those that run."""
    views = [len(node.alive()) for node in world.running()]
    return quantile(views, 0.5) if views else 0


def _world(run: Run, *, seed: int | None = None) -> World:
    return arm_world(run, swim_settings(run["nodes"]), seed=seed)
