"""An agent that is no member: it answers from its servers, over real sockets, whatever becomes of them."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
import trustme

from agent_api import AgentSettings, create_client_app, serve
from agent_api.routes import ROUTES
from swim import Config
from tests.agent_api.access.test_routes import control, secret
from tests.agent_api.client.test_connections import loopback, serving
from tests.agent_api.fakes import FakeCluster, make_member
from tests.agent_api.http import JSON, TEXT, Agent, served

MEMBERS = "/v1/agent/members"
SERVERS = "/v1/agent/servers"


def gossip_cluster(name: str) -> FakeCluster:
    tags = {"region": "global", "dc": "dc1", "port": "4647"}
    return FakeCluster(Config(name=name, tags=tags, bind="127.0.0.1:4648"))


def where(agent: Agent) -> str:
    return "{}:{}".format(*agent.endpoint)


class Saved:
    """The lists that were saved."""

    def __init__(self) -> None:
        self.lists: list[Sequence[str]] = []

    async def __call__(self, servers: Sequence[str]) -> None:
        self.lists.append(servers)


@asynccontextmanager
async def client_of(
    *servers: str,
    saved: Saved | None = None,
    tls: ssl.SSLContext | None = None,
    tls_name: str = "",
    **more: Any,
) -> AsyncIterator[Agent]:
    """A client of these servers, served on a free port."""
    settings = AgentSettings(http="127.0.0.1:0", server_enabled=False, rpc_port=4646, **more)
    app = create_client_app("c1", settings, servers, save=saved or Saved(), tls=tls, tls_name=tls_name)
    async with trio.open_nursery() as nursery:
        endpoint = await nursery.start(partial(serve, app, settings))
        yield Agent(app.state.agent.cluster, endpoint)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def pool(*names: str, **settings: Any) -> AsyncIterator[list[Agent]]:
    """Servers with clusters of their own."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(served(gossip_cluster(name), **settings)) for name in names]


async def name_of(client: Agent) -> str:
    """The server that answered."""
    answer = await client.get(MEMBERS)
    assert answer.status == 200, answer.text
    return str(answer.json()["ServerName"])


# -- what each path answers


@pytest.mark.parametrize(
    "target",
    [MEMBERS, f"{MEMBERS}?pretty", "/v1/status/leader", "/v1/status/leader?region=mars", "/v1/status/peers",
     "/v1/regions", "/v1/swim/members", "/v1/swim/why?name=b", "/v1/swim/why/b", "/v1/swim/why?name=nope",
     "/v1/swim/rtt?node=b", "/v1/swim/coordinate?name=b", "/v1/swim/why", f"{MEMBERS}?wait=10"],
)  # fmt: skip
async def test_what_reads_members_is_the_answer_of_a_server(target: str) -> None:
    async with pool("n1.global") as (server,), client_of(where(server)) as client:
        server.cluster.add(make_member("b", region="global"))
        expected, found = await server.get(target), await client.get(target)
        assert (found.status, found.kind) == (expected.status, expected.kind)
        varies = target.startswith(("/v1/swim/why", "/v1/swim/members")) and found.status == 200
        assert found.body == expected.body or varies


async def test_names_that_need_quotes_reach_the_server() -> None:
    async with pool("n1") as (server,), client_of(where(server)) as client:
        server.cluster.add(make_member("ä b/c&?#"))
        for target in ("/v1/swim/why/%C3%A4%20b/c%26%3F%23", "/v1/swim/why?name=%C3%A4+b/c%26%3F%23"):
            assert (await client.get(target)).json()["name"] == "ä b/c&?#"


def paths() -> list[tuple[str, str, bool]]:
    """Method, path, and whether it is a member's alone."""
    own = {"/v1/agent/servers", "/v1/agent/self", "/v1/agent/health", "/v1/agent/monitor", "/v1/agent/host",
           "/v1/agent/pprof/", "/v1/agent/pprof/{profile}", "/v1/agent/reload", "/v1/metrics",
           "/v1/swim/info", "/v1/swim/leave", "/v1/swim/health/live", "/v1/swim/health/ready",
           "/v1/openapi.json", "/docs"}  # fmt: skip
    asked = {"/v1/status/leader", "/v1/status/peers", "/v1/regions"}
    found = []
    for route in ROUTES:
        endpoint: Any = route.endpoint
        if endpoint.get is not None and endpoint.get.capability != "node:read" and route.path not in asked:
            found.append(("GET", route.path, route.path not in own))
        if endpoint.put is not None:
            found.append(("PUT", route.path, route.path not in own))
    return found


async def test_what_only_a_member_can_do_is_501_and_the_rest_is_its_own() -> None:
    async with client_of("127.0.0.1:1") as client:
        for method, path, is_refused in paths():
            answer = await client.head(method, path)
            assert (answer == 501) == is_refused or path == "/v1/agent/reload", (method, path)
        answer = await client.put("/v1/agent/join?address=127.0.0.1")
        assert (answer.status, answer.text) == (501, "Invalid method")
        assert (await client.call("POST", MEMBERS)).status == 405
        assert (await client.call("GET", "/v1/agent/join")).status == 405
        assert (await client.get("/v1/agent/nope")).status == 404
        assert not client.cluster.metrics.counters["swim.client.failover"]


async def test_its_own_state() -> None:
    async with pool("n1") as (server,), client_of(where(server), data_dir="/data") as client:
        document = (await client.get("/v1/agent/self")).json()
        assert document["member"] == {
            "Name": "", "Addr": "", "Port": 0, "Tags": {}, "Status": "none",
            "ProtocolMin": 0, "ProtocolMax": 0, "ProtocolCur": 0,
            "DelegateMin": 0, "DelegateMax": 0, "DelegateCur": 0,
        }  # fmt: skip
        assert set(document["stats"]) == {"client", "runtime"}
        assert document["stats"]["client"]["known_servers"] == where(server)
        config = document["config"]
        assert (config["Server"]["Enabled"], config["Client"]["Enabled"]) == (False, True)
        assert (config["NodeName"], config["DataDir"]) == ("c1", "/data")
        info = (await client.get("/v1/swim/info")).json()
        assert (info["name"], info["status"]) == ("c1", "running")
        assert (await client.get("/v1/metrics")).json()["Gauges"]


async def test_health_is_whether_there_are_servers() -> None:
    async with client_of() as client:
        answer = await client.get("/v1/agent/health")
        message = {"ok": False, "message": "no known servers"}
        assert (answer.status, answer.json()) == (500, {"client": message})
        answer = await client.get("/v1/agent/health?type=server")
        assert answer.json() == {"server": {"ok": False, "message": "server not enabled"}}
        await client.put(f"{SERVERS}?address=127.0.0.1:1")
        assert (await client.get("/v1/agent/health")).status == 200


# -- the list


async def test_without_servers_nothing_is_known() -> None:
    async with client_of() as client:
        assert (await client.get(SERVERS)).json() == []
        for target in (MEMBERS, "/v1/status/leader", "/v1/regions", "/v1/swim/watch"):
            answer = await client.get(target)
            assert (answer.status, answer.kind, answer.text) == (500, TEXT, "no servers")


async def test_an_operator_replaces_the_list_which_is_saved() -> None:
    saved = Saved()
    async with pool("n1", "n2") as (one, other), client_of(where(one), saved=saved) as client:
        assert await name_of(client) == "n1"
        assert not saved.lists
        assert (await client.put(f"{SERVERS}?address={where(other)}")).status == 200
        assert await name_of(client) == "n2"
        assert (await client.put(f"{SERVERS}?address=nope.invalid:x")).status == 400
        assert (await client.get(SERVERS)).json() == [where(other)]
        assert (await client.put(f"{SERVERS}?address=10.0.0.9&address=::1")).status == 200
        assert (await client.get(SERVERS)).json() == ["10.0.0.9:4646", "[::1]:4646"]
        assert saved.lists == [[where(other)], ["10.0.0.9:4646", "[::1]:4646"]]


async def test_of_two_changes_at_once_the_list_in_use_is_the_one_saved_last() -> None:
    saved: list[Sequence[str]] = []

    async def save(servers: Sequence[str]) -> None:
        for _ in range(20 if not saved else 0):
            await trio.lowlevel.checkpoint()
        saved.append(servers)

    async with client_of(saved=save) as client:  # type: ignore[arg-type]
        async with trio.open_nursery() as nursery:
            for number in (1, 2):
                nursery.start_soon(client.put, f"{SERVERS}?address=10.0.0.{number}")
        assert len(saved) == 2
        assert (await client.get(SERVERS)).json() == saved[-1]


async def test_a_list_that_cannot_be_saved_is_an_error_that_says_so() -> None:
    async def save(_: Sequence[str]) -> None:
        raise OSError(28, "No space left on device")

    async with client_of(saved=save) as client:  # type: ignore[arg-type]
        answer = await client.put(f"{SERVERS}?address=10.0.0.9")
        text = "the list is in use but could not be saved: No space left on device"
        assert (answer.status, answer.text) == (500, text)
        assert (await client.get(SERVERS)).json() == ["10.0.0.9:4646"]


# -- fail-over


DEAD = "127.0.0.1:1"


async def test_a_dead_server_is_asked_once_and_then_last() -> None:
    async with pool("n1", "n2") as (one, other), client_of(DEAD, where(one), where(other)) as client:
        for _ in range(3):
            assert await name_of(client) == "n1"
        assert client.cluster.metrics.counters["swim.client.failover"] == 1
        one.cluster.broken = OSError("disk")
        assert await name_of(client) == "n2"
        one.cluster.broken = None
        assert await name_of(client) == "n2"
        assert client.cluster.metrics.counters["swim.client.failover"] == 2


async def test_all_dead_is_an_error_that_names_each() -> None:
    async with client_of(DEAD, "127.0.0.1:2") as client:
        answer = await client.get(MEMBERS)
        assert (answer.status, answer.kind) == (500, TEXT)
        assert answer.text == (
            "2 errors occurred:\n"
            "\t* Server at address 127.0.0.1:1 failed: Connection refused\n"
            "\t* Server at address 127.0.0.1:2 failed: Connection refused\n\n"
        )


HTML = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>"
RUBBISH = {
    "no HTTP": b"SSH-2.0-x\r\n",
    "closed": b"",
    "HTML": HTML,
    "JSON of another program": b'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n{"a": 1}',
    "null": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull",
    "cut off": b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"ServerName": "x"',
    "nested": b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"[" * 5000,
    "not found": b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nno",
    "another denial": b"HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nno",
    "redirect": b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
    "overloaded": b"HTTP/1.1 503 Busy\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nbusy",
    "bug": b"HTTP/1.1 500 X\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\noops",
    "endless head": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000,
}


@pytest.mark.parametrize("answer", RUBBISH.values(), ids=RUBBISH.keys())
@pytest.mark.parametrize("target", [MEMBERS, "/v1/swim/watch"])
async def test_a_server_that_answers_rubbish_is_passed_over(answer: bytes, target: str) -> None:
    async with pool("n1") as (server,):
        with loopback() as listener, serving(listener, answer):
            bad = f"127.0.0.1:{listener.getsockname()[1]}"
            async with client_of(bad, where(server)) as client:
                assert await client.head("GET", target) == 200
                assert client.cluster.metrics.counters["swim.client.failover"] == 1
            async with client_of(bad) as client:
                answered = await client.get(target)
                assert answered.status == 500
                assert answered.text.startswith(f"1 error occurred:\n\t* Server at address {bad} failed: ")


@pytest.mark.slow
async def test_a_slow_server_is_passed_over_and_the_answer_comes_in_time() -> None:
    async with pool("n1") as (server,):
        with loopback() as one, loopback() as other, loopback() as third:
            slow = [f"127.0.0.1:{each.getsockname()[1]}" for each in (one, other, third)]
            async with client_of(slow[0], where(server)) as client:
                assert await name_of(client) == "n1"
            async with client_of(*slow, where(server)) as client:
                with trio.fail_after(5):
                    answer = await client.get(MEMBERS)
                assert answer.status == 500
                assert answer.text.count("timed out") == 3
                assert await name_of(client) == "n1"


async def test_a_client_among_the_servers_does_not_ask_itself() -> None:
    async with client_of() as client:
        await client.put(f"{SERVERS}?address={where(client)}")
        answer = await client.get(MEMBERS)
        assert answer.status == 500
        assert "is a client itself" in answer.text
        async with pool("n1") as (server,):
            await client.put(f"{SERVERS}?address={where(client)}&address={where(server)}")
            assert await name_of(client) == "n1"


# -- tokens and TLS


async def test_the_server_decides_about_the_token() -> None:
    async with pool("n1", access=control()) as (server,), client_of(where(server)) as client:
        assert (await client.get(MEMBERS)).status == 403
        for sent in (
            {"X_Nomad_Token": secret("node:read")},
            {"Authorization": f"Bearer {secret('node:read')}"},
        ):
            assert (await client.get(MEMBERS, **sent)).status == 200
        answer = await client.get(MEMBERS, X_Nomad_Token=secret("agent:read"))
        assert (answer.status, answer.kind, answer.text) == (403, TEXT, "Permission denied")
        assert not client.cluster.metrics.counters["swim.client.failover"]


async def test_its_own_tokens_are_for_what_is_its_own() -> None:
    async with pool("n1") as (server,), client_of(where(server), access=control()) as client:
        assert (await client.get(MEMBERS)).status == 200
        assert (await client.get(SERVERS)).status == 403
        assert (await client.put(SERVERS)).status == 400
        assert (await client.get(SERVERS, X_Nomad_Token=secret("agent:read"))).status == 200
        assert (
            await client.put(f"{SERVERS}?address=1.2.3.4", X_Nomad_Token=secret("agent:read"))
        ).status == 403


async def test_servers_over_tls() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("server.global.nomad").configure_cert(context)
    answer = b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n["global"]'
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with loopback() as listener, serving(listener, answer, context=context):
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        async with client_of(address, tls=trusting, tls_name="server.global.nomad") as client:
            answered = await client.get("/v1/regions")
            assert (answered.status, answered.kind, answered.json()) == (200, JSON, ["global"])
        for tls, name in ((trusting, ""), (ssl.create_default_context(), "server.global.nomad")):
            async with client_of(address, tls=tls, tls_name=name) as client:
                answered = await client.get("/v1/regions")
                assert answered.status == 500
                assert "TLS failed: " in answered.text


# -- streams


async def test_a_stream_is_passed_on_until_the_client_goes() -> None:
    async with pool("n1") as (server,), client_of(where(server)) as client:
        tasks = trio.lowlevel.current_statistics().tasks_living
        async with await trio.open_tcp_stream(*client.endpoint) as stream:
            await stream.send_all(b"GET /v1/event/stream?topic=Member HTTP/1.1\r\nHost: agent\r\n\r\n")
            received = b""
            while b"{}\n" not in received:
                received += await stream.receive_some()
            server.cluster.add(make_member("b"))
            while b"MemberJoined" not in received:
                received += await stream.receive_some()
        with trio.fail_after(5):
            while trio.lowlevel.current_statistics().tasks_living > tasks:
                await trio.lowlevel.checkpoint()
        for subscription in server.cluster.subscriptions:
            subscription.close()


async def test_a_stream_ends_with_its_server() -> None:
    async with (
        pool("n1") as (server,),
        client_of(where(server)) as client,
        await trio.open_tcp_stream(*client.endpoint) as stream,
    ):
        await stream.send_all(b"GET /v1/swim/watch HTTP/1.1\r\nHost: agent\r\n\r\n")
        received = b""
        while b"snapshot" not in received:
            received += await stream.receive_some()
        for subscription in server.cluster.subscriptions:
            subscription.close()
        with trio.fail_after(5):
            while not received.endswith(b"0\r\n\r\n"):
                received += await stream.receive_some()
