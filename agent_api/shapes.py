"""JSON shapes: Nomad's ``/v1/agent`` documents and our own ``/v1/swim`` ones."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import anyio.lowlevel

from agent_api.client.replies import ForceLeaveReply, JoinReply, MemberReply
from agent_api.cluster import ClusterLike
from agent_api.settings import AgentSettings
from agent_api.text import utf8
from swim import (
    Coordinate,
    Event,
    EventsLost,
    ForceLeaveOutcome,
    JoinResult,
    Member,
    Query,
    QueryReply,
    QueryResponse,
    SeedStatus,
    UserEvent,
    UserMessage,
    __version__,
)
from swim.addresses import join_host_port

__all__ = [
    "coordinate_shape",
    "dumps",
    "event_shape",
    "force_leave_shape",
    "in_portions",
    "info_shape",
    "join_shape",
    "member_shape",
    "nomad_member",
    "nomad_order",
    "reply_shape",
    "rtt_shape",
]


T = TypeVar("T")

_PORTION = 64
"""Members put into JSON at once; some milliseconds."""


def dumps(value: object, *, pretty: bool = False) -> bytes:
    """``value`` as UTF-8 JSON: compact, or indented by 4 with a final newline.

    Bytes of a name that are not UTF-8 (kept as surrogates) become U+FFFD, as Go's encoder writes them.
    """
    if pretty:
        text = json.dumps(value, ensure_ascii=False, indent=4) + "\n"
    else:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return utf8(text)


async def in_portions(
    document: dict[str, Any],
    key: str,
    values: Sequence[T],
    shape: Callable[[T], object],
    *,
    pretty: bool = False,
) -> bytes:
    """``document`` as JSON, and a list as its last ``key``; other tasks run between portions of the list."""
    if len(values) <= _PORTION:
        return dumps({**document, key: [shape(value) for value in values]}, pretty=pretty)
    head, tail = dumps({**document, key: [0]}, pretty=pretty).rsplit(b"0", 1)
    indent = head[len(head.rstrip()) :]
    portions = []
    for start in range(0, len(values), _PORTION):
        portion = [shape(value) for value in values[start : start + _PORTION]]
        text = dumps({key: portion}, pretty=pretty)
        portions.append(text[text.index(b"[") + 1 : text.rindex(b"]")].strip())
        await anyio.lowlevel.checkpoint()
    return head + (b"," + indent).join(portions) + tail


def nomad_member(member: Member) -> dict[str, Any]:
    """A member as ``/v1/agent/members`` lists it."""
    return {
        "Name": member.name,
        "Addr": member.address,
        "Port": member.port,
        "Tags": dict(member.tags),
        "Status": str(member.status),
        "ProtocolMin": member.protocol.min,
        "ProtocolMax": member.protocol.max,
        "ProtocolCur": member.protocol.current,
        "DelegateMin": member.delegate.min,
        "DelegateMax": member.delegate.max,
        "DelegateCur": member.delegate.current,
    }


def nomad_order(members: Iterable[Member]) -> list[Member]:
    """By tag ``region``, tag ``dc`` and name, as Nomad's command line sorts; two answers compare equal."""
    return sorted(members, key=lambda m: (m.tags.get("region", ""), m.tags.get("dc", ""), m.name))


def member_shape(member: Member) -> MemberReply:
    """A member as ``swim members --json`` prints it."""
    return {
        "name": member.name,
        "address": member.address,
        "port": member.port,
        "status": str(member.status),
        "is_suspect": member.is_suspect,
        "incarnation": member.incarnation,
        "tags": dict(member.tags),
        "protocol": list(member.protocol),
        "delegate": list(member.delegate),
    }


def join_shape(result: JoinResult) -> JoinReply:
    """A join's outcomes, one per endpoint dialled and one per name that did not resolve."""
    return {
        "joined": result.joined,
        "addresses": [
            {"address": outcome.address, "ok": outcome.ok, "error": outcome.error}
            for outcome in result.outcomes
        ],
    }


def force_leave_shape(node: str, outcome: ForceLeaveOutcome) -> ForceLeaveReply:
    """Which case of a force-leave applied."""
    return {"node": node, "outcome": str(outcome)}


def info_shape(cluster: ClusterLike, settings: AgentSettings, readiness: str) -> dict[str, Any]:
    """A node's own state, and how far its agent has come; keys only as fingerprints."""
    stats, keys = cluster.stats(), cluster.key_status()
    return {
        "name": cluster.config.name,
        "version": __version__,
        "status": cluster.status,
        "readiness": readiness,
        "endpoint": join_host_port(*cluster.endpoint),
        "advertised": join_host_port(*cluster.advertised),
        "rpc": settings.serf_rpc or None,
        "is_alone": cluster.is_alone,
        "health_score": stats.health_score,
        "uptime": cluster.now() - cluster.started_at,
        "seeds": [_seed_shape(cluster, seed) for seed in cluster.seeds()],
        "label": cluster.config.label,
        "encrypted": stats.encrypted,
        "keys": list(keys.keys),
        "decrypt_failures": dict(keys.decrypt_failures),
        "stats": stats._asdict(),
        "metrics": {
            "counters": dict(sorted(cluster.metrics.counters.items())),
            "gauges": dict(sorted(cluster.metrics.gauges.items())),
        },
    }


def _seed_shape(cluster: ClusterLike, seed: SeedStatus) -> dict[str, Any]:
    now = cluster.now()
    return {
        "address": seed.address,
        "joined": seed.is_joined,
        "error": seed.error,
        "age": None if seed.at is None else now - seed.at,
        "next": None if seed.next_at is None else max(0.0, seed.next_at - now),
        "failures": seed.failures,
    }


def _message_shape(event: UserEvent | Query) -> dict[str, Any]:
    """The payload is any bytes, so it is sent in base64."""
    return {
        "sequence": event.sequence,
        "name": event.name,
        "payload": base64.b64encode(event.payload).decode(),
        "ltime": event.ltime,
    }


def reply_shape(reply: QueryReply) -> dict[str, Any]:
    """One line of the answer of ``/v1/swim/query``."""
    shape = {"event": type(reply).__name__, "source": reply.source}
    if isinstance(reply, QueryResponse):
        shape["payload"] = base64.b64encode(reply.payload).decode()
    return shape


def coordinate_shape(coordinate: Coordinate | None) -> dict[str, Any] | None:
    """A member's network coordinate, in seconds; None if it is not known."""
    return None if coordinate is None else coordinate._asdict()


def rtt_shape(cluster: ClusterLike, one: str, other: str) -> dict[str, Any]:
    """The estimated round-trip time between two members; None if either has no known coordinate."""
    found = {name: cluster.coordinate(name) for name in (one, other)}
    a, b = found[one], found[other]
    return {
        "from": one,
        "to": other,
        "rtt": None if a is None or b is None else a.distance_to(b),
        "coordinates": {name: coordinate_shape(coordinate) for name, coordinate in found.items()},
    }


def event_shape(event: Event, of_member: Callable[[Member], object] | None = None) -> dict[str, Any]:
    """An event as ``/v1/swim/events`` sends it; ``of_member`` makes the shape of its member."""
    kind = type(event).__name__
    match event:
        case EventsLost():
            return {"event": kind, "count": event.count}
        case UserEvent():
            return {"event": kind, **_message_shape(event), "coalesce": event.coalesce}
        case Query():
            return {"event": kind, **_message_shape(event), "id": event.id, "source": event.source}
        case UserMessage():
            payload = base64.b64encode(event.payload).decode()
            return {
                "event": kind,
                "sequence": event.sequence,
                "source": event.source,
                "payload": payload,
                "broadcast": event.is_broadcast,
            }
    return {
        "event": kind,
        "sequence": event.sequence,
        "member": (of_member or member_shape)(event.member),
        "previous": str(event.previous.status) if event.previous else None,
        "cause": event.reason.cause,
        "accuser": event.reason.accuser,
        "detail": event.reason.detail,
    }
