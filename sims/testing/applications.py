"""Your own program on simulated nodes: one application per run of a node, timers, and invariants.

An application has the interface of a real cluster: the same events in the same order, ``members()``, and the
commands of its node. Only the time is virtual::

    caches = Applications(Cache, invariants=[one_owner])
    world = World(seed, nodes=5, observers=[caches])
    world.run_for(60)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from sims.errors import SimError, UsageError, ViolationError
from sims.plain import name_of, plain_function, plain_result
from sims.world.observer import Observer
from swim import checks
from swim.events import Event

if TYPE_CHECKING:
    from sims.world import World
    from sims.world.host import SimNode

__all__ = ["Applications", "Invariant", "every", "once"]

RAISED = "raised by the application: "
"""The start of the note on an application's exception."""

Invariant = Callable[["World", Mapping[str, Any]], object]
"""``check(world, applications)`` asserts something, or returns whether it holds.

The applications are the running ones, by host id.
"""


class Applications(Observer):
    """Starts an application in every run of every node, passes it the node's events, and checks invariants.

    Args:
        start: ``start(world, node)`` returns the application of one run. If it has a method ``on_event(now,
            event)``, that receives every event of the run, first the node's own join; it may use the node's
            commands. None starts nothing: then only the invariants count.
        invariants: called after every step of a node. An ``AssertionError``, or ``False`` as the result,
            becomes a ``ViolationError`` with time and node, and ends the run.

    Any other exception of yours is raised with a note that names node, virtual time and run seed. Callbacks
    must not be ``async``: a coroutine is refused with a ``UsageError`` as soon as it is returned.
    """

    def __init__(
        self,
        start: Callable[[World, SimNode], Any] | None = None,
        *,
        invariants: Iterable[Invariant] = (),
    ) -> None:
        self._start = start
        checks.instance("a sequence of functions", Iterable)("invariants", invariants)
        self._invariants = tuple(invariants)
        if start is not None:
            plain_function("start", start)
        for call in self._invariants:
            plain_function("invariants", call)
        self._lives: dict[str, tuple[int, Any]] = {}
        self._hosts: dict[str, SimNode] = {}

    def __getitem__(self, host: str) -> Any:
        """The application of a host's current or last run."""
        return self._lives[host][1]

    def running(self) -> dict[str, Any]:
        """The applications whose process runs (is neither paused nor gone), by host id."""
        return {
            host: application
            for host, (life, application) in self._lives.items()
            if self._hosts[host].state == "running" and self._hosts[host].life == life
        }

    def attached(self, world: World) -> None:
        """Starts the applications of nodes that run already; they have missed earlier events."""
        for node in world.nodes.values():
            if node.is_up:
                self._begin(world, node)

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """The first event of a run starts its application, which then receives that event too."""
        self._begin(world, node)

    def stepped(self, world: World, node: SimNode) -> None:
        """Checks the invariants."""
        self._begin(world, node)
        if not self._invariants:
            return
        applications = self.running()
        for check in self._invariants:
            try:
                with attributed(world, node, check):
                    held = plain_result(check(world, applications), check)
            except AssertionError as error:
                problem = str(error).partition("\n")[0] or "the assertion does not hold"
                raise ViolationError(name_of(check), world.now, node.id, problem) from error
            if held is not None and not held:
                raise ViolationError(name_of(check), world.now, node.id, f"returned {held!r}")

    def _begin(self, world: World, node: SimNode) -> None:
        if self._start is None or self._lives.get(node.id, (0, None))[0] == node.life:
            return
        if node.id not in self._hosts:
            self._hosts[node.id] = node
            node.subscribe(partial(self._deliver, world, node))
        with attributed(world, node, self._start):
            self._lives[node.id] = (node.life, plain_result(self._start(world, node), self._start))

    def _deliver(self, world: World, node: SimNode, now: float, event: Event) -> None:
        life, application = self._lives[node.id]
        if life == node.life and hasattr(application, "on_event"):
            with attributed(world, node, application.on_event):
                plain_result(application.on_event(now, event), application.on_event)


@contextmanager
def attributed(world: World, node: SimNode, call: Callable[..., object]) -> Iterator[None]:
    """Adds a note to an exception of the application: where and when it was raised."""
    try:
        yield
    except SimError:
        raise
    except Exception as error:
        if not any(note.startswith(RAISED) for note in getattr(error, "__notes__", ())):
            error.add_note(f"{RAISED}{name_of(call)} on {node.id} at {world.now:.6f} s, seed {world.seed}")
        raise


def once(world: World, node: SimNode, seconds: float, call: Callable[[], object]) -> None:
    """Calls ``call()`` after this many virtual seconds, if the node's current run lasts until then.

    If the process is paused at that moment, it is called when the process resumes.
    """
    plain_function("call", call)
    checks.number("seconds", seconds)
    life = node.life

    def fire() -> None:
        if node.life != life or not node.is_up:
            return
        if node.state == "paused":
            node.backlog.append((fire, ()))
            return
        with attributed(world, node, call):
            plain_result(call(), call)

    world.at(world.now + seconds, fire)


def every(world: World, node: SimNode, seconds: float, call: Callable[[], object]) -> None:
    """Calls ``call()`` every ``seconds`` of virtual time, as long as the node's current run lasts.

    While the process is paused nothing is called. If a call was due meanwhile, one follows when the process
    resumes, and the next ones at the usual interval after that: like a loop that sleeps.
    """
    plain_function("call", call)
    if not checks.number("seconds", seconds) > 0:
        raise UsageError(f"seconds must be more than 0, not {seconds!r}")

    def tick() -> None:
        once(world, node, seconds, tick)
        with attributed(world, node, call):
            plain_result(call(), call)

    once(world, node, seconds, tick)
