"""The commands of a cluster, for the fronts on which they are awaited.

They are written once, on a few primitives that each front has: to submit a command, to wait for its ticket,
and to wait for an event.
"""

# ruff: noqa: ASYNC109  a timeout here ends the wait, not the work, and often with a partial result

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar, cast

from swim import checks
from swim.commands import (
    BroadcastMessage,
    Command,
    ForceLeave,
    Join,
    Leave,
    Outcome,
    Rejoin,
    Respond,
    SendMessage,
    SendPing,
    SendQuery,
    SendUserEvent,
    SetTags,
    Ticket,
    UpdateTags,
)
from swim.errors import CANNOT_JOIN, LocalError
from swim.events import ForceLeaveOutcome, JoinOutcome, JoinResult, Member, MemberRefuted, Query
from swim.net.event_buffer import ALL_KINDS, EventKind, event_classes
from swim.net.fronts.keys import AwaitedKeys
from swim.net.fronts.reading import Reading

__all__ = ["AwaitedCluster"]

_REFUSALS: dict[type[Command], str] = {
    Join: CANNOT_JOIN,
    Leave: "cannot leave: this cluster was closed",
}
_CLOSED = "this cluster was closed: its block has ended"
_ANSWER_ROUNDS = 3
"""Gossip intervals in which a live member refutes a force-leave, after it was sent often enough."""


class Closable(Protocol):
    """A subscription."""

    def close(self) -> None:
        """Ends it."""


TicketT = TypeVar("TicketT", bound=Ticket)
EventsT = TypeVar("EventsT", bound=Closable)
RepliesT = TypeVar("RepliesT")


class AwaitedCluster(AwaitedKeys, Reading, Generic[TicketT, EventsT, RepliesT]):
    """The cluster as one member sees it. Made by ``open_cluster``.

    Reading (``members``, ``member``, ``local``, ``history``, ``stats``) never waits. Every waiting method may
    be cancelled: the command that it began continues in the background.
    """

    def events(self, *, kinds: EventKind | Iterable[EventKind] = ALL_KINDS) -> EventsT:
        """Subscribes from this moment on; iterate the result with ``async for``.

        ``async with cluster.events() as events:`` also ends the subscription with the block.

        On asyncio and in threads the node runs beside the program, and may have joined before the program's
        next line. There the first call also brings what happened since the block was entered, unless that was
        more than ``Config.event_buffer_size`` events.

        Args:
            kinds: one event class or several, such as ``MemberFailed`` or ``UserEvent``; others are passed
                over. Anything else is a ``ConfigTypeError``.

        Take ``members()`` right after (without an ``await`` between) and fold the member events into it: the
        fold always equals a later ``members()``.
        """
        self._check_reader()
        return self._subscribe_first(event_classes(kinds))

    def do(self, command: Command) -> TicketT:
        """Begins a command and returns at once; ``await ticket.outcome()`` waits for its outcome.

        The methods below wait for their commands, and some check the result.

        Raises:
            LocalError: it is not possible now, for example after ``leave`` or after the block was left.
            ConfigError: as documented for the command's method.
        """
        self._check_command(command)
        return self._submit(command)

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
        self._check_command(command)
        tickets = [self.do(Join((address,), replay=replay)) for address in command.addresses]
        await self._finished(tickets, timeout)
        outcomes: list[JoinOutcome] = []
        for address, ticket in zip(command.addresses, tickets, strict=True):
            if ticket.is_done:
                outcomes += cast(JoinResult, ticket.result).outcomes
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
        await self._finished([self.do(Leave())], timeout)

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
        await self._finished([ticket], timeout)
        return cast(JoinResult, ticket.result) if ticket.is_done else JoinResult(())

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
        refutations = self._subscribe((MemberRefuted,))
        try:
            await self._finished([ticket], timeout)
            if not ticket.is_done:
                why = f"no outcome within {timeout:g} s{self._silence(ticket)}"
                raise TimeoutError(f"force-leave of {name}: {why}")
            outcome = cast(ForceLeaveOutcome, ticket.result)
            member = self.member(name)
            if outcome is ForceLeaveOutcome.REFUTED and member is not None and member.status == "leaving":
                until = self.now() + _ANSWER_ROUNDS * self.config.gossip_interval
                while self.member(name) == member and await self._next(refutations, until - self.now()):
                    pass
        finally:
            refutations.close()
        member = self.member(name)
        if outcome is ForceLeaveOutcome.REFUTED and (member is None or member.status != "alive"):
            return ForceLeaveOutcome.PRUNED if member is None else ForceLeaveOutcome(member.status)
        return outcome

    async def set_tags(self, tags: Mapping[str, str]) -> None:
        """Replaces this node's tags and waits until the change has spread (at most ``broadcast_timeout``).

        Raises:
            ConfigError: naming ``tags``: not all text, or more than 512 bytes once encoded.
            LocalError: after the block was left.
        """
        await self._outcome(SetTags(tags))

    async def update_tags(self, changes: Mapping[str, str], *, remove: Iterable[str] = ()) -> None:
        """Changes some of this node's tags and keeps the rest; otherwise as ``set_tags``.

        Args:
            changes: tags to add or to replace.
            remove: names of tags to drop; a missing one is no error.

        Raises:
            ConfigError: naming ``changes`` or ``remove``; or ``tags``, more than 512 bytes once encoded.
            LocalError: after the block was left.
        """
        await self._outcome(UpdateTags(changes, remove=remove))

    async def user_event(self, name: str, payload: bytes = b"", *, coalesce: bool = False) -> None:
        """Sends a user event to all members, and to subscribers here; returns before it has spread.

        Args:
            name: chosen by the application.
            payload: chosen by the application.
            coalesce: receivers may drop it in favour of a newer one of the same name.

        Raises:
            ConfigError: naming an argument that is wrong; ``payload``, if the event takes more than
                ``user_event_size_limit`` bytes once encoded.
            LocalError: in a plain memberlist pool, after a leave, or too many events wait to be sent.
        """
        await self._outcome(SendUserEvent(name, payload, coalesce=coalesce))

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
        finish_early: bool = False,
    ) -> RepliesT:
        """Asks all members, or some; iterate the result with ``async for``.

        The query is sent at once, to this node's own subscribers too. Every member answers at most once;
        replies that get lost on their way are not sent again, but see ``relay_factor``.

        Args:
            name: chosen by the application.
            payload: chosen by the application.
            nodes: names of the members asked; none for all.
            tags: only members are asked whose tag of each name matches the regular expression.
            ack: also yield a ``QueryAck`` of each member asked, beside the ``QueryResponse`` of each answer.
            relay_factor: every reply comes by that many relays too, 0 to 255.
            timeout: seconds until the query ends; None for Serf's default, which grows with the cluster.
            finish_early: end as soon as every member asked has answered, and with ``ack`` has acked too.
                Asked are the members that the filters match and that are alive in this node's view when it
                sends the query.

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
            finish_early=finish_early,
        )
        return self._replies(self.do(command))

    async def respond(self, query: Query, payload: bytes = b"") -> None:
        """Answers a query that this node received; once, and before ``query.deadline``.

        What is too long for a packet goes by a stream, if the asker runs swim; then this returns once the
        asker has read it.

        Raises:
            ConfigError: naming an argument that is wrong; ``payload``, if the answer takes more than
                ``query_response_size_limit`` bytes once encoded, or ``query_response_stream_limit`` to an
                asker that runs swim.
            DeliveryError: a long answer was not delivered, and why.
            LocalError: it was answered, is past its deadline or unknown; or the answer may not be sent.
        """
        await self._outcome(Respond(query, payload))

    async def send(self, member: Member, payload: bytes) -> None:
        """Sends bytes to the application of one member; returns once that node has handed them out.

        They arrive at most once: nothing is sent again by itself.

        Args:
            member: a value from ``members()`` or an event. It stands for one life of the member: after a
                restart, take its new value.
            payload: at most 64 KiB.

        Raises:
            ConfigError: naming an argument that is wrong.
            DeliveryError: it was not delivered, and why: the member has ``restarted``, ``failed`` or
                ``left``, runs a program that takes no messages (``unsupported``), and so on.
            LocalError: after a leave, or too many messages are under way.
        """
        await self._outcome(SendMessage(member, payload))

    async def broadcast(self, payload: bytes) -> None:
        """Sends bytes to all members' applications, and to subscribers here; returns before they spread.

        Each application receives them at most once, as a ``UserMessage`` with ``is_broadcast``.

        Args:
            payload: at most ``Config.broadcast_size_limit`` bytes, so that it fits a packet.

        Raises:
            ConfigError: naming ``payload``.
            LocalError: after a leave, or too many broadcasts wait to be sent.
        """
        await self._outcome(BroadcastMessage(payload))

    async def ping(self, name: str, *, via: str = "packet", timeout: float | None = None) -> float | None:
        """Pings one member, and returns the seconds until its ack; None if there was none in time.

        It changes nothing: no member is suspected or cleared by it.

        Args:
            name: of the member.
            via: ``packet``; ``stream``; or ``relay``: other members are asked to ping it.
            timeout: seconds to wait; None for ``probe_interval``.

        Raises:
            ConfigError: naming an argument that is wrong.
            LocalError: there is no such member, it is this node, or it cannot be asked in this way now.
        """
        ticket = self.do(SendPing(name, via=via, timeout=timeout))
        await self._finished([ticket], None)
        return cast("float | None", ticket.result)

    # -- what each front supplies

    @abstractmethod
    def _submit(self, command: Command) -> TicketT:
        """Gives the node a command."""

    @abstractmethod
    def _subscribe(self, kinds: tuple[EventKind, ...]) -> EventsT:
        """Events of these kinds, from this moment on."""

    def _subscribe_first(self, kinds: tuple[EventKind, ...]) -> EventsT:
        """The same, and what happened since the block was entered, if the program may have missed it."""
        return self._subscribe(kinds)

    @abstractmethod
    def _replies(self, ticket: TicketT) -> RepliesT:
        """The replies to a query."""

    @abstractmethod
    async def _finished(self, tickets: Sequence[TicketT], timeout: float | None) -> None:
        """Waits for all tickets, at most ``timeout`` seconds."""

    @abstractmethod
    async def _next(self, events: EventsT, timeout: float) -> object:
        """Waits for the next event, at most ``timeout`` seconds; None if there is none."""

    def _silence(self, ticket: TicketT) -> str:
        """What to add to the error of a command that timed out."""
        return ""

    async def _outcome(self, command: Command) -> Outcome:
        ticket = self.do(command)
        await self._finished([ticket], None)
        return ticket.result  # raises, if it was refused

    @property
    def _ending(self) -> str:
        """Why the node ended by itself; "" if it did not."""
        return ""

    def _check_command(self, command: Command) -> None:
        """Raises if this process, thread or run may not give commands, or none may any more."""
        self._check_open(_REFUSALS.get(type(command), _CLOSED))

    def _check_open(self, refusal: str = _CLOSED) -> None:
        self._origin.require()
        if self._is_stopped:
            raise LocalError(self._ending or refusal)
