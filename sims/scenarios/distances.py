"""Network coordinates: how well their distances match the known latencies of a simulated network."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import quantiles

from sims.errors import UsageError
from sims.scenarios.registry import Run, scenario
from sims.world.latency import Uniform
from sims.world.network import Link, Network

__all__ = ["coordinates"]

_JITTER = 0.1
"""Each packet takes up to this share more or less than the latency of its link."""
_INSIDE = 0.001
_BETWEEN = ((0.0, 0.020, 0.060), (0.020, 0.0, 0.050), (0.060, 0.050, 0.0))
_AROUND = 0.200

Rtt = Callable[[int, int], float]


def _ring(count: int) -> Rtt:
    """Hosts around a circle that light takes 200 ms to go round; packets take the shorter way."""

    def rtt(i: int, j: int) -> float:
        apart = abs(i - j)
        return _INSIDE + _AROUND * min(apart, count - apart) / count

    return rtt


def _star(count: int) -> Rtt:
    """Hosts around a hub, each with an access link of its own: 1 to 40 ms."""
    return lambda i, j: 0.002 + 0.040 * (i + j) / count


def _centres(count: int) -> Rtt:
    """Three data centres, 1 ms inside, and 20, 50 and 60 ms between them."""
    return lambda i, j: _INSIDE + _BETWEEN[i % 3][j % 3]


_LAYOUTS: dict[str, Callable[[int], Rtt]] = {
    "ring": _ring,
    "star": _star,
    "centres": _centres,
}
_MEDIAN_MAX = 0.11
"""The median relative error of Vivaldi between hosts on the Internet (Dabek et al., 2004)."""


@scenario("coordinates", nodes=60, layout="centres", seconds=300.0, at_least={"nodes": 3, "seconds": 1})
def coordinates(run: Run) -> None:
    """Nodes estimate the round-trip times between all pairs, most of which they never measured.

    Layouts: ``ring``, ``star`` and ``centres`` (three data centres).
    """
    if run["layout"] not in _LAYOUTS:
        raise UsageError(f"option layout: {run['layout']!r} is none of {', '.join(_LAYOUTS)}")
    rtt, network = _LAYOUTS[run["layout"]](run["nodes"]), Network()
    world = run.world(network=network, start="converged", checked=False)
    hosts = list(world.nodes.values())
    pairs = [(i, j) for i in range(len(hosts)) for j in range(len(hosts)) if i != j]
    for i, j in pairs:
        one_way = rtt(i, j) / 2
        latency = Uniform(one_way * (1 - _JITTER), one_way * (1 + _JITTER))
        network.set_link(hosts[i].id, hosts[j].id, Link(latency=latency))
    world.run_for(run["seconds"])
    found = [host.coordinate() for host in hosts]
    errors = []
    for i, j in pairs:
        a, b = found[i], found[j]
        if a is not None and b is not None and i < j:
            errors.append(abs(a.distance_to(b) - rtt(i, j)) / rtt(i, j))
    run.expect(bool(errors), "the nodes have no coordinates")
    percent = quantiles(errors, n=100, method="inclusive") if errors else [math.inf] * 99
    run.measure("median_error", percent[49])
    run.measure("p95_error", percent[94])
    run.expect(percent[49] <= _MEDIAN_MAX, f"the median error is {percent[49]:.0%}, not {_MEDIAN_MAX:.0%}")
