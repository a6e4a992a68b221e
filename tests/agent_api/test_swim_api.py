"""``/v1/swim``, through the blocking client that the commands use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trio
import trio.testing

from agent_api import create_app
from agent_api.client import AgentClient, AgentError, AgentTimeout, AgentUnreachable
from agent_api.own.clock import WallClock
from agent_api.shapes import event_shape
from swim import (
    Coordinate,
    Detection,
    MemberStatus,
    OpenSuspicion,
    ProbePath,
    Query,
    QueryAck,
    UserEvent,
)
from swim.detection import RelayAnswer
from tests.agent_api.fakes import FakeCluster, FakeReplies, make_member
from tests.agent_api.http import Agent, served


@pytest.fixture
def ask(agent: Agent) -> Callable[..., Any]:
    """Calls a method of a client of ``agent`` in a thread."""
    client = AgentClient("http://{}:{}".format(*agent.endpoint))

    async def call(method: str, *args: Any, **kwargs: Any) -> Any:
        return await trio.to_thread.run_sync(lambda: getattr(client, method)(*args, **kwargs))

    return call


async def test_members(ask: Callable[..., Any], cluster: FakeCluster) -> None:
    cluster.add(make_member("a", status=MemberStatus.FAILED))
    first, second = await ask("members")
    assert (first["name"], second["name"]) == ("a", "n1.global")
    date = WallClock(cluster).date
    assert (first | {"since": date(0.0)}) == {
        "name": "a", "address": "127.0.0.1", "port": 4648, "status": "failed", "is_suspect": False,
        "incarnation": 1, "tags": {}, "protocol": [1, 5, 2], "delegate": [2, 5, 5],
        "since": date(0.0), "suspicion": None, "last_ack": None, "rtt": None, "probe": None,
        "reason": {"cause": "claim", "accuser": "n9", "detail": ""},
    }  # fmt: skip
    assert second["reason"] is None


async def test_members_with_what_the_agent_knows_first_hand(
    ask: Callable[..., Any], agent: Agent, cluster: FakeCluster
) -> None:
    cluster.add(replace(make_member("a"), is_suspect=True))
    relays: dict[str, RelayAnswer] = {"b": "nack", "c": "silent"}
    now = trio.current_time()
    cluster.detections["a"] = Detection(
        now, OpenSuspicion(("b", "c"), now, now + 12.5, 2), now - 1, 0.0015,
        ProbePath(now, False, relays, "refused"),
    )  # fmt: skip
    (first, _) = await ask("members")
    since = datetime.fromisoformat(first["since"])
    assert abs(datetime.now(UTC) - since) < timedelta(minutes=1)
    assert first["since"].endswith("Z")
    assert first["suspicion"] == {
        "accusers": ["b", "c"], "started": first["since"], "wanted": 2,
        "deadline": moved(first["since"], 12.5),
    }  # fmt: skip
    assert (first["last_ack"], first["rtt"]) == (moved(first["since"], -1), 0.0015)
    assert first["probe"] == {
        "at": first["since"], "direct": "none", "relays": {"b": "nack", "c": "silent"}, "stream": "refused",
    }  # fmt: skip
    assert "history" not in first
    (first, _) = (await agent.get("/v1/swim/members?history=true")).json()["members"]
    ages = {"age": 0.0}
    why = (await ask("why", "a"))["history"]
    assert [line | ages for line in first["history"]] == [line | ages for line in why]
    assert (await agent.get("/v1/swim/members?history=maybe")).text == "invalid history value"


def moved(text: str, seconds: float) -> str:
    """So many seconds later."""
    moment = datetime.fromisoformat(text) + timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def test_info(ask: Callable[..., Any], cluster: FakeCluster) -> None:
    cluster.metrics.count("memberlist.udp.sent", 7)
    info = await ask("info")
    assert info["name"] == "n1.global"
    assert (info["status"], info["is_alone"], info["encrypted"]) == ("running", True, False)
    assert (info["endpoint"], info["advertised"]) == ("127.0.0.1:4648", "127.0.0.1:4648")
    assert info["stats"]["members"] == 1
    assert info["metrics"]["counters"] == {"memberlist.udp.sent": 7}


async def test_join(ask: Callable[..., Any], cluster: FakeCluster) -> None:
    assert await ask("join", ["127.0.0.1:4648", "nope"]) == {
        "joined": 1,
        "addresses": [
            {"address": "127.0.0.1:4648", "ok": True, "error": ""},
            {"address": "nope", "ok": False, "error": "failed to resolve nope: no such host"},
        ],
    }
    with pytest.raises(AgentError, match="missing address to join") as refusal:
        await ask("join", [])
    assert refusal.value.status == 400
    await cluster.leave()
    with pytest.raises(AgentError, match="cannot join: this node has left") as refusal:
        await ask("join", ["127.0.0.1:4648"])
    assert refusal.value.status == 409


async def test_rtt(ask: Callable[..., Any], cluster: FakeCluster) -> None:
    own = Coordinate((0.003, *[0.0] * 7), 0.5, 0.0, 0.001)
    cluster.add(make_member("a"))
    cluster.coordinates = {"n1.global": own, "a": Coordinate()}
    document = await ask("rtt", "a")
    assert (document["from"], document["to"]) == ("a", "n1.global")
    assert document["rtt"] == own.distance_to(Coordinate())
    assert document["coordinates"]["n1.global"] == {
        "vec": [0.003, *[0.0] * 7], "error": 0.5, "adjustment": 0.0, "height": 0.001,
    }  # fmt: skip
    assert (await ask("rtt", "n1.global", "a"))["to"] == "a"
    assert await ask("request", "GET", "/v1/swim/coordinate") == {
        "name": "n1.global",
        "coordinate": document["coordinates"]["n1.global"],
    }
    every = await ask("request", "GET", "/v1/swim/coordinates")
    assert every == {
        "coordinates": [
            {"name": name, "coordinate": document["coordinates"][name]} for name in ("a", "n1.global")
        ]
    }
    cluster.add(make_member("new"))
    document = await ask("rtt", "new")
    assert document["rtt"] is document["coordinates"]["new"] is None
    for names in (["nobody"], ["a", "nobody"]):
        with pytest.raises(AgentError, match="no member named 'nobody'") as refusal:
            await ask("rtt", *names)
        assert refusal.value.status == 404
    for query in ("", "?node=a&node=a&node=a"):
        with pytest.raises(AgentError, match="one or two nodes") as refusal:
            await ask("request", "GET", f"/v1/swim/rtt{query}")
        assert refusal.value.status == 400


async def test_reachability(ask: Callable[..., Any], cluster: FakeCluster) -> None:
    for name in ("a", "b"):
        cluster.add(make_member(name))
    cluster.add(make_member("gone", status=MemberStatus.FAILED))
    cluster.answers = {("a", "stream"): None, ("b", "relay"): "no other member could relay a ping"}

    async def reach(*args: Any, acks: Sequence[str] = ("n1.global", "a", "gone"), **kwargs: Any) -> list[Any]:
        cluster.replies = FakeReplies()
        for name in acks:
            cluster.replies.put.send_nowait(QueryAck(name))
        cluster.replies.put.close()
        client = AgentClient("http://{}:{}".format(*server.endpoint))
        return await trio.to_thread.run_sync(lambda: list(client.reachability(*args, **kwargs)))

    async with served(create_app(cluster)) as server:
        lines = await reach()
        assert lines == [
            {"name": "a", "status": "alive", "errors": {}, "is_self": False,
             "packet": 0.001, "stream": None, "relay": 0.001},
            {"name": "b", "status": "alive", "errors": {"relay": "no other member could relay a ping"},
             "is_self": False, "packet": 0.001, "stream": 0.001, "relay": None},
            {"name": "n1.global", "status": "alive", "errors": {}, "is_self": True,
             "packet": None, "stream": None, "relay": None},
            {"total": 4, "alive": 3, "acked": ["a", "gone", "n1.global"], "missing": ["b"],
             "unexpected": ["gone"]},
        ]  # fmt: skip
        assert next(way for name, way, _ in cluster.pinged if name == "a") == "packet"
        cluster.pinged.clear()
        assert len(await reach(["gone"], ping_timeout=0.5)) == 2
        assert set(cluster.pinged) == {("gone", way, 0.5) for way in ("packet", "stream", "relay")}
        assert cluster.replies.is_ended.is_set()
        cluster.status = "left"
        assert (await reach())[-1] == {
            "total": 4, "alive": 3, "acked": None, "missing": None, "unexpected": None,
        }  # fmt: skip
        for arguments, status in (({"nodes": ["nobody"]}, 404), ({"ping_timeout": 16.0}, 400)):
            with pytest.raises(AgentError) as refusal:
                await reach(**arguments)
            assert refusal.value.status == status


async def test_force_leave(ask: Callable[..., Any], cluster: FakeCluster) -> None:
    cluster.add(make_member("alive"))
    cluster.add(make_member("ä&b c", status=MemberStatus.FAILED))
    assert await ask("force_leave", "ä&b c") == {"node": "ä&b c", "outcome": "left"}
    assert await ask("force_leave", "ä&b c", prune=True) == {"node": "ä&b c", "outcome": "pruned"}
    with pytest.raises(AgentError, match="no member named 'ä&b c'") as refusal:
        await ask("force_leave", "ä&b c")
    assert refusal.value.status == 404
    with pytest.raises(AgentError, match="no outcome") as refusal:
        await ask("force_leave", "alive")
    assert refusal.value.status == 504
    with pytest.raises(AgentError, match="missing node"):
        await ask("force_leave", "")


async def test_why(ask: Callable[..., Any], cluster: FakeCluster) -> None:
    cluster.add(make_member("b"))
    why = await ask("why", "b")
    (line,) = why["history"]
    assert (why["name"], why["member"]["status"]) == ("b", "alive")
    assert (line["before"], line["after"], line["cause"], line["accuser"]) == (
        "unknown",
        "alive",
        "claim",
        "n9",
    )
    assert 0 <= line["age"] < 60
    with pytest.raises(AgentError) as refusal:
        await ask("why", "nobody")
    assert refusal.value.status == 404
    with pytest.raises(AgentError, match="missing name"):
        await ask("why", "")
    assert datetime.fromisoformat(line["at"]) <= datetime.now(UTC)


async def test_why_takes_the_name_in_the_path_too(agent: Agent, cluster: FakeCluster) -> None:
    for name, path in (("b", "b"), ("a/b c", "a%2Fb%20c"), ("../x", "..%2Fx"), ("\u00e4", "%C3%A4")):
        cluster.add(make_member(name))
        assert (await agent.get(f"/v1/swim/why/{path}")).json()["name"] == name
    answer = await agent.get("/v1/swim/why/nobody")
    assert (answer.status, answer.text) == (404, "no member named 'nobody'")
    assert (await agent.get("/v1/swim/why/")).text == "missing name"


async def test_leave_is_answered_before_the_agent_is_told(cluster: FakeCluster) -> None:
    told = trio.Event()
    async with served(cluster, on_leave=told.set) as agent:
        assert (await agent.put("/v1/swim/leave")).json() == {"left": True}
        assert cluster.status == "left"
        with trio.fail_after(5):
            await told.wait()


async def test_events(agent: Agent, cluster: FakeCluster) -> None:
    client = AgentClient("http://{}:{}".format(*agent.endpoint))
    events = client.events()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(_add_once_subscribed, cluster)
        event = await trio.to_thread.run_sync(next, events)
    assert (event["event"], event["member"]["name"], event["cause"]) == ("MemberJoined", "b", "claim")
    for subscription in cluster.subscriptions:
        subscription.close()
    assert await trio.to_thread.run_sync(list, events) == []


def test_user_events_and_queries_are_lines_too() -> None:
    event = UserEvent("deploy", b"\x00\xff", 9, coalesce=True, sequence=4)
    assert event_shape(event) == {
        "event": "UserEvent", "sequence": 4, "name": "deploy", "payload": "AP8=", "ltime": 9,
        "coalesce": True,
    }  # fmt: skip
    query = Query("load", b"?", "web-2", 9, 77, 1.0, 5)
    assert event_shape(query) == {
        "event": "Query", "sequence": 5, "name": "load", "payload": "Pw==", "ltime": 9, "id": 77,
        "source": "web-2",
    }  # fmt: skip


async def _add_once_subscribed(cluster: FakeCluster) -> None:
    with trio.fail_after(5):
        while not cluster.subscriptions:
            await trio.lowlevel.checkpoint()
    cluster.add(make_member("b"))


async def test_a_reader_of_events_that_goes_away_is_forgotten(agent: Agent, cluster: FakeCluster) -> None:
    def handlers() -> int:
        return trio.lowlevel.current_statistics().tasks_living

    before = handlers()
    async with await trio.open_tcp_stream(*agent.endpoint) as stream:
        await stream.send_all(b"GET /v1/swim/events HTTP/1.1\r\nHost: agent\r\n\r\n")
        received = b""
        while b"{}\n" not in received:
            received += await stream.receive_some()
        assert handlers() > before
    with trio.fail_after(5):
        while handlers() > before:
            await trio.lowlevel.checkpoint()


async def test_heartbeats_while_nothing_happens(
    cluster: FakeCluster, autojump_clock: trio.testing.MockClock
) -> None:
    scope = {
        "type": "http", "method": "GET", "path": "/v1/swim/events", "query_string": b"", "headers": [],
    }  # fmt: skip
    bodies: list[bytes] = []
    requests = [{"type": "http.request"}]

    async def receive() -> dict[str, Any]:
        if not requests:
            await trio.sleep_forever()
        return requests.pop()

    async def send(message: dict[str, Any]) -> None:
        bodies.append(message.get("body", b""))

    with trio.move_on_after(65):
        await create_app(cluster)(scope, receive, send)
    assert bodies == [b"", b"{}\n", b"{}\n", b"{}\n"]


# -- the client against agents that are not there


async def test_unreachable_agent() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    host, port = listener.socket.getsockname()
    await listener.aclose()
    with pytest.raises(AgentUnreachable, match=f"cannot reach an agent at http://{host}:{port}: .*refused"):
        await trio.to_thread.run_sync(AgentClient(f"{host}:{port}").members)


async def test_silent_agent() -> None:
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        client = AgentClient("{}:{}".format(*listener.socket.getsockname()), timeout=0.01)
        with pytest.raises(AgentTimeout, match=r"within 0\.01 s"):
            await trio.to_thread.run_sync(client.members)


async def test_something_else_than_an_agent(agent: Agent) -> None:
    client = AgentClient("http://{}:{}/elsewhere".format(*agent.endpoint))
    with pytest.raises(AgentError, match="the agent answered 404"):
        await trio.to_thread.run_sync(client.members)
