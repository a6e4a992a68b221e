"""``Cluster``: a running member of a cluster, on trio."""

# ruff: noqa: ASYNC109  a timeout here ends the wait, not the work, and often with a partial result

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import trio

from swim import checks
from swim.addresses import Endpoint
from swim.commands import Command, Leave, Rejoin
from swim.errors import LocalError
from swim.events import Event
from swim.membership import Membership
from swim.net.driver import Driver, Ticket
from swim.net.event_buffer import EventKind
from swim.net.fronts.awaited import AwaitedCluster
from swim.net.own_address import OwnAddress
from swim.net.responses import Responses
from swim.net.subscriptions import Subscription

__all__ = ["Cluster"]

_FROM_THERE = "call trio.from_thread.run(..., trio_token=...) with the token of the one it was opened in"


class Cluster(AwaitedCluster[Ticket, Subscription, Responses]):
    """The cluster as one member sees it. Made by ``open_cluster``; usable from its trio run only.

    Reading (``members``, ``member``, ``local``, ``history``, ``stats``) never waits. Every waiting method may
    be cancelled: the command that it began continues in the background.

    Attributes:
        config: the settings it runs with.
        metrics: live counters and gauges.
        endpoint: the bound address and port.
        started_at: when it started, on the scale of ``now()``.
    """

    def __init__(self, driver: Driver, own_address: OwnAddress, *, endpoint: Endpoint) -> None:
        super().__init__(driver.node, endpoint=endpoint)
        self._driver = driver
        self._own_address = own_address
        self._stopped = False
        self._run = trio.lowlevel.current_trio_token()
        self._thread = threading.get_ident()

    def now(self) -> float:
        """Seconds on the clock of ``Transition.at`` and ``started_at``: monotonic, arbitrary zero."""
        return trio.current_time()

    async def resolve(self, host: str, port: int) -> tuple[Endpoint, ...]:
        """Every address of a host name, in the resolver's order; give it a time limit.

        Raises:
            OSError: it has no address.
            ConfigError: ``host`` is not text, or ``port`` is not a port.
            LocalError: after the block was left.
        """
        host, port = checks.text("host", host), checks.port("port", port)
        self._check_open()
        return tuple(await self._driver.resolve(host, port))

    def _submit(self, command: Command) -> Ticket:
        if isinstance(command, Leave):
            self._own_address.pause()
        ticket = self._driver.submit(command)
        if isinstance(command, Rejoin):
            self._own_address.resume()
        return ticket

    def _subscribe(self, kinds: tuple[EventKind, ...]) -> Subscription:
        return self._driver.subscriptions.open(kinds)

    def _replies(self, ticket: Ticket) -> Responses:
        return Responses(ticket, self._driver.abandon)

    async def _finished(self, tickets: Sequence[Ticket], timeout: float | None) -> None:
        with trio.move_on_after(float("inf") if timeout is None else timeout):
            for ticket in tickets:
                await ticket.outcome()

    async def _next(self, events: Subscription, timeout: float) -> Event | None:
        with trio.move_on_after(timeout):
            return await anext(events, None)
        return None

    @property
    def _is_stopped(self) -> bool:
        return self._stopped

    def _check_command(self, command: Command) -> None:
        """Commands use the node and its sockets: only the trio run that opened the cluster may give them."""
        self._origin.require()
        if not trio.lowlevel.in_trio_run() or trio.lowlevel.current_trio_token() is not self._run:
            raise LocalError(f"this cluster was opened in another trio.run: {_FROM_THERE}")
        super()._check_command(command)

    def _check_reader(self) -> None:
        self._origin.require()
        if threading.get_ident() != self._thread:
            raise LocalError(f"this cluster was opened in another thread: {_FROM_THERE}")


if TYPE_CHECKING:
    _: type[Membership] = Cluster
