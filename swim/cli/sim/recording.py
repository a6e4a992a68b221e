"""Around a run: its options, a progress bar, and the traces and pictures that it writes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from swim.cli.common import duration, emit, globals_of, output_options

if TYPE_CHECKING:
    from sims.world.observer import Observer

__all__ = ["draw", "free_options", "hush_nodes", "progress_bar", "recording", "settings_of"]

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--diagram", type=_FILE, help="Draw packets between nodes over time (SVG).")
@click.option("--timeline", type=_FILE, help="Draw each node's view of every other node over time (SVG).")
@click.option(
    "--player", type=_FILE, help="The trace and its player in one HTML file, for a browser, without a server."
)
@click.option("--from", "start", type=duration, metavar="SECONDS", help="Left end of the picture.")
@click.option("--to", "end", type=duration, metavar="SECONDS", help="Right end of the picture.")
@click.option("--node", "nodes", multiple=True, metavar="NAME", help="Show only this node; repeatable.")
@output_options
@click.pass_context
def draw(
    ctx: click.Context,
    file: Path,
    diagram: Path | None,
    timeline: Path | None,
    player: Path | None,
    start: float | None,
    end: float | None,
    nodes: tuple[str, ...],
) -> None:
    """Draw a trace FILE written by `swim sim run --trace` or `swim cluster --trace`."""
    from sims.replay import read_trace

    if not (diagram or timeline or player):
        raise click.UsageError("say what to draw: --diagram, --timeline or --player", ctx)
    from sims.traces.text import run_title

    trace = read_trace(file)
    window: dict[str, Any] = {"start": start, "end": end, "nodes": nodes, "title": run_title(trace.header)}
    written = [str(path) for path in (diagram, timeline, player) if path is not None]
    with (
        _opened("--diagram", diagram) as diagram_file,
        _opened("--timeline", timeline) as timeline_file,
        _opened("--player", player) as player_file,
    ):
        _write_pictures(trace.records, diagram_file, timeline_file, window)
        if player_file is not None:
            from agent_api.ui.single import player_document

            player_file.write(player_document(file.read_bytes(), file.name))
    emit(globals_of(ctx), {"written": written}, text="\n".join(written), rows=[(path,) for path in written])


@contextmanager
def recording(
    name: str,
    options: Mapping[str, str],
    settings: Mapping[str, str],
    *,
    trace: Path | None,
    diagram: Path | None,
    timeline: Path | None,
    until: float | None = None,
) -> Iterator[tuple[Observer, ...]]:
    """Observers of a scenario's run; the requested files are written when the block ends.

    Args:
        name: the scenario's.
        options: that were given.
        settings: that were given.
        trace: the file for it.
        diagram: the file for it.
        timeline: the file for it.
        until: virtual seconds; what happens later is in none of the files.

    Raises:
        click.UsageError: one of the files cannot be written; nothing was run.
    """
    if not (trace or diagram or timeline):
        yield ()
        return
    from sims.scenarios.scripted import with_script
    from sims.traces.text import run_title
    from sims.traces.writer import EventTrace, TraceWriter

    made = {"by": "scenario", "name": name, "options": with_script(options)}
    if settings:
        made["settings"] = dict(settings)
    lines: list[str] = []
    with (
        _opened("--trace", trace) as trace_file,
        _opened("--diagram", diagram) as diagram_file,
        _opened("--timeline", timeline) as timeline_file,
    ):
        sinks: list[Callable[[str], object]] = []
        if trace_file is not None:
            sinks.append(trace_file.write)
        if diagram or timeline:
            sinks.append(lines.append)

        def sink(line: str) -> None:
            if until is not None and json.loads(line).get("at", 0.0) > until:
                return
            for write in sinks:
                write(line)

        kind = TraceWriter if trace or diagram else EventTrace
        yield (kind(sink, made=made),)
        if lines:
            header, *records = map(json.loads, lines)
            _write_pictures(records, diagram_file, timeline_file, {"title": run_title(header)})


@contextmanager
def _opened(option: str, path: Path | None) -> Iterator[TextIO | None]:
    """The file of an option, opened for writing; None if it was not given."""
    if path is None:
        yield None
        return
    try:
        file = path.open("w", encoding="utf-8")
    except OSError as error:
        context = click.get_current_context()
        raise click.UsageError(f"{option}: {path}: {error.strerror}", context) from None
    with file:
        yield file


def _write_pictures(
    records: list[dict[str, Any]], diagram: TextIO | None, timeline: TextIO | None, window: dict[str, Any]
) -> None:
    worlds = 1 + sum(record["kind"] == "world" for record in records)
    if worlds > 1 and (diagram or timeline):
        click.echo(
            f"swim: the run had {worlds} worlds, one after the other; only the first is drawn", err=True
        )
    if diagram is not None:
        from sims.pictures.diagram import diagram as draw_diagram

        diagram.write(draw_diagram(records, **window))
    if timeline is not None:
        from sims.pictures.timeline import timeline as draw_timeline

        timeline.write(draw_timeline(records, **window))


@contextmanager
def progress_bar(word: str, *, total: float) -> Iterator[Callable[[float, str], None]]:
    """A progress bar on a terminal's stderr, otherwise nothing; yields a function of the share and a word."""
    if not sys.stderr.isatty():
        yield lambda done, word: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(word, total=total)
        yield lambda done, detail: bar.update(task, completed=done, description=f"{word} {detail}".strip())


def hush_nodes(ctx: click.Context) -> None:
    """Silences the nodes' logs until the command ends."""
    from sims.workers import quiet_nodes

    ctx.with_resource(quiet_nodes())


def settings_of(words: Sequence[str]) -> dict[str, str]:
    """``suspicion_mult=3`` as a mapping.

    Raises:
        click.UsageError: a word of another form.
    """
    for word in words:
        if not all(word.partition("=")[::2]):
            raise click.UsageError(f"--set takes NAME=VALUE, not {word!r}")
    return {name.replace("-", "_"): value for name, _, value in (word.partition("=") for word in words)}


def free_options(words: Sequence[str]) -> dict[str, str]:
    """``--kill 3 --profile=lan`` as a mapping.

    Raises:
        click.UsageError: a word that is not an option, or an option without its value.
    """
    pairs: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        key, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not key:
            raise click.UsageError(f"unexpected argument {word!r}")
        if not equals:
            if not rest:
                raise click.UsageError(f"option {word} needs a value")
            value = rest.pop(0)
        pairs[key.replace("-", "_")] = value
    return pairs
