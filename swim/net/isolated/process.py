"""``ProcessNode``: a node in a process of its own, which goes on even while C code holds the GIL here."""

from __future__ import annotations

import logging
import math
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING

from swim.addresses import Endpoint
from swim.commands import Command
from swim.config import Config
from swim.errors import InternalError, LocalError
from swim.metrics import Metrics
from swim.net.event_buffer import ALL_KINDS, EventKind
from swim.net.isolated import dialogue as say
from swim.net.isolated.board import Board, Mailbox, State, Update, View
from swim.net.isolated.frames import FrameReader, Outbox
from swim.net.isolated.waker import Waker
from swim.net.pump import Ticket
from swim.net.resolver import Resolver

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["ProcessNode"]

_CHUNK = 1 << 16
_LAST_WORDS = 2000
"""Characters kept of what a process printed on its way out."""
_END_SECONDS = 10.0
"""How long a process may take to end."""
_CLOSED = "the cluster was closed"


def _nothing() -> None:
    pass


class ProcessNode:
    """An ``IsolatedNode`` in a child process; a thread of this process reads what it says.

    Args:
        config: the settings; they go through a pair of sockets, as keys must not stand on a command line.
        data_dir: directory for the snapshot.
        opened: called by the thread once the node runs, or has failed to start.

    Attributes:
        failure: why the node did not start, or ended by itself; None while it runs, and after ``stop``.
        is_running: whether the node has started, and has not ended.
    """

    def __init__(
        self, config: Config, *, data_dir: Path | None = None, opened: Callable[[], None] = _nothing
    ) -> None:
        self.config = config
        self.failure: Exception | None = None
        self.is_running: bool = False
        self.is_ended: bool = False
        self._data_dir = data_dir
        self._opened = opened
        self._resolver = Resolver()
        self._board: Board | None = None
        self._endpoint: Endpoint | None = None
        self._end: socket.socket | None = None
        self._outbox: Outbox | None = None
        self._lock = threading.Lock()
        self._tickets: dict[int, Ticket] = {}
        self._asked = 0
        self._when_ended: list[Callable[[], None]] = []
        self._is_stopping = False
        self._said_end = False
        self._waker = Waker()
        self._process: subprocess.Popen[bytes] | None = None
        self._level = logging.NOTSET
        self._thread = threading.Thread(target=self._run, name=f"swim:{config.name}", daemon=True)

    def start(self) -> None:
        """Starts the thread, which starts the process, and returns at once.

        Raises:
            LocalError: no thread can be started.
        """
        try:
            self._thread.start()
        except RuntimeError as error:
            raise LocalError(f"cannot start the node's thread: {error}") from None

    # -- for any thread

    @property
    def endpoint(self) -> Endpoint:
        """The bound address and port."""
        if self._endpoint is None:
            raise LocalError("the node has not started")
        return self._endpoint

    @property
    def view(self) -> View:
        """The published reads. They stay readable after the end."""
        return self._running.view

    def submit(self, command: Command, ticket: Ticket) -> None:
        """Gives the node a command; see ``IsolatedNode``."""
        with self._lock:
            if not self.is_ended:
                self._asked += 1
                ticket.number = self._asked
                self._tickets[ticket.number] = ticket
                self._say(say.Submit(ticket.number, command))
                return
        ticket.finish(self._ending())

    def abandon(self, ticket: Ticket) -> None:
        """No more replies to this query are wanted: it finishes soon."""
        self._say(say.Abandon(ticket.number))

    def open_mailbox(
        self, kinds: tuple[EventKind, ...] = ALL_KINDS, wake: Callable[[], None] = _nothing
    ) -> Mailbox:
        """Subscribes to events of these kinds, from this moment on; see ``Mailbox``."""
        return self._running.open_mailbox(kinds, wake)

    def resolve(self, host: str, port: int) -> Future[tuple[Endpoint, ...]]:
        """Every address of a host name, in the resolver's order; the future may fail with ``OSError``."""
        return self._resolver.future(host, port)

    def when_ended(self, ended: Callable[[], None]) -> None:
        """Has ``ended`` called once the node has ended, at once if it has."""
        with self._lock:
            if not self.is_ended:
                self._when_ended.append(ended)
                return
        ended()

    def stop(self) -> None:
        """Ends the node without leaving: peers see it fail. Submit ``Leave`` first to leave gracefully."""
        with self._lock:
            if not self._is_stopping and not self.is_ended:
                self._is_stopping = True
                if self._end is not None:
                    self._end.shutdown(socket.SHUT_WR)
                self._waker.set()

    def forget(self) -> None:
        """In a forked child: closes its copy of the pair, so that the process sees when its program ends."""
        if self._end is not None:
            self._end.close()
        if self._process is not None:
            self._process.returncode = 0  # it is no child of this process
            if self._process.stderr is not None:
                self._process.stderr.close()

    def join(self, timeout: float | None = None) -> bool:
        """Waits until the node has ended; this is the one call that blocks.

        Returns:
            Whether it has ended within ``timeout`` seconds.
        """
        self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def _running(self) -> Board:
        if self._board is None:
            raise LocalError("the node has not started")
        return self._board

    def _say(self, saying: say.Saying) -> None:
        if self._outbox is not None:
            self._outbox.send(saying)

    def _ending(self) -> LocalError:
        return LocalError(_CLOSED if self.failure is None else str(self.failure))

    # -- the thread

    def _run(self) -> None:
        words = b""
        try:
            if not self._is_stopping:
                words = self._serve()
        except Exception as error:
            self.failure = LocalError(f"the node's process failed: {error}")
            self.failure.__cause__ = error
        if self._end is not None:
            with suppress(OSError):  # the other side closed it
                self._end.shutdown(socket.SHUT_RDWR)  # or the outbox might wait for a reader
        if self._outbox is not None:
            self._outbox.close(_END_SECONDS)
        with self._lock:
            if self._end is not None:
                self._end.close()
        if self._process is not None:
            status = _reaped(self._process)
            words = (words + _rest(self._process))[-_LAST_WORDS:]
            if self.failure is None and not self._is_stopping and not self._said_end:
                last = words.decode(errors="replace").strip()
                self.failure = LocalError(
                    f"the node's process died ({status}){f', its last words: {last}' if last else ''}"
                )
        self._finish()

    def _serve(self) -> bytes:
        """Starts the process and reads what it says; returns what it printed last."""
        end, far_end = socket.socketpair()
        self._end = end
        with far_end:
            process = self._process = _spawn(far_end)
        outbox = Outbox(end, name=f"swim:{self.config.name}:outbox")
        self._level = _wanted_level()
        outbox.send(say.Begin(self.config, self._data_dir, self._level, os.getpid()))
        self._outbox = outbox
        return self._read(end, process)

    def _finish(self) -> None:
        was_running, self.is_running = self.is_running, False
        with self._lock:
            self.is_ended = True
            when_ended, self._when_ended = self._when_ended, []
            tickets, self._tickets = list(self._tickets.values()), {}
            self._waker.close()
        for ticket in tickets:
            ticket.finish(self._ending())
        if self._board is not None:
            self._board.close()
        if not was_running:
            self._opened()
        for ended in when_ended:
            ended()

    def _read(self, end: socket.socket, process: subprocess.Popen[bytes]) -> bytes:
        """Reads what the process says until it is over; returns what it printed last."""
        assert process.stderr is not None
        words, reader, killed_at = b"", FrameReader(), math.inf
        with selectors.DefaultSelector() as selector:
            for source in (end, process.stderr, self._waker):
                selector.register(source, selectors.EVENT_READ)
            while not self._said_end:
                left = killed_at - time.monotonic()
                if left <= 0:
                    process.kill()
                    killed_at = left = math.inf
                for key, _ in selector.select(None if left == math.inf else left):
                    if key.fileobj is self._waker:
                        self._waker.clear()
                        # One that has not begun has nothing to end.
                        killed_at = time.monotonic() + (_END_SECONDS if self.is_running else 0.0)
                    elif key.fileobj is process.stderr:
                        data = os.read(process.stderr.fileno(), _CHUNK)
                        words = (words + data)[-_LAST_WORDS:]
                        if not data:
                            selector.unregister(process.stderr)
                    else:
                        data = _received(end)
                        if not data:
                            return words
                        for saying in reader.feed(data):
                            self._hear(saying)
        return words

    def _hear(self, saying: object) -> None:
        match saying:
            case say.Opened(endpoint, state):
                self._endpoint = endpoint
                view = View(self.config, Metrics(), state.facts, clock=time.monotonic)
                self._board = Board(view)
                self._board.replace(state)
                self.is_running = True
                self._opened()
            case Update():
                self._running.post(saying)
            case State():
                self._running.replace(saying)
            case say.Counted(counters, gauges, drops):
                metrics = self._running.view.metrics
                for name, count in counters.items():
                    metrics.counters[name] = count
                metrics.gauges.update(gauges)
                metrics.drops = drops
                if self._level != (level := _wanted_level()):
                    self._level = level
                    self._say(say.Verbosity(level))
            case say.Replied(number, reply):
                if number in self._tickets:
                    self._tickets[number].add(reply)
            case say.Finished(number, outcome):
                ticket = self._tickets.pop(number, None)
                if ticket is not None:
                    ticket.finish(outcome)
            case say.Logged(fields):
                record = logging.makeLogRecord(fields)
                logger = logging.getLogger(record.name)
                if logger.isEnabledFor(record.levelno):
                    logger.handle(record)
            case say.Ended(failure):
                self._said_end = True
                self.failure = failure if not self._is_stopping else None
            case _:
                raise InternalError(f"{type(saying).__name__} is nothing that a node's process says")


def _spawn(end: socket.socket) -> subprocess.Popen[bytes]:
    """Starts the process. Signals of a terminal are for the program: the process gets none."""
    if not sys.executable:
        raise LocalError("there is no Python interpreter to start a process with: use isolation='thread'")
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "swim.net.isolated.child", str(end.fileno())],
        env=os.environ | {"PYTHONPATH": path},
        pass_fds=[end.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _received(end: socket.socket) -> bytes:
    try:
        return end.recv(_CHUNK)
    except OSError:  # the process died and left bytes unread
        return b""


def _reaped(process: subprocess.Popen[bytes]) -> str:
    """Waits for the end of a process that is about to end; returns how it ended."""
    try:
        code = process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    if code >= 0:
        return f"exit status {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _rest(process: subprocess.Popen[bytes]) -> bytes:
    """What a process that ended had printed and was not read yet."""
    assert process.stderr is not None
    with process.stderr:
        return process.stderr.read()


def _wanted_level() -> int:
    """The lowest level that a logger of ours lets through."""
    names = [name for name in list(logging.root.manager.loggerDict) if name.partition(".")[0] == "swim"]
    return min(logging.getLogger(name).getEffectiveLevel() for name in ["swim", *names])
