"""The commands of a node, as values that check themselves; each is defined here, or in ``swim.keyrings``.

``Cluster.do``, ``SimNode.do`` and ``Node.do`` take them. The methods of the same names, such as
``Cluster.set_tags``, make the value and pass it on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, field
from typing import TypeAlias

from swim import checks
from swim.addresses import Endpoint
from swim.errors import ConfigError, ConfigTypeError, LocalError, SwimError
from swim.events import ForceLeaveOutcome, JoinResult, Member, Query, QueryAck, QueryResponse
from swim.frozen import FrozenMap
from swim.keyrings import KeyCommand, KeyringResult
from swim.values import dataclass

__all__ = [
    "MESSAGE_BYTES_MAX",
    "BroadcastMessage",
    "Command",
    "ForceLeave",
    "Join",
    "Leave",
    "Outcome",
    "QueryReply",
    "Rejoin",
    "Respond",
    "SendMessage",
    "SendPing",
    "SendQuery",
    "SendUserEvent",
    "SetTags",
    "Ticket",
    "UpdateTags",
]

Outcome: TypeAlias = JoinResult | ForceLeaveOutcome | KeyringResult | float | None
"""What a command finishes with; documented for each command."""
QueryReply: TypeAlias = QueryAck | QueryResponse

MESSAGE_BYTES_MAX = 65_536
"""Longest message to one member, bytes."""
_INTERNAL = "_serf_"
_PING = "_serf_ping"
_QUERY_SECONDS_MAX = 86_400.0
_WAYS = ("packet", "stream", "relay")


@dataclass(frozen=True, slots=True)
class Join:
    """Push/pulls with every address at once; finishes with a ``JoinResult``.

    Attributes:
        addresses: ``[NAME/]HOST[:PORT]``; the port defaults to the node's own.
        replay: user events sent before the join are handed out too, as far as the peers remember them. Serf's
            library calls the opposite ``ignoreOld``.

    Raises:
        ConfigError: naming ``addresses`` or ``replay``; a ``TypeError`` too if they are one string.
    """

    addresses: Sequence[str]
    _: KW_ONLY
    replay: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "addresses", checks.texts("addresses", self.addresses))
        checks.flag("replay", self.replay)


@dataclass(frozen=True, slots=True)
class Leave:
    """Leaves gracefully; finishes with None on evidence that it spread, or at a deadline."""


@dataclass(frozen=True, slots=True)
class Rejoin:
    """Comes back after a finished leave and joins seeds and past peers; finishes with a ``JoinResult``.

    Attributes:
        advertise: the endpoint to advertise from now on; None keeps the last one.

    Raises:
        ConfigError: naming ``advertise``.
    """

    _: KW_ONLY
    advertise: Endpoint | None = None

    def __post_init__(self) -> None:
        if self.advertise is not None:
            checks.endpoint("advertise", self.advertise)


@dataclass(frozen=True, slots=True)
class ForceLeave:
    """Declares that a member leaves; finishes with a ``ForceLeaveOutcome`` once that has spread.

    Attributes:
        name: of the member.
        prune: also forget it: at once if it is gone, else as soon as it is.

    Raises:
        ConfigError: naming ``name`` or ``prune``.
    """

    name: str
    _: KW_ONLY
    prune: bool = False

    def __post_init__(self) -> None:
        checks.text("name", self.name)
        checks.flag("prune", self.prune)


@dataclass(frozen=True, slots=True)
class SetTags:
    """Replaces the tags; finishes with None once the change was sent often enough, or at a deadline.

    Raises:
        ConfigError: naming ``tags``; their size is checked by the node, which knows how they are encoded.
    """

    tags: Mapping[str, str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags", checks.text_map("tags", self.tags))


@dataclass(frozen=True, slots=True)
class UpdateTags:
    """Changes some tags and keeps the rest; finishes as ``SetTags``.

    Attributes:
        changes: tags to add or to replace.
        remove: names of tags to drop; a missing one is no error.

    Raises:
        ConfigError: naming ``changes`` or ``remove``; the size of all tags is checked by the node.
    """

    changes: Mapping[str, str]
    _: KW_ONLY
    remove: Iterable[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "changes", checks.text_map("changes", self.changes))
        object.__setattr__(self, "remove", checks.texts("remove", self.remove))

    def applied_to(self, tags: Mapping[str, str]) -> dict[str, str]:
        """The tags after the change."""
        return {name: value for name, value in tags.items() if name not in self.remove} | dict(self.changes)


@dataclass(frozen=True, slots=True)
class SendPing:
    """Pings one member; finishes with the seconds until its ack, or with None if there was none in time.

    It changes nothing: no member is suspected or cleared by it.

    Attributes:
        name: of the member.
        via: ``packet``; ``stream``; or ``relay``, which asks as many other members as a probe round does
            (``indirect_checks``) to ping it, and takes the first ack.
        timeout: seconds to wait, at most a day; None for ``probe_interval``.

    Raises:
        ConfigError: naming the attribute that is wrong.
    """

    name: str
    _: KW_ONLY
    via: str = "packet"
    timeout: float | None = None

    def __post_init__(self) -> None:
        checks.text("name", self.name)
        if checks.text("via", self.via) not in _WAYS:
            raise ConfigError("via", f"must be one of {', '.join(_WAYS)}, not {self.via!r}")
        if self.timeout is not None:
            checks.number("timeout", self.timeout, at_most=_QUERY_SECONDS_MAX)


@dataclass(frozen=True, slots=True)
class SendUserEvent:
    """Sends a user event to all members, this node included; finishes with None at once.

    Attributes:
        name: chosen by the application.
        payload: name and payload have to fit ``Config.user_event_size_limit`` once encoded, which the node
            checks.
        coalesce: receivers may drop it in favour of a newer one of the same name.

    Raises:
        ConfigError: naming ``name``, ``payload`` or ``coalesce``.
    """

    name: str
    payload: bytes = b""
    _: KW_ONLY
    coalesce: bool = False

    def __post_init__(self) -> None:
        _check_message(self.name, self.payload)
        checks.flag("coalesce", self.coalesce)


@dataclass(frozen=True, slots=True)
class SendQuery:
    """Asks all members, this node included, or some of them.

    Its ticket collects a ``QueryResponse`` of each member whose application answers, and finishes with None
    at the deadline, or with ``finish_early`` as soon as nothing more is expected.

    Attributes:
        name: chosen by the application; Serf's internal queries (``_serf_...``) are not for applications,
            except for ``_serf_ping`` without a payload, which is acked and not answered.
        payload: the whole query has to fit ``Config.query_size_limit`` once encoded, which the node checks.
        nodes: names of the members asked; none for all.
        tags: only members are asked whose tag of each name here matches the regular expression (RE2's syntax,
            unanchored; a missing tag counts as "").
        ack: also collect a ``QueryAck`` of each member asked.
        relay_factor: every reply comes by that many relays too, 0 to 255; members send it by at most five.
        timeout: seconds until the deadline; None for Serf's default, which grows with the cluster.
        finish_early: finish once every member asked has answered, and with ``ack`` has acked too. Asked are
            the members that the filters match and that this node lists as alive when it sends the query. A
            ``_serf_ping`` is only acked.

    Raises:
        ConfigError: naming the attribute that is wrong.
    """

    name: str
    payload: bytes = b""
    _: KW_ONLY
    nodes: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=FrozenMap)
    ack: bool = False
    relay_factor: int = 0
    timeout: float | None = None
    finish_early: bool = False

    def __post_init__(self) -> None:
        _check_message(self.name, self.payload)
        if self.name.startswith(_INTERNAL) and (self.name != _PING or self.payload):
            raise ConfigError("name", f"{self.name!r} begins with {_INTERNAL}, as Serf's internal queries do")
        object.__setattr__(self, "nodes", checks.texts("nodes", self.nodes))
        object.__setattr__(self, "tags", checks.text_map("tags", self.tags))
        checks.flag("ack", self.ack)
        checks.flag("finish_early", self.finish_early)
        checks.whole_number("relay_factor", self.relay_factor, at_most=255)
        checks.seconds("timeout", self.timeout)
        if self.timeout is not None and self.timeout > _QUERY_SECONDS_MAX:
            raise ConfigError("timeout", f"must be at most {_QUERY_SECONDS_MAX:g}, not {self.timeout!r}")


@dataclass(frozen=True, slots=True)
class Respond:
    """Answers a query that this node received, once and before its deadline; finishes with None at once.

    A long answer goes by a stream, if the asker takes that. Then it finishes once the asker has read it, or
    with ``DeliveryError``.

    Attributes:
        query: as it was received.
        payload: has to fit ``Config.query_response_size_limit`` once encoded, or
            ``query_response_stream_limit`` if the asker takes streams, which the node checks.

    Raises:
        ConfigError: naming ``query`` or ``payload``.
    """

    query: Query
    payload: bytes = b""

    def __post_init__(self) -> None:
        if not isinstance(self.query, Query):
            raise ConfigTypeError("query", f"must be a swim.Query, not {self.query!r}")
        checks.data("payload", self.payload)


@dataclass(frozen=True, slots=True)
class SendMessage:
    """Sends bytes to the application of one member; finishes with None once that node has handed them out.

    Otherwise it finishes with ``DeliveryError``, as its ticket's ``result`` raises.

    Attributes:
        member: as this node or another one listed it. It stands for one life: if the member has
            restarted since, the message is not delivered.
        payload: at most ``MESSAGE_BYTES_MAX`` (64 KiB).

    Raises:
        ConfigError: naming ``member`` or ``payload``.
    """

    member: Member
    payload: bytes = b""

    def __post_init__(self) -> None:
        if not isinstance(self.member, Member):
            raise ConfigTypeError("member", f"must be a swim.Member, not {self.member!r}")
        size = len(checks.data("payload", self.payload))
        if size > MESSAGE_BYTES_MAX:
            raise ConfigError(
                "payload", f"is {size} bytes, more than {MESSAGE_BYTES_MAX} (MESSAGE_BYTES_MAX)"
            )


@dataclass(frozen=True, slots=True)
class BroadcastMessage:
    """Sends bytes to the applications of all members, this node's included; finishes with None at once.

    Attributes:
        payload: at most ``Config.broadcast_size_limit`` bytes, which the node checks.

    Raises:
        ConfigError: naming ``payload``.
    """

    payload: bytes

    def __post_init__(self) -> None:
        checks.data("payload", self.payload)


def _check_message(name: str, payload: bytes) -> None:
    checks.text("name", name)
    checks.data("payload", payload)


Command: TypeAlias = (
    Join
    | Leave
    | Rejoin
    | ForceLeave
    | SetTags
    | UpdateTags
    | SendUserEvent
    | SendQuery
    | Respond
    | SendMessage
    | SendPing
    | BroadcastMessage
    | KeyCommand
)


class Ticket:
    """A command in progress; the node sets its outcome later.

    Attributes:
        number: the node's own name for it.
        is_done: whether there is an outcome, or will never be one.
        replies: what came so far, of a command that collects replies.
    """

    __slots__ = ("_outcome", "is_done", "number", "replies")

    def __init__(self, number: int) -> None:
        self.number: int = number
        self.is_done: bool = False
        self.replies: list[QueryReply] = []
        self._outcome: Outcome | SwimError = None

    def add(self, reply: QueryReply) -> None:
        """Takes one more reply."""
        self.replies.append(reply)

    def finish(self, outcome: Outcome | SwimError) -> None:
        """Sets the outcome, or the error because of which there will never be one."""
        self._outcome = outcome
        self.is_done = True

    @property
    def result(self) -> Outcome:
        """The outcome.

        Raises:
            LocalError: there is none yet, or the node stopped before there was one.
        """
        if not self.is_done:
            raise LocalError("the command has no outcome yet")
        if isinstance(self._outcome, SwimError):
            raise self._outcome
        return self._outcome
