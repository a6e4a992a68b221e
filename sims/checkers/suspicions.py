"""Nobody is declared dead before the suspicion had its time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sims.checkers import inside
from sims.checkers.base import Checker, PerLife
from swim.config import Config
from swim.core.suspicion import Suspicion
from swim.events import Event, MemberEvent, MemberFailed, MemberLeft, MemberSuspected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sims.world import World
    from sims.world.host import SimNode

__all__ = ["SuspicionsTakeTheirTime", "shortest_suspicion"]

_SLACK = 0.002


def shortest_suspicion(config: Config, n: int, confirmations: int) -> float:
    """Seconds that a suspicion lasts at least, with that many independent confirmations, in a table of ``n``.

    Lifeguard, section 4.2, with memberlist's constants. Written down here a second time, since a check that
    asks the code it checks finds nothing.
    """
    low = config.suspicion_mult * max(1.0, math.log10(max(1, n))) * (config.probe_interval or 1.0)
    wanted = config.suspicion_mult - 2
    if wanted < 1 or n - 2 < wanted:
        return low
    high = low * config.suspicion_max_timeout_mult
    share = math.log(confirmations + 1) / math.log(wanted + 1)
    return max(low, high - share * (high - low))


class _Running:
    __slots__ = ("n", "slept", "started", "suspicion")

    def __init__(self, started: float, n: int, suspicion: Suspicion | None, slept: float) -> None:
        self.started = started
        self.n = n
        self.suspicion = suspicion
        self.slept = slept


def _no_running() -> dict[str, _Running]:
    return {}


class SuspicionsTakeTheirTime(Checker):
    """A suspicion that expires was running, and ran for as long as its accusers required.

    Time that the node slept through does not count, as far as it can know: from the wake-up it planned on,
    and if that is more than half of ``probe_timeout`` (a shorter delay is nothing unusual).
    """

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._views = PerLife(_no_running)
        self._sleeps_from: dict[str, float] = {}
        self._slept: dict[str, float] = {}
        self._sizes: dict[str, int] = {}

    def fault(self, world: World, kind: str, detail: Mapping[str, object]) -> None:
        """See ``Observer``."""
        node = str(detail.get("node"))
        if kind == "pause":
            planned = world.host(node).node.next_deadline()
            self._sleeps_from[node] = max(world.now, planned if planned is not None else world.now)
        elif kind == "resume" and node in self._sleeps_from:
            slept = world.now - self._sleeps_from.pop(node)
            if slept > world.host(node).config.probe_timeout / 2:
                self._slept[node] = self._slept.get(node, 0.0) + slept

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if not isinstance(event, MemberEvent):
            return
        name, running = event.member.name, self._views.of(node)
        if isinstance(event, MemberSuspected):
            # The table may have grown in this step, after the suspicion began.
            n = min(len(inside.table(node)), self._sizes.get(node.id, 1))
            slept = self._slept.get(node.id, 0.0)
            running[name] = _Running(world.now, n, inside.suspicion(node, name), slept)
            return
        if isinstance(event, MemberFailed | MemberLeft) and event.reason.cause == "suspicion-expired":
            self._expired(world, node, name, running.get(name))
        if not event.member.is_suspect:
            running.pop(name, None)

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        self._sizes[node.id] = len(inside.table(node))

    def _expired(self, world: World, node: SimNode, name: str, running: _Running | None) -> None:
        if running is None:
            self.violated(world, node, f"a suspicion of {name} expired that did not run")
            return
        lasted = world.now - running.started - (self._slept.get(node.id, 0.0) - running.slept)
        accusers = (
            len(running.suspicion.accusers) if running.suspicion is not None else node.config.max_members
        )
        least = shortest_suspicion(node.config, running.n, accusers - 1)
        if lasted < least - _SLACK * (1 + least):
            problem = (
                f"{name} was declared dead after {lasted:.3f} s, not {least:.3f}, by {accusers} accusers"
            )
            self.violated(world, node, problem)
