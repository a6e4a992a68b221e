"""What the server sends: the bodies of answers, and the records of streams, with Serf's field names."""

from __future__ import annotations

import ipaddress
import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

from swim import (
    Event,
    Member,
    MemberEvent,
    MemberFailed,
    MemberJoined,
    MemberLeft,
    MemberReaped,
    MemberRestarted,
    MemberUpdated,
    Query,
    QueryReply,
    QueryResponse,
    UserEvent,
)
from swim.text import printable

__all__ = [
    "DONE",
    "LEVELS",
    "ZERO_BODIES",
    "event_record",
    "kind_of",
    "log_line",
    "members_body",
    "reply_record",
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

LEVELS = {
    "TRACE": logging.DEBUG - 5,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERR": logging.ERROR,
}
"""Serf's log levels by name."""
_KINDS = {
    MemberJoined: "member-join",
    MemberLeft: "member-leave",
    MemberFailed: "member-failed",
    MemberUpdated: "member-update",
    MemberReaped: "member-reap",
}


def kind_of(event: Event) -> str:
    """Serf's name for an event, or "" for one that Serf does not have.

    A restart is none for Serf, unless it changed the member.
    """
    if isinstance(event, UserEvent):
        return "user"
    if isinstance(event, Query):
        return "query"
    if isinstance(event, MemberRestarted) and event.previous is not None:
        return "member-update" if _differ(event.member, event.previous) else ""
    return _KINDS.get(type(event), "")  # type: ignore[arg-type]


def _differ(one: Member, other: Member) -> bool:
    def shown(member: Member) -> tuple[object, ...]:
        return member.endpoint, member.tags, member.protocol, member.delegate

    return shown(one) != shown(other)


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


def event_record(kind: str, event: MemberEvent | UserEvent | Query, number: int) -> dict[str, Any]:
    """One record of a stream; ``number`` is a query's ID on this connection."""
    if isinstance(event, MemberEvent):
        return {"Event": kind, **members_body([event.member])}
    record = {"Event": kind, "LTime": event.ltime, "Name": event.name, "Payload": event.payload or None}
    return record | ({"Coalesce": event.coalesce} if isinstance(event, UserEvent) else {"ID": number})


def reply_record(reply: QueryReply) -> dict[str, Any]:
    """One record of a query; a member's empty name would end it, so that one is left out (None)."""
    if isinstance(reply, QueryResponse):
        return {"Type": "response", "From": reply.source, "Payload": reply.payload or None}
    return {"Type": "ack", "From": reply.source, "Payload": None}


def log_line(record: logging.LogRecord) -> str:
    """A record of the log as a line of Serf's."""
    level = next((name for name, number in reversed(LEVELS.items()) if record.levelno >= number), "TRACE")
    when = time.strftime("%Y/%m/%d %H:%M:%S", time.localtime(record.created))
    return printable(f"{when} [{level}] {record.name}: {record.getMessage()}")
