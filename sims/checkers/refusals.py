"""A member is failed for refused streams only if its host refused them for the whole grace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sims.checkers.base import Checker, PerLife
from swim.core.output import StreamEnd
from swim.events import Cause, Event, MemberEvent, MemberFailed

if TYPE_CHECKING:
    from sims.world import World
    from sims.world.host import SimNode
    from sims.world.observer import StreamStep

__all__ = ["RefusedProcessesAreGone"]

_SLACK = 0.002
_LEAST = 3
"""Streams: of the probe round, and two after it."""


def _none() -> dict[str, list[tuple[float, int]]]:
    return {}


def _pauses(node: SimNode) -> int:
    """How often the node noticed that it overslept."""
    return node.metrics.counters["swim.overslept"]


class RefusedProcessesAreGone(Checker):
    """Streams to a member that a node failed for refusals were all refused, for ``restart_grace`` seconds."""

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._dials: dict[int, str] = {}
        self._refused = PerLife(_none)

    def stream(self, world: World, step: StreamStep) -> None:
        """See ``Observer``."""
        if step.kind == "dial" and step.target:
            self._dials[step.number] = world.host(step.target).name
        elif step.kind == "end" and step.end is StreamEnd.REFUSED and step.number in self._dials:
            name, node = self._dials[step.number], world.host(step.source)
            self._refused.of(node).setdefault(name, []).append((world.now, _pauses(node)))
        elif step.kind == "data" and step.target:
            node = world.host(step.target)
            self._refused.of(node).pop(world.host(step.source).name, None)  # it is there

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if not isinstance(event, MemberEvent) or event.member.is_suspect:
            return
        name = event.member.name
        found = self._refused.of(node).pop(name, [])
        if not isinstance(event, MemberFailed) or event.reason.cause is not Cause.REFUSED:
            return
        # What was refused before the node overslept proves nothing.
        refused = [at for at, pauses in found if pauses == _pauses(node)]
        grace = node.config.restart_grace
        lasted = world.now - refused[0] if refused else 0.0
        if len(refused) < _LEAST or lasted < grace - _SLACK:
            problem = f"{name} failed for {len(refused)} refused streams in {lasted:.3f} s, not {grace:.3f}"
            self.violated(world, node, problem)
