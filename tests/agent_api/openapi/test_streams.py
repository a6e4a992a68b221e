"""Each line of a stream has the shape that the document gives for it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import jsonschema_rs
import pytest
import trio

from agent_api import create_app
from agent_api.openapi.document import document
from swim import (
    MemberFailed,
    MemberJoined,
    MemberLeaving,
    MemberLeft,
    MemberReaped,
    MemberRefuted,
    MemberRestarted,
    MemberStatus,
    MemberSuspected,
    MemberUpdated,
    Query,
    QueryAck,
    QueryResponse,
    Reason,
    UserEvent,
    UserMessage,
)
from tests.agent_api.fakes import FakeCluster, make_member
from tests.agent_api.http import Agent

MEMBER_EVENTS = (
    MemberJoined, MemberRestarted, MemberUpdated, MemberSuspected, MemberRefuted, MemberLeaving, MemberLeft,
    MemberFailed, MemberReaped,
)  # fmt: skip


async def lines(agent: Agent, method: str, target: str) -> AsyncGenerator[Any, None]:
    """The JSON lines of a stream, as they come."""
    async with await trio.open_tcp_stream(*agent.endpoint) as stream:
        await stream.send_all(f"{method} {target} HTTP/1.0\r\nContent-Length: 0\r\n\r\n".encode())
        received = b""
        while chunk := await stream.receive_some():
            received += chunk
            head, end, rest = received.partition(b"\r\n\r\n")
            if end:
                *whole, last = rest.split(b"\n")
                for line in whole:
                    yield json.loads(line)
                received = head + end + last


def publish_all(cluster: FakeCluster) -> None:
    """Every kind of event that a cluster publishes."""
    member = make_member("b", status=MemberStatus.FAILED)
    for number, kind in enumerate(MEMBER_EVENTS, 1):
        previous = make_member("b") if number % 2 else None
        cluster.publish(kind(member, previous, Reason("claim", "n9", "heard"), number))
    cluster.publish(UserEvent("deploy", b"\xff", ltime=3, coalesce=True, sequence=10))
    cluster.publish(Query("load", b"", ltime=4, source="b", id=5, sequence=11))
    cluster.publish(UserMessage("b", b"hi", sequence=12))


async def reply(cluster: FakeCluster) -> None:
    """What members may reply to a query, and an end with an error."""
    for each in (QueryAck("b"), QueryResponse("b", b"\xff\x00")):
        await cluster.replies.put.send(each)
    cluster.replies.put.close()


def check(cluster: FakeCluster, method: str, path: str) -> Callable[[Any], None]:
    """Refuses what the document does not describe."""
    whole = document(create_app(cluster).routes)
    content = whole["paths"][path][method.lower()]["responses"]["200"]["content"]
    schema = content["application/json"]["x-itemSchema"] | {"components": whole["components"]}
    validator = jsonschema_rs.validator_for(schema)
    return lambda line: validator.validate(line)


@pytest.mark.parametrize(
    ("method", "path", "query", "count"),
    [
        ("GET", "/v1/swim/watch", "", 1 + len(MEMBER_EVENTS) + 3),
        ("GET", "/v1/swim/events", "", 1 + len(MEMBER_EVENTS) + 3),
        ("GET", "/v1/event/stream", "topic=Member", 5),
        ("GET", "/v1/agent/monitor", "log_level=debug", 2),
        ("PUT", "/v1/swim/query", "name=load", 4),
        ("PUT", "/v1/swim/reachability", "", 3),
    ],
)
async def test_every_line_is_as_documented(
    agent: Agent, cluster: FakeCluster, method: str, path: str, query: str, count: int
) -> None:
    cluster.table["b"] = make_member("b")
    cluster.answers = {("b", "stream"): None, ("b", "relay"): "no relay", ("b", "packet"): 0.25}
    validate = check(cluster, method, path)
    seen: list[Any] = []
    with trio.fail_after(20):
        async with aclosing(lines(agent, method, f"{path}?{query}")) as stream:
            async for line in stream:
                validate(line)
                if not seen and path in ("/v1/swim/watch", "/v1/swim/events", "/v1/event/stream"):
                    publish_all(cluster)
                elif not seen:
                    await reply(cluster)
                seen.append(line)
                if len(seen) == count:
                    break
    assert len(seen) == count


def test_a_line_of_another_shape_is_refused(cluster: FakeCluster) -> None:
    validate = check(cluster, "GET", "/v1/swim/watch")
    with pytest.raises(jsonschema_rs.ValidationError):
        validate({"event": "MemberJoined"})
