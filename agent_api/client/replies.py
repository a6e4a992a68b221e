"""The documents under ``/v1/swim``, as types; clients check answers against them.

An agent may send further keys. Keys that older agents do not send are ``NotRequired``.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

__all__ = [
    "AddressOutcome",
    "CoordinateReply",
    "EventReply",
    "ForceLeaveReply",
    "Info",
    "JoinReply",
    "Keyrings",
    "LeaveReply",
    "MemberReply",
    "MembersReply",
    "ObservedReply",
    "RoundTrip",
    "Snapshot",
    "TagsReply",
    "TransitionReply",
    "View",
    "WatchEvent",
    "Why",
]


class MemberReply(TypedDict):
    """One member; ``protocol`` and ``delegate`` are min, max, current."""

    name: str
    address: str
    port: int
    status: str
    is_suspect: bool
    incarnation: int
    tags: dict[str, str]
    protocol: list[int]
    delegate: list[int]


class ObservedReply(MemberReply):
    """One member, and how the agent observes it; times are ISO 8601 in UTC, ``rtt`` is in seconds."""

    since: NotRequired[str | None]
    suspicion: NotRequired[dict[str, Any] | None]
    last_ack: NotRequired[str | None]
    rtt: NotRequired[float | None]
    probe: NotRequired[dict[str, Any] | None]
    reason: NotRequired[dict[str, Any] | None]


class MembersReply(TypedDict):
    """``GET /v1/swim/members``."""

    members: list[ObservedReply]


class Info(TypedDict):
    """``GET /v1/swim/info``: the agent's own state, of which the rest depends on its version."""

    name: str


class AddressOutcome(TypedDict):
    """The outcome of one address of a join; ``error`` is empty if ``ok``."""

    address: str
    ok: bool
    error: str


class JoinReply(TypedDict):
    """``PUT /v1/swim/join``."""

    joined: int
    addresses: list[AddressOutcome]


class ForceLeaveReply(TypedDict):
    """``PUT /v1/swim/force-leave``; see ``swim.ForceLeaveOutcome`` for ``outcome``."""

    node: str
    outcome: str


class LeaveReply(TypedDict):
    """``PUT /v1/swim/leave``."""

    left: bool


class TransitionReply(TypedDict):
    """One change of a member's state: when (ISO 8601), and how many seconds ago."""

    at: str
    age: float
    before: str
    after: str
    incarnation: int
    cause: str
    accuser: str
    detail: str


class Why(TypedDict):
    """``GET /v1/swim/why``: a member's transitions, oldest first; ``member`` is None if it was reaped."""

    history: list[TransitionReply]
    name: NotRequired[str]
    member: NotRequired[dict[str, Any] | None]
    probes: NotRequired[dict[str, Any]]


class EventReply(TypedDict):
    """``PUT /v1/swim/events``."""

    name: str
    bytes: int


class TagsReply(TypedDict):
    """``/v1/swim/tags``."""

    tags: dict[str, str]


class CoordinateReply(TypedDict):
    """``GET /v1/swim/coordinate``; None while it is not known."""

    name: str
    coordinate: dict[str, Any] | None


RoundTrip = TypedDict(
    "RoundTrip",
    {"from": str, "to": str, "rtt": NotRequired[float | None], "coordinates": dict[str, Any]},
)
"""``GET /v1/swim/rtt``: ``rtt`` in seconds, None while a coordinate is not known."""


class Keyrings(TypedDict):
    """``/v1/swim/keyring``: keys as fingerprints, by member, the one that encrypts first."""

    members: int
    responses: int
    problem: str
    errors: dict[str, str]
    messages: dict[str, str]
    missing: list[str]
    failed: list[str]
    keyrings: dict[str, list[str]]


class WatchEvent(TypedDict):
    """One line of ``/v1/swim/watch``; the further keys depend on ``event``."""

    event: str
    at: str


class View(TypedDict):
    """The members that an agent lists at one moment."""

    name: str
    members: list[ObservedReply]


class Snapshot(WatchEvent):
    """The first line of ``/v1/swim/watch``."""

    snapshot: View
