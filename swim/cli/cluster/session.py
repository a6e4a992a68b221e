"""One run of ``swim cluster``: starts the nodes, shows them, carries out commands until the end."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import IO, Any, TextIO, cast

import trio
from rich.console import Console
from rich.live import Live

from swim.addresses import is_loopback, join_host_port
from swim.cli.cluster.commands import Commands
from swim.cli.cluster.node import ClusterPlan, LocalNode, agree
from swim.cli.cluster.prompt import edit, keys, raw_keys
from swim.cli.cluster.run import LocalCluster
from swim.cli.cluster.script import HELP, Step, Word
from swim.cli.cluster.view import Screen, document, line, views
from swim.cli.common import ExitCode, Globals, emit, fail, table
from swim.cli.logs import LogOutput
from swim.cli.writer import BackgroundWriter
from swim.errors import SwimError
from swim.events import Event

__all__ = ["Session"]

_REFRESH_SECONDS = 0.5


class Session:
    """One run of the command.

    Args:
        plan: the cluster.
        steps: of ``--script``.
        seconds: until the end; None for no end.
        wanted: the output.
        file: of the trace; None for none.
        log: receives the lines that are not output.
        page: listens for the page; None for no page. The session closes it.
    """

    def __init__(
        self,
        plan: ClusterPlan,
        steps: tuple[Step, ...],
        seconds: float | None,
        wanted: Globals,
        file: TextIO | None,
        log: LogOutput,
        page: socket.socket | None,
    ) -> None:
        self._plan = plan
        self._steps = steps
        self._seconds = seconds
        self._wanted = wanted
        self._file = file
        self._log = log
        self._page = page
        self._page_lines = () if page is None else page_lines(page)
        self._cluster = LocalCluster(plan, self)
        self._commands = Commands(self._cluster, self._obey_word, self._say)
        self._quit = trio.Event()
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
        self._commands.start()
        if self._file is not None and self._page is None:
            self._cluster.trace_to(self._file.write)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_signals)
            if self._page is not None:
                await nursery.start(self._serve_page, self._page)
            if not await self._ready(nursery):
                nursery.cancel_scope.cancel()
                return ExitCode.DONE
            self._announce(self._commands.now())
            self._commands.begin(nursery)
            await self._follow_script()
            if self._screen is not None:
                nursery.start_soon(self._interact, self._screen)
            ended = await self._wait_for_end()
            self._commands.end()
            nodes = self._cluster.nodes
            self._result = document(self._plan.seed, self._commands.now(), nodes)
            converged = agree(nodes)
            if not self._wanted.json:
                self._show_views()
            nursery.cancel_scope.cancel()
        return ExitCode.TIMED_OUT if ended and not converged else ExitCode.DONE

    async def _serve_page(
        self, listener: socket.socket, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        from swim.cli.cluster.page.serving import serve_page

        record_to = self._file.write if self._file is not None else None
        await serve_page(
            self._cluster, self._commands, listener, record_to=record_to, task_status=task_status
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

    async def _follow_script(self) -> None:
        try:
            await self._commands.follow(self._steps, "script")
        except SwimError as error:
            self._say(str(error))

    def _obey_word(self, word: Word) -> None:
        match word.word:
            case "quit":
                self._quit.set()
            case "members":
                self._show_views()
            case _:
                self._say(HELP)

    async def _interact(self, screen: Screen) -> None:
        """The live table, redrawn after each key and twice a second."""
        console = Console(file=cast(IO[str], self._out), force_terminal=True)
        with raw_keys(), Live(console=console, auto_refresh=False, redirect_stdout=False) as live:

            def show() -> None:
                # Draw only while the terminal keeps up; the last picture is drawn in any case.
                live.update(screen.picture(self._commands.now(), console), refresh=not self._out.is_behind)

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
        before, screen.message = screen.message, text
        try:
            await self._commands.obey(text, "prompt")
        except SwimError as error:
            screen.message = str(error)
        if self._quit.is_set():
            screen.message = before

    def _announce(self, seconds: float) -> None:
        for node in self._cluster.nodes:
            self._log.say(f"{node.name}: gossip on {node.bind}, HTTP on {node.url}")
        known = "all see each other" if self._cluster.complete() else "not all see each other"
        self._log.say(f"{self._plan.nodes} nodes run after {seconds:.2f} s, {known}")
        if self._page is not None:
            for each in self._page_lines:
                self._log.say(each)
        self._log.release()

    def event(self, node: LocalNode, event: Event) -> None:
        """See ``Observer``."""
        if self._wanted.json:
            return
        text = line(self._commands.now(), node.name, event)
        if self._screen is not None:
            self._screen.note(text)
        else:
            self._say(text)

    def node(self, node: LocalNode) -> None:
        """See ``Observer``: the next picture shows it."""

    def links(self) -> None:
        """See ``Observer``: nothing of the network is shown."""

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


def page_lines(listener: socket.socket) -> tuple[str, ...]:
    """Where the page is, for a browser on this machine, and who else may read it."""
    host, port = listener.getsockname()[:2]
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    line = f"page: http://{join_host_port(here, port)}/ui/"
    if is_loopback(host):
        return (line,)
    return line, f"INSECURE: other machines can read the page on {host}; it takes commands from this one only"
