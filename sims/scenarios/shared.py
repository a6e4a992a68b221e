"""Shared by scenarios: settle a cluster, compute a time limit, count false positives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from sims.errors import UsageError
from sims.measure import Agreement, Detection, Dissemination, FalsePositives, Flaps, Traffic, mean, quantile
from sims.scenarios.registry import Run
from sims.theory.bounds import worst_latency
from sims.world import World
from sims.world.host import SimNode
from sims.world.latency import Uniform
from swim.config import Config
from swim.events import MemberEvent, MemberFailed

__all__ = [
    "FORGETFUL",
    "all_show",
    "arm_world",
    "first_nodes",
    "late_reader",
    "limit",
    "measure_detection",
    "measure_quantiles",
    "measure_wrong",
    "news_of",
    "others",
    "settled",
    "suspend",
    "watch_failures",
]

FORGETFUL: dict[str, Any] = {"reconnect_timeout": 30.0, "tombstone_timeout": 30.0}
"""Settings that forget failed and left members after 30 s rather than a day, so that minutes are enough."""


def settled(run: Run, *, rest: float = 5.0, **how: Any) -> World:
    """A world of the run that has converged, after ``rest`` further seconds of quiet.

    The traffic and the disagreement of views from then on are measured at the end.
    """
    world = run.world(**how)
    run.measure("join_seconds", world.settle())
    world.run_for(rest)
    traffic, flaps, agreement = Traffic(world), Flaps(), Agreement()
    world.observe(flaps)
    world.observe(agreement)
    began = world.now

    def close() -> None:
        run.measure("disagreed_seconds", agreement.differed(world.now))
        run.measure("flaps", flaps.returns.total())
        if world.now > began and any(node.is_up for node in world.nodes.values()):
            rates = traffic.rates()
            run.measure("packets_per_node_second", rates.packets)
            run.measure("bytes_per_node_second", rates.packet_bytes + rates.stream_bytes)

    run.closing.append(close)
    return world


def arm_world(
    run: Run, settings: Mapping[str, Any], *, nodes: int | None = None, seed: int | None = None
) -> World:
    """A quiet world of the run with the settings of one arm of ``scenarios.arms``, without checkers."""
    config = run.config(**settings)
    return run.world(nodes=nodes, config=config, start="converged", checked=False, seed=seed)


def limit(world: World, bound: Callable[..., float], **circumstances: float) -> float:
    """A bound of ``theory.bounds`` for a world's first node, its number of hosts and its default latency."""
    config: Config = next(iter(world.nodes.values())).config
    latency = worst_latency(world.network.default.latency)
    return bound(config, len(world.nodes), latency=latency, **circumstances)


def late_reader(run: Run, least: str, most: str) -> Uniform:
    """How late a slow node reads: uniform between two options of the run, in seconds.

    Raises:
        UsageError: the second is less than the first.
    """
    if run[most] < run[least]:
        raise UsageError(f"option {most}: must be at least {run[least]:g} as {least} is, not {run[most]:g}")
    return Uniform(run[least], run[most])


def first_nodes(world: World, count: int, *, skip: int = 1) -> list[SimNode]:
    """``count`` hosts after the first ``skip`` ones (the first is the seed of all others)."""
    return list(world.nodes.values())[skip : skip + count]


def others(world: World, *excluded: SimNode) -> list[SimNode]:
    """The running nodes except some."""
    return [node for node in world.running() if node not in excluded]


def news_of(world: World, name: str, *kinds: type[MemberEvent]) -> Dissemination:
    """Records which nodes get an event of these kinds about a member, and when, from now on."""
    news = Dissemination(lambda event: isinstance(event, kinds) and event.member.name == name)
    world.observe(news)
    return news


def watch_failures(world: World) -> Dissemination:
    """Records which nodes declare a member failed from now on, rightly or not."""
    failures = Dissemination(lambda event: isinstance(event, MemberFailed))
    world.observe(failures)
    return failures


def suspend(world: World, nodes: list[SimNode]) -> Callable[[SimNode], None]:
    """Suspends whole hosts; packets to them are lost. Returns a function that wakes them.

    Each joins a given node as soon as it wakes, as programs do that were cut off, and so sends its table.
    """
    sleeping = [node.id for node in nodes]
    cut = world.network.cut(sleeping, [id for id in world.nodes if id not in sleeping])
    for node in nodes:
        world.pause(node)

    def wake(target: SimNode) -> None:
        world.network.heal(cut)
        for node in nodes:
            world.resume(node)
            node.join([target])

    return wake


def all_show(nodes: Iterable[SimNode], name: str, *statuses: str) -> bool:
    """Whether every one of the nodes lists a member in one of the statuses ("" means not listed)."""
    return all(node.status_of(name) in statuses for node in nodes)


def measure_wrong(run: Run, wrong: FalsePositives, *, allowed: bool = False) -> None:
    """Records false positives, and expects that there are none unless they are ``allowed``."""
    run.measure("false_failed", wrong.failed)
    run.measure("false_failed_at_healthy", wrong.failed_at_healthy)
    run.measure("false_failed_subjects", len(wrong.subjects))
    run.measure("false_suspected", wrong.suspected)
    if not allowed:
        names = ", ".join(sorted(wrong.subjects))
        run.expect(not wrong.failed, f"{wrong.failed} times a running member was declared failed: {names}")


def measure_detection(run: Run, seen: Detection) -> None:
    """Records when the losses were suspected and declared, on average over the losses."""
    for name, seconds in _detection(seen):
        if seconds:
            run.measure(name, mean(seconds))


def measure_quantiles(run: Run, name: str, seconds: Iterable[float]) -> None:
    """Records the minimum, the median and the maximum of some times, if there are any."""
    listed = list(seconds)
    if listed:
        run.measure(f"first_{name}_seconds", min(listed))
        run.measure(f"median_{name}_seconds", quantile(listed, 0.5))
        run.measure(f"all_{name}_seconds", max(listed))


def _detection(seen: Detection) -> Iterator[tuple[str, list[float]]]:
    yield "first_suspected_seconds", seen.first_suspected()
    yield "first_failed_seconds", seen.first_failed()
    medians = [quantile(loss.failed.values(), 0.5) for loss in seen.losses if loss.failed]
    yield "median_failed_seconds", medians
    yield "all_failed_seconds", seen.last_failed()
