"""What the server sends: the bodies of answers, and the records of streams, with Serf's field names."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from swim import Member, Query, QueryReply, QueryResponse, UserEvent

__all__ = [
    "DONE",
    "ZERO_BODIES",
    "members_body",
    "members_record",
    "query_record",
    "reply_record",
    "user_event_record",
]

NO_KEYS: Mapping[str, Any] = {"Messages": {}, "Keys": None, "NumNodes": 0, "NumErr": 0, "NumResp": 0}
ZERO_BODIES: Mapping[str, Any] = {
    "join": {"Num": 0},
    "members": {"Members": []},
    "members-filtered": {"Members": []},
    "install-key": NO_KEYS,
    "use-key": NO_KEYS,
    "remove-key": NO_KEYS,
    "list-keys": NO_KEYS,
    "stats": {},
    "get-coordinate": {
        "Coord": {"Vec": None, "Error": 0.0, "Adjustment": 0.0, "Height": 0.0},
        "Ok": False,
    },
}
"""The body of each command that has one in its answer: it follows an error as well."""

DONE = {"Type": "done", "From": "", "Payload": None}
"""The last record of a query."""


def members_body(members: Iterable[Member]) -> dict[str, Any]:
    """The answer to ``members``."""
    return {"Members": [_member(one) for one in members]}


def _member(member: Member) -> dict[str, Any]:
    return {
        "Name": member.name,
        "Addr": ipaddress.ip_address(member.address).packed,
        "Port": member.port,
        "Tags": dict(member.tags),
        "Status": member.status.value,
        "ProtocolMin": member.protocol.min,
        "ProtocolMax": member.protocol.max,
        "ProtocolCur": member.protocol.current,
        "DelegateMin": member.delegate.min,
        "DelegateMax": member.delegate.max,
        "DelegateCur": member.delegate.current,
    }


def members_record(kind: str, members: Iterable[Member]) -> dict[str, Any]:
    """A record of a stream: what happened to these members."""
    return {"Event": kind, **members_body(members)}


def user_event_record(event: UserEvent) -> dict[str, Any]:
    """A record of a stream."""
    return {**_message(event, "user"), "Coalesce": event.coalesce}


def query_record(query: Query, number: int) -> dict[str, Any]:
    """A record of a stream; ``number`` is the query's ID on this connection."""
    return {**_message(query, "query"), "ID": number}


def _message(message: UserEvent | Query, kind: str) -> dict[str, Any]:
    return {
        "Event": kind,
        "LTime": message.ltime,
        "Name": message.name,
        "Payload": message.payload or None,
    }


def reply_record(reply: QueryReply) -> dict[str, Any]:
    """A record of a query."""
    if isinstance(reply, QueryResponse):
        return {"Type": "response", "From": reply.source, "Payload": reply.payload or None}
    return {"Type": "ack", "From": reply.source, "Payload": None}
