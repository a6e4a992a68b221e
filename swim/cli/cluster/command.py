"""``swim cluster``: the options, the script's clock, and the three output formats."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click
import trio

from sims.errors import UsageError
from swim.cli.cluster.node import ClusterPlan
from swim.cli.cluster.script import NODES_MAX, parse_script
from swim.cli.cluster.session import Session
from swim.cli.common import duration, globals_of, output_options, unwrapped
from swim.cli.logs import LogOutput
from swim.errors import ConfigError
from swim.listening import listening_socket

__all__ = ["cluster"]

_ANY_PORT = "127.0.0.1:0"
_PORT = click.IntRange(0, 65535)


@click.command()
@click.option(
    "--nodes", type=click.IntRange(1, NODES_MAX), default=5, show_default=True, help="Number of nodes."
)
@click.option(
    "--profile",
    type=click.Choice(("lan", "wan", "local")),
    default="local",
    show_default=True,
    help="memberlist's timers for this kind of network.",
)
@click.option(
    "--for",
    "seconds",
    type=duration,
    metavar="SECONDS",
    help="Stop this long after all nodes run [at quit or a signal].",
)
@click.option(
    "--script",
    metavar="STEPS",
    default="",
    help="Commands with their times, such as '3s crash node-2; 10s heal'.",
)
@click.option(
    "--bind-base",
    type=_PORT,
    default=7946,
    show_default=True,
    help="Gossip port of node-1, the others follow; 0 picks free ports.",
)
@click.option(
    "--http-base",
    type=_PORT,
    default=4646,
    show_default=True,
    help="HTTP port of node-1, the others follow; 0 picks free ports.",
)
@click.option("--encrypt", is_flag=True, help="Encrypt gossip with a new key.")
@click.option("--label", default="", help="Label of every packet and stream.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Run seed of the packet loss [random].")
@click.option(
    "--trace",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Record every packet and transition as JSON lines; 'swim sim draw' draws it.",
)
@click.option(
    "--ui",
    is_flag=False,
    flag_value=_ANY_PORT,
    metavar="[HOST:PORT]",
    help="Serve the page, and print its URL [on, at a free port of 127.0.0.1; off with --json and --plain].",
)
@click.option("--no-ui", is_flag=True, help="Do not serve the page.")
@output_options
@click.pass_context
def cluster(
    ctx: click.Context,
    nodes: int,
    profile: str,
    seconds: float | None,
    script: str,
    bind_base: int,
    http_base: int,
    encrypt: bool,
    label: str,
    seed: int | None,
    trace: Path | None,
    ui: str | None,
    no_ui: bool,
) -> int:
    """Run several real nodes on this machine, and inject failures by typing commands or with the mouse.

    Prints the URL of a page that shows every node's view. On a terminal, shows a table of them too and reads
    commands below it. Otherwise prints each transition as one line. Exit code 5 means that the running nodes
    did not agree at the end of --for.
    """  # fmt: skip
    wanted = globals_of(ctx)
    try:
        steps = parse_script(script, [f"node-{number}" for number in range(1, nodes + 1)])
    except UsageError as error:
        raise click.UsageError(f"--script: {error}", ctx) from None
    for flag, base in (("--bind-base", bind_base), ("--http-base", http_base)):
        if base and base + nodes - 1 > 65535:
            raise click.UsageError(f"{flag}: {base} leaves no ports for {nodes} nodes", ctx)
    plan = ClusterPlan(
        nodes=nodes,
        profile=profile,
        bind_base=bind_base,
        http_base=http_base,
        label=label,
        keys=(os.urandom(32),) if encrypt else (),
        seed=secrets.randbelow(2**32) if seed is None else seed,
    )
    if ui is not None and no_ui:
        raise click.UsageError("--ui and --no-ui exclude each other", ctx)
    if ui is None and not (no_ui or wanted.json or wanted.plain):
        ui = _ANY_PORT
    # The nodes are broken on purpose: their warnings would repeat what the table and the lines show.
    with (
        unwrapped(),
        _listening(ui) as page,
        LogOutput("error", "text") as log,
        _opened(trace) as file,
    ):
        return trio.run(Session(plan, steps, seconds, wanted, file, log, page).run)


@contextmanager
def _listening(ui: str | None) -> Iterator[socket.socket | None]:
    if ui is None:
        yield None
        return
    try:
        listener = listening_socket("ui", ui, advice="choose another")
    except ConfigError as error:
        raise click.UsageError(f"--ui: {error.reason}") from None
    with listener:
        yield listener


@contextmanager
def _opened(trace: Path | None) -> Iterator[TextIO | None]:
    if trace is None:
        yield None
        return
    try:
        file = trace.open("w", encoding="ascii")
    except OSError as error:
        raise click.UsageError(f"--trace: {trace}: {error.strerror}") from None
    with file:
        yield file
