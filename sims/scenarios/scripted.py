"""Whatever you want: a schedule of faults from a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sims.errors import UsageError
from sims.faults.schedule import Schedule
from sims.scenarios.registry import Run, scenario
from sims.scenarios.shared import settled
from sims.theory.bounds import convergence_bound, worst_latency

__all__ = ["faults", "with_script"]


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
    if _is_inlined(script):
        return Schedule.from_json(script)
    text = _text_of(script)
    try:
        return Schedule.from_json(text)
    except UsageError as error:
        raise UsageError(f"{script}: {error}") from None


def with_script(options: Mapping[str, str]) -> dict[str, str]:
    """Options whose script is the file's text rather than its name: a run made of them needs no file.

    Raises:
        UsageError: the file cannot be read.
    """
    script = options.get("script", "")
    if not script or _is_inlined(script):
        return dict(options)
    return {**options, "script": _text_of(script)}


def _is_inlined(script: str) -> bool:
    return script.lstrip().startswith("{")


def _text_of(script: str) -> str:
    try:
        return Path(script).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{script}: {getattr(error, 'strerror', None) or 'not text'}") from None
