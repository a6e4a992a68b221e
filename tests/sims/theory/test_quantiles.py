"""The simulator against the formulas: quantiles over many seeds, where a single worst case says little."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from sims.theory import formulas
from sims.world import Constant, Link, Network, Observer, SimNode, World
from swim.config import Config
from swim.core.gossip import Gossip
from swim.core.probe import ProbeRound
from swim.core.refusals import Refusals
from swim.core.suspicion import Suspicion
from swim.events import Event, MemberFailed

pytestmark = pytest.mark.slow

NODES = 20
SEEDS = range(60)
LATENCY = 0.0005
TOLERANCE = 0.2
"""Standard error of a median of 60 waits is about 0.13 of their mean; the waits are half of the whole."""


class Failures(Observer):
    """When views showed a member as failed."""

    def __init__(self) -> None:
        self.at: list[float] = []

    def event(self, world: World, node: SimNode, event: Event) -> None:
        if isinstance(event, MemberFailed):
            self.at.append(world.now)


def crash_times(seed: int) -> tuple[float, float]:
    """Seconds from a crash to the first view that shows it as failed, and from that to the last one."""
    network = Network(Link(latency=Constant(LATENCY)))
    world = World(seed, nodes=NODES, byte_mode=False, start="converged", network=network)
    world.run_for(1.0 + seed / 60)
    began = world.now
    failed = Failures()
    world.observe(failed)
    world.crash("n7")
    world.settle(200.0)
    assert len(failed.at) == NODES - 1
    return failed.at[0] - began, failed.at[-1] - failed.at[0]


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[round(share * (len(values) - 1))]


def misses(config: Config, seeds: Iterable[int] = SEEDS) -> list[str]:
    """Which quantiles are not where the formulas have them."""
    firsts, spreads = map(list, zip(*map(crash_times, seeds), strict=True))
    found = []
    for share in (0.5, 0.9):
        expected = formulas.first_failed(config, NODES, share)
        value = quantile(firsts, share)
        if abs(value - expected) > TOLERANCE * expected:
            found.append(f"first failed, {share}: {value:.2f} s, expected {expected:.2f}")
    expected = formulas.failure_spread(config, NODES, latency=LATENCY)["all"]
    value = quantile(spreads, 0.5)
    if value > 2 * expected + 0.1:
        found.append(f"spread: {value:.3f} s, expected {expected:.3f}")
    return found


def test_detection_and_spread_are_where_theory_has_them() -> None:
    assert misses(Config.lan(name="n1")) == []


def no_gossip(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Gossip, "poke", lambda self, now: None)
    patch.setattr(Gossip, "tell", lambda self, now, parts, most: None)


def no_confirmations(patch: pytest.MonkeyPatch) -> None:
    """Neither of others nor by the host that refuses streams."""
    patch.setattr(Suspicion, "confirm", lambda self, now, accuser, is_certain: False)
    patch.setattr(ProbeRound, "is_refused", property(lambda self: False, lambda self, value: None))
    patch.setattr(Refusals, "begin", lambda self, now, target: None)


@pytest.mark.parametrize("plant", [no_gossip, no_confirmations])
def test_a_planted_bug_moves_a_quantile(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    assert misses(Config.lan(name="n1"), SEEDS[:15]) != []
