"""All that a front needs of an isolated node, and what is the same wherever it runs."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future

from swim.addresses import Endpoint
from swim.commands import Command
from swim.config import Config
from swim.errors import InternalError, LocalError
from swim.net.event_buffer import ALL_KINDS, EventKind
from swim.net.isolated.board import Board, Mailbox, View
from swim.net.pump import Ticket
from swim.net.resolver import Resolver

__all__ = ["IsolatedNode", "nothing"]

_CLOSED = "the cluster was closed"


def nothing() -> None:
    """For those who need not be called."""


class IsolatedNode(ABC):
    """A node that runs elsewhere. Every method returns at once and may be called by any thread.

    Functions given to it (``opened``, ``wake``, ``ended``) are called by its own thread in this process; they
    must return at once, and must not raise.

    Args:
        config: the settings.
        opened: called once the node runs, or has failed to start.

    Attributes:
        failure: why the node did not start, or ended by itself; None while it runs, and after ``stop``.
            ``LocalError``: it lost its name to another member, or its process died. ``InternalError``: a bug.
            At the start also ``ConfigError`` and ``OSError``.
        is_running: whether it has started, and has not ended.
        is_ended: whether it has ended: its sockets are closed, its commands and mailboxes too.
    """

    def __init__(self, config: Config, opened: Callable[[], None]) -> None:
        self.config = config
        self.failure: Exception | None = None
        self.is_running: bool = False
        self.is_ended: bool = False
        self._opened = opened
        self._resolver = Resolver()
        self._lock = threading.Lock()
        self._when_ended: list[Callable[[], None]] = []
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name=f"swim:{config.name}", daemon=True)

    def start(self) -> None:
        """Starts the thread.

        Raises:
            LocalError: no thread can be started.
        """
        try:
            self._thread.start()
        except RuntimeError as error:
            raise LocalError(f"cannot start the node's thread: {error}") from None

    @property
    @abstractmethod
    def endpoint(self) -> Endpoint:
        """The bound address and port."""

    @property
    @abstractmethod
    def board(self) -> Board:
        """What it publishes."""

    @abstractmethod
    def submit(self, command: Command, ticket: Ticket) -> None:
        """Gives the node a command.

        Args:
            command: to carry out.
            ticket: receives its number, each reply and the outcome. The result raises what ``Node.do`` raised
                (``LocalError``, ``ConfigError``), or ``LocalError`` if the node ended first.
        """

    @abstractmethod
    def abandon(self, ticket: Ticket) -> None:
        """No more replies to this query are wanted: it finishes soon."""

    @abstractmethod
    def stop(self) -> None:
        """Ends the node without leaving: peers see it fail. Submit ``Leave`` first to leave gracefully."""

    @abstractmethod
    def forget(self) -> None:
        """In a forked child: closes its copies of the node's descriptors, which goes on in the parent."""

    @property
    def view(self) -> View:
        """The published reads. They stay readable after the end."""
        return self.board.view

    def open_mailbox(
        self,
        kinds: tuple[EventKind, ...] = ALL_KINDS,
        wake: Callable[[], None] = nothing,
        *,
        may_be_first: bool = False,
    ) -> Mailbox:
        """Subscribes to events of these kinds, from this moment on or from the start; see ``Board``."""
        return self.board.open_mailbox(kinds, wake, may_be_first=may_be_first)

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

    def join(self, timeout: float | None = None) -> bool:
        """Waits until the node has ended; this is the one call that blocks.

        Returns:
            Whether it has ended within ``timeout`` seconds.
        """
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def silence(self, since: float) -> str:
        """What to add to the error of a command that was given at that time and timed out."""
        return ""

    # -- the thread

    @abstractmethod
    def _run(self) -> None:
        """Runs the node, and then calls ``_end``."""

    @abstractmethod
    def _close(self, error: LocalError | InternalError) -> None:
        """Ends commands with this error, and all mailboxes; nothing new comes any more."""

    def _end(self) -> None:
        was_running, self.is_running = self.is_running, False
        with self._lock:
            self.is_ended = True
            when_ended, self._when_ended = self._when_ended, []
        self._close(self._ending())
        if not was_running:
            self._opened()
        for ended in when_ended:
            ended()

    def _ending(self) -> LocalError | InternalError:
        """For a command that has no outcome, since the node ended."""
        match self.failure:
            case LocalError() | InternalError() as failure:
                return type(failure)(*failure.args)
        return LocalError(_CLOSED)
