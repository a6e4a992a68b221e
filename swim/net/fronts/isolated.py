"""What the fronts of an isolated node share: its tickets, mail and end, whichever way they wait."""

from __future__ import annotations

import atexit
import os
import weakref
from abc import abstractmethod
from collections.abc import Callable
from time import monotonic
from typing import TypeVar

from swim.commands import Command
from swim.events import Event
from swim.net.event_buffer import EventKind
from swim.net.fronts.arguments import Arguments
from swim.net.fronts.awaited import AwaitedCluster, EventsT, RepliesT
from swim.net.fronts.bell import Bell
from swim.net.fronts.forks import Origin
from swim.net.isolated.handle import IsolatedNode
from swim.net.pump import Ticket

TicketT = TypeVar("TicketT", bound="Belled")

__all__ = ["Belled", "IsolatedCluster", "Life", "Mail", "ending"]

_EXIT_SECONDS = 2.0
"""How long the end of the interpreter waits for nodes that were not closed."""


class Belled(Ticket):
    """A command in progress, whose bell rings after each reply and after the outcome."""

    __slots__ = ("_begun", "_node", "bell", "origin")

    def __init__(self, node: IsolatedNode, command: Command) -> None:
        self.bell: Bell = Bell()
        self.origin: Origin = Origin()
        self._begun = monotonic()
        self._node = node
        super().__init__(0, self.bell.ring)
        node.submit(command, self)

    def _abandon(self) -> None:
        """Ends a query early, if it has not ended."""
        self.origin.require()
        if not self.is_done:
            self._node.abandon(self)

    @property
    def _silence(self) -> str:
        """What to add to the error of a wait for this that timed out."""
        return self._node.silence(self._begun)


class Mail:
    """One subscription: its mailbox, and the bell that rings when there is something to take."""

    __slots__ = ("_mailbox", "_origin", "bell")

    def __init__(
        self, node: IsolatedNode, kinds: tuple[EventKind, ...], *, may_be_first: bool = False
    ) -> None:
        self.bell: Bell = Bell()
        self._origin = Origin()
        self._mailbox = node.open_mailbox(kinds, self.bell.ring, may_be_first=may_be_first)

    def take(self) -> Event | None:
        """The next event; None if there is none now."""
        self._origin.require()
        event = self._mailbox.take()
        if event is not None and self.bell.is_awaited:
            self.bell.ring()  # the mailbox woke its readers for the first event only
        return event

    @property
    def is_over(self) -> bool:
        """Whether no more events come; take once more after it was read."""
        return self._mailbox.is_closed

    def close(self) -> None:
        """Ends the subscription; events that are there can still be taken."""
        self._mailbox.close()


class Life:
    """The life of one isolated node, which ends at the latest with this object or the interpreter."""

    __slots__ = ("__weakref__", "_origin", "bell", "node")

    def __init__(self, arguments: Arguments) -> None:
        self.bell: Bell = Bell()
        self._origin = Origin()
        self.node: IsolatedNode = _node(arguments, self.bell.ring)
        self.node.when_ended(self.bell.ring)
        _LIVES.add(self)
        self.node.start()  # last: from here on a Ctrl-C leaves a node to be ended, by __del__ at the latest

    def stop(self) -> None:
        """Ends the node at once, in the process that started it."""
        if self._origin.is_here:
            self.node.stop()

    def join(self, timeout: float) -> None:
        """Waits until the node has ended, at most ``timeout`` seconds, in the process that started it."""
        if self._origin.is_here:
            self.node.join(timeout)

    def forget(self) -> None:
        """Closes this process's copies of what the node has open, after a fork."""
        self.node.forget()

    def __del__(self) -> None:
        if hasattr(self, "node") and not self.node.is_ended:
            self.stop()


def _node(arguments: Arguments, opened: Callable[[], None]) -> IsolatedNode:
    """A node that has not started; ``opened`` is called once it runs, or has failed."""
    if arguments.isolation == "process":
        from swim.net.isolated.process import ProcessNode

        return ProcessNode(arguments.config, files=arguments.files, opened=opened)
    from swim.net.isolated.thread import NodeThread

    return NodeThread(arguments.config, faults=arguments.faults, files=arguments.files, opened=opened)


def ending(node: IsolatedNode) -> str:
    """Why a node ended by itself, for those who still use it; "" if it did not."""
    return "" if node.failure is None else f"this cluster has ended: {node.failure}"


class IsolatedCluster(AwaitedCluster[TicketT, EventsT, RepliesT]):
    """The commands given to an isolated node."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._node = life.node
        super().__init__(life.node.view, endpoint=life.node.endpoint)

    def now(self) -> float:
        """Seconds on the clock of ``Transition.at`` and ``started_at``: monotonic, arbitrary zero."""
        return self._node.view.now()

    def _subscribe_first(self, kinds: tuple[EventKind, ...]) -> EventsT:
        return self._reader(Mail(self._node, kinds, may_be_first=True))

    def _subscribe(self, kinds: tuple[EventKind, ...]) -> EventsT:
        return self._reader(Mail(self._node, kinds))

    @abstractmethod
    def _reader(self, mail: Mail) -> EventsT:
        """What iterates over a subscription."""

    def _silence(self, ticket: TicketT) -> str:
        return ticket._silence

    @property
    def _is_stopped(self) -> bool:
        return self._node.is_ended

    @property
    def _ending(self) -> str:
        return ending(self._node)


_LIVES: weakref.WeakSet[Life] = weakref.WeakSet()


def _forget_all() -> None:
    for life in list(_LIVES):
        life.forget()
    _LIVES.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


@atexit.register
def _end_all() -> None:
    """A thread that still runs while the interpreter goes down may hold what the interpreter needs."""
    Bell.is_silent = True
    lives = list(_LIVES)
    for life in lives:
        life.stop()
    for life in lives:
        life.join(_EXIT_SECONDS)
