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
import time
from collections.abc import Callable
from contextlib import suppress

from swim.addresses import Endpoint
from swim.commands import Command
from swim.config import Config
from swim.errors import InternalError, LocalError
from swim.metrics import Metrics
from swim.net.files import NO_FILES, Files
from swim.net.isolated import dialogue as say
from swim.net.isolated.board import Board, State, Update, View
from swim.net.isolated.frames import FrameReader, Outbox
from swim.net.isolated.handle import IsolatedNode, nothing
from swim.net.isolated.waker import Waker
from swim.net.pump import Ticket

__all__ = ["ProcessNode"]

_CHUNK = 1 << 16
_LAST_WORDS = 2000
"""Characters kept of what a process printed on its way out."""
_END_SECONDS = 10.0
"""How long a process may take to end."""


class ProcessNode(IsolatedNode):
    """A node in a child process; a thread of this process reads what it says.

    Args:
        config: the settings; they go through a pair of sockets, as keys must not stand on a command line.
        files: those that it keeps.
        opened: called by the thread once the node runs, or has failed to start.
    """

    def __init__(
        self, config: Config, *, files: Files = NO_FILES, opened: Callable[[], None] = nothing
    ) -> None:
        super().__init__(config, opened)
        self._files = files
        self._board: Board | None = None
        self._endpoint: Endpoint | None = None
        self._end_here: socket.socket | None = None
        self._outbox: Outbox | None = None
        self._tickets: dict[int, Ticket] = {}
        self._asked = 0
        self._said_end = False
        self._waker = Waker()
        self._process: subprocess.Popen[bytes] | None = None
        self._level = logging.NOTSET
        self._heard_at = -math.inf

    # -- for any thread

    @property
    def endpoint(self) -> Endpoint:
        """The bound address and port."""
        if self._endpoint is None:
            raise LocalError("the node has not started")
        return self._endpoint

    @property
    def board(self) -> Board:
        """What it publishes."""
        if self._board is None:
            raise LocalError("the node has not started")
        return self._board

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
        """No more replies to this query are wanted; see ``IsolatedNode``."""
        self._say(say.Abandon(ticket.number))

    def stop(self) -> None:
        """Ends the node without leaving: peers see it fail; see ``IsolatedNode``."""
        with self._lock:
            if not self.is_ended:
                self._is_stopping = True
                if self._end_here is not None:
                    with suppress(OSError):  # the other side closed it
                        self._end_here.shutdown(socket.SHUT_WR)
                if self._process is not None:
                    self._process.send_signal(signal.SIGCONT)  # one that is stopped could not end
                self._waker.set()

    def forget(self) -> None:
        """In a forked child: closes its copy of the pair, so that the process sees when its program ends."""
        if self._end_here is not None:
            self._end_here.close()
        if self._process is not None:
            self._process.returncode = 0  # it is no child of this process
            if self._process.stderr is not None:
                self._process.stderr.close()

    def silence(self, since: float) -> str:
        """That the process has said nothing since, if so."""
        if self._process is None or self._heard_at >= since:
            return ""
        return f"; the node's process ({self._process.pid}) has said nothing since"

    def _say(self, saying: say.Saying) -> None:
        if self._outbox is not None:
            self._outbox.send(saying)

    # -- the thread

    def _run(self) -> None:
        words = b""
        try:
            if not self._is_stopping:
                words = self._serve()
        except Exception as error:
            self.failure = LocalError(f"the node's process failed: {error}")
            self.failure.__cause__ = error
        if self._end_here is not None:
            with suppress(OSError):  # the other side closed it
                self._end_here.shutdown(socket.SHUT_RDWR)  # or the outbox might wait for a reader
        if self._outbox is not None:
            self._outbox.close(_END_SECONDS)
        with self._lock:
            if self._end_here is not None:
                self._end_here.close()
        if self._process is not None:
            status = _reaped(self._process)
            words = (words + _rest(self._process))[-_LAST_WORDS:]
            if self.failure is None and not self._is_stopping and not self._said_end:
                last = words.decode(errors="replace").strip()
                self.failure = LocalError(
                    f"the node's process died ({status}){f', its last words: {last}' if last else ''}"
                )
        self._end()

    def _serve(self) -> bytes:
        """Starts the process and reads what it says; returns what it printed last."""
        end, far_end = map(_above_streams, socket.socketpair())
        self._end_here = end
        with far_end:
            process = self._process = _spawn(far_end)
        outbox = Outbox(end, name=f"swim:{self.config.name}:outbox")
        self._level = _wanted_level()
        outbox.send(say.Begin(self.config, self._files, self._level, os.getpid()))
        self._outbox = outbox
        return self._read(end, process)

    def _close(self, error: LocalError | InternalError) -> None:
        self._waker.close()
        tickets, self._tickets = list(self._tickets.values()), {}
        for ticket in tickets:
            ticket.finish(error)
        if self._board is not None:
            self._board.close()

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
                        left = _END_SECONDS if self.is_running else 0.0
                        killed_at = min(killed_at, time.monotonic() + left)
                    elif key.fileobj is process.stderr:
                        data = os.read(process.stderr.fileno(), _CHUNK)
                        words = (words + data)[-_LAST_WORDS:]
                        if not data:
                            selector.unregister(process.stderr)
                    else:
                        data = _received(end)
                        if not data:
                            return words
                        self._heard_at = time.monotonic()
                        for saying in reader.feed(data):
                            self._hear(saying)
        return words

    def _hear(self, saying: object) -> None:
        match saying:
            case say.Opened(endpoint, config, state):
                self._endpoint = endpoint
                view = View(config, Metrics(), state.facts, clock=time.monotonic)
                self._board = Board(view)
                self._board.replace(state)
                self._board.keep_first()
                self.is_running = True
                self._opened()
            case Update():
                self.board.post(saying)
            case State():
                self.board.replace(saying)
            case say.Counted(counters, gauges, samples, drops):
                metrics = self.board.view.metrics
                for name, count in counters.items():
                    metrics.counters[name] = count
                metrics.gauges.update(gauges)
                metrics.samples.update(samples)
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


def _above_streams(end: socket.socket) -> socket.socket:
    """The same socket with a descriptor above those of the standard streams, which a program may have closed.

    The process's own streams would replace it, and what others print would be sent.
    """
    if end.fileno() > 2:
        return end
    import fcntl  # few programs close their streams, and not every system has it

    with end:
        return socket.socket(fileno=fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 3))


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
