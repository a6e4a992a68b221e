"""``swim explain``: what to expect of a cluster, by formula and by simulation."""

from __future__ import annotations

from collections.abc import Sequence

import click

from swim.cli.common import ExitCode, emit, fail, globals_of, output_options, table
from swim.cli.sim.recording import free_options, hush_nodes, progress_bar

__all__ = ["explain"]


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--nodes", type=click.IntRange(2), default=100, show_default=True, help="Size of the cluster.")
@click.option(
    "--runs", type=click.IntRange(1), default=100, show_default=True, help="Runs of the vector model."
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Run seed.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[--OPTION VALUE]...")
@output_options
@click.pass_context
def explain(ctx: click.Context, nodes: int, runs: int, seed: int, options: Sequence[str]) -> None:
    """Show how fast a cluster detects a failure and how fast all nodes know, and what they send.

    Shows each figure by formula, from the vector model and, up to 600 nodes, from the protocol code in
    virtual time. Give settings as --OPTION VALUE, such as --profile wan or --probe-interval 2.
    """
    try:
        from sims.model.options import read_options
        from sims.theory.explain import explain as expect
    except ModuleNotFoundError as error:
        fail(ExitCode.FAILED, f"{error.name} is missing: pip install 'swim-cluster[sims]'")
    hush_nodes(ctx)
    given = free_options(options)
    if alien := sorted(given.keys() & {"kills", "loss", "seconds", "silent", "updates", "watched"}):
        raise click.UsageError(f"No such option '--{alien[0]}'", ctx)
    config, _ = read_options(given)
    with progress_bar("explain", total=1.0) as progress:
        found = expect(config, nodes, runs=runs, seed=seed, progress=progress)
    document = found.document()
    cells = [
        (row["text"], *(_cell(row[source], row["unit"]) for source in ("formula", "model", "world")))
        for row in document["expectations"]
    ]
    notes = f"vector model: {found.model_runs} runs"
    crashes = "1 crash" if found.world_runs == 1 else f"{found.world_runs} crashes"
    notes += f"; world: {crashes}" if found.world_runs else "; too large for the protocol code"
    text = table(("EXPECTED", "FORMULA", "VECTOR MODEL", "WORLD"), cells)
    rows = [
        (row["name"], row["unit"], row["formula"], row["model"], row["world"])
        for row in document["expectations"]
    ]
    emit(globals_of(ctx), document, text=f"{nodes} nodes ({notes}); medians\n{text}", rows=rows)


def _cell(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.4g} {unit}".rstrip()
