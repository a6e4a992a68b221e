"""``swim watch`` and ``swim monitor``: an agent's members, their events, and its log, as they happen."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import click

from swim.cli.agent.following import followed
from swim.cli.agent.watching import Table, cells, sentence
from swim.cli.common import Globals, agent_options, globals_of, is_utf8, output_options
from swim.cli.logs import LEVELS
from swim.text import json_text, printable

__all__ = ["monitor", "watch"]


@click.command()
@agent_options
@output_options
@click.pass_context
def watch(ctx: click.Context) -> None:
    """Show the members and their events as they happen, until Ctrl-C; goes on when the agent has restarted.

    On a terminal this is a live table; otherwise there is a line for each event. With --json there is an
    object per line: first the members (Snapshot), then each event.
    """
    wanted = globals_of(ctx)
    is_live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not (wanted.json or wanted.plain)
    with suppress(KeyboardInterrupt):
        if is_live:
            from swim.cli.agent.screen import show

            show(wanted)
        else:
            _print_lines(wanted)


@click.command()
@click.option(
    "--log-level",
    type=click.Choice([*LEVELS, "trace", "off"]),
    default="info",
    help="Least serious level shown, whatever the agent's own is [info].",
)
@agent_options
@output_options
@click.pass_context
def monitor(ctx: click.Context, log_level: str) -> None:
    """Show the agent's log from now on, until Ctrl-C; goes on when the agent has restarted.

    With --json there is an object per line.
    """
    wanted = globals_of(ctx)
    with suppress(KeyboardInterrupt):
        level, is_json = log_level, wanted.json
        for frame in followed(wanted, lambda agent: agent.nomad.monitor(level, is_json=is_json), _complain):
            if frame:
                text = base64.b64decode(frame["Data"]).decode("utf-8", "replace")
                click.echo("\n".join(printable(line) for line in text.splitlines()))


def _print_lines(wanted: Globals) -> None:
    table = Table()
    for item in followed(wanted, lambda agent: agent.watch(), _complain):
        for event in table.apply(item):
            _print(wanted, event)


def _print(wanted: Globals, event: Mapping[str, Any]) -> None:
    if wanted.json:
        shown = {key: value for key, value in event.items() if key != "changes"}
        click.echo(json_text(shown, ascii_only=not is_utf8(sys.stdout)))
    elif wanted.plain:
        for part in event.get("changes", (event,)):
            click.echo("\t".join(printable(cell) for cell in cells(part)))
    else:
        click.echo(sentence(event))


def _complain(text: str) -> None:
    click.echo(f"swim: {printable(text)}", err=True)
