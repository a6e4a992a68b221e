"""Queries: applications receive each once; senders get each reply once, from those asked, until the end."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from sims.checkers.base import Checker, PerLife
from sims.checkers.user_events import Key, ReachAll
from swim.commands import Command, SendQuery, Ticket
from swim.errors import LocalError
from swim.events import Event, Query, QueryAck

if TYPE_CHECKING:
    from sims.world import World
    from sims.world.host import SimNode

__all__ = ["QueriesAreKept", "QueriesReachAll"]


class _Asked(NamedTuple):
    """A query whose sender waits for replies; ``asked`` are those that it then showed as alive."""

    command: SendQuery
    ticket: Ticket
    since: float
    asked: frozenset[str]


class QueriesAreKept(Checker):
    """In one life, a query is handed out once; its sender gets each reply once, and only from those asked.

    It ends at its deadline, or early if it was to: then all those asked have replied.
    """

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._received: PerLife[set[tuple[int, int]]] = PerLife(set)
        self._pending: PerLife[list[_Asked]] = PerLife(list)

    def commanded(self, world: World, node: SimNode, command: Command, ticket: Ticket) -> None:
        """See ``Observer``."""
        if isinstance(command, SendQuery):
            named = frozenset(command.nodes)
            alive = node.alive_names()
            asked = alive & named if named else alive
            self._pending.of(node).append(_Asked(command, ticket, world.now, asked))

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if isinstance(event, Query):
            received, key = self._received.of(node), (event.ltime, event.id)
            if key in received:
                self.violated(world, node, f"the query {event.name} came again, stamped {event.ltime}")
            received.add(key)

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        pending = self._pending.of(node)
        if any(one.ticket.is_done for one in pending):
            for one in [one for one in pending if one.ticket.is_done]:
                pending.remove(one)
                self._ended(world, node, one)

    def _ended(self, world: World, node: SimNode, one: _Asked) -> None:
        command, name = one.command, one.command.name
        replies = Counter((isinstance(reply, QueryAck), reply.source) for reply in one.ticket.replies)
        if again := [source for (_, source), count in replies.items() if count > 1]:
            self.violated(world, node, f"{again[0]} replied to the query {name} more than once")
        if command.nodes and (others := {source for _, source in replies} - {*command.nodes}):
            self.violated(world, node, f"{min(others)} replied to the query {name}, but was not asked")
        if not command.ack and any(is_ack for is_ack, _ in replies):
            self.violated(world, node, f"an ack of the query {name}, which asked for none")
        try:
            assert one.ticket.result is None
        except LocalError:
            return  # its process ended
        if command.timeout is None or node.status != "running":
            return
        if world.now >= one.since + command.timeout:
            return
        missing = {
            who
            for who in one.asked
            for is_ack in ([True, False] if command.ack else [False])
            if (is_ack, who) not in replies
        }
        if not command.finish_early or (missing and not command.tags):
            self.violated(world, node, f"the query {name} ended before its time")


class QueriesReachAll(ReachAll):
    """A query to all members that is sent in calm reaches the applications of all nodes in time."""

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._to_some: set[bytes] = set()

    def commanded(self, world: World, node: SimNode, command: Command, ticket: Ticket) -> None:
        """See ``Observer``."""
        if isinstance(command, SendQuery) and (command.nodes or command.tags):
            self._to_some.add(command.payload)

    def key_of(self, event: Event) -> Key | None:
        """See ``ReachAll``."""
        if not isinstance(event, Query) or event.payload in self._to_some:
            return None
        return event.ltime, f"query {event.name}", event.id.to_bytes(4, "big")
