"""Measures of a run: detection, dissemination, false positives, flaps, view sizes, traffic, agreement.

Each measure observes one world and then holds plain numbers; times are virtual seconds. A measure may be
added in the middle of a run and counts from there.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from sims.world.observer import Observer
from swim.events import Event, MemberEvent, MemberFailed, MemberJoined, MemberStatus, MemberSuspected

if TYPE_CHECKING:
    from sims.world import World
    from sims.world.host import SimNode

__all__ = [
    "Agreement",
    "Completion",
    "Detection",
    "Dissemination",
    "FalsePositives",
    "Flaps",
    "Loss",
    "Rates",
    "Traffic",
    "ViewSizes",
    "mean",
    "quantile",
    "runs",
]


def quantile(values: Iterable[float], share: float) -> float:
    """The value below which ``share`` (0 to 1) of all values lie, on straight lines between neighbours.

    Raises:
        ValueError: there are no values.
    """
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values to take a quantile of")
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def mean(values: Iterable[float]) -> float:
    """The arithmetic mean.

    Raises:
        ValueError: there are no values.
    """
    listed = list(values)
    if not listed:
        raise ValueError("no values to take the mean of")
    return math.fsum(listed) / len(listed)


def runs(world: World, name: str) -> bool:
    """Whether a process that is not leaving runs under that name, so that declaring it failed is wrong."""
    node = world.nodes.get(name)
    if node is not None and node.name == name and node.counts:
        return True
    return any(node.name == name and node.counts for node in world.nodes.values())


@dataclass(slots=True)
class Loss:
    """One member that stopped working, and the nodes that noticed.

    Attributes:
        name: the member.
        at: when it stopped.
        suspected: by observer, how many seconds later it began to suspect.
        failed: by observer, how many seconds later it declared the failure.
    """

    name: str
    at: float
    suspected: dict[str, float] = field(default_factory=dict)
    failed: dict[str, float] = field(default_factory=dict)


class Detection(Observer):
    """Time from each crash to the first suspicion, and until each observer declares the member failed.

    Args:
        kinds: faults that count as a loss: ``crash``, or ``pause`` too. A loss ends when its host runs again.

    Attributes:
        losses: in order of time.
    """

    def __init__(self, kinds: Collection[str] = ("crash",)) -> None:
        self.kinds = frozenset(kinds)
        self.losses: list[Loss] = []
        self._open: dict[str, Loss] = {}

    def fault(self, world: World, kind: str, detail: Mapping[str, object]) -> None:
        """See ``Observer``."""
        if kind in self.kinds:
            name = world.nodes[str(detail["node"])].name
            self._open[name] = loss = Loss(name, world.now)
            self.losses.append(loss)
        elif kind in ("restart", "resume"):
            self._open.pop(world.nodes[str(detail["node"])].name, None)

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if isinstance(event, MemberFailed | MemberSuspected):
            loss = self._open.get(event.member.name)
            if loss is not None:
                seen = loss.failed if isinstance(event, MemberFailed) else loss.suspected
                seen.setdefault(node.id, world.now - loss.at)

    def first_suspected(self) -> list[float]:
        """Per suspected loss, seconds until the first observer suspected it."""
        return [min(loss.suspected.values()) for loss in self.losses if loss.suspected]

    def first_failed(self) -> list[float]:
        """Per declared loss, seconds until the first observer declared it."""
        return [min(loss.failed.values()) for loss in self.losses if loss.failed]

    def last_failed(self) -> list[float]:
        """Per declared loss, seconds until the last of those observers declared it."""
        return [max(loss.failed.values()) for loss in self.losses if loss.failed]

    def each_failed(self) -> list[float]:
        """Per loss and observer, seconds until the observer declared it."""
        return [seconds for loss in self.losses for seconds in loss.failed.values()]


class Dissemination(Observer):
    """Time from a change, which is when this observer is added, until each node knows.

    Args:
        matches: whether an event is about the change.

    Attributes:
        began: when it was added.
        seconds: by observer, how long it took.
    """

    def __init__(self, matches: Callable[[Event], bool]) -> None:
        self.matches = matches
        self.began = 0.0
        self.seconds: dict[str, float] = {}

    def attached(self, world: World) -> None:
        """See ``Observer``."""
        self.began = world.now

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if node.id not in self.seconds and self.matches(event):
            self.seconds[node.id] = world.now - self.began

    def reached(self, share: float, of: int) -> float:
        """Seconds until ``share`` of ``of`` nodes knew; infinity if they never did."""
        needed = math.ceil(share * of - 1e-9)
        ordered = sorted(self.seconds.values())
        if needed <= 0:
            return 0.0
        return ordered[needed - 1] if len(ordered) >= needed else math.inf


class Completion(Observer):
    """When each node last learned of another: the moment when its view was complete, if it is.

    Attributes:
        seconds: by observer, since this was added; a node that learned of no member is missing.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = 0.0

    def attached(self, world: World) -> None:
        """See ``Observer``."""
        self._began = world.now

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if isinstance(event, MemberJoined) and event.member.name != node.name:
            self.seconds[node.id] = world.now - self._began


class FalsePositives(Observer):
    """False positives: members that run, and are not known to be faulty, declared failed or suspected.

    Args:
        faulty: ids of hosts that are slow, paused or badly connected. They are not healthy observers, and
            declaring them failed is not a false positive.

    Attributes:
        failed: how often a member was declared failed, each observer counted separately.
        failed_at_healthy: those at observers that are not faulty.
        suspected: suspicions, likewise.
        about_faulty: how often a faulty member was declared failed.
        subjects: how often each member was declared failed, by name.
    """

    def __init__(self, faulty: Collection[str] = ()) -> None:
        self.faulty = frozenset(faulty)
        self.failed = self.failed_at_healthy = 0
        self.suspected = 0
        self.about_faulty = 0
        self.subjects: Counter[str] = Counter()

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if not isinstance(event, MemberFailed | MemberSuspected):
            return
        name = event.member.name
        if name in self.faulty:
            self.about_faulty += isinstance(event, MemberFailed)
            return
        if not runs(world, name):
            return
        if isinstance(event, MemberFailed):
            self.failed += 1
            self.failed_at_healthy += node.id not in self.faulty
            self.subjects[name] += 1
        else:
            self.suspected += 1


class Flaps(Observer):
    """Changes of status, summed over all views.

    Attributes:
        changes: by member, how often an observer changed its status after first listing it.
        returns: by member, how often an observer saw it alive again after failed or left.
    """

    def __init__(self) -> None:
        self.changes: Counter[str] = Counter()
        self.returns: Counter[str] = Counter()

    def event(self, world: World, node: SimNode, event: Event) -> None:
        """See ``Observer``."""
        if not isinstance(event, MemberEvent) or event.previous is None:
            return
        before, after = event.previous.status, event.member.status
        if before is not after:
            self.changes[event.member.name] += 1
            if before in (MemberStatus.FAILED, MemberStatus.LEFT) and after is MemberStatus.ALIVE:
                self.returns[event.member.name] += 1


class ViewSizes(Observer):
    """How many members each running node lists as not failed or left, sampled every ``interval`` s.

    Attributes:
        unique: every size seen.
        series: time, and how many nodes saw which size at that time.
    """

    def __init__(self, interval: float = 1.0) -> None:
        self.interval = interval
        self.unique: set[int] = set()
        self.series: list[tuple[float, Counter[int]]] = []

    def attached(self, world: World) -> None:
        """See ``Observer``."""
        world.at(world.now + self.interval, self._look, world)

    def _look(self, world: World) -> None:
        sizes: Counter[int] = Counter()
        for node in world.running():
            stats = node.node.stats()
            sizes[stats.members - stats.failed - stats.left] += 1
        self.unique.update(sizes)
        self.series.append((world.now, sizes))
        world.at(world.now + self.interval, self._look, world)


class Agreement(Observer):
    """How long the running nodes' views differed.

    Attributes:
        since: when they last began to agree; None while they differ.
        before: seconds of earlier disagreement.
    """

    def __init__(self) -> None:
        self.since: float | None = None
        self.before = 0.0
        self._began = 0.0

    def differed(self, now: float) -> float:
        """Total seconds of disagreement until ``now``."""
        return self.before + (now - self._began if self.since is None else 0.0)

    def attached(self, world: World) -> None:
        """See ``Observer``."""
        self._began = world.now
        self.since = world.now if world.agree else None

    def stepped(self, world: World, node: SimNode) -> None:
        """See ``Observer``."""
        if world.agree is (self.since is not None):
            return
        if self.since is None:
            self.since = world.now
            self.before += world.now - self._began
        else:
            self.since, self._began = None, world.now


class Rates(NamedTuple):
    """What a node sent per second, averaged over nodes and time.

    Attributes:
        packets: datagrams.
        packet_bytes: their payload, without IP and UDP headers.
        streams: connections dialled.
        stream_bytes: payload sent on streams, by either side.
    """

    packets: float
    packet_bytes: float
    streams: float
    stream_bytes: float


class Traffic:
    """What running nodes sent, from their own counters, since this object was made or last read.

    Counts of a node's run that ended in between are missing.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.restart()

    def restart(self) -> None:
        """Starts again."""
        self._began = self._world.now
        self._packets = self._world.driver.packets.sent
        self._before = {(node.id, node.life): _sent(node) for node in self._world.nodes.values()}

    def per_node(self) -> dict[str, tuple[int, int, int]]:
        """By host that is up: bytes in packets, streams dialled, bytes on streams, in the window."""
        nothing = (0, 0, 0)
        found = {}
        for node in self._world.nodes.values():
            if node.is_up:
                now, before = _sent(node), self._before.get((node.id, node.life), nothing)
                found[node.id] = (now[0] - before[0], now[1] - before[1], now[2] - before[2])
        return found

    def rates(self) -> Rates:
        """Averages per node and second, over the nodes that are up.

        Raises:
            ValueError: no time has passed, or no node is up.
        """
        each = self.per_node()
        node_seconds = len(each) * (self._world.now - self._began)
        if not node_seconds:
            raise ValueError("no node was up for any time")
        packets = self._world.driver.packets.sent - self._packets
        sums = [sum(values) for values in zip(*each.values(), strict=True)]
        return Rates(packets / node_seconds, *(value / node_seconds for value in sums))


def _sent(node: SimNode) -> tuple[int, int, int]:
    counters = node.metrics.counters
    return (
        counters["memberlist.udp.sent"],
        counters["memberlist.tcp.connect"],
        counters["memberlist.tcp.sent"],
    )
