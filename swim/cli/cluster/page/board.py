"""The state of the cluster as JSON: processes, views, network and commands, whole and as changes.

A view follows the events of its node, which are read for the terminal anyway: a change costs the same however
many nodes there are, and nothing is computed while no page is open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any, NamedTuple

import trio

from agent_api.own.clock import WallClock, iso
from agent_api.own.views import digest_of_tags
from agent_api.shapes import dumps
from agent_api.streams.lines import Feed
from sims.theory.bounds import detection_bound
from swim.cli.cluster.commands import Commands, Done
from swim.cli.cluster.node import LocalNode
from swim.cli.cluster.run import LocalCluster
from swim.cli.cluster.script import Step
from swim.events import Event, EventsLost, Member, MemberEvent, MemberReaped, MemberStatus, Reason
from swim.net.cluster import Cluster

__all__ = ["Board"]


class Belief(NamedTuple):
    """What one node believes of one member; ``tags`` is a digest."""

    status: str
    is_suspect: bool
    incarnation: int
    tags: str


class _View:
    """One node's view in one life of its process."""

    __slots__ = ("_clock", "beliefs", "cluster")

    def __init__(self, cluster: Cluster) -> None:
        self.cluster: Cluster = cluster
        self.beliefs: dict[str, Belief] = {}
        self._clock = WallClock(cluster)
        self.read()

    def read(self) -> None:
        """Takes the node's whole table."""
        self.beliefs = {member.name: _belief(member) for member in self.cluster.members()}

    def take(self, event: MemberEvent) -> Belief | None:
        """Follows an event; what was believed before it."""
        name = event.member.name
        before = self.beliefs.get(name)
        if isinstance(event, MemberReaped):
            self.beliefs.pop(name, None)
        else:
            self.beliefs[name] = _belief(event.member)
        return before

    def cell(self, name: str) -> dict[str, Any] | None:
        """One member as JSON: what is believed, since when, and why; None if it is not listed."""
        if name not in self.beliefs:
            return None
        detection, history = self.cluster.detection(name), self.cluster.history(name)
        return {
            **self.beliefs[name]._asdict(),
            "since": None if detection is None else self._clock.date(detection.since),
            "reason": _reason(history[-1].reason) if history else None,
        }

    def cells(self) -> dict[str, Any]:
        """All members."""
        return {name: self.cell(name) for name in self.beliefs}

    def besides(self, first: Mapping[str, Belief]) -> dict[str, Any]:
        """What differs from another view. Members that are not alive are always in it, for their reasons."""
        differs = {name for name, _ in self.beliefs.items() - first.items()}
        troubled = {name for name, belief in self.beliefs.items() if not _is_well(belief)}
        gone = first.keys() - self.beliefs.keys()
        return {name: self.cell(name) for name in sorted(differs | troubled | gone)}

    def measured(self) -> dict[str, Any]:
        """When each member last acked a probe of this node, and how long that took."""
        found = {}
        for name in self.beliefs:
            detection = self.cluster.detection(name)
            if detection is not None and detection.last_ack is not None:
                found[name] = {"last_ack": self._clock.date(detection.last_ack), "rtt": detection.rtt}
        return found


class Board:
    """Follows a cluster; an ``Observer`` of it.

    Attributes:
        sequence: number of changes so far.
    """

    def __init__(self, cluster: LocalCluster, commands: Commands) -> None:
        self.sequence: int = 0
        self._cluster = cluster
        self._commands = commands
        self._views: dict[str, _View] = {}
        self._published: dict[str, tuple[Any, ...]] = {}
        self._since: dict[str, tuple[str, str]] = {}
        self._feeds: set[Feed] = set()
        commands.changed = self._commanded

    # -- what happens

    def event(self, node: LocalNode, event: Event) -> None:
        """See ``Observer``."""
        view = self._views.get(node.name)
        if view is None:
            return
        if isinstance(event, EventsLost):
            view.read()
            self._publish("Node", lambda: {**self._node(node), "view": view.cells()})
        elif isinstance(event, MemberEvent):
            before = view.take(event)
            self._publish("View", lambda: _change(node.name, event, before, view))

    def node(self, node: LocalNode) -> None:
        """See ``Observer``."""
        if self._since.get(node.name, ("",))[0] != node.state:
            self._since[node.name] = (node.state, _wall_clock())
        now = (node.state, node.bind, node.url, node.cluster)
        if self._published.get(node.name) == now:
            return
        self._published[node.name] = now
        shape, view = self._node(node), self._views.get(node.name)
        if node.cluster is None:
            self._views.pop(node.name, None)
            shape["view"] = None
        elif view is None or view.cluster is not node.cluster:
            view = self._views[node.name] = _View(node.cluster)
            shape["view"] = view.cells()
        self._publish("Node", lambda: shape)

    def links(self) -> None:
        """See ``Observer``."""
        self._publish("Links", self._cluster.links.shape)

    def _commanded(self, done: Done | None) -> None:
        self._publish(
            "Commands",
            lambda: {"done": [] if done is None else [_done(done)], "planned": self._planned()},
        )

    def _publish(self, event: str, change: Callable[[], Mapping[str, Any]]) -> None:
        self.sequence += 1
        if self._feeds:
            head = {"event": event, "sequence": self.sequence, "time": _wall_clock()}
            line = _line({**head, **change()})
            for feed in self._feeds:
                feed.put(line)

    # -- what pages read

    def state(self) -> dict[str, Any]:
        """Everything as of now: the answer of ``GET /v1/cluster/state``."""
        cluster, commands = self._cluster, self._commands
        plan = cluster.plan
        return {
            "sequence": self.sequence,
            "time": _wall_clock(),
            "seconds": round(commands.now(), 3),
            "is_ready": commands.is_ready,
            "plan": {
                "nodes": plan.nodes,
                "profile": plan.profile,
                "seed": plan.seed,
                "label": plan.label,
                "encrypted": bool(plan.keys),
                "detection_bound": self._detection_bound(),
            },
            "nodes": [self._node(node) for node in cluster.nodes],
            "views": self._all_views(),
            "links": cluster.links.shape(),
            "commands": [_done(each) for each in commands.done],
            "planned": self._planned(),
        }

    def _detection_bound(self) -> float | None:
        """Seconds in which all notice a crash, by the formula that the simulator is checked with.

        It is for a network without cuts and loss, with the delay that is set; None until a node has started.
        """
        nodes = self._cluster.nodes
        config = next((node.config for node in nodes if node.config is not None), None)
        if config is None:
            return None
        bound = detection_bound(config, len(nodes), latency=self._cluster.links.shape()["delay"])
        return round(bound, 1) if isfinite(bound) else None

    async def measured(self) -> dict[str, Any]:
        """Every node's last acks and round trips: the answer of ``GET /v1/cluster/measured``."""
        found = {}
        for name, view in list(self._views.items()):
            found[name] = view.measured()
            await trio.lowlevel.checkpoint()  # pings are answered in between
        return {"time": _wall_clock(), "views": found}

    def snapshot(self, lost: int = 0) -> bytes:
        """The state as the first line of a stream; ``lost`` lines came before it that were left out."""
        return _line({"snapshot": self.state(), "sequence": self.sequence, "lost": lost})

    def heartbeat(self) -> bytes:
        """A line that says that the stream is alive."""
        return _line(
            {
                "event": "Heartbeat",
                "sequence": self.sequence,
                "time": _wall_clock(),
                "seconds": round(self._commands.now(), 3),
            }
        )

    def add(self, feed: Feed) -> None:
        """Lets a feed receive every change from now on."""
        self._feeds.add(feed)

    def remove(self, feed: Feed) -> None:
        """Ends that."""
        self._feeds.discard(feed)

    def _node(self, node: LocalNode) -> dict[str, Any]:
        since = self._since.get(node.name, ("", None))[1]
        return {
            "name": node.name,
            "number": node.number,
            "state": node.state,
            "since": since,
            "bind": node.bind,
            "http": node.url,
        }

    def _all_views(self) -> dict[str, Any]:
        names = [node.name for node in self._cluster.nodes if node.name in self._views]
        if not names:
            return {"first": None, "members": {}, "others": {}}
        first, *others = names
        base = self._views[first]
        return {
            "first": first,
            "members": base.cells(),
            "others": {name: self._views[name].besides(base.beliefs) for name in others},
        }

    def _planned(self) -> list[dict[str, Any]]:
        return [_planned(step) for step in sorted(self._commands.planned, key=lambda step: step.at)]


def _change(observer: str, event: MemberEvent, before: Belief | None, view: _View) -> dict[str, Any]:
    return {
        "observer": observer,
        "member": event.member.name,
        "kind": type(event).__name__,
        "before": before and before._asdict(),
        "cell": view.cell(event.member.name),
        "reason": _reason(event.reason),
    }


def _belief(member: Member) -> Belief:
    return Belief(str(member.status), member.is_suspect, member.incarnation, digest_of_tags(member.tags))


def _wall_clock() -> str:
    """The time of day in UTC, ISO 8601 with milliseconds."""
    return iso(datetime.now(UTC))


def _reason(reason: Reason) -> dict[str, str]:
    return {"cause": reason.cause, "accuser": reason.accuser, "detail": reason.detail}


def _is_well(belief: Belief) -> bool:
    return belief.status == MemberStatus.ALIVE and not belief.is_suspect


def _done(done: Done) -> dict[str, Any]:
    return {"at": round(done.at, 3), "verb": done.text, "by": done.by}


def _planned(step: Step) -> dict[str, Any]:
    return {"at": round(step.at, 3), "verb": step.text}


def _line(document: Mapping[str, Any]) -> bytes:
    return dumps(document) + b"\n"
