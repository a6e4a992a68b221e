"""``/v1/swim``: what applications send each other (user events and queries), and this node's tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import anyio
from starlette.responses import Response

from agent_api.agent import Call
from agent_api.errors import HttpError
from agent_api.streams.lines import LineStream
from agent_api.streams.replies import ReplySource
from swim import ConfigError, LocalError
from swim.checks import parse_duration

__all__ = ["PAYLOAD_BYTES_MAX", "query", "set_tags", "tags", "user_event"]

PAYLOAD_BYTES_MAX = 65_536
"""Bytes of a payload that are read; the node's own limits are below that."""
_TAGS_SECONDS = 3.0
"""A change of tags that takes longer to spread continues after the client was answered."""
_RELAYS_MAX = 255


async def user_event(call: Call) -> Response:
    """Sends a user event: its name in the query string, its payload as the body."""
    name = _name(call)
    coalesce = call.query.boolean("coalesce", "invalid coalesce value")
    payload = await _payload(call, "user_event_size_limit", call.agent.cluster.config.user_event_size_limit)
    try:
        await call.agent.cluster.user_event(name, payload, coalesce=coalesce)
    except (ConfigError, LocalError) as refusal:
        raise _refused(refusal) from None
    return call.json({"name": name, "bytes": len(payload), "coalesce": coalesce})


async def query(call: Call) -> Response:
    """Sends a query: its payload as the body; the replies are streamed as they come."""
    cluster = call.agent.cluster
    name, nodes = _name(call), call.query.all("node")
    tags = _pairs(call.query.all("tag"), "tag")
    ack = call.query.boolean("ack", "invalid ack value")
    finish_early = call.query.boolean("finish_early", "invalid finish_early value")
    relay_factor = call.query.number("relay_factor", at_most=_RELAYS_MAX)
    timeout = _timeout(call.query.first("timeout"))
    payload = await _payload(call, "query_size_limit", cluster.config.query_size_limit)
    for node in nodes:
        if cluster.member(node) is None:
            raise HttpError(404, f"no member named {node!r}")
    try:
        replies = cluster.query(
            name,
            payload,
            nodes=nodes,
            tags=tags,
            ack=ack,
            relay_factor=relay_factor,
            timeout=timeout,
            finish_early=finish_early,
        )
    except (ConfigError, LocalError) as refusal:
        raise _refused(refusal) from None
    return LineStream(ReplySource(cluster, replies), heartbeat=lambda: b"{}\n", every=5.0)


async def tags(call: Call) -> Response:
    """This node's tags."""
    return call.json({"tags": dict(call.agent.cluster.local.tags)})


async def set_tags(call: Call) -> Response:
    """Changes some of this node's tags; answers with all of them."""
    changes, remove = _pairs(call.query.all("set"), "set"), call.query.all("delete")
    if not changes and not remove:
        raise HttpError(400, "missing set or delete")
    if both := sorted(changes.keys() & set(remove)):
        raise HttpError(400, f"{both[0]!r} is in both set and delete")
    cluster = call.agent.cluster
    try:
        with anyio.move_on_after(_TAGS_SECONDS):
            await cluster.update_tags(changes, remove=remove)
    except (ConfigError, LocalError) as refusal:
        raise _refused(refusal) from None
    return await tags(call)


def _refused(refusal: ConfigError | LocalError) -> HttpError:
    return HttpError(400 if isinstance(refusal, ConfigError) else 409, str(refusal))


def _name(call: Call) -> str:
    name = call.query.first("name")
    if not name:
        raise HttpError(400, "missing name")
    return name


def _pairs(texts: Sequence[str], parameter: str) -> Mapping[str, str]:
    pairs: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise HttpError(400, f"{parameter}: {text!r} is not KEY=VALUE")
        if key in pairs:
            raise HttpError(400, f"{parameter}: {key!r} is given twice")
        pairs[key] = value
    return pairs


def _timeout(text: str | None) -> float | None:
    """Seconds; None if the parameter is absent or blank."""
    if not text:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise HttpError(400, f"timeout: {error}") from None


async def _payload(call: Call, name: str, limit: int) -> bytes:
    """The body of the request; a far too long one is refused before it is read."""
    text = f"payload: more than {PAYLOAD_BYTES_MAX} bytes; this node sends at most {limit} ({name})"
    return await call.body(PAYLOAD_BYTES_MAX, text)
