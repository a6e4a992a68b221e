"""``swim sim report``: runs the papers' experiments, and writes tables and plots."""

from __future__ import annotations

from pathlib import Path

import click

from swim.cli.common import emit, globals_of, output_options
from swim.cli.sim.recording import progress_bar

__all__ = ["report"]

_INTERRUPTED = 130


@click.command(epilog="Exit codes: 0 done, 2 usage, or a run failed, 130 interrupted.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("report"),
    show_default=True,
    help="Directory for rows, tables and plots; runs that have a row already are skipped.",
)
@click.option("--workers", type=click.IntRange(1), help="Processes [one per core].")
@click.option("--no-play", is_flag=True, help="Only show the existing rows.")
@output_options
@click.pass_context
def report(
    ctx: click.Context, names: tuple[str, ...], out: Path, workers: int | None, no_play: bool
) -> int | None:
    """Replay the experiments of the SWIM, Lifeguard and Rapid papers: all, or those named.

    Each writes its rows (CSV), a table (Markdown) and a plot (PNG), with the published figures next to ours.
    """
    from sims.experiments.report import report as write

    try:
        with progress_bar("report", total=1.0) as progress:
            written = write(
                names,
                out,
                workers=workers,
                play=not no_play,
                progress=lambda name, done, total: progress(done / max(1, total), name),
            )
    except KeyboardInterrupt:
        click.echo("swim: interrupted; run the same command to continue", err=True)
        return _INTERRUPTED
    document = {
        "reports": [
            {"name": w.name, "rows": w.rows, "table": str(w.table), "picture": str(w.picture)}
            for w in written
        ]
    }
    rows = [(w.name, w.rows, w.table, w.picture) for w in written]
    text = "\n".join(f"{name}: {count} rows, {table}, {picture}" for name, count, table, picture in rows)
    emit(globals_of(ctx), document, text=text, rows=rows)
    return None
