"""User events: an application receives each at most once, and in a calm world all receive it in time."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from sims.checkers.base import Checker, PerLife
from sims.checkers.liveness import Liveness
from sims.theory.bounds import convergence_bound, dissemination_bound
from swim.config import Config
from swim.events import Event, UserEvent

if TYPE_CHECKING:
    from sims.world import World
    from sims.world.host import SimNode

__all__ = ["UserEventsComeOnce", "UserEventsReachAll"]

_FOLLOWED_MAX = 64
"""Events followed at a time; a flood may take longer than the bound."""

Key = tuple[int, str, bytes]


def _key(event: UserEvent) -> Key:
    """What distinguishes events in Serf."""
    return event.ltime, event.name, event.payload


class UserEventsComeOnce(Checker):
    """In one life of a node no user event is handed out twice."""

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._received: PerLife[set[Key]] = PerLife(set)

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if isinstance(event, UserEvent):
            received = self._received.of(node)
            if _key(event) in received:
                self.violated(world, node, f"the user event {event.name} came again, stamped {event.ltime}")
            received.add(_key(event))


class _Followed(NamedTuple):
    """An event on its way: since when, and the lives of nodes that have not received it."""

    key: Key
    since: float
    missing: dict[str, tuple[SimNode, int]]


class UserEventsReachAll(Liveness):
    """An event that is sent in calm reaches all nodes that its sender shows as alive, within the bound."""

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._followed: deque[_Followed] = deque()
        self._known: set[Key] = set()

    def bound_of(self, config: Config, n: int, live: int) -> float:
        """See ``Liveness``."""
        return dissemination_bound(config, n, latency=self.calm.latency)

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if not isinstance(event, UserEvent):
            return
        self.calm.look(world)
        key = _key(event)
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
            (ltime, name, _), since, missing = self._followed.popleft()
            if self.calm.since > since:
                continue  # a fault or a command came meanwhile
            for late, life in missing.values():
                if late.life == life and late.counts:
                    self.violated(world, late, f"the user event {name}, stamped {ltime}, has not arrived")

    def _is_calm(self, world: World) -> bool:
        """Whether all nodes had the time to learn of each other."""
        running, n = world.running(), len(world.nodes)
        config, latency = running[0].config, self.calm.latency
        settles = convergence_bound(config, n, latency=latency, gone=n - len(running), live=len(running))
        return world.now > self.calm.since + settles
