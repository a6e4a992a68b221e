"""``swim cluster``: the options, the script's clock, and the three output formats."""

from __future__ import annotations

import os
import secrets
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TextIO, cast

import click
import trio
from rich.console import Console
from rich.live import Live

from sims.errors import UsageError
from swim.cli.cluster.prompt import edit, keys, raw_keys
from swim.cli.cluster.run import ClusterPlan, LocalCluster, LocalNode, agree
from swim.cli.cluster.script import HELP, Command, Step, Word, parse_command, parse_script
from swim.cli.cluster.view import Screen, document, line, views
from swim.cli.common import (
    ExitCode,
    Globals,
    duration,
    emit,
    fail,
    globals_of,
    output_options,
    table,
    unwrapped,
)
from swim.cli.logs import LogOutput
from swim.cli.writer import BackgroundWriter
from swim.events import Event
from swim.net.trace import ClusterTrace

__all__ = ["cluster"]

_REFRESH_SECONDS = 0.5
_PORT = click.IntRange(0, 65535)


@click.command()
@click.option("--nodes", type=click.IntRange(1, 1000), default=5, show_default=True, help="Number of nodes.")
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
) -> int:
    """Run several real nodes on this machine, and inject failures by typing commands.

    On a terminal, shows a table of every node's view and reads commands below it. Otherwise prints each
    transition as one line. Exit code 5 means that the running nodes did not agree at the end of --for.
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
    # The nodes are broken on purpose: their warnings would repeat what the table and the lines show.
    with unwrapped(), LogOutput("error", "text") as log, _opened(trace) as file:
        return trio.run(_Session(plan, steps, seconds, wanted, file, log).run)


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


class _Session:
    """One run of the command."""

    def __init__(
        self,
        plan: ClusterPlan,
        steps: tuple[Step, ...],
        seconds: float | None,
        wanted: Globals,
        file: TextIO | None,
        log: LogOutput,
    ) -> None:
        self._plan = plan
        self._steps = steps
        self._seconds = seconds
        self._wanted = wanted
        self._file = file
        self._log = log
        self._cluster = LocalCluster(plan, self._report)
        self._quit = trio.Event()
        self._started_at = 0.0
        self._result: dict[str, Any] = {}
        self._out: BackgroundWriter
        interactive = sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self._screen = (
            Screen(self._cluster.nodes) if interactive and not (wanted.json or wanted.plain) else None
        )

    async def run(self) -> int:
        """Runs everything; the exit code.

        Raises:
            OSError: stdout cannot be written.
        """
        token = trio.lowlevel.current_trio_token()

        def unwritable() -> None:
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(self._quit.set)

        with BackgroundWriter(sys.stdout, _dropped_line, failed=unwritable) as self._out:
            code = await self._run()
        if self._out.error is not None:
            raise self._out.error
        if self._result and self._wanted.json:
            emit(self._wanted, self._result)
        if code == ExitCode.TIMED_OUT:
            fail(code, "the running nodes do not agree")
        return code

    async def _run(self) -> ExitCode:
        self._started_at = trio.current_time()
        if self._file is not None:
            self._cluster.trace = self._traced(self._file)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_signals)
            if not await self._ready(nursery):
                nursery.cancel_scope.cancel()
                return ExitCode.DONE
            self._announce(trio.current_time() - self._started_at)
            self._started_at = trio.current_time()
            nursery.start_soon(self._run_script)
            if self._screen is not None:
                nursery.start_soon(self._interact, self._screen)
            ended = await self._wait_for_end()
            nodes = self._cluster.nodes
            self._result = document(self._plan.seed, self._now(), nodes)
            converged = agree(nodes)
            if not self._wanted.json:
                self._show_views()
            nursery.cancel_scope.cancel()
        return ExitCode.TIMED_OUT if ended and not converged else ExitCode.DONE

    def _traced(self, file: TextIO) -> ClusterTrace:
        made = {"nodes": self._plan.nodes, "profile": self._plan.profile}
        nodes = self._cluster.nodes
        return ClusterTrace(
            file.write, lambda: {node.name: node.bind for node in nodes}, seed=self._plan.seed, made=made
        )

    async def _ready(self, nursery: trio.Nursery) -> bool:
        """Starts the nodes; False if a signal came first."""
        ready = False
        with trio.CancelScope() as scope:

            async def give_up() -> None:
                await self._quit.wait()
                scope.cancel()

            async with trio.open_nursery() as starting:
                starting.start_soon(give_up)
                await nursery.start(self._cluster.run)
                ready = True
                starting.cancel_scope.cancel()
        return ready

    async def _wait_for_end(self) -> bool:
        """True if the time of ``--for`` is over, False if a user or a signal stopped it."""
        if self._seconds is None:
            await self._quit.wait()
            return False
        with trio.move_on_after(self._seconds):
            await self._quit.wait()
        return not self._quit.is_set()

    async def _watch_signals(self) -> None:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                self._quit.set()

    async def _run_script(self) -> None:
        for step in self._steps:
            await trio.sleep_until(self._started_at + step.at)
            await self._do(step.command)

    async def _do(self, command: Command) -> None:
        match command:
            case Word("quit"):
                self._quit.set()
            case Word("members"):
                self._show_views()
            case Word():
                self._say(HELP)
            case faults:
                for fault in faults:
                    await self._cluster.apply(fault)

    async def _interact(self, screen: Screen) -> None:
        """The live table, redrawn after each key and twice a second."""
        console = Console(file=cast(IO[str], self._out), force_terminal=True)
        with raw_keys(), Live(console=console, auto_refresh=False, redirect_stdout=False) as live:

            def show() -> None:
                # Draw only while the terminal keeps up; the last picture is drawn in any case.
                live.update(screen.picture(self._now(), console), refresh=not self._out.is_behind)

            async def redraw() -> None:
                while True:
                    show()
                    await trio.sleep(_REFRESH_SECONDS)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(redraw)
                async for key in keys():
                    screen.prompt, finished = edit(screen.prompt, key)
                    if finished:
                        await self._obey(finished, screen)
                    show()
                nursery.cancel_scope.cancel()

    async def _obey(self, text: str, screen: Screen) -> None:
        try:
            command = parse_command(text, [node.name for node in self._cluster.nodes])
        except UsageError as error:
            screen.message = str(error)
        else:
            if command != Word("quit"):
                screen.message = text
            await self._do(command)

    def _now(self) -> float:
        return trio.current_time() - self._started_at

    def _announce(self, seconds: float) -> None:
        for node in self._cluster.nodes:
            self._log.say(f"{node.name}: gossip on {node.bind}, HTTP on {node.url}")
        known = "all see each other" if self._cluster.complete() else "not all see each other"
        self._log.say(f"{self._plan.nodes} nodes run after {seconds:.2f} s, {known}")
        self._log.release()

    def _report(self, node: LocalNode, event: Event) -> None:
        if self._wanted.json:
            return
        text = line(self._now(), node.name, event)
        if self._screen is not None:
            self._screen.note(text)
        else:
            self._say(text)

    def _show_views(self) -> None:
        if self._screen is None:
            header, rows = views(self._cluster.nodes)
            self._say(table(header, rows) if not self._wanted.plain else _tab_separated(rows))

    def _say(self, text: str) -> None:
        if self._screen is not None:
            self._screen.message = text
        elif not self._wanted.json:
            self._out.write(f"{text}\n")


def _dropped_line(count: int) -> str:
    return f"... {count} pieces of output were lost: the reader was too slow\n"


def _tab_separated(rows: Iterable[Iterable[str]]) -> str:
    return "\n".join("\t".join(row) for row in rows)
