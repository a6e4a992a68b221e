"""Whatever you want: a schedule of faults from a file."""

from __future__ import annotations

from pathlib import Path

from sims.bounds import convergence_bound, worst_latency
from sims.errors import UsageError
from sims.scenario import Run, scenario
from sims.scenarios.shared import settled
from sims.schedule import Schedule

__all__ = ["faults"]


@scenario("faults", script="")
def faults(run: Run) -> None:
    """The faults of a JSON file happen to a settled cluster (--script FILE): afterwards all must agree.

    The file is what ``Schedule.to_json`` writes: ``{"version": 1, "faults": [{"type": "Crash", "at": 1.0,
    "node": "n2"}]}``; times count from the moment the cluster has settled. Hosts are ``n1`` to ``nN``.
    """
    schedule = _schedule(run["script"])
    world = settled(run)
    schedule.apply(world)
    world.run_for(schedule.seconds)
    schedule.heal(world)
    live = len(world.running())
    bound = convergence_bound(
        next(iter(world.nodes.values())).config,
        len(world.nodes),
        latency=worst_latency(world.network.default.latency),
        gone=len(world.nodes) - live,
        live=live,
    )
    run.measure("heal_seconds", run.expect_soon(world, lambda w: w.converged, bound, "no agreement"))


def _schedule(script: str) -> Schedule:
    if not script:
        return Schedule()
    try:
        return Schedule.from_json(Path(script).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{script}: {getattr(error, 'strerror', None) or 'not text'}") from None
    except UsageError as error:
        raise UsageError(f"{script}: {error}") from None
