"""``Cluster``: a running member of a cluster, on trio."""

# ruff: noqa: ASYNC109  a timeout here ends the wait, not the work, and often with a partial result

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, cast

import trio

from swim import checks
from swim.addresses import Endpoint
from swim.commands import (
    Command,
    ForceLeave,
    Join,
    Leave,
    Rejoin,
    Respond,
    SendQuery,
    SendUserEvent,
    SetTags,
)
from swim.config import Config
from swim.errors import CANNOT_JOIN, LocalError
from swim.events import (
    ForceLeaveOutcome,
    JoinOutcome,
    JoinResult,
    Member,
    MemberRefuted,
    MemberStatus,
    Query,
    SeedStatus,
    Transition,
    UserEvent,
)
from swim.membership import Membership, Statuses, having
from swim.metrics import Metrics
from swim.net.driver import Driver, Ticket
from swim.net.own_address import OwnAddress
from swim.net.responses import Responses
from swim.net.subscriptions import ALL_KINDS, EventKind, Subscription, event_classes
from swim.node import NodeStats

__all__ = ["Cluster", "Status"]

_REFUSALS: dict[type[Command], str] = {
    Join: CANNOT_JOIN,
    Leave: "cannot leave: this cluster was closed",
}
_ANSWER_ROUNDS = 3
"""Gossip intervals in which a live member refutes a force-leave, after it was sent often enough."""
_FROM_THERE = "call trio.from_thread.run(..., trio_token=...) with the token of the one it was opened in"

Status = Literal["running", "leaving", "left", "stopped"]


class Cluster:
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
        self.config: Config = driver.node.config
        self.metrics: Metrics = driver.node.metrics
        self.endpoint = endpoint
        self.started_at = self.now()
        self._driver = driver
        self._own_address = own_address
        self._node = driver.node
        self._stopped = False
        self._departure: Ticket | None = None
        self._run = trio.lowlevel.current_trio_token()
        self._thread = threading.get_ident()

    @property
    def status(self) -> Status:
        """``running``; ``leaving`` and ``left`` after ``leave``; ``stopped`` once the block was left."""
        return "stopped" if self._stopped else cast(Status, self._node.status)

    @property
    def advertised(self) -> Endpoint:
        """The address and port sent to peers; changes if this machine's address changes."""
        return self._node.advertised

    @property
    def local(self) -> Member:
        """This node's own entry."""
        return self._node.local

    @property
    def is_alone(self) -> bool:
        """True if no other member is alive."""
        return self._node.is_alone

    def members(self, *, status: Statuses = None) -> tuple[Member, ...]:
        """The listed members, an immutable snapshot: this node, failed and left ones included.

        Args:
            status: only members of this status, or of one of these.

        Raises:
            ConfigError: ``status`` names none.
        """
        self._check_thread()
        return having(self._node.members(), status)

    def alive(self) -> tuple[Member, ...]:
        """The members that are alive, including suspect ones and this node."""
        return self.members(status=MemberStatus.ALIVE)

    def member(self, name: str) -> Member | None:
        """One member by name, or None."""
        self._check_thread()
        return self._node.member(checks.text("name", name))

    def history(self, name: str) -> tuple[Transition, ...]:
        """The last ``history_size`` transitions of a member, oldest first; () if it is unknown."""
        self._check_thread()
        return self._node.history(checks.text("name", name))

    def user_events(self) -> tuple[UserEvent, ...]:
        """The user events that this node remembers, oldest first: those of the last 512 stamps, at most
        ``max_recent_event_bytes``. Whether they may be coalesced is not remembered; ``sequence`` is 0."""
        self._check_thread()
        return self._node.user_events()

    def seeds(self) -> tuple[SeedStatus, ...]:
        """The state of joining each of ``Config.seeds``: whether a live member is there, the last error."""
        return self._node.seeds()

    def stats(self) -> NodeStats:
        """Counts of members, clocks and queues, and the health score."""
        return self._node.stats()

    def now(self) -> float:
        """Seconds on the clock of ``Transition.at`` and ``started_at``: monotonic, arbitrary zero."""
        return trio.current_time()

    def events(self, *, kinds: EventKind | Iterable[EventKind] = ALL_KINDS) -> Subscription:
        """Subscribes from this moment on; iterate the result with ``async for``.

        ``async with cluster.events() as events:`` also ends the subscription with the block.

        Args:
            kinds: one event class or several, such as ``MemberFailed`` or ``UserEvent``; others are passed
                over. Anything else is a ``ConfigTypeError``.

        Take ``members()`` right after (without an ``await`` between) and fold the member events into it: the
        fold always equals a later ``members()``.
        """
        self._check_thread()
        return self._driver.subscriptions.open(event_classes(kinds))

    def do(self, command: Command) -> Ticket:
        """Begins a command and returns at once; ``await ticket.outcome()`` waits for its outcome.

        The methods below wait for their commands, and some check the result.

        Raises:
            LocalError: it is not possible now, for example after ``leave`` or after the block was left.
            ConfigError: as documented for the command's method.
        """
        self._check_open(command)
        match command:
            case Leave():
                self._own_address.pause()
                self._departure = self._departure or self._driver.submit(command)
                return self._departure
            case Rejoin():
                ticket = self._driver.submit(command)
                self._departure = None
                self._own_address.resume()
                return ticket
        return self._driver.submit(command)

    async def join(
        self, addresses: Sequence[str], *, replay: bool = False, timeout: float | None = None
    ) -> JoinResult:
        """Exchanges full state with every address, in parallel.

        A name is resolved now, and each of its addresses is tried. A failed address raises nothing.

        Args:
            addresses: ``[NAME/]HOST[:PORT]``; the port defaults to ``bind``'s. One that answers is enough.
            replay: also receive user events sent before the join, as far as the peers remember them.
            timeout: seconds after which the addresses not finished yet count as timed out; None leaves it to
                ``tcp_timeout`` of each stream.

        Returns:
            The outcome of each endpoint, in the order of the addresses given.

        Raises:
            ConfigError: naming an argument that is wrong.
            LocalError: after ``leave`` or after the block was left.
        """
        command, timeout = Join(addresses, replay=replay), checks.seconds("timeout", timeout)
        self._check_open(command)
        tickets = [self.do(Join((address,), replay=replay)) for address in command.addresses]
        await _finished(tickets, timeout)
        outcomes: list[JoinOutcome] = []
        for address, ticket in zip(command.addresses, tickets, strict=True):
            if ticket.is_done:
                outcomes += cast(JoinResult, await ticket.outcome()).outcomes
            else:
                outcomes.append(JoinOutcome(address, None, f"failed to join {address}: timed out"))
        return JoinResult(tuple(outcomes))

    async def leave(self, *, timeout: float | None = None) -> None:
        """Announces that this node leaves, and stops taking part; ``rejoin`` brings it back.

        Returns once enough peers know, or at the node's own deadline. A second call waits for the first.

        Args:
            timeout: seconds to wait; afterwards the leave continues in the background.

        Raises:
            ConfigError: naming ``timeout``.
            LocalError: after the block was left.
        """
        timeout = checks.seconds("timeout", timeout)
        await _finished([self.do(Leave())], timeout)

    async def rejoin(self, *, timeout: float | None = None) -> JoinResult:
        """Comes back after ``leave``: alive again under the same name, joined to seeds and past members.

        Args:
            timeout: seconds to wait for the join; afterwards it continues in the background.

        Raises:
            ConfigError: naming ``timeout``.
            LocalError: if the node has not left, or after the block was left.
        """
        timeout = checks.seconds("timeout", timeout)
        ticket = self.do(Rejoin())
        await _finished([ticket], timeout)
        return cast(JoinResult, await ticket.outcome()) if ticket.is_done else JoinResult(())

    async def force_leave(
        self, name: str, *, prune: bool = False, timeout: float | None = None
    ) -> ForceLeaveOutcome:
        """Declares that a failed member has left, so that no member dials it any more.

        Args:
            name: the member.
            prune: also forget it: at once if it is gone, else as soon as it is.
            timeout: seconds to wait for the outcome; afterwards the command continues in the background.

        Raises:
            TimeoutError: no outcome within ``timeout``.
            ConfigError: naming an argument that is wrong.
            LocalError: after the block was left.
        """
        command, timeout = ForceLeave(name, prune=prune), checks.seconds("timeout", timeout)
        ticket = self.do(command)
        async with self.events(kinds=MemberRefuted) as refutations:
            await _finished([ticket], timeout)
            if not ticket.is_done:
                raise TimeoutError(f"force-leave of {name}: no outcome within {timeout:g} s")
            outcome = cast(ForceLeaveOutcome, await ticket.outcome())
            member = self.member(name)
            if outcome is ForceLeaveOutcome.REFUTED and member is not None and member.status == "leaving":
                with trio.move_on_after(_ANSWER_ROUNDS * self.config.gossip_interval):
                    while self.member(name) == member and await anext(refutations, None) is not None:
                        pass
        member = self.member(name)
        if outcome is ForceLeaveOutcome.REFUTED and (member is None or member.status != "alive"):
            return ForceLeaveOutcome.PRUNED if member is None else ForceLeaveOutcome(member.status)
        return outcome

    async def resolve(self, host: str, port: int) -> tuple[Endpoint, ...]:
        """Every address of a host name, in the resolver's order; give it a time limit.

        Raises:
            OSError: it has no address.
        """
        return tuple(await self._driver.resolve(host, port))

    async def set_tags(self, tags: Mapping[str, str]) -> None:
        """Replaces this node's tags and waits until the change has spread (at most ``broadcast_timeout``).

        Raises:
            ConfigError: naming ``tags``: not all text, or more than 512 bytes once encoded.
            LocalError: after the block was left.
        """
        await self.do(SetTags(tags)).outcome()

    async def update_tags(self, changes: Mapping[str, str], *, remove: Iterable[str] = ()) -> None:
        """Changes some of this node's tags and keeps the rest; otherwise as ``set_tags``.

        Args:
            changes: tags to add or to replace.
            remove: names of tags to drop; a missing one is no error.

        Raises:
            ConfigError: naming ``changes`` or ``remove``; or ``tags``, more than 512 bytes once encoded.
            LocalError: after the block was left.
        """
        changes, dropped = checks.text_map("changes", changes), checks.texts("remove", remove)
        kept = {name: value for name, value in self.local.tags.items() if name not in dropped}
        await self.set_tags(kept | dict(changes))

    async def user_event(self, name: str, payload: bytes = b"", *, coalesce: bool = False) -> None:
        """Sends a user event to all members, and to subscribers here; returns before it has spread.

        Args:
            name: chosen by the application, at most 255 bytes.
            payload: chosen by the application.
            coalesce: receivers may drop it in favour of a newer one of the same name.

        Raises:
            ConfigError: naming an argument that is wrong; ``payload``, if the event takes more than
                ``user_event_size_limit`` bytes once encoded.
            LocalError: in a plain memberlist pool, after a leave, or too many events wait to be sent.
        """
        await self.do(SendUserEvent(name, payload, coalesce=coalesce)).outcome()

    def query(
        self,
        name: str,
        payload: bytes = b"",
        *,
        nodes: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        ack: bool = False,
        relay_factor: int = 0,
        timeout: float | None = None,
    ) -> Responses:
        """Asks all members, or some; iterate the result with ``async for``.

        The query is sent at once, to this node's own subscribers too. Every member answers at most once;
        replies that get lost on their way are not sent again, but see ``relay_factor``.

        Args:
            name: chosen by the application, at most 255 bytes.
            payload: chosen by the application.
            nodes: names of the members asked; none for all.
            tags: only members are asked whose tag of each name matches the regular expression.
            ack: also yield a ``QueryAck`` of each member asked, beside the ``QueryResponse`` of each answer.
            relay_factor: every reply comes by that many relays too, 0 to 255.
            timeout: seconds until the query ends; None for Serf's default, which grows with the cluster.

        Raises:
            ConfigError: naming an argument that is wrong; ``payload``, if the query takes more than
                ``query_size_limit`` bytes once encoded.
            LocalError: in a plain memberlist pool, after a leave, or too many queries are under way.
        """
        command = SendQuery(
            name,
            payload,
            nodes=nodes,
            tags={} if tags is None else tags,
            ack=ack,
            relay_factor=relay_factor,
            timeout=timeout,
        )
        return Responses(self._driver, self.do(command))

    async def respond(self, query: Query, payload: bytes = b"") -> None:
        """Answers a query that this node received; once, and before ``query.deadline``.

        Raises:
            ConfigError: naming an argument that is wrong; ``payload``, if the answer takes more than
                ``query_response_size_limit`` bytes once encoded.
            LocalError: it was answered, is past its deadline or unknown; or the answer may not be sent.
        """
        await self.do(Respond(query, payload)).outcome()

    def _check_open(self, command: Command) -> None:
        """Commands use the node and its sockets: only the trio run that opened the cluster may give them."""
        if not trio.lowlevel.in_trio_run() or trio.lowlevel.current_trio_token() is not self._run:
            raise LocalError(f"this cluster was opened in another trio.run: {_FROM_THERE}")
        if self._stopped:
            raise LocalError(_REFUSALS.get(type(command), "this cluster was closed: its block has ended"))

    def _check_thread(self) -> None:
        if threading.get_ident() != self._thread:
            raise LocalError(f"this cluster was opened in another thread: {_FROM_THERE}")


if TYPE_CHECKING:
    _: type[Membership] = Cluster


async def _finished(tickets: Sequence[Ticket], timeout: float | None) -> None:
    """Waits for all tickets, at most ``timeout`` seconds."""
    with trio.move_on_after(float("inf") if timeout is None else timeout):
        for ticket in tickets:
            await ticket.outcome()
