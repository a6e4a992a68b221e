"""User events, queries and tags over HTTP."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import trio

from agent_api.client import AgentClient, AgentError
from agent_api.own.messages import PAYLOAD_BYTES_MAX
from swim import QueryAck, QueryResponse, UserEvent
from tests.agent_api.fakes import FakeCluster, make_member
from tests.agent_api.http import Agent, Answer


def lines(answer: Answer) -> list[dict[str, Any]]:
    """The objects of a streamed answer, without its chunks."""
    assert answer.status == 200, answer
    return [json.loads(line) for line in answer.body.splitlines() if line.startswith(b"{")]


async def test_a_user_event_has_its_name_in_the_query_and_any_bytes_as_payload(
    agent: Agent, cluster: FakeCluster
) -> None:
    payload = bytes(range(256))
    answer = await agent.call("POST", "/v1/swim/events?name=d%C3%A9ploy&coalesce=true", body=payload)
    assert answer.json() == {"name": "déploy", "bytes": 256, "coalesce": True}
    assert (await agent.put("/v1/swim/events?name=e")).json()["bytes"] == 0
    assert cluster.sent == [UserEvent("déploy", payload, coalesce=True), UserEvent("e")]


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("events", "missing name"),
        ("events?name=", "missing name"),
        ("events?name=a&coalesce=yes", "invalid coalesce value"),
        ("query", "missing name"),
        ("query?name=a&ack=yes", "invalid ack value"),
        ("query?name=a&finish_early=2", "invalid finish_early value"),
        ("query?name=a&tag=role", "tag: 'role' is not KEY=VALUE"),
        ("query?name=a&tag=r=1&tag=r=2", "tag: 'r' is given twice"),
        ("query?name=a&relay_factor=256", "relay_factor: must be a whole number from 0 to 255, not '256'"),
        ("query?name=a&relay_factor=-1", "relay_factor: must be a whole number from 0 to 255, not '-1'"),
        ("query?name=a&timeout=soon", "timeout: 'soon' is not a duration such as 20, 1.5s, 250ms or 2m"),
        ("query?name=a&timeout=48h", "timeout: must be at most 86400, not 172800.0"),
        ("query?name=_serf_x", "name: '_serf_x' begins with _serf_, as Serf's internal queries do"),
        ("tags", "missing set or delete"),
        ("tags?set=role", "set: 'role' is not KEY=VALUE"),
        ("tags?set==x", "set: '=x' is not KEY=VALUE"),
        ("tags?set=a=1&set=a=2", "set: 'a' is given twice"),
        ("tags?set=a=1&delete=a", "'a' is in both set and delete"),
    ],
)
async def test_a_parameter_that_is_wrong_is_named(
    agent: Agent, cluster: FakeCluster, target: str, text: str
) -> None:
    answer = await agent.put(f"/v1/swim/{target}")
    assert (answer.status, answer.text) == (400, text)
    assert not cluster.sent
    assert not cluster.asked


@pytest.mark.parametrize(
    ("path", "limit"),
    [("events", "512 (user_event_size_limit)"), ("query", "1024 (query_size_limit)")],
)
async def test_a_far_too_long_payload_is_not_read_to_its_end(agent: Agent, path: str, limit: str) -> None:
    answer = await agent.call("PUT", f"/v1/swim/{path}?name=a", body=bytes(PAYLOAD_BYTES_MAX + 1))
    text = f"payload: more than 65536 bytes; this node sends at most {limit}"
    assert (answer.status, answer.text) == (413, text)


@pytest.mark.parametrize("path", ["events?name=a", "query?name=a"])
async def test_after_a_leave_nothing_is_sent(agent: Agent, cluster: FakeCluster, path: str) -> None:
    await cluster.leave()
    answer = await agent.put(f"/v1/swim/{path}")
    assert (answer.status, answer.text) == (409, "cannot send: this node is left")


async def test_replies_come_as_lines_and_the_last_line_counts_them(
    agent: Agent, cluster: FakeCluster
) -> None:
    cluster.add(make_member("b"))
    async with cluster.replies.put:
        for reply in (QueryAck("b"), QueryResponse("b", b"\x00up"), QueryAck("n1.global")):
            await cluster.replies.put.send(reply)
    answer = await agent.call(
        "PUT",
        "/v1/swim/query?name=load&node=b&tag=r=a|b&timeout=2s&ack=true&relay_factor=3&finish_early=1",
        body=b"?",
    )
    *replies, done = lines(answer)
    assert replies == [
        {},
        {"event": "QueryAck", "source": "b"},
        {"event": "QueryResponse", "source": "b", "payload": base64.b64encode(b"\x00up").decode()},
        {"event": "QueryAck", "source": "n1.global"},
    ]
    assert done.pop("seconds") >= 0
    assert done == {"event": "QueryDone", "acks": 2, "responses": 1, "lost": 0, "error": ""}
    assert cluster.asked == [
        ("load", b"?", {"nodes": ["b"], "tags": {"r": "a|b"}, "ack": True, "relay_factor": 3,
                        "timeout": 2.0, "finish_early": True}),
    ]  # fmt: skip
    assert cluster.replies.is_ended.is_set()


async def test_a_member_that_is_not_listed_is_not_asked(agent: Agent, cluster: FakeCluster) -> None:
    answer = await agent.put("/v1/swim/query?name=load&node=n1.global&node=nope")
    assert (answer.status, answer.text) == (404, "no member named 'nope'")
    assert not cluster.asked


async def test_the_query_ends_with_the_client(agent: Agent, cluster: FakeCluster) -> None:
    async with await trio.open_tcp_stream(*agent.endpoint) as stream:
        await stream.send_all(b"PUT /v1/swim/query?name=load HTTP/1.1\r\nHost: agent\r\n\r\n")
        received = b""
        while b"{}" not in received:
            received += await stream.receive_some()
        assert not cluster.replies.is_ended.is_set()
    with trio.fail_after(5):
        await cluster.replies.is_ended.wait()


async def test_tags_are_changed_one_by_one(agent: Agent, cluster: FakeCluster) -> None:
    before = (await agent.get("/v1/swim/tags")).json()["tags"]
    assert before == {"region": "global", "dc": "dc1", "port": "4647", "build": "0.1.0"}
    answer = await agent.put("/v1/swim/tags?set=role=a=b&set=empty=&delete=dc&delete=missing")
    after = {"region": "global", "port": "4647", "build": "0.1.0", "role": "a=b", "empty": ""}
    assert answer.json() == {"tags": after}
    assert cluster.local.tags == after


async def test_the_client_of_the_commands(agent: Agent, cluster: FakeCluster) -> None:
    client = AgentClient("http://{}:{}".format(*agent.endpoint))

    def call() -> list[dict[str, Any]]:
        client.user_event("deploy", b"\xff", coalesce=True)
        assert client.set_tags({"x": "ü=&"}, remove=["dc"])["x"] == "ü=&"
        assert "dc" not in client.tags()
        with pytest.raises(AgentError) as refusal:
            list(client.query("load", nodes=["nope"]))
        assert refusal.value.status == 404
        assert not refusal.value.is_foreign
        return list(client.query("load", b"?", tags={"x": "."}, ack=True, timeout=0.25, finish_early=True))

    async with cluster.replies.put:
        await cluster.replies.put.send(QueryAck("n1.global"))
    replies = await trio.to_thread.run_sync(call)
    assert [reply["event"] for reply in replies] == ["QueryAck", "QueryDone"]
    assert cluster.sent == [UserEvent("deploy", b"\xff", coalesce=True)]
    ((_, _, options),) = cluster.asked
    assert options["timeout"] == 0.25
