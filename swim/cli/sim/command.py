"""``swim sim``: whole clusters in virtual time, from the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from swim.cli.common import SuggestingGroup, emit, globals_of, output_options, table
from swim.cli.sim.play import play, play_options, show
from swim.cli.sim.recording import draw, free_options, hush_nodes, progress_bar, recording, settings_of
from swim.cli.sim.replay import replay
from swim.cli.sim.report import report
from swim.cli.sim.swarm import swarm
from swim.cli.sim.sweep import sweep

if TYPE_CHECKING:
    from sims.scenarios.registry import Result, Scenario

__all__ = ["sim"]

_SEEDS = click.IntRange(0, 2**63 - 1)
_FREE_OPTIONS = {"ignore_unknown_options": True, "allow_extra_args": True}
_CODES = (
    "Exit codes: 0 done, 1 interrupted, 2 usage, 127 core crashed, 128 not in time, 129 property violated."
)


@click.group(
    cls=SuggestingGroup,
    epilog="Exit codes: 0 done, 1 failed, 2 usage; `run`, `replay`, `sweep` and `report` have more.",
)
@output_options
@click.pass_context
def sim(ctx: click.Context) -> None:
    """Simulate whole clusters: the same protocol code in virtual time, from a seed."""
    hush_nodes(ctx)


for _command in (replay, play, draw, swarm, sweep, report):
    sim.add_command(_command)


@sim.command("list")
@output_options
@click.pass_context
def list_(ctx: click.Context) -> None:
    """List the scenarios."""
    from sims.scenarios.registry import scenarios

    found = list(scenarios().values())
    document = {
        "scenarios": [
            {"name": s.name, "summary": s.summary, "options": dict(s.options), "long": s.is_long}
            for s in found
        ]
    }
    text = table(("SCENARIO", "WHAT HAPPENS"), [(s.name, _summary(s)) for s in found])
    emit(globals_of(ctx), document, text=text, rows=[(s.name, s.summary) for s in found])


@sim.command(context_settings=_FREE_OPTIONS, epilog=_CODES)
@click.argument("name")
@click.option(
    "--seed", type=_SEEDS, default=0, show_default=True, help="Run seed; the first one with --runs."
)
@click.option(
    "--runs", type=click.IntRange(1), default=1, show_default=True, help="Number of consecutive seeds."
)
@click.option("--deterministic", is_flag=True, help="Omit the wall-clock time, the only output that varies.")
@click.option(
    "--trace",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Record every packet and transition as JSON lines.",
)
@click.option(
    "--diagram", type=click.Path(dir_okay=False, path_type=Path), help="Draw packets between nodes (SVG)."
)
@click.option(
    "--timeline",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw each node's view of every other node (SVG).",
)
@click.option(
    "--until",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="The trace, the pictures and the player end at this virtual time.",
)
@click.option("--play", "plays", is_flag=True, help="Then show the run in a browser, until Ctrl-C.")
@play_options
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="A setting of every node, such as suspicion_mult=3; repeatable.",
)
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[--OPTION VALUE]...")
@output_options
@click.pass_context
def run(
    ctx: click.Context,
    name: str,
    seed: int,
    runs: int,
    deterministic: bool,
    trace: Path | None,
    diagram: Path | None,
    timeline: Path | None,
    until: float | None,
    plays: bool,
    http: str,
    opens: bool | None,
    settings: tuple[str, ...],
    options: Sequence[str],
) -> int:
    """Run the scenario NAME.

    Every option that `swim sim list --json` shows for it can be given as --OPTION VALUE, such as --nodes 50.
    """
    from sims.scenarios.registry import run_scenario

    if runs > 1 and (trace or diagram or timeline or plays):
        raise click.UsageError("--play, --trace and pictures are for one run; omit --runs", ctx)
    if until is not None and not (trace or diagram or timeline or plays):
        raise click.UsageError("--until is for --play, --trace and pictures", ctx)
    if plays and trace is None:
        trace = Path(ctx.with_resource(TemporaryDirectory(prefix="swim-"))) / f"{name}-{seed}.jsonl"
    given, chosen = free_options(options), settings_of(settings)
    results = []
    with (
        recording(
            name, given, chosen, trace=trace, diagram=diagram, timeline=timeline, until=until
        ) as observers,
        progress_bar(name, total=runs) as progress,
    ):
        for index in range(runs):
            progress(index, "")

            def progress_of_run(share: float, word: str, done: int = index) -> None:
                progress(done + share, word)

            results.append(
                run_scenario(
                    name,
                    seed + index,
                    given,
                    settings=chosen,
                    progress=progress_of_run,
                    observers=observers,
                )
            )
    documents = [result.document(deterministic=deterministic) for result in results]
    document = (
        documents[0] if runs == 1 else {"scenario": name, "ok": all(r.ok for r in results), "runs": documents}
    )
    emit(globals_of(ctx), document, text=_text(results), rows=_rows(results))
    if plays and trace is not None:
        show(ctx, [trace], http=http, opens=opens)
    return max(result.exit_code for result in results)


def _summary(scenario: Scenario) -> str:
    return f"{scenario.summary} (minutes)" if scenario.is_long else scenario.summary


def _text(results: Sequence[Result]) -> str:
    if len(results) == 1:
        result = results[0]
        rows = [(key, f"{value:g}") for key, value in result.measures.items()]
        lines = [table(("MEASURE", "VALUE"), rows)] if rows else []
    else:
        lines = [table(("MEASURE", "MEDIAN", "LEAST", "GREATEST"), _spread(results))]
    problems = [(result.seed, problem) for result in results for problem in result.violations]
    lines += [f"seed {seed}: {problem}" for seed, problem in problems]
    virtual, wall = sum(r.virtual_seconds for r in results), sum(r.wall_seconds for r in results)
    outcome = "violated" if problems else "ok"
    lines.append(f"{results[0].scenario}: {outcome}, {virtual:.1f} virtual seconds in {wall:.1f} s")
    return "\n".join(lines)


def _spread(results: Sequence[Result]) -> list[tuple[str, str, str, str]]:
    names = dict.fromkeys(name for result in results for name in result.measures)
    rows = []
    for name in names:
        values = [result.measures[name] for result in results if name in result.measures]
        rows.append((name, f"{median(values):g}", f"{min(values):g}", f"{max(values):g}"))
    return rows


def _rows(results: Sequence[Result]) -> list[tuple[Any, ...]]:
    return [(r.scenario, r.seed, r.ok, name, value) for r in results for name, value in r.measures.items()]
