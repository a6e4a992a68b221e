"""Serf's internal queries, which applications never see: the handler of each, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from swim.core.member import pack_address
from swim.metrics import Metrics
from swim.serf.member_list import Roster
from swim.serf.messages import encode_conflict_response

__all__ = ["CONFLICT_QUERY", "PING_QUERY", "PREFIX", "Asked", "InternalQueries"]

PREFIX = "_serf_"
PING_QUERY = PREFIX + "ping"
CONFLICT_QUERY = PREFIX + "conflict"
_STATUS_NUMBERS = {"alive": 1, "leaving": 2, "left": 3, "failed": 4}


class Asked(NamedTuple):
    """An internal query that matched this node.

    Attributes:
        now: seconds.
        payload: of the query.
        fits: whether an answer with this payload is small enough to be sent.
        answer: sends the answer, at that time; a handler calls it at most once, at once or later.
    """

    now: float
    payload: bytes
    fits: Callable[[bytes], bool]
    answer: Callable[[float, bytes], None]


Handler: TypeAlias = Callable[[Asked], None]


class InternalQueries:
    """What one node answers to internal queries.

    Attributes:
        handlers: by the whole name of the query.
    """

    def __init__(self, name: str, roster: Roster, metrics: Metrics) -> None:
        self._name = name
        self._roster = roster
        self._metrics = metrics
        self.handlers: dict[str, Handler] = {PING_QUERY: _ping, CONFLICT_QUERY: self._conflict}

    def handle(self, name: str, asked: Asked) -> None:
        """Passes a query to its handler. As in Serf, none answers an unknown name, which is counted."""
        handler = self.handlers.get(name)
        if handler is None:
            self._metrics.dropped("internal-query")
        else:
            handler(asked)

    def _conflict(self, asked: Asked) -> None:
        """The address that this node has for the member of that name; a node does not answer about itself."""
        name = asked.payload.decode("utf-8", "surrogateescape")
        if name != self._name:
            asked.answer(asked.now, encode_conflict_response(self._member(name)))

    def _member(self, name: str) -> dict[str, Any] | None:
        """A member by Serf's field names; None if it is unknown."""
        entry = self._roster.get(name)
        if entry is None:
            return None
        member = entry.member
        return {
            "Addr": pack_address(member.address),
            "DelegateCur": member.delegate.current,
            "DelegateMax": member.delegate.max,
            "DelegateMin": member.delegate.min,
            "Name": name,
            "Port": member.port,
            "ProtocolCur": member.protocol.current,
            "ProtocolMax": member.protocol.max,
            "ProtocolMin": member.protocol.min,
            "Status": _STATUS_NUMBERS[member.status],
            "Tags": dict(member.tags),
        }


def _ping(_asked: Asked) -> None:
    """Its ack is all that is wanted."""
