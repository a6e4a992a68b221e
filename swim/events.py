"""What an application sees of the cluster: members, and the events that change them.

Events are frozen values with a pasteable repr; consume them with ``match``. Applying every event in order to
a dictionary (``MemberReaped`` deletes, every other member event stores ``event.member``) gives exactly the
snapshot that ``Cluster.members()`` returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

__all__ = [
    "Event",
    "EventsLost",
    "ForceLeaveOutcome",
    "JoinOutcome",
    "JoinResult",
    "Member",
    "MemberEvent",
    "MemberFailed",
    "MemberJoined",
    "MemberLeaving",
    "MemberLeft",
    "MemberReaped",
    "MemberRefuted",
    "MemberRestarted",
    "MemberStatus",
    "MemberSuspected",
    "MemberUpdated",
    "Reason",
    "Transition",
    "VersionTriple",
]


class MemberStatus(StrEnum):
    """Serf's member states. A suspect member is still ``alive`` (see ``Member.is_suspect``)."""

    ALIVE = "alive"
    LEAVING = "leaving"
    LEFT = "left"
    FAILED = "failed"


class VersionTriple(NamedTuple):
    """Lowest and highest protocol version a member understands, and the one it speaks (each 0..255)."""

    min: int
    max: int
    current: int


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of a node's member table, as of one moment. Never changes; a newer one replaces it."""

    name: str
    address: str
    port: int
    tags: Mapping[str, str]
    status: MemberStatus
    is_suspect: bool
    incarnation: int
    protocol: VersionTriple
    delegate: VersionTriple


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a transition happened.

    Attributes:
        cause: short stable word: ``"claim"`` (a peer said so), ``"probe"`` (own probe round failed),
            ``"suspicion-expired"``, ``"push-pull"``, ``"intent"``, ``"operator"``, ``"local"``, ``"reap"``,
            ``"prune"``, ``"acked"``, ``"unanswered"`` (a peer said so, and a ping got no ack).
        accuser: name of the member whose claim it was, or "".
        detail: human-readable rest, e.g. ``"no ack: direct, 3 relays, stream refused"``.
    """

    cause: str
    accuser: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Transition:
    """One line of a member's bounded history (the answer of ``swim why NAME``).

    Attributes:
        at: seconds on the node's monotonic clock.
        before: previous state (``alive``, ``suspect``, ``leaving``, ``left``, ``failed`` or ``unknown``).
        after: new state (also ``reaped``).
    """

    at: float
    before: str
    after: str
    incarnation: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class MemberEvent:
    """Base of all member events.

    Attributes:
        member: the member after the event.
        previous: the member before it; None if it was unknown.
        reason: why.
        sequence: strictly increasing per node, starting at 1.
    """

    member: Member
    previous: Member | None = None
    reason: Reason = field(default=Reason("local"))
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class MemberJoined(MemberEvent):
    """A member is alive that was unknown, failed or left before."""


@dataclass(frozen=True, slots=True)
class MemberRestarted(MemberEvent):
    """A member that was never seen failing started anew: higher incarnation together with a new join."""


@dataclass(frozen=True, slots=True)
class MemberUpdated(MemberEvent):
    """Tags, address, port or versions of a member changed."""


@dataclass(frozen=True, slots=True)
class MemberSuspected(MemberEvent):
    """A member is suspected; it stays ``alive`` until the suspicion expires or is refuted."""


@dataclass(frozen=True, slots=True)
class MemberRefuted(MemberEvent):
    """A member raised its incarnation: it is not suspect any more, or it refuted a leave on its behalf."""


@dataclass(frozen=True, slots=True)
class MemberLeaving(MemberEvent):
    """A member announced that it is about to leave (or an operator did so for it)."""


@dataclass(frozen=True, slots=True)
class MemberLeft(MemberEvent):
    """A member left on purpose, or an operator declared a failed one to have left."""


@dataclass(frozen=True, slots=True)
class MemberFailed(MemberEvent):
    """A member's suspicion expired, or a peer's verdict arrived."""


@dataclass(frozen=True, slots=True)
class MemberReaped(MemberEvent):
    """A failed or left member was forgotten (age, or an operator's prune); ``member`` is its last value."""


@dataclass(frozen=True, slots=True)
class EventsLost:
    """This subscriber was too slow: ``count`` events are missing here. Re-read ``members()``."""

    count: int


Event = MemberEvent | EventsLost


@dataclass(frozen=True, slots=True)
class JoinOutcome:
    """What became of one address of a join.

    Attributes:
        address: the address as it was given.
        endpoint: ``(ip, port)`` that was dialled, or None if the name did not resolve.
        error: "" on success, else e.g. ``"failed to join 127.0.0.1:7946: connection refused"``.
    """

    address: str
    endpoint: tuple[str, int] | None
    error: str = ""

    @property
    def ok(self) -> bool:
        """True if the push/pull with this endpoint succeeded."""
        return not self.error


@dataclass(frozen=True, slots=True)
class JoinResult:
    """Outcomes of one join: one per endpoint dialled or name that did not resolve, in the given order."""

    outcomes: tuple[JoinOutcome, ...]

    @property
    def joined(self) -> int:
        """How many endpoints answered."""
        return sum(1 for outcome in self.outcomes if outcome.ok)


@dataclass(frozen=True, slots=True)
class SeedStatus:
    """How joining one of ``Config.seeds`` goes.

    Attributes:
        address: as configured.
        is_joined: a live member is there, so that nothing has to be tried.
        error: why the last attempt failed; "" if it worked, or there was none.
        at: when that attempt ended, seconds on the clock of ``Cluster.now``; None if there was none.
    """

    address: str
    is_joined: bool
    error: str = ""
    at: float | None = None


class ForceLeaveOutcome(StrEnum):
    """Which case of a force-leave applied; ``leaving`` is a live member that has not answered yet."""

    LEFT = "left"
    ALREADY_LEFT = "already-left"
    REFUTED = "refuted"
    LEAVING = "leaving"
    PRUNED = "pruned"
    UNKNOWN = "unknown"
