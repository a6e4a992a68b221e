"""``swim sim replay``: runs a recorded run or a swarm seed again, and shows where two runs diverge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from swim.cli.common import ExitCode, Globals, emit, globals_of, output_options

if TYPE_CHECKING:
    from sims.replay import Trace
    from sims.traces.difference import Difference

__all__ = ["replay"]

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=_FILE, required=False)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Run this swarm seed instead of a file.")
@click.option("--diff", "other", type=_FILE, help="Compare FILE with this trace; nothing is run.")
@output_options
@click.pass_context
def replay(ctx: click.Context, file: Path | None, seed: int | None, other: Path | None) -> int:
    """Run a trace or replay FILE again and compare it line by line, or run a swarm seed.

    Exit codes: 0 same as recorded, 1 the runs diverge, 2 the file is from another version. A swarm seed, or a
    replay file with nothing to compare, exits with 0, 127 (core crashed), 128 (not in time) or 129 (property
    violated).
    """
    if (file is None) == (seed is None):
        raise click.UsageError("give either a FILE or --seed", ctx)
    if file is None:
        if other is not None:
            raise click.UsageError("--diff compares two files", ctx)
        return _swarm(globals_of(ctx), seed or 0)

    from sims.replay import read_trace
    from sims.replay import replay as run_again
    from sims.traces.difference import diff

    recorded = read_trace(file)
    if other is not None:
        return _tell(globals_of(ctx), recorded, diff(recorded, read_trace(other)), {})
    again = run_again(recorded)
    ending = {"problem": again.ending.problem, "exit_code": again.ending.exit_code}
    if recorded.records:
        return _tell(globals_of(ctx), recorded, diff(recorded, again.trace), ending)
    return _tell_ending(globals_of(ctx), again.trace, ending)


def _tell(wanted: Globals, recorded: Trace, difference: Difference | None, ending: dict[str, Any]) -> int:
    document = {
        "seed": recorded.header["seed"],
        "lines": len(recorded.records) + 1,
        "same": difference is None,
        "difference": list(difference.lines()) if difference is not None else [],
        **({"ending": ending} if ending else {}),
    }
    lines = document["difference"] or [f"the same, {document['lines']} lines"]
    if ending.get("problem"):
        lines = [*lines, f"it ended with: {ending['problem']}"]
    emit(wanted, document, text="\n".join(lines), rows=[(line,) for line in lines])
    return ExitCode.DONE if difference is None else ExitCode.FAILED


def _tell_ending(wanted: Globals, trace: Trace, ending: dict[str, Any]) -> int:
    document = {"seed": trace.header["seed"], "lines": len(trace.records) + 1, "ending": ending}
    lines = [f"ran again, {document['lines']} lines; the file has only a header, so nothing was compared"]
    lacks = trace.header["made"].get("lacks")
    if ending["problem"]:
        lines.append(f"it ended with: {ending['problem']}")
    elif lacks:
        lines.append(f"no checker of the cluster reports a violation, but the recorded run also had {lacks}:")
        lines.append("a replay file cannot hold that; run the test, or the program that it printed")
    else:
        lines.append("it ended without a violation")
    emit(wanted, document, text="\n".join(lines), rows=[(line,) for line in lines])
    return int(ending["exit_code"])


def _swarm(wanted: Globals, seed: int) -> int:
    from sims.swarm import run_swarm

    result = run_swarm(seed)
    document = {
        "seed": seed,
        "outcome": result.outcome,
        "violations": list(result.violations),
        "options": str(result.options),
        "schedule": result.schedule.to_plain(),
        "virtual_seconds": result.virtual_seconds,
        "trace_sha256": result.trace_sha256,
    }
    emit(wanted, document, text=str(result), rows=[(seed, result.outcome, *result.violations)])
    return result.exit_code
