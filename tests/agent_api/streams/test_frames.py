"""``/v1/event/stream``: Nomad's frames, topics and indexes."""

from __future__ import annotations

import json
from typing import Any

import pytest
import trio
import trio.testing

from agent_api.streams.frames import FrameSource, Topics
from agent_api.streams.lines import Feed
from swim import Config, MemberFailed, MemberReaped, MemberStatus, MemberSuspected, Reason, UserEvent
from tests.agent_api.fakes import FakeCluster, make_member
from tests.agent_api.http import Agent

REASON = Reason("claim")


async def frames(
    cluster: FakeCluster, topics: list[str], index: int, happen: Any = None
) -> list[dict[str, Any]]:
    """What a client receives that asks now, and waits until nothing more comes."""
    feed, found = Feed(), []

    async def read() -> None:
        while (frame := await feed.next()) is not None:
            found.append(json.loads(frame))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(FrameSource(cluster, Topics(topics), index), feed)
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        if happen is not None:
            happen()
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    return found


@pytest.fixture
def quiet() -> FakeCluster:
    return FakeCluster(Config(name="n1"))


def kinds(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["Type"], event["Key"]) for frame in found for event in frame["Events"]]


async def test_a_frame_for_each_membership_event(quiet: FakeCluster) -> None:
    def happen() -> None:
        quiet.add(make_member("b", dc="dc1", region="global"))
        quiet.publish(MemberSuspected(make_member("b"), None, REASON))
        quiet.publish(UserEvent("deploy"))
        quiet.publish(MemberFailed(make_member("b", status=MemberStatus.FAILED), None, REASON))
        quiet.publish(MemberReaped(make_member("b", status=MemberStatus.FAILED), None, REASON))

    found = await frames(quiet, ["Member"], 0, happen)
    assert kinds(found) == [("MemberJoined", "b"), ("MemberFailed", "b"), ("MemberReaped", "b")]
    (event,) = found[0]["Events"]
    assert event["Topic"] == "Member"
    assert event["Namespace"] == ""
    assert event["FilterKeys"] == ["dc1", "global"]
    assert event["Index"] == found[0]["Index"] > 0
    assert event["Payload"]["Member"]["Name"] == "b"
    assert event["Payload"]["Member"]["Status"] == "alive"


async def test_what_happened_before_is_replayed_from_the_index_on(
    quiet: FakeCluster, mock_clock: trio.testing.MockClock
) -> None:
    for name in ("a", "b", "c"):
        quiet.add(make_member(name))
        mock_clock.jump(1)
    everything = await frames(quiet, [], 0)
    assert kinds(everything) == [("MemberJoined", name) for name in "abc"]
    indexes = [frame["Index"] for frame in everything]
    assert indexes == sorted(indexes)
    assert kinds(await frames(quiet, [], indexes[1])) == [("MemberJoined", "b"), ("MemberJoined", "c")]
    later = await frames(quiet, [], indexes[2] + 1, lambda: quiet.add(make_member("d")))
    assert kinds(later) == [("MemberJoined", "d")]


@pytest.mark.parametrize(
    ("topics", "names"),
    [([], "ab"), (["*"], "ab"), (["Member"], "ab"), (["Member:*"], "ab"), (["Member:b"], "b"), (["Job"], ""),
     (["Job", "Member:a"], "a"), (["*:b"], "b")],
)  # fmt: skip
async def test_topics(quiet: FakeCluster, topics: list[str], names: str) -> None:
    for name in "ab":
        quiet.add(make_member(name))
    assert [key for _, key in kinds(await frames(quiet, topics, 0))] == list(names)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("index=x", 'Unable to parse index: strconv.Atoi: parsing "x": invalid syntax'),
        ("index=1.0&topic=a:b:c", 'Unable to parse index: strconv.Atoi: parsing "1.0": invalid syntax'),
        (
            "topic=a:b:c",
            "Invalid topic query: error parsing topics: Invalid key value pair for topic, topic: a:b:c",
        ),
    ],
)
async def test_nomads_refusals(agent: Agent, query: str, text: str) -> None:
    answer = await agent.get(f"/v1/event/stream?{query}")
    assert (answer.status, answer.text) == (400, text)


async def test_over_a_socket_every_line_is_an_object_and_the_first_is_empty(
    agent: Agent, cluster: FakeCluster
) -> None:
    async with await trio.open_tcp_stream(*agent.endpoint) as stream:
        await stream.send_all(b"GET /v1/event/stream?topic=Member HTTP/1.0\r\n\r\n")
        received = b""
        with trio.fail_after(5):
            while b"{}\n" not in received:
                received += await stream.receive_some()
            cluster.add(make_member("b"))
            while b"MemberJoined" not in received:
                received += await stream.receive_some()
    lines = received.partition(b"\r\n\r\n")[2].splitlines()
    assert lines[0] == b"{}"
    assert all(isinstance(json.loads(line), dict) for line in lines)
