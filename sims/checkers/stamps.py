"""Lamport clocks and stamps: they order what causes what, and do not run away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sims.checkers.base import Checker, PerLife
from swim.commands import BroadcastMessage, Command, Join, SendQuery, SendUserEvent, Ticket
from swim.errors import LocalError
from swim.events import Event, UserEvent

if TYPE_CHECKING:
    from sims.world import World
    from sims.world.host import SimNode

__all__ = ["ClocksDoNotRunAway", "OldEventsStayAway", "StampsFollowCauses"]

Key = tuple[int, str, bytes]


class _Seen:
    """What one life of a node has sent and received of user events."""

    __slots__ = ("highest", "own")

    def __init__(self) -> None:
        self.highest = 0
        self.own: list[tuple[str, bytes]] = []


class StampsFollowCauses(Checker):
    """A user event bears a higher stamp than every one that its sender had sent or received before.

    So stamps order the events of each sender, and an answer comes after its cause.
    """

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._seen: PerLife[_Seen] = PerLife(_Seen)

    def commanded(self, world: World, node: SimNode, command: Command, ticket: Ticket) -> None:
        """See ``Observer``."""
        if isinstance(command, SendUserEvent):
            self._seen.of(node).own.append((command.name, command.payload))

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if not isinstance(event, UserEvent):
            return
        seen, key = self._seen.of(node), (event.name, event.payload)
        if key in seen.own:
            seen.own.remove(key)
            if event.ltime <= seen.highest:
                problem = f"{event.name} was sent with stamp {event.ltime}, after one with {seen.highest}"
                self.violated(world, node, problem)
        seen.highest = max(seen.highest, event.ltime)


class _Joining:
    """A join that asked for no old events, and those that all other nodes had received when it began."""

    __slots__ = ("just_received", "life", "old", "ticket")

    def __init__(self, life: int, ticket: Ticket, old: frozenset[Key]) -> None:
        self.life = life
        self.ticket = ticket
        self.old = old
        self.just_received: tuple[float, list[Key]] = (-1.0, [])


class OldEventsStayAway(Checker):
    """A join without ``replay`` brings no user event that all other nodes had received before it."""

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._received: PerLife[set[Key]] = PerLife(set)
        self._joining: dict[str, _Joining] = {}
        self._old: dict[str, tuple[int, frozenset[Key]]] = {}

    def commanded(self, world: World, node: SimNode, command: Command, ticket: Ticket) -> None:
        """See ``Observer``."""
        if isinstance(command, Join) and not command.replay:
            others = [self._received.of(each) for each in world.running() if each is not node]
            old = frozenset[Key]().union(*others[:1]).intersection(*others[1:])
            self._joining[node.id] = _Joining(node.life, ticket, old)

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if not isinstance(event, UserEvent):
            return
        key = event.ltime, event.name, event.payload
        self._received.of(node).add(key)
        joining = self._joining.get(node.id)
        if joining is not None:
            at, keys = joining.just_received
            joining.just_received = world.now, [*keys, key] if at == world.now else [key]
        life, old = self._old.get(node.id, (-1, frozenset()))
        if life == node.life and key in old:
            self._came(world, node, key)

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        joining = self._joining.get(node.id)
        if joining is None or not joining.ticket.is_done:
            return
        del self._joining[node.id]
        if joining.life != node.life or not _has_joined(joining.ticket):
            return
        at, just_received = joining.just_received
        if at != world.now:
            just_received = []
        self._old[node.id] = node.life, joining.old - self._received.of(node)
        for key in just_received:
            if key in joining.old:
                self._came(world, node, key)

    def _came(self, world: World, node: SimNode, key: Key) -> None:
        self.violated(world, node, f"the user event {key[1]}, stamped {key[0]}, is older than its join")


def _has_joined(ticket: Ticket) -> bool:
    try:
        result = ticket.result
    except LocalError:
        return False
    return bool(getattr(result, "joined", 0))


class ClocksDoNotRunAway(Checker):
    """No clock is further than what was sent: one stamp for each user event, and for each query or broadcast.

    Serf's member clock, and queries of the protocol itself, may move it a little further in each step.
    """

    _LEAP = 4 * 17

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._events = self._queries = self._members = 1

    def attached(self, world: World) -> None:
        """See ``Observer``."""
        for node in world.nodes.values():
            stats = node.stats()
            self._events = max(self._events, stats.event_time)
            self._queries = max(self._queries, stats.query_time)
            self._members = max(self._members, stats.member_time)

    def commanded(self, world: World, node: SimNode, command: Command, ticket: Ticket) -> None:
        """See ``Observer``."""
        match command:
            case SendUserEvent():
                self._events += 1
            case SendQuery() | BroadcastMessage():
                self._queries += 1

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        stats = node.stats()
        if stats.event_time > self._events:
            problem = f"its event clock is at {stats.event_time}, after {self._events - 1} user events"
            self.violated(world, node, problem)
        if stats.query_time > self._queries + 1:
            self.violated(world, node, f"its query clock ran from {self._queries} to {stats.query_time}")
        if stats.member_time > self._members + self._LEAP:
            self.violated(world, node, f"its member clock ran from {self._members} to {stats.member_time}")
        self._queries = max(self._queries, stats.query_time)
        self._members = max(self._members, stats.member_time)
