"""User events come at most once; in a calm world all receive them, and broadcast messages, in time."""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from sims.checkers.base import Checker
from sims.checkers.liveness import Liveness
from sims.theory.bounds import convergence_bound, dissemination_bound
from swim.config import Config
from swim.events import Event, UserEvent, UserMessage
from swim.serf.snapshot import Snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sims.world import World
    from sims.world.host import SimNode

__all__ = ["BroadcastsReachAll", "Key", "ReachAll", "UserEventsComeOnce", "UserEventsReachAll"]

_FOLLOWED_MAX = 64
"""Events followed at a time; a flood may take longer than the bound."""

Key = tuple[int, str, bytes]


def _key(event: UserEvent) -> Key:
    """What distinguishes events in Serf."""
    return event.ltime, event.name, event.payload


class UserEventsComeOnce(Checker):
    """No user event is handed out twice in one life of a node, nor again after its snapshot recorded it."""

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._received: dict[str, set[Key]] = {}

    def fault(self, world: World, kind: str, detail: Mapping[str, object]) -> None:
        """See ``Observer``."""
        if kind == "restart":
            node = world.host(str(detail["node"]))
            recorded = Snapshot.replay(node.snapshot).event_clock if detail["snapshot"] else 0
            earlier = self._received.get(node.id, set())
            self._received[node.id] = {key for key in earlier if key[0] <= recorded}

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if isinstance(event, UserEvent):
            received = self._received.setdefault(node.id, set())
            if _key(event) in received:
                self.violated(world, node, f"the user event {event.name} came again, stamped {event.ltime}")
            received.add(_key(event))


class _Followed(NamedTuple):
    """An event on its way: since when, and the lives of nodes that have not received it."""

    key: Key
    since: float
    missing: dict[str, tuple[SimNode, int]]


class ReachAll(Liveness):
    """What is sent to all in calm reaches all nodes that its sender shows as alive, within the bound."""

    @abstractmethod
    def key_of(self, event: Event) -> Key | None:
        """What distinguishes an event of the kind; None for other kinds."""

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._followed: deque[_Followed] = deque()
        self._known: set[Key] = set()

    def bound_of(self, config: Config, n: int, live: int) -> float:
        """See ``Liveness``."""
        return dissemination_bound(config, n, latency=self.calm.latency)

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        key = self.key_of(event)
        if key is None:
            return
        self.calm.look(world)
        if key not in self._known:
            self._known.add(key)
            if self._is_calm(world) and len(self._followed) < _FOLLOWED_MAX:
                alive = node.alive_names()
                missing = {each.id: (each, each.life) for each in world.running() if each.name in alive}
                self._followed.append(_Followed(key, world.now, missing))
        for followed in self._followed:
            if followed.key == key:
                followed.missing.pop(node.id, None)

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        self.calm.look(world)
        while self._followed and world.now > self._followed[0].since + self.bound(world):
            (ltime, name, payload), since, missing = self._followed.popleft()
            if self.calm.since > since:
                continue  # a fault or a command came meanwhile
            for late, life in missing.values():
                if late.life == life and late.counts:
                    self.violated(world, late, f"{name} {payload!r}, stamped {ltime}, has not arrived")

    def _is_calm(self, world: World) -> bool:
        """Whether all nodes had the time to learn of each other."""
        running, n = world.running(), len(world.nodes)
        config, latency = running[0].config, self.calm.latency
        settles = convergence_bound(config, n, latency=latency, gone=n - len(running), live=len(running))
        return world.now > self.calm.since + settles


class UserEventsReachAll(ReachAll):
    """A user event that is sent in calm reaches all nodes in time."""

    def key_of(self, event: Event) -> Key | None:
        """See ``ReachAll``."""
        return _key(event) if isinstance(event, UserEvent) else None


class BroadcastsReachAll(ReachAll):
    """A broadcast message that is sent in calm reaches all nodes in time."""

    def key_of(self, event: Event) -> Key | None:
        """See ``ReachAll``."""
        if not isinstance(event, UserMessage) or not event.is_broadcast:
            return None
        return 0, event.source, event.payload
