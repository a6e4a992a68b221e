"""What an application sees of the cluster: members, their events, and what other applications send.

Events are frozen, hashable values whose repr is the expression that makes them (``from swim import *``);
consume them with ``match``. A node numbers them as they happen, from 1 on (``sequence``). A dictionary that
follows all member events (``MemberReaped`` deletes, any other stores ``event.member``) equals ``members()``.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from swim.addresses import Endpoint
from swim.frozen import FrozenMap
from swim.values import dataclass

__all__ = [
    "Cause",
    "Event",
    "EventsLost",
    "ForceLeaveOutcome",
    "JoinOutcome",
    "JoinResult",
    "Member",
    "MemberAccused",
    "MemberEvent",
    "MemberFailed",
    "MemberJoined",
    "MemberLeaving",
    "MemberLeft",
    "MemberReaped",
    "MemberRefuted",
    "MemberRestarted",
    "MemberState",
    "MemberStatus",
    "MemberSuspected",
    "MemberUpdated",
    "Query",
    "QueryAck",
    "QueryResponse",
    "Reason",
    "Transition",
    "UserEvent",
    "UserMessage",
    "VersionTriple",
]


class _Word(StrEnum):
    """A string enum whose repr is a valid expression."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"


class MemberStatus(_Word):
    """Serf's member states. A suspect member is still ``alive`` (see ``Member.is_suspect``)."""

    ALIVE = "alive"
    LEAVING = "leaving"
    LEFT = "left"
    FAILED = "failed"


class MemberState(_Word):
    """A member's state in one view: its status, or ``suspect``; ``unknown`` before, ``reaped`` after."""

    UNKNOWN = "unknown"
    ALIVE = "alive"
    SUSPECT = "suspect"
    LEAVING = "leaving"
    LEFT = "left"
    FAILED = "failed"
    REAPED = "reaped"


class Cause(_Word):
    """Why a transition happened, in a word.

    ``claim``: a peer's claim. ``push-pull``: a peer's full state. ``intent``: a Serf join or leave intent.
    ``probe``: this node's probe round failed. ``suspicion-expired``: no refutation arrived in time.
    ``refused``: the member's host kept refusing streams. ``acked``: the member acked. ``unanswered``: a
    peer's claim, after which this node's ping got no ack. ``operator``: an operator's command. ``local``:
    this node itself. ``reap``: age. ``prune``: an operator's prune. ``limit``: the table is full.
    """

    CLAIM = "claim"
    PUSH_PULL = "push-pull"
    INTENT = "intent"
    PROBE = "probe"
    SUSPICION_EXPIRED = "suspicion-expired"
    REFUSED = "refused"
    ACKED = "acked"
    UNANSWERED = "unanswered"
    OPERATOR = "operator"
    LOCAL = "local"
    REAP = "reap"
    PRUNE = "prune"
    LIMIT = "limit"


class VersionTriple(NamedTuple):
    """Lowest and highest protocol version a member understands, and the one it speaks (each 0..255)."""

    min: int
    max: int
    current: int


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of a node's member table at one moment. It never changes; a newer one replaces it."""

    name: str
    address: str
    port: int
    tags: Mapping[str, str]
    status: MemberStatus
    is_suspect: bool
    incarnation: int
    protocol: VersionTriple
    delegate: VersionTriple

    def __post_init__(self) -> None:
        if type(self.tags) is not FrozenMap:
            object.__setattr__(self, "tags", FrozenMap(self.tags))

    @property
    def endpoint(self) -> Endpoint:
        """Address and port."""
        return self.address, self.port

    @property
    def state(self) -> MemberState:
        """The status, or ``suspect``."""
        return MemberState.SUSPECT if self.is_suspect else MemberState(self.status.value)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a transition happened.

    Attributes:
        cause: in a word; stable. A string is converted to a ``Cause``.
        accuser: name of the member whose claim it was, or "".
        detail: human-readable details, e.g. ``"no ack: direct, 3 relays, stream refused"``.
    """

    cause: Cause
    accuser: str = ""
    detail: str = ""

    if TYPE_CHECKING:

        def __init__(self, cause: Cause | str, accuser: str = "", detail: str = "") -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "cause", Cause(self.cause))


@dataclass(frozen=True, slots=True)
class Transition:
    """One line of a member's bounded history (the answer of ``swim why NAME``).

    Attributes:
        at: seconds on the node's monotonic clock.
        before: state before it.
        after: state after it.
    """

    at: float
    before: MemberState
    after: MemberState
    incarnation: int
    reason: Reason


@dataclass(frozen=True, slots=True)
class MemberEvent:
    """Base of all member events; the kinds add nothing, so they need no decorator of their own.

    Attributes:
        member: the member after the event.
        previous: the member before it; None if it was unknown.
        reason: why.
        sequence: number of the event at this node.
    """

    member: Member
    previous: Member | None = None
    reason: Reason = Reason(Cause.LOCAL)
    sequence: int = 0


class MemberJoined(MemberEvent):
    """A member that was unknown, failed or left is alive."""

    __slots__ = ()


class MemberRestarted(MemberEvent):
    """A member restarted without being declared failed: a higher incarnation together with a new join."""

    __slots__ = ()


class MemberUpdated(MemberEvent):
    """Tags, address, port or versions of a member changed."""

    __slots__ = ()


class MemberSuspected(MemberEvent):
    """A member is suspected; it stays ``alive`` until the suspicion expires or is refuted."""

    __slots__ = ()


class MemberAccused(MemberEvent):
    """One more member accuses a suspect, so that its suspicion ends sooner; ``member`` does not change."""

    __slots__ = ()


class MemberRefuted(MemberEvent):
    """A member raised its incarnation: it is no longer suspect, or it refuted a leave on its behalf."""

    __slots__ = ()


class MemberLeaving(MemberEvent):
    """A member announced that it is about to leave (or an operator did so for it)."""

    __slots__ = ()


class MemberLeft(MemberEvent):
    """A member left on purpose, or an operator declared that a failed member has left."""

    __slots__ = ()


class MemberFailed(MemberEvent):
    """A member was declared failed: its suspicion expired, or a peer's dead claim arrived."""

    __slots__ = ()


class MemberReaped(MemberEvent):
    """A failed or left member was forgotten (age, or an operator's prune); ``member`` is its last value."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class UserEvent:
    """An application somewhere in the cluster, or this one, sent a user event. Each comes once.

    "Once" holds within Serf's window of 512 event stamps; events older than that are dropped.

    Attributes:
        name: chosen by the sender.
        payload: the sender's bytes; b"" if there were none.
        ltime: stamp of the cluster's event clock: greater than that of every event its sender had seen.
        coalesce: receivers may drop it in favour of a newer one of the same name: ``Coalescer``. False for
            an event from a push/pull, which does not carry this flag.
    """

    name: str
    payload: bytes = b""
    ltime: int = 0
    coalesce: bool = False
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Query:
    """An application asks, and this node is among those asked: its filters match.

    Attributes:
        name: chosen by the asker; Serf's internal queries (``_serf_...``) are never shown.
        payload: the asker's bytes; b"" if there were none.
        source: name of the member that sent the query; "" if the query does not give it.
        ltime: stamp of the cluster's query clock.
        id: distinguishes queries with the same stamp.
        deadline: until when an answer counts, seconds on the clock of ``Cluster.now``.
    """

    name: str
    payload: bytes = b""
    source: str = ""
    ltime: int = 0
    id: int = 0
    deadline: float = 0.0
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class QueryAck:
    """The member ``source`` received a query of this node; whether its application answers is open."""

    source: str


@dataclass(frozen=True, slots=True)
class QueryResponse:
    """A member's answer to a query of this node: its name, and the bytes of its application."""

    source: str
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class UserMessage:
    """An application sent bytes to this node alone, or to all members. Each message comes at most once.

    ``source`` is the sender's name, as it gives it. Of another program: the member at its address, or "".
    """

    source: str
    payload: bytes = b""
    is_broadcast: bool = False
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class EventsLost:
    """This subscriber was too slow: ``count`` events are missing here.

    ``members()`` makes up for member events, ``user_events()`` for user events; the others are gone.
    """

    count: int


Event = MemberEvent | UserEvent | Query | UserMessage | EventsLost
"""What a subscription yields."""


@dataclass(frozen=True, slots=True)
class JoinOutcome:
    """The outcome of one address of a join.

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


class ForceLeaveOutcome(_Word):
    """Which case of a force-leave applied; ``leaving`` is a live member that has not answered yet."""

    LEFT = "left"
    ALREADY_LEFT = "already-left"
    REFUTED = "refuted"
    LEAVING = "leaving"
    PRUNED = "pruned"
    UNKNOWN = "unknown"
