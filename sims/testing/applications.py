"""Your own program on simulated nodes: one application per life of a node, timers, and properties of all.

An application sees what it would see of a real cluster: the same events in the same order, ``members()``, and
the commands of its node. Only the time is virtual::

    caches = Applications(Cache, invariants=[one_owner])
    world = World(seed, nodes=5, observers=[caches])
    world.run_for(60)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from sims.errors import ViolationError
from sims.world.observer import Observer
from swim.events import Event

if TYPE_CHECKING:
    from sims.world import World
    from sims.world.host import SimNode

__all__ = ["Applications", "Invariant", "every"]

Invariant = Callable[["World", Mapping[str, Any]], object]
"""``check(world, applications)`` asserts something; the applications are those that run now, by host id."""


class Applications(Observer):
    """Starts an application in every life of every node, hands it the node's events, and checks them all.

    Args:
        start: ``start(world, node)`` returns the application of one life. If that has a method
            ``on_event(now, event)``, it gets every event of the life, the node's own arrival first; it may
            use the node's commands. None starts nothing: then only the invariants count.
        invariants: called after every step of a node. An ``AssertionError`` becomes a ``ViolationError``
            that says when and where, and ends the run.
    """

    def __init__(
        self,
        start: Callable[[World, SimNode], Any] | None = None,
        *,
        invariants: Iterable[Invariant] = (),
    ) -> None:
        self._start = start
        self._invariants = tuple(invariants)
        self._lives: dict[str, tuple[int, Any]] = {}
        self._hosts: dict[str, SimNode] = {}

    def __getitem__(self, host: str) -> Any:
        """The application of a host's present or last life."""
        return self._lives[host][1]

    def running(self) -> dict[str, Any]:
        """The applications whose process runs (is neither paused nor gone), by host id."""
        return {
            host: application
            for host, (life, application) in self._lives.items()
            if self._hosts[host].state == "running" and self._hosts[host].life == life
        }

    def attached(self, world: World) -> None:
        """Starts the applications of nodes that run already; they have missed what happened so far."""
        for node in world.nodes.values():
            if node.is_up:
                self._begin(world, node)

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """The first event of a life starts its application, which then gets that event too."""
        self._begin(world, node)

    def stepped(self, world: World, node: SimNode) -> None:
        """Checks the invariants."""
        self._begin(world, node)
        if not self._invariants:
            return
        applications = self.running()
        for check in self._invariants:
            try:
                check(world, applications)
            except AssertionError as error:
                problem = str(error).partition("\n")[0] or "the assertion does not hold"
                raise ViolationError(name_of(check), world.now, node.id, problem) from error

    def _begin(self, world: World, node: SimNode) -> None:
        if self._start is None or self._lives.get(node.id, (0, None))[0] == node.life:
            return
        if node.id not in self._hosts:
            self._hosts[node.id] = node
            node.subscribe(partial(self._deliver, node))
        self._lives[node.id] = (node.life, self._start(world, node))

    def _deliver(self, node: SimNode, now: float, event: Event) -> None:
        life, application = self._lives[node.id]
        if life == node.life and hasattr(application, "on_event"):
            application.on_event(now, event)


def name_of(call: Callable[..., object]) -> str:
    """What to call a function, a ``partial`` or any other callable in a message."""
    inner = call.func if isinstance(call, partial) else call
    return getattr(inner, "__qualname__", type(inner).__name__)


def every(world: World, node: SimNode, seconds: float, call: Callable[[], object]) -> None:
    """Calls ``call()`` every so many virtual seconds as long as the node's present life lasts.

    While the process is paused nothing is called. Single timers are ``world.at(when, call)``; check there
    that ``node.life`` is still the one you started in.
    """
    life = node.life

    def fire() -> None:
        if node.life != life or not node.is_up:
            return
        if node.state == "running":
            call()
        world.at(world.now + seconds, fire)

    world.at(world.now + seconds, fire)
