"""JSON shapes of ``/v1/swim`` that need more than a member's value: what the agent knows of it, and dates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from agent_api import shapes
from agent_api.client.replies import MemberReply
from agent_api.cluster import ClusterLike
from agent_api.own.clock import WallClock
from swim import Detection, Event, Member, OpenSuspicion, ProbeCounts, ProbePath, Reason, Transition

__all__ = [
    "ObservedMember",
    "Observer",
    "ProbeShape",
    "ProbesShape",
    "ReasonShape",
    "SuspicionShape",
    "TransitionShape",
]


class SuspicionShape(TypedDict):
    """A suspicion that has not ended; ``wanted`` more accusers bring its ``deadline`` as far as it goes."""

    accusers: list[str]
    started: str
    deadline: str
    wanted: int


class ProbeShape(TypedDict):
    """How this agent's last probe round of a member ended.

    ``direct`` is ``ack`` or ``none``; each relay ``ack``, ``nack`` or ``silent``; ``stream`` is ``ack``,
    ``refused`` or ``none``, or ``off`` if none was tried.
    """

    at: str
    direct: str
    relays: dict[str, str]
    stream: str


class ProbesShape(TypedDict):
    """How this agent's probe rounds of a member ended; ``p95`` is that of ``rtts``, both in seconds."""

    acked: int
    failed: int
    rtts: list[float]
    p95: float | None


class ReasonShape(TypedDict):
    """Why a transition happened; see ``swim.Reason``."""

    cause: str
    accuser: str
    detail: str


class TransitionShape(ReasonShape):
    """One line of a member's history; ``age`` is in seconds."""

    at: str
    age: float
    before: str
    after: str
    incarnation: int


class ObservedMember(MemberReply):
    """A member, and what this agent knows of it first-hand. Times are ISO 8601 in UTC, ``rtt`` is in seconds.

    ``since`` is when its state last changed, ``reason`` that of its last transition.
    """

    since: str | None
    suspicion: SuspicionShape | None
    last_ack: str | None
    rtt: float | None
    probe: ProbeShape | None
    reason: ReasonShape | None


class Observer:
    """The shapes of one agent, by its own view and its own clock.

    Args:
        cluster: the agent's.
        clock: dates its moments.

    Attributes:
        cluster: as given.
        clock: as given.
    """

    __slots__ = ("clock", "cluster")

    def __init__(self, cluster: ClusterLike, clock: WallClock | None = None) -> None:
        self.cluster: ClusterLike = cluster
        self.clock: WallClock = clock or WallClock(cluster)

    def member(self, member: Member) -> ObservedMember:
        """A member as of now. One that is not listed any more has nothing but its last value."""
        found = self.cluster.detection(member.name)
        history = self.cluster.history(member.name)
        detection = found or Detection(0.0)
        return {
            **shapes.member_shape(member),
            "since": None if found is None else self.clock.date(detection.since),
            "suspicion": self._suspicion(detection.suspicion if member.is_suspect else None),
            "last_ack": None if detection.last_ack is None else self.clock.date(detection.last_ack),
            "rtt": detection.rtt,
            "probe": self._probe(detection.probe),
            "reason": _reason(history[-1].reason) if history else None,
        }

    def with_history(self, member: Member) -> dict[str, Any]:
        """A member and its transitions."""
        return {**self.member(member), "history": self.transitions(self.cluster.history(member.name))}

    def transitions(self, history: Sequence[Transition]) -> list[TransitionShape]:
        """A member's history, oldest first."""
        now = self.cluster.now()
        return [
            {
                "at": self.clock.date(line.at),
                "age": now - line.at,
                "before": line.before,
                "after": line.after,
                "incarnation": line.incarnation,
                **_reason(line.reason),
            }
            for line in history
        ]

    def why(self, name: str) -> dict[str, Any] | None:
        """A member's transitions, each with its reason and its age in seconds; None if it is unknown."""
        member, history = self.cluster.member(name), self.cluster.history(name)
        if member is None and not history:
            return None
        return {
            "name": name,
            "member": None if member is None else self.member(member),
            "probes": _probes((self.cluster.detection(name) or Detection(0.0)).probes),
            "history": self.transitions(history),
        }

    def event(self, event: Event) -> dict[str, Any]:
        """One line of a stream of events, dated now."""
        shape = shapes.event_shape(event, self.member)
        return {"event": shape.pop("event"), "at": self.clock.now(), **shape}

    def suspicions(self) -> dict[str, SuspicionShape]:
        """The suspicions that have not ended, by the suspect's name."""
        found = {}
        for member in self.cluster.members():
            detection = self.cluster.detection(member.name) if member.is_suspect else None
            if detection is not None and (shape := self._suspicion(detection.suspicion)) is not None:
                found[member.name] = shape
        return found

    def _suspicion(self, suspicion: OpenSuspicion | None) -> SuspicionShape | None:
        if suspicion is None:
            return None
        return {
            "accusers": list(suspicion.accusers),
            "started": self.clock.date(suspicion.started),
            "deadline": self.clock.date(suspicion.deadline),
            "wanted": suspicion.wanted,
        }

    def _probe(self, probe: ProbePath | None) -> ProbeShape | None:
        if probe is None:
            return None
        return {
            "at": self.clock.date(probe.at),
            "direct": "ack" if probe.direct else "none",
            "relays": dict(probe.relays),
            "stream": probe.stream,
        }


def _probes(counts: ProbeCounts) -> ProbesShape:
    p95 = counts.percentile(0.95)
    rtts = [round(rtt, 6) for rtt in counts.rtts]
    return {"acked": counts.acked, "failed": counts.failed, "rtts": rtts, "p95": p95 and round(p95, 6)}


def _reason(reason: Reason) -> ReasonShape:
    return {"cause": reason.cause, "accuser": reason.accuser, "detail": reason.detail}
