"""No member is declared dead before its suspicion has expired, nor long after."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sims.checkers import inside
from sims.checkers.base import Checker, PerLife
from swim.config import Config
from swim.core.output import StreamEnd
from swim.core.suspicion import Suspicion
from swim.events import Event, MemberEvent, MemberFailed, MemberLeft, MemberSuspected
from swim.wire.messages import Suspect

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sims.world import World
    from sims.world.host import SimNode
    from sims.world.observer import Packet, StreamStep

__all__ = ["SuspicionsEndInTime", "SuspicionsTakeTheirTime", "shortest_suspicion"]

_SLACK = 0.002


def shortest_suspicion(config: Config, n: int, confirmations: int, score: int = 0) -> float:
    """Minimum seconds of a suspicion with this many independent confirmations, in a table of ``n``.

    A node with a health ``score`` above 0 stretches the minimum of a confirmed suspicion.

    Lifeguard, section 4.2, with memberlist's constants. It is implemented again, since a check that calls the
    code that it checks finds nothing.
    """
    low = config.suspicion_mult * max(1.0, math.log10(max(1, n))) * (config.probe_interval or 1.0)
    high = low * config.suspicion_max_timeout_mult
    low = min(high, low * (score + 1))
    wanted = config.suspicion_mult - 2
    if wanted < 1 or n - 2 < wanted:
        return low
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

    Where the suspect's host refused a stream of this node, none but the node itself is required.

    Time that the node slept through does not count, as far as it can know: from the wake-up it planned on,
    and if that is more than half of ``probe_timeout`` (a shorter delay is nothing unusual).
    """

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._views = PerLife(_no_running)
        self._dials: dict[int, str] = {}
        self._refused: PerLife[dict[str, float]] = PerLife(dict)
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

    def stream(self, world: World, step: StreamStep) -> None:
        """See ``Observer``."""
        if step.kind == "dial" and step.target:
            self._dials[step.number] = world.host(step.target).name
        elif step.kind == "end" and step.end in (StreamEnd.REFUSED, StreamEnd.RESET):
            name = self._dials.get(step.number, "")
            self._refused.of(world.host(step.source))[name] = world.now

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if not isinstance(event, MemberEvent):
            return
        name, running = event.member.name, self._views.of(node)
        if isinstance(event, MemberSuspected):
            # The table may have grown in this step, after the suspicion began.
            n = min(len(node.inspect().table), self._sizes.get(node.id, 1))
            slept = self._slept.get(node.id, 0.0)
            running[name] = _Running(world.now, n, node.inspect().suspicions.get(name), slept)
            return
        if isinstance(event, MemberFailed | MemberLeft) and event.reason.cause == "suspicion-expired":
            self._expired(world, node, name, running.get(name))
        if not event.member.is_suspect:
            running.pop(name, None)

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        self._sizes[node.id] = len(node.inspect().table)

    def _expired(self, world: World, node: SimNode, name: str, running: _Running | None) -> None:
        if running is None:
            self.violated(world, node, f"a suspicion of {name} expired that was not running")
            return
        lasted = world.now - running.started - (self._slept.get(node.id, 0.0) - running.slept)
        config, accusers = node.config, node.config.max_members
        longest_round = config.probe_interval * config.awareness_max_multiplier
        refused_at = self._refused.of(node).get(name, -math.inf)
        is_refused = config.early_suspicion and refused_at >= running.started - longest_round
        if running.suspicion is not None and not is_refused:
            accusers = len(running.suspicion.accusers)
        least = shortest_suspicion(node.config, running.n, accusers - 1)
        if lasted < least - _SLACK * (1 + least):
            problem = (
                f"{name} was declared dead after {lasted:.3f} s, not {least:.3f}, by {accusers} accusers"
            )
            self.violated(world, node, problem)


class _Ending:
    """A suspicion with a latest end; ``n`` is the larger of the table sizes it may have begun under."""

    __slots__ = ("accusers", "ends", "incarnation", "is_refused", "n", "score", "started")

    def __init__(self, started: float, incarnation: int, accuser: str, n: int, score: int) -> None:
        self.started = started
        self.incarnation = incarnation
        self.accusers = {accuser}
        self.n = n
        self.score = score
        self.is_refused = False
        self.ends = math.inf


def _is_refused(event: MemberSuspected) -> bool:
    """Whether the probe round that the suspicion began with was refused by the suspect's host."""
    refusals = (StreamEnd.REFUSED, StreamEnd.RESET)
    return event.reason.cause == "probe" and any(end in event.reason.detail for end in refusals)


class _Endings:
    def __init__(self) -> None:
        self.running: dict[str, _Ending] = {}
        self.heard: list[Suspect] = []
        self.n = 1


class SuspicionsEndInTime(Checker):
    """A suspicion ends once its time is up: the sooner, the more members accused the suspect.

    It is the shortest where the suspect's host refused the stream of the probe round that it began with.
    Accusers are counted from the packets that the node read, those that it lists alone. What a node slept
    through, or did while its processor was busy, is left out.
    """

    def __init__(self, *, collect: bool = False) -> None:
        super().__init__(collect=collect)
        self._views = PerLife(_Endings)

    def fault(self, world: World, kind: str, detail: Mapping[str, object]) -> None:
        """See ``Observer``."""
        if kind in ("pause", "resume"):
            self._views.of(world.host(str(detail["node"]))).running.clear()

    def received(self, world: World, node: SimNode, packet: Packet) -> None:
        """See ``Observer``."""
        found = [message for message in inside.read(node, packet) if isinstance(message, Suspect)]
        self._views.of(node).heard += found

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if not isinstance(event, MemberEvent):
            return
        view, member = self._views.of(node), event.member
        if isinstance(event, MemberSuspected):
            n = max(view.n, len(node.inspect().table))
            score = node.inspect().health_score
            ending = _Ending(world.now, member.incarnation, event.reason.accuser, n, score)
            ending.is_refused = node.config.early_suspicion and _is_refused(event)
            view.running[member.name] = ending
        elif not member.is_suspect:
            view.running.pop(member.name, None)

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        view = self._views.of(node)
        view.n = len(node.inspect().table)
        if view.running:
            for claim in view.heard:
                ending = view.running.get(claim.node)
                counts = claim.accuser == node.name or node.inspect().table.get(claim.accuser) is not None
                if ending is not None and claim.incarnation >= ending.incarnation and counts:
                    ending.accusers.add(claim.accuser)
            self._look(world, node, view)
        view.heard.clear()

    def _look(self, world: World, node: SimNode, view: _Endings) -> None:
        for name, ending in list(view.running.items()):
            config = node.config
            confirmations = config.max_members if ending.is_refused else len(ending.accusers) - 1
            most = max(
                shortest_suspicion(config, n, confirmations, self._stretch(config, ending.score))
                for n in (ending.n, max(1, ending.n - 1))
            )
            ending.ends = min(ending.ends, max(world.now, ending.started + most))
            if world.now > ending.ends + _SLACK * (1 + most) and node.processor is None and node.is_up:
                del view.running[name]
                by = ", ".join(sorted(ending.accusers))
                problem = (
                    f"{name} is suspected for {world.now - ending.started:.3f} s, not {most:.3f}, by {by}"
                )
                self.violated(world, node, problem)

    @staticmethod
    def _stretch(config: Config, score: int) -> int:
        return score if config.awareness_stretches_suspicion else 0
