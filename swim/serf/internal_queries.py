"""Serf's internal queries, which applications never see: the handler of each, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from swim.core.member import pack_address
from swim.metrics import Metrics
from swim.serf.member_list import Roster
from swim.serf.messages import Query, encode_conflict_response

__all__ = ["CONFLICT_QUERY", "PING_QUERY", "PREFIX", "InternalQueries"]

PREFIX = "_serf_"
PING_QUERY = PREFIX + "ping"
CONFLICT_QUERY = PREFIX + "conflict"
_STATUS_NUMBERS = {"alive": 1, "leaving": 2, "left": 3, "failed": 4}

Handler: TypeAlias = Callable[[bytes], bytes | None]
"""From the query's payload to the answer's; None for no answer."""


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

    def answer(self, query: Query) -> bytes | None:
        """The payload of the answer. As in Serf, none to an unknown name, which is counted."""
        handler = self.handlers.get(query.name)
        if handler is None:
            self._metrics.dropped("internal-query")
            return None
        return handler(query.payload or b"")

    def _conflict(self, payload: bytes) -> bytes | None:
        """The address that this node has for the member of that name; a node does not answer about itself."""
        name = payload.decode("utf-8", "surrogateescape")
        if name == self._name:
            return None
        entry = self._roster.get(name)
        if entry is None:
            return encode_conflict_response(None)
        member = entry.member
        return encode_conflict_response(
            {
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
        )


def _ping(_payload: bytes) -> bytes | None:
    """Its ack is all that is wanted."""
    return None
