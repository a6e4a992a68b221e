"""The cost of joins next to memberlist's rules, in virtual time: many at once, one into a calm cluster."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sims.bench.engines import Engine
from sims.bench.options import Options, Samples
from sims.scenarios.arms import settings_of
from sims.world import World
from sims.world.observer import Observer, Packet
from swim.config import Config

__all__ = ["mass_join", "newcomer", "storm"]

_ARMS = {"swim": "ours", "memberlist": "lifeguard"}
_STORMS = (50, 200)
_STORM_SECONDS = 10.0
_SETTLED = 500


def mass_join(_: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """Both engines' rules, ``options.runs`` seeds each."""
    results: dict[str, Samples] = {name: {} for name in _ARMS}
    for name, arm in _ARMS.items():
        for seed in range(options.runs):
            measures = newcomer(arm, _SETTLED, seed)
            for nodes in _STORMS:
                measures |= storm(arm, nodes, seed)
            for measure, value in measures.items():
                results[name].setdefault(measure, []).append(value)
    return results


def storm(arm: str, nodes: int, seed: int, *, seconds: float = _STORM_SECONDS) -> dict[str, float]:
    """All ``nodes`` join one at the same moment: what all of them send, and when all know all."""
    count = _Count()
    world = World(seed, nodes=nodes, config=partial(Config.lan, **settings_of(arm)), observers=[count])
    agreed = world.settle()
    world.run_for(max(0.0, seconds - world.now))
    return {f"{nodes} join, packets": float(count.sent_by_all), f"{nodes} join, all know, s": agreed}


def newcomer(arm: str, nodes: int, seed: int) -> dict[str, float]:
    """One node joins ``nodes`` that know each other: what it receives in its first second."""
    count = _Count("newcomer")
    config = partial(Config.lan, **settings_of(arm))
    world = World(seed, nodes=nodes, config=config, start="converged", observers=[count])
    world.run_for(5.0)
    world.add("newcomer", seeds=[world.nodes["n1"]])
    world.run_for(1.0)
    return {f"one joins {nodes}, packets to it in 1 s": float(count.sent_to_one)}


class _Count(Observer):
    def __init__(self, one: str = "") -> None:
        self.one = one
        self.sent_by_all = 0
        self.sent_to_one = 0

    def sent(self, world: World, packet: Packet) -> None:
        """See ``Observer``."""
        self.sent_by_all += 1
        self.sent_to_one += packet.target == self.one
