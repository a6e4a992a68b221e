"""The figures behind the page *Explain*: ``python -m sims.theory.page`` computes them again.

How soon all members know what one of them publishes, while packets are lost and some members have crashed
unnoticed: by the vector model and by the protocol code itself. The page computes the formula.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from sims.measure import Dissemination
from sims.model import QUANTILES, Setup, simulate
from sims.theory import formulas
from sims.world import World
from sims.world.network import Link
from swim.config import Config
from swim.config.profiles import PROFILES
from swim.events import MemberUpdated

__all__ = ["FAILED", "LOSSES", "NODES", "crash", "model", "settings", "tables", "world"]

NODES = (10, 30, 100, 300, 1000)
"""Sizes of the clusters."""
LOSSES = (0.0, 0.1, 0.25, 0.5)
"""Shares of the packets that are lost."""
FAILED = (0.0, 0.25, 0.5)
"""Shares of the members that crash at the moment of the news."""

_SETTINGS = ("eager_gossip_delay", "gossip_interval", "gossip_nodes", "retransmit_mult")
_PLACE = "agent_api/ui/static/explain/tables.json"
_SECONDS = 2.0
_MODEL_CELLS = 3000
_MODEL_RUNS = 11
_MODEL_KILLS_MAX = 50
_WORLD_NODES = (10, 30, 100)
_WORLD_RUNS = 3
_DIGITS = 5


def tables() -> dict[str, Any]:
    """Everything the page loads, as JSON. A time is null where most runs never came to it."""
    cells = [(n, loss, failed) for n in NODES for loss in LOSSES for failed in FAILED]
    return {
        "nodes": NODES,
        "losses": LOSSES,
        "failed": FAILED,
        "shares": list(QUANTILES.values()),
        "profiles": {profile: settings(profile) for profile in PROFILES},
        "crash": {profile: [crash(profile, n) for n in NODES] for profile in PROFILES},
        "model": {profile: list(_rows(profile, cells, model)) for profile in PROFILES},
        "world": {
            profile: list(_rows(profile, [cell for cell in cells if cell[0] in _WORLD_NODES], world))
            for profile in PROFILES
        },
    }


def settings(profile: str) -> dict[str, float]:
    """The settings of a profile that the formula depends on."""
    config = _config(profile)
    return {name: getattr(config, name) for name in _SETTINGS}


def crash(profile: str, n: int) -> list[float | None]:
    """Median seconds from a crash to the first suspicion, to the first failure and to all, by formula."""
    config = _config(profile)
    failed = formulas.first_failed(config, n)
    spread = formulas.failure_spread(config, n)["all"]
    return _finite([formulas.first_suspected(config, n), failed, failed + spread])


def model(profile: str, n: int, loss: float, failed: float) -> list[float] | None:
    """Medians of the vector model, by share of the members; None for a cell that takes too long."""
    kills = round(n * failed)
    if kills > _MODEL_KILLS_MAX:
        return None
    runs = max(1, min(_MODEL_RUNS, _MODEL_CELLS // n // (1 + kills)))
    setup = Setup(nodes=n, kills=kills, updates=1, loss=loss, seconds=_SECONDS)
    results = simulate(_config(profile), setup, seed=n, runs=runs)
    return [median(result.measures[f"informed_{name}"] for result in results) for name in QUANTILES]


def world(profile: str, n: int, loss: float, failed: float) -> list[float] | None:
    """The same of the protocol code, in virtual time."""
    runs = [_once(profile, n, loss, failed, seed) for seed in range(_WORLD_RUNS)]
    return [median(times) for times in zip(*runs, strict=True)]


def _once(profile: str, n: int, loss: float, failed: float, seed: int) -> list[float]:
    world = World(seed, nodes=n, config=lambda **own: _config(profile, **own), start="converged")
    world.run_for(1.0)
    world.network.set_default(Link(loss=loss))
    news = Dissemination(lambda event: isinstance(event, MemberUpdated) and "news" in event.member.tags)
    world.observe(news)
    crashed = list(world.nodes)[1 : 1 + round(n * failed)]
    for node in crashed:
        world.crash(node)
    world.nodes["n1"].set_tags({"news": "1"})
    others = n - len(crashed) - 1
    world.run_until(lambda world: len(news.seconds) > others, _SECONDS)
    times = sorted(seconds for node, seconds in news.seconds.items() if node != "n1")
    times += [math.inf] * (others - len(times))
    return [times[max(0, math.ceil(share * others) - 1)] for share in QUANTILES.values()]


def _rows(profile: str, cells: list[tuple[int, float, float]], measure: Any) -> Iterator[list[Any]]:
    for n, loss, failed in cells:
        times = measure(profile, n, loss, failed)
        if times is not None:
            yield [n, loss, failed, _finite(times)]


def _finite(times: Iterable[float]) -> list[float | None]:
    return [None if math.isinf(seconds) else round(seconds, _DIGITS) for seconds in times]


def _config(profile: str, **own: Any) -> Config:
    return Config.profile(profile, **({"name": "n1"} | own))


if __name__ == "__main__":
    Path(_PLACE).write_text(
        json.dumps(tables(), allow_nan=False, separators=(",", ":")) + "\n", encoding="ascii"
    )
