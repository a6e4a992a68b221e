"""All that a front needs of an isolated node, wherever it runs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from swim.addresses import Endpoint
from swim.commands import Command
from swim.config import Config
from swim.net.event_buffer import EventKind
from swim.net.isolated.board import Mailbox, View
from swim.net.pump import Ticket

__all__ = ["IsolatedNode"]


class IsolatedNode(Protocol):
    """A node that runs elsewhere. Every method returns at once and may be called by any thread.

    Functions given to it (``changed``, ``wake``) are called by another thread; they must return at once, and
    must not raise.
    """

    @property
    def config(self) -> Config:
        """The settings it runs with."""

    @property
    def endpoint(self) -> Endpoint:
        """The bound address and port."""

    @property
    def view(self) -> View:
        """The published reads. They stay readable after the end."""

    @property
    def failure(self) -> Exception | None:
        """Why the node did not start, or ended by itself; None while it runs, and after ``stop``.

        ``LocalError``: it lost its name to another member. ``InternalError``: a bug. At the start also
        ``ConfigError`` and ``OSError``.
        """

    @property
    def is_running(self) -> bool:
        """Whether it has started, and has not ended."""

    @property
    def is_ended(self) -> bool:
        """Whether it has ended: its sockets are closed, its commands and mailboxes too."""

    def submit(self, command: Command, ticket: Ticket) -> None:
        """Gives the node a command.

        Args:
            command: to carry out.
            ticket: receives its number, each reply and the outcome. The result raises what ``Node.do`` raised
                (``LocalError``, ``ConfigError``), or ``LocalError`` if the node ended first.
        """

    def abandon(self, ticket: Ticket) -> None:
        """No more replies to this query are wanted: it finishes soon."""

    def open_mailbox(self, kinds: tuple[EventKind, ...] = ..., wake: Callable[[], None] = ...) -> Mailbox:
        """Subscribes to events of these kinds, from this moment on; see ``Mailbox``."""

    def resolve(self, host: str, port: int) -> Future[tuple[Endpoint, ...]]:
        """Every address of a host name, in the resolver's order; the future may fail with ``OSError``."""

    def when_ended(self, ended: Callable[[], None]) -> None:
        """Has ``ended`` called once the node has ended, at once if it has."""

    def stop(self) -> None:
        """Ends the node without leaving: peers see it fail. Submit ``Leave`` first to leave."""

    def forget(self) -> None:
        """In a forked child: closes its copies of the node's descriptors, which goes on in the parent."""

    def join(self, timeout: float | None = None) -> bool:
        """Waits until the node has ended; this is the one call that blocks.

        Returns:
            Whether it has ended within ``timeout`` seconds.
        """
