"""A schedule of faults from a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from sims.errors import UsageError
from sims.faults.schedule import Schedule
from sims.faults.words import parse_schedule
from sims.scenarios.registry import Run, scenario
from sims.scenarios.shared import settled
from sims.theory.bounds import convergence_bound, worst_latency

__all__ = ["faults", "with_script"]

_INLINED = re.compile(r"\s*(\{|\d\S*\s)")


@scenario("faults", script="")
def faults(run: Run) -> None:
    """Faults happen to a settled cluster (--script STEPS, or FILE): afterwards all must agree.

    Steps are those of ``swim cluster``, such as ``3s crash n2; 10s heal``; see ``sims.faults.words``. A file
    holds such steps, or what ``Schedule.to_json`` writes: ``{"version": 1, "faults": [{"type": "Crash", "at":
    1.0, "node": "n2"}]}``. Times count from the moment the cluster has settled. Hosts are ``n1`` to ``nN``.
    """
    schedule = _schedule(run["script"], [f"n{number}" for number in range(1, run["nodes"] + 1)])
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


def _schedule(script: str, hosts: list[str]) -> Schedule:
    if not script or _is_inlined(script):
        return _read(script, hosts)
    text = _text_of(script)
    try:
        return _read(text, hosts)
    except UsageError as error:
        raise UsageError(f"{script}: {error}") from None


def with_script(options: Mapping[str, str]) -> dict[str, str]:
    """Options with the script's text in place of its file name, so that the run needs no file.

    Raises:
        UsageError: the file cannot be read.
    """
    script = options.get("script", "")
    if not script or _is_inlined(script):
        return dict(options)
    return {**options, "script": _text_of(script)}


def _read(text: str, hosts: list[str]) -> Schedule:
    return Schedule.from_json(text) if text.lstrip()[:1] in ("{", "[") else parse_schedule(text, hosts)


def _is_inlined(script: str) -> bool:
    """Whether it is JSON, or steps that begin with a time, rather than a file's name."""
    return _INLINED.match(script) is not None


def _text_of(script: str) -> str:
    try:
        return Path(script).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{script}: {getattr(error, 'strerror', None) or 'not text'}") from None
