"""Waiting in plain threads: tickets, events and replies of ``swim.blocking``."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Coroutine
from typing import ParamSpec, TypeVar

from swim import checks
from swim.commands import Outcome, QueryReply
from swim.errors import LocalError
from swim.events import Event
from swim.net.fronts.bell import Bell
from swim.net.fronts.isolated import Belled, Mail, ending
from swim.net.fronts.replies import Replies
from swim.net.isolated.handle import IsolatedNode
from swim.net.isolated.waker import Waiter

__all__ = ["Responses", "Subscription", "Ticket", "end_of", "run", "until"]

P = ParamSpec("P")
T = TypeVar("T")


class Ticket(Belled):
    """A command in progress, to wait for."""

    __slots__ = ()

    def outcome(self, *, timeout: float | None = None) -> Outcome:
        """Waits for the outcome; afterwards the command continues in the background.

        Raises:
            TimeoutError: no outcome within ``timeout``.
            LocalError: it was refused, or the cluster closed before there was one.
            ConfigError: as documented for the command's method; or naming ``timeout``.
        """
        self.origin.require()
        timeout = checks.seconds("timeout", timeout)
        if not self.wait(end_of(timeout)):
            raise TimeoutError(f"no outcome within {timeout:g} s{self._silence}")
        return self.result

    def wait(self, end: float) -> bool:
        """Waits for the outcome until ``end``; returns whether there is one."""
        return until(self.bell, lambda: self.is_done, end)


class Subscription:
    """One reader's view of the events since it subscribed; an iterator that ends with the cluster.

    A reader that is too slow receives ``EventsLost(count)`` in place of the events that its buffer could not
    hold. ``close()``, the end of a ``with`` block around it, or dropping the object ends the subscription.
    Several threads may read one subscription: each event goes to one of them.
    """

    __slots__ = ("_mail", "_node", "_timeout")

    def __init__(self, node: IsolatedNode, mail: Mail, timeout: float | None) -> None:
        self._node = node
        self._mail = mail
        self._timeout = timeout

    def within(self, timeout: float | None) -> Subscription:
        """The same events, where each step of the iteration waits at most ``timeout`` seconds."""
        return Subscription(self._node, self._mail, timeout)

    def __iter__(self) -> Subscription:
        return self

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __next__(self) -> Event:
        """The next event.

        Raises:
            TimeoutError: none came in time. Nothing is lost; iterate again to go on.
            LocalError: the node ended by itself.
        """
        mail = self._mail
        end = end_of(self._timeout)
        while True:
            rings, is_over = mail.bell.rings, mail.is_over
            event = mail.take()
            if event is not None:
                return event
            if is_over:
                if why := ending(self._node):
                    raise LocalError(why)
                raise StopIteration
            if not _next_ring(mail.bell, rings, end):
                raise TimeoutError(f"no event within {self._timeout:g} s")

    def close(self) -> None:
        """Ends the subscription; buffered events can still be read."""
        self._mail.close()


class Responses(Replies[Ticket]):
    """An iterator over the replies to a query, in the order in which they come, until its deadline.

    ``close()``, or the end of a ``with`` block around it, ends the query early. Each iteration begins with
    the first reply. If the query was refused, or the cluster closes before the deadline, the iteration ends
    with that error.
    """

    __slots__ = ()

    def __iter__(self) -> Responses:
        return self._again()

    def __next__(self) -> QueryReply:
        self._ticket.origin.require()
        until(self._ticket.bell, self._has_news, math.inf)
        reply = self._take()
        if reply is None:
            raise StopIteration
        return reply

    def __enter__(self) -> Responses:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the query: no more replies are waited for. Those that came can still be read."""
        self._abandon(self._ticket)


def run(call: Callable[P, Coroutine[object, object, T]], *given: P.args, **named: P.kwargs) -> T:
    """The result of a coroutine function that never suspends."""
    try:
        call(*given, **named).send(None)  # at once: a Ctrl-C between would leave it "never awaited"
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("a command of this front suspended")


def end_of(timeout: float | None) -> float:
    """The moment at which a wait ends, on the clock of this module."""
    return math.inf if timeout is None else time.monotonic() + timeout


def until(bell: Bell, is_so: Callable[[], bool], end: float) -> bool:
    """Waits until a condition holds, which may change with every ring; False if it does not by ``end``."""
    while True:
        rings = bell.rings
        if is_so():
            return True
        if not _next_ring(bell, rings, end):
            return is_so()


def _next_ring(bell: Bell, rings: int, end: float) -> bool:
    """Waits for the next ring after ``rings``; False if there is none by ``end``."""
    waiter = Waiter()
    bell.add(waiter.wake)
    try:
        return bell.rings != rings or waiter.wait(end - time.monotonic())
    finally:
        bell.discard(waiter.wake)
