"""``swim sim sweep``: runs a grid of options and seeds on all cores, into a file."""

from __future__ import annotations

from pathlib import Path

import click

from swim.cli.common import ExitCode, emit, globals_of, output_options
from swim.cli.sim.recording import progress_bar

__all__ = ["sweep"]

_INTERRUPTED = 130


@click.command(epilog="Exit codes: 0 done, 1 some runs failed, 2 usage, 130 interrupted.")
@click.argument("what", metavar="NAME")
@click.argument("axes", nargs=-1, metavar="[OPTION=VALUE,...]...")
@click.option("--seeds", default="0-9", show_default=True, help="Run seeds, such as 0-9 or 1,5,20-29.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("sweep.csv"),
    show_default=True,
    help="A .csv file; if it has rows already, only the missing runs are made.",
)
@click.option("--workers", type=click.IntRange(1), help="Processes [one per core].")
@click.option("--on", default="", metavar="dask://HOST:PORT", help="Run on a Dask cluster.")
@output_options
@click.pass_context
def sweep(
    ctx: click.Context,
    what: str,
    axes: tuple[str, ...],
    seeds: str,
    out: Path,
    workers: int | None,
    on: str,
) -> int:
    """Run the scenario NAME, or `vector`, with every combination of values and seeds.

    Each finished run is written to the file at once. After Ctrl-C, the same command continues.
    """
    from sims.experiments.sweep import Grid, parse_axes, parse_seeds, run_sweep

    grid = Grid(what, parse_axes(axes), parse_seeds(seeds))
    try:
        with progress_bar(what, total=len(grid)) as progress:
            swept = run_sweep(
                grid,
                out,
                workers=workers,
                on=on,
                progress=lambda done, total: progress(done, f"{done}/{total}"),
            )
    except KeyboardInterrupt:
        kept = out.with_suffix(".csv")
        click.echo(f"swim: interrupted; run the same command to continue from {kept}", err=True)
        return _INTERRUPTED
    failed = [
        {"seed": each.work.seed, "options": dict(each.work.options), "error": repr(each.error)}
        for each in swept.failed
    ]
    document = {"file": str(out), "rows": swept.rows, "new": swept.new, "failed": failed}
    text = f"{out}: {swept.rows} rows, {swept.new} new"
    emit(globals_of(ctx), document, text=text, rows=[(out, swept.rows, swept.new, len(failed))])
    for each in failed:
        click.echo(f"failed: seed {each['seed']} {each['options']}: {each['error']}", err=True)
    return ExitCode.FAILED if failed else ExitCode.DONE
