"""The views of several agents over real sockets, and who agrees; hostile tags and answers."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from agent_api import AgentSettings, Tls, serve
from agent_api.client import Tls as ClientTls
from agent_api.own.peers import ANSWER_BYTES_MAX, PeerError, http_address
from agent_api.own.views import VIEWS_MAX, digest_of_tags
from swim import Config, ConfigError, Detection, Member, MemberStatus
from swim.addresses import Endpoint, join_host_port
from tests.agent_api.access.test_routes import control, secret
from tests.agent_api.fakes import FakeCluster, make_member
from tests.agent_api.http import Agent, served
from tests.agent_api.server.authority import Authority

NAMES = ("n1.global", "b", "c")


LATE = "no answer within 1 s"
"""On a crowded machine, also of agents that run: they are asked again."""


async def answered(agent: Agent, target: str) -> Any:
    """The answer of an agent once no other one was late."""
    with trio.fail_after(60):
        while LATE in (answer := await agent.get(target)).text:
            pass
    return answer.json()


def cluster_of(name: str) -> FakeCluster:
    """An agent that lists all three."""
    cluster = FakeCluster(Config(name=name))
    for each in NAMES:
        cluster.table.setdefault(each, make_member(each))
    return cluster


def advertise(clusters: list[FakeCluster], name: str, http: str) -> None:
    for cluster in clusters:
        cluster.table[name] = replace(cluster.table[name], tags={"http": http})


@asynccontextmanager
async def answering(handle: Callable[[trio.SocketStream], Awaitable[None]]) -> AsyncIterator[Endpoint]:
    """Something that answers connections, perhaps not with HTTP."""
    async with trio.open_nursery() as nursery:
        [listener] = await nursery.start(partial(trio.serve_tcp, handle, 0, host="127.0.0.1"))
        yield listener.socket.getsockname()
        nursery.cancel_scope.cancel()


async def test_two_agents_that_agree_and_one_that_does_not(cluster: FakeCluster) -> None:
    one, other, third = (cluster_of(name) for name in NAMES)
    async with served(one) as agent, served(other) as at_b, served(third) as at_c:
        advertise([one, other, third], "b", f"127.0.0.1:{at_b.endpoint[1]}")
        advertise([one, other, third], "c", f":{at_c.endpoint[1]}")
        third.table["b"] = make_member("b", status=MemberStatus.FAILED)
        document = await answered(agent, "/v1/swim/views")
        views = {view["agent"]: view for view in document["views"]}
        assert list(views) == sorted(NAMES)
        assert views["n1.global"] | {"digest": ""} == {
            "agent": "n1.global", "http": None, "error": "", "seconds": 0.0, "digest": "",
            "members": {name: {"status": "alive", "is_suspect": False, "incarnation": 1} for name in NAMES},
        }  # fmt: skip
        assert views["b"]["members"] == views["n1.global"]["members"]
        assert views["b"]["http"] == f"127.0.0.1:{at_b.endpoint[1]}"
        assert views["c"]["http"] == f"127.0.0.1:{at_c.endpoint[1]}"
        assert views["c"]["members"]["b"]["status"] == "failed"
        assert {view["error"] for view in views.values()} == {""}
        third.detections["b"] = Detection(1.0, None, 2.0, 0.004)
        document = await answered(agent, "/v1/swim/views?measured=true")
        own, *_, at_c_now = sorted(document["views"], key=lambda view: view["agent"] != "n1.global")
        assert {name: seen["tags"] for name, seen in own["members"].items()} == {
            member.name: digest_of_tags(member.tags) for member in one.table.values()
        }
        assert at_c_now["members"]["b"]["rtt"] == 0.004
        assert (await agent.get("/v1/swim/views?measured=perhaps")).status == 400
        document = await answered(agent, "/v1/swim/partitions")
        assert [group["agents"] for group in document["partitions"]] == [["b", "n1.global"], ["c"]]
        assert document["partitions"][1]["digest"] == views["c"]["digest"]
        assert document["unknown"] == {}


async def test_an_agent_without_a_view_is_named_with_the_reason() -> None:
    one = cluster_of("n1.global")
    async with served(cluster_of("x"), access=control()) as closed, served(cluster_of("x")) as another:
        advertise([one], "b", f"127.0.0.1:{closed.endpoint[1]}")
        advertise([one], "c", f"127.0.0.1:{another.endpoint[1]}")
        one.table["d"] = make_member("d", http="127.0.0.1:1")
        one.table["e"] = make_member("e")
        one.table["f"] = make_member("f", status=MemberStatus.FAILED, http="127.0.0.1:1")
        async with served(one) as agent:
            document = await answered(agent, "/v1/swim/partitions")
    assert document["unknown"] == {
        "b": "it answers 403: Permission denied",
        "c": "the agent there is x",
        "d": document["unknown"]["d"],
        "e": "it advertises no HTTP address (tag http)",
    }
    assert "refused" in document["unknown"]["d"]
    assert [group["agents"] for group in document["partitions"]] == [["n1.global"]]


async def test_a_token_for_views_is_sent_along() -> None:
    one = cluster_of("n1.global")
    for token, expected in ((secret("node:read"), ""), (secret("agent:read"), "it answers 403")):
        async with (
            served(cluster_of("b"), access=control()) as closed,
            served(one, views_token=token) as agent,
        ):
            advertise([one], "b", f"127.0.0.1:{closed.endpoint[1]}")
            views = {view["agent"]: view for view in (await answered(agent, "/v1/swim/views"))["views"]}
            assert views["b"]["error"].startswith(expected)
            assert (views["b"]["members"] is None) == bool(expected)
    with pytest.raises(ConfigError, match=r"^views_token: must be printable ASCII"):
        AgentSettings(views_token="a\r\nHost: x")
    assert "s3cret" not in repr(AgentSettings(views_token="s3cret"))


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_agents_that_serve_https_are_asked_if_their_certificates_are_trusted(
    host: str, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("b", *(["::1"] if host == "::1" else []))
    own_cert, own_key = authority.issue("n1")
    one, other = cluster_of("n1.global"), cluster_of("b")
    settings = AgentSettings(
        http=join_host_port(host, 0), tls=Tls(cert, key, ca_file=authority.ca_file, verify_https_client=True)
    )

    async def seen(**tls: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        async with served(one, views_tls=ClientTls(**tls)) as agent:
            views = (await answered(agent, "/v1/swim/views"))["views"]
            view = next(view for view in views if view["agent"] == "b")
            return view, await answered(agent, "/v1/swim/partitions")

    async with trio.open_nursery() as nursery:
        endpoint = await nursery.start(serve, other, settings)
        tag = f"https://{join_host_port(*endpoint)}"
        one.table["b"] = replace(one.table["b"], address=host, tags={"http": tag})
        known = {"client_cert": own_cert, "client_key": own_key}
        view, partitions = await seen(ca_cert=authority.ca_file, **known)
        assert (view["error"], view["http"], set(view["members"])) == ("", tag, set(NAMES))
        assert [group["agents"] for group in partitions["partitions"]] == [["b", "n1.global"]]
        for tls, why in [
            (known, "cannot be reached: .*certificate verify failed"),
            ({"ca_cert": authority.ca_file}, "cannot be reached: .*certificate"),
            (
                {"ca_cert": authority.ca_file, "server_name": "x.example", **known},
                "cannot be reached: .*x.example",
            ),
            ({"ca_cert": str(tmp_path / "none")}, "this agent's ca_cert: .*none: No such file"),
        ]:
            view, partitions = await seen(**tls)
            assert re.match(why, view["error"]), view["error"]
            assert (view["http"], view["members"]) == (tag, None)
            assert partitions["unknown"]["b"] == view["error"]
        view, _ = await seen(ca_cert=authority.ca_file, server_name="localhost", **known)
        assert view["error"] == ""
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("http", "why"),
    [
        ("10.0.0.1:4646", "its tag http names 10.0.0.1, which is not its address"),
        ("localhost:4646", "its tag http names localhost, which is not its address"),
        ("[::1]:4646", "its tag http names ::1, which is not its address"),
        ("127.0.0.1", "its tag http: "),
        ("127.0.0.1:99999", "its tag http: "),
        ("http://127.0.0.1:1", "its tag http: "),
        ("https://10.0.0.1:1", "its tag http names 10.0.0.1, which is not its address"),
        ("https://localhost:1", "its tag http names localhost, which is not its address"),
        ("https://127.0.0.1:1/", "its tag http: "),
        ("https://https://127.0.0.1:1", "its tag http: "),
        ("https://x@127.0.0.1:1", "its tag http"),
        ("HTTPS://127.0.0.1:1", "its tag http: "),
        ("https://", "its tag http: "),
        ("https://:", "its tag http: "),
        (":x", "its tag http: "),
        ("", "it advertises no HTTP address"),
    ],
)
def test_addresses_that_are_not_asked(http: str, why: str) -> None:
    with pytest.raises(PeerError) as refusal:
        http_address(make_member("b", http=http))
    assert str(refusal.value).startswith(why)


def test_addresses_that_are_asked() -> None:
    def at(address: str, http: str) -> Member:
        return replace(make_member("b", http=http), address=address)

    for scheme in ("", "https://"):
        for address, tag, shown in [
            ("127.0.0.1", ":80", "127.0.0.1:80"),
            ("fe80::1", ":80", "[fe80::1]:80"),
            ("fe80::1", "[fe80:0::1]:80", "[fe80::1]:80"),
        ]:
            found = http_address(at(address, scheme + tag))
            assert found == ((address, 80), bool(scheme))
            assert str(found) == scheme + shown


def answer_of(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def snapshot(**changes: Any) -> bytes:
    member = {"name": "b", "status": "alive", "is_suspect": False, "incarnation": 1} | changes
    return answer_of(json.dumps({"snapshot": {"name": "b", "members": [member]}}).encode())


NO_AGENT = "it does not answer what a swim agent does"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (snapshot(), ""),
        (snapshot(status="dead"), NO_AGENT),
        (snapshot(status=["alive"]), NO_AGENT),
        (snapshot(is_suspect="no"), NO_AGENT),
        (snapshot(incarnation=None), NO_AGENT),
        (answer_of(b"[]"), NO_AGENT),
        (answer_of(b'{"snapshot": 7}'), NO_AGENT),
        (answer_of(b"[" * 100_000), "its answer is not JSON"),
        (answer_of(b"nothing", "500 No"), "it answers 500: nothing"),
        (b"SSH-2.0-x\r\n", "it does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{", "its answer ends too early"),
        (b"", "it does not speak HTTP"),
        (answer_of(b" " * (ANSWER_BYTES_MAX + 1)), f"it answers more than {ANSWER_BYTES_MAX} bytes"),
    ],
    ids=range(13),
)
async def test_answers_that_are_no_view(answer: bytes, why: str) -> None:
    async def handle(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        with trio.move_on_after(5):
            await stream.send_all(answer)
            await stream.send_eof()

    assert (await asked(handle))["error"].startswith(why)


def measured(at: str = "2026-01-01T00:00:00.000Z", **changes: Any) -> bytes:
    reason = {"cause": "claim", "accuser": "c", "detail": ""}
    member = {
        "name": "b", "status": "failed", "is_suspect": False, "incarnation": 1, "tags": {"role": "web"},
        "since": "2025-12-31T23:59:00.000Z", "last_ack": None, "rtt": 0.002, "reason": reason,
    }  # fmt: skip
    document = {"at": at, "snapshot": {"name": "b", "members": [member | changes]}}
    return answer_of(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (measured(), ""),
        (measured(last_ack="2025-12-31T23:59:59.000Z", rtt=None, reason=None, since=None), ""),
        (measured(at="yesterday"), NO_AGENT),
        (measured(at="2026-01-01"), NO_AGENT),
        (measured(tags=["role"]), NO_AGENT),
        (measured(tags={"role": {"a": []}}), ""),
        (measured(since=7), NO_AGENT),
        (measured(since="9999-12-31T00:00:00.000Z"), NO_AGENT),
        (measured(last_ack="now"), NO_AGENT),
        (measured(rtt="fast"), NO_AGENT),
        (measured(rtt=float("nan")), NO_AGENT),
        (measured(reason="claim"), NO_AGENT),
        (snapshot(), NO_AGENT),
    ],
    ids=range(13),
)
async def test_what_others_have_measured_is_checked(answer: bytes, why: str) -> None:
    async def handle(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(answer)
        await stream.send_eof()

    view = await asked(handle, "?measured=true")
    assert view["error"].startswith(why), view
    assert (view["members"] is None) == bool(why)


async def test_what_others_have_measured_is_on_the_clock_of_the_agent_that_answers() -> None:
    """Another clock may be wrong by years; its ages are right."""

    async def handle(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(measured())
        await stream.send_eof()

    view = await asked(handle, "?measured=true")
    seen = view["members"]["b"]
    age = datetime.now(UTC) - datetime.fromisoformat(seen["since"])
    assert timedelta(seconds=59) < age < timedelta(seconds=75)
    assert (seen["rtt"], seen["last_ack"], seen["reason"]["accuser"]) == (0.002, None, "c")
    assert seen["tags"] == digest_of_tags({"role": "web"}) != digest_of_tags({"role": "db"})


async def test_an_agent_that_does_not_answer_costs_a_second() -> None:
    async def handle(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    one = FakeCluster(Config(name="n1.global"))
    async with answering(handle) as (_, port), served(one) as agent:
        one.table["b"] = make_member("b", http=f"127.0.0.1:{port}")
        [view, _] = (await agent.get("/v1/swim/views")).json()["views"]
    assert (view["error"], view["members"]) == (LATE, None)


async def asked(handle: Callable[[trio.SocketStream], Awaitable[None]], query: str = "") -> dict[str, Any]:
    """What an agent says of ``b``, which answers in this way."""
    one = FakeCluster(Config(name="n1.global"))
    async with answering(handle) as (_, port), served(one) as agent:
        one.table["b"] = make_member("b", http=f"127.0.0.1:{port}")
        views = (await answered(agent, f"/v1/swim/views{query}"))["views"]
    [view] = [view for view in views if view["agent"] == "b"]
    found: dict[str, Any] = view
    return found


async def test_clients_that_ask_at_once_share_the_answers_and_not_all_members_are_asked() -> None:
    requests = 0

    async def handle(stream: trio.SocketStream) -> None:
        nonlocal requests
        requests += 1
        await stream.receive_some()
        await stream.send_all(snapshot())

    one = FakeCluster(Config(name="n1.global"))
    async with answering(handle) as (_, port), served(one) as agent:
        for number in range(VIEWS_MAX + 3):
            name = f"m{number:03}"
            one.table[name] = make_member(name, **({"http": f":{port}"} if number < 2 else {}))
        documents = await together(agent, "/v1/swim/views", 5)
    assert requests == 2
    assert documents[0]["views"] == documents[4]["views"]
    last = [view["error"] for view in documents[0]["views"][-4:-1]]
    assert last == [f"not asked: there are more than {VIEWS_MAX} others"] * 3


async def together(agent: Agent, target: str, count: int) -> list[Any]:
    answers: list[Any] = []

    async def ask() -> None:
        answers.append((await agent.get(target)).json())

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(ask)
    return answers
