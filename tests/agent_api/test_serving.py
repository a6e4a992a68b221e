"""Where an application can live: on its own port, under a prefix of another one; and its settings."""

from __future__ import annotations

import contextlib
import re
import socket
import stat
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from starlette.applications import Starlette
from starlette.routing import Mount

from agent_api import AgentSettings, Tls, create_app, listen, serve
from agent_api.access.control import AccessControl
from agent_api.access.rules import AccessRules
from agent_api.server import serve_listeners
from swim import ConfigError
from tests.agent_api.fakes import FakeCluster
from tests.agent_api.http import Agent, served
from tests.agent_api.server.authority import Authority
from tests.agent_api.server.door import rest_of


async def test_mounted_in_another_application(cluster: FakeCluster) -> None:
    outer = Starlette(routes=[Mount("/cluster/a", create_app(cluster))])
    async with trio.open_nursery() as nursery:
        endpoint = await nursery.start(serve, outer, AgentSettings(http="127.0.0.1:0"))
        agent = Agent(cluster, endpoint)
        assert (await agent.get("/cluster/a/v1/agent/members")).json()["ServerName"] == "n1"
        assert (await agent.get("/cluster/a/v1/agent/members/")).status == 404
        assert (await agent.put("/cluster/a/v1/agent/members")).text == "Invalid method"
        nursery.cancel_scope.cancel()


async def test_applications_do_not_share_state(cluster: FakeCluster) -> None:
    outer = Starlette(routes=[Mount("/a", create_app(cluster)), Mount("/b", create_app(cluster))])
    async with trio.open_nursery() as nursery:
        endpoint = await nursery.start(serve, outer, AgentSettings(http="127.0.0.1:0"))
        agent = Agent(cluster, endpoint)
        await agent.put("/a/v1/agent/servers?address=1.2.3.4:5")
        assert (await agent.get("/a/v1/agent/servers")).json() == ["1.2.3.4:5"]
        assert (await agent.get("/b/v1/agent/servers")).json() == ["127.0.0.1:4647"]
        nursery.cancel_scope.cancel()


async def test_ipv6(cluster: FakeCluster) -> None:
    async with trio.open_nursery() as nursery:
        endpoint = await nursery.start(serve, cluster, AgentSettings(http="[::1]:0"))
        assert endpoint[0] == "::1"
        config = (await Agent(cluster, endpoint).get("/v1/agent/self")).json()["config"]
        assert config["AdvertiseAddrs"]["HTTP"] == f"[::1]:{endpoint[1]}"
        nursery.cancel_scope.cancel()


async def test_a_unix_socket(cluster: FakeCluster, tmp_path: Path) -> None:
    address = str(tmp_path / "agent.sock")
    with trio.socket.socket(trio.socket.AF_UNIX) as bound:
        await bound.bind(address)
        bound.listen()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_listeners, create_app(cluster), [trio.SocketListener(bound)])
            async with await trio.open_unix_socket(address) as stream:
                await stream.send_all(b"GET /v1/agent/members HTTP/1.0\r\n\r\n")
                assert (await rest_of(stream)).startswith(b"HTTP/1.1 200")
            nursery.cancel_scope.cancel()


async def test_requests_are_logged_at_debug_and_nothing_else(
    cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="swim.http")
    async with served(cluster) as agent:
        await agent.get("/v1/agent/members?stale=x")
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("swim.http", "DEBUG")
    assert record.getMessage().startswith("GET /v1/agent/members -> 400 in ")


SANE = ["a", "0c9d2c8e-3c0b-4a44-9c37-1d4f8e1f6a55", "Root=1-67891233-abc", "x" * 128]


@pytest.mark.parametrize("sent", [*SANE, "", "x" * 129, "a b", 'a"b', "a\x80", "a,b", "<b>", "a;b"])
async def test_every_request_has_an_id_in_its_answer_and_in_the_log(
    cluster: FakeCluster, sent: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="swim.http")
    async with served(cluster) as agent:
        for target in ("/v1/agent/members", "/none", "/v1/swim/tags?set=a"):
            caplog.clear()
            answer = await agent.call("PUT", target, X_Request_Id=sent, X_Nomad_Token="secret")
            given = answer.headers["x-request-id"]
            assert (given == sent) == (sent in SANE)
            assert given in SANE or re.fullmatch("[0-9a-f]{16}", given)
            assert caplog.records[-1].getMessage().endswith(f", request {given}")
            assert "secret" not in caplog.text
        two = await agent.call("GET", "/", X_Request_Id="a\r\nX-Request-Id: b")
        assert re.fullmatch("[0-9a-f]{16}", two.headers["x-request-id"])


@pytest.mark.parametrize("request_line", ["GET / HTTP/9.9", "\xff", "GET / HTTP/1.1\r\nContent-Length: x"])
async def test_answers_of_the_server_itself_have_an_id_and_the_headers_too(
    cluster: FakeCluster, request_line: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="swim.http")
    async with served(cluster) as agent, await trio.open_tcp_stream(*agent.endpoint) as stream:
        await stream.send_all(f"{request_line}\r\n\r\n".encode("latin-1"))
        head = (await rest_of(stream)).decode().lower()
    given = re.findall("x-request-id: ([0-9a-f]{16})\r\n", head)
    assert len(given) == 1
    assert given[0] in caplog.records[-1].getMessage()
    assert "x-frame-options: deny\r\n" in head
    assert "base-uri 'none'" in head


@pytest.mark.parametrize(
    ("http", "protection", "warning"),
    [
        ("127.0.0.1:0", "", ""),
        ("[::1]:0", "", ""),
        ("127.9.9.9:0", "", ""),
        ("unix", "", ""),
        ("0.0.0.0:0", "", "is neither encrypted nor authenticated"),
        ("[::]:0", "", "is neither encrypted nor authenticated"),
        ("0.0.0.0:0", "tls", "asks for no token or certificate"),
        ("0.0.0.0:0", "tokens", "is not encrypted"),
        ("0.0.0.0:0", "tls tokens", ""),
        ("0.0.0.0:0", "mutual", ""),
    ],
)
async def test_beyond_loopback_one_warning_says_what_is_missing(
    cluster: FakeCluster,
    http: str,
    protection: str,
    warning: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    authority = Authority(tmp_path)
    tls = None
    if "tls" in protection or "mutual" in protection:
        is_mutual = "mutual" in protection
        tls = Tls(*authority.issue("a"), ca_file=authority.ca_file, verify_https_client=is_mutual)
    access = AccessControl(AccessRules() if "tokens" in protection else None)
    http = f"unix://{tmp_path}/http" if http == "unix" else http
    async with trio.open_nursery() as nursery:
        host, _ = await nursery.start(serve, cluster, AgentSettings(http=http, tls=tls, access=access))
        nursery.cancel_scope.cancel()
    texts = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(texts) == bool(warning)
    assert all(text.startswith(f"INSECURE: the HTTP API on {host} {warning}") for text in texts)


async def over(path: Path, request: bytes = b"GET /v1/agent/members HTTP/1.0\r\n\r\n") -> bytes:
    async with await trio.open_unix_socket(path) as stream:
        await stream.send_all(request)
        return await rest_of(stream)


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
async def test_a_unix_socket_has_its_mode_and_is_removed_at_the_end(
    cluster: FakeCluster, tmp_path: Path, mode: int
) -> None:
    path = tmp_path / "http"
    settings = AgentSettings(http=f"unix://{path}", http_socket_mode=mode)
    for _ in range(2):
        async with trio.open_nursery() as nursery:
            assert await nursery.start(serve, cluster, settings) == (str(path), 0)
            assert path.lstat().st_mode == stat.S_IFSOCK | mode
            assert (await over(path)).startswith(b"HTTP/1.1 200")
            assert f'"HTTP":"unix://{path}"'.encode() in await over(
                path, b"GET /v1/agent/self HTTP/1.0\r\n\r\n"
            )
            nursery.cancel_scope.cancel()
        assert not path.exists()


async def test_a_stale_unix_socket_is_replaced_and_a_live_one_refused(
    cluster: FakeCluster, tmp_path: Path
) -> None:
    path = tmp_path / "http"
    settings = AgentSettings(http=f"unix://{path}")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    async with trio.open_nursery() as nursery:
        await nursery.start(serve, cluster, settings)
        with pytest.raises(ConfigError) as refusal:
            await serve(cluster, settings)
        assert str(refusal.value) == f"http: {path} is in use by another process"
        assert (await over(path)).startswith(b"HTTP/1.1 200")
        # The file of another socket that has taken the place stays.
        path.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
            nursery.cancel_scope.cancel()
    assert path.exists()


@pytest.mark.parametrize(
    ("http", "why"),
    [
        ("unix://relative", "is not unix:///PATH"),
        ("unix:/one", "is not unix:///PATH"),
        ("unix:", "is not unix:///PATH"),
        ("unix:///", "is not unix:///PATH"),
        ("unix:///a/", "is not unix:///PATH"),
        ("unix:///a\0b", "is not unix:///PATH"),
        ("unix:///" + "a" * 107, "is longer than the 107 bytes"),
        ("unix:///no/such/directory/http", "cannot listen on /no/such/directory/http: No such file"),
        ("unix:///dev/null", "/dev/null exists, and is not a socket"),
        ("unix:///dev", "/dev exists, and is not a socket"),
        ("unix:///dev/null/http", "cannot listen on /dev/null/http: Not a directory"),
    ],
)
def test_a_path_that_cannot_be_a_socket(http: str, why: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        listen(AgentSettings(http=http).http)
    assert refusal.value.field == "http"
    assert why in refusal.value.reason


async def test_port_in_use(agent: Agent, cluster: FakeCluster) -> None:
    port = agent.endpoint[1]
    with pytest.raises(ConfigError) as refusal:
        await serve(cluster, AgentSettings(http=f"127.0.0.1:{port}"))
    assert str(refusal.value) == f"http: port {port} on 127.0.0.1 is in use; choose another with --http"


async def test_address_of_another_machine(cluster: FakeCluster) -> None:
    with pytest.raises(ConfigError, match=r"^http: cannot listen on 192\.0\.2\.1:1"):
        await serve(cluster, AgentSettings(http="192.0.2.1:1"))


async def test_a_body_too_large_to_discard_ends_the_connection(agent: Agent) -> None:
    tasks = trio.lowlevel.current_statistics().tasks_living
    request = b"PUT /v1/agent/join HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n"
    async with await trio.open_tcp_stream(*agent.endpoint) as stream:
        with trio.fail_after(5), contextlib.suppress(trio.BrokenResourceError):
            await stream.send_all(request + b"x" * 9_999_999)
    with trio.fail_after(5):
        while trio.lowlevel.current_statistics().tasks_living > tasks:
            await trio.lowlevel.checkpoint()


async def test_connections_are_kept_for_several_requests(agent: Agent) -> None:
    body = b"x" * 200_000
    head = b"PUT /v1/agent/join HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    async with await trio.open_tcp_stream(*agent.endpoint) as stream:
        for _ in range(3):
            await stream.send_all(head)
            await trio.testing.wait_all_tasks_blocked()
            await stream.send_all(body)
            received = b""
            with trio.fail_after(5):
                while not received.endswith(b"missing address to join"):
                    received += await stream.receive_some()
            assert received.startswith(b"HTTP/1.1 400")


async def test_cancelling_stops_serving(cluster: FakeCluster) -> None:
    async with trio.open_nursery() as nursery:
        endpoint = await nursery.start(partial(serve, cluster, AgentSettings(http="127.0.0.1:0")))
        nursery.cancel_scope.cancel()
    with pytest.raises(OSError, match="failed"):
        await trio.open_tcp_stream(*endpoint)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("http", "4646"),
        ("http", "127.0.0.1:"),
        ("http", "127.0.0.1:65536"),
        ("http", ":4646"),
        ("http", "::1:4646"),
        ("http", "[::1:4646"),
        ("region", ""),
        ("datacenter", ""),
        ("rpc_port", 0),
        ("bootstrap_expect", -1),
        ("retry_interval", -1.0),
        ("log_level", "loud"),
        ("http_api_response_headers", {"X Y": "z"}),
        ("http_api_response_headers", {"X": "a\r\nSet-Cookie: b"}),
    ],
)
def test_settings_name_the_field(field: str, value: Any) -> None:
    settings: dict[str, Any] = {field: value}
    with pytest.raises(ConfigError) as refusal:
        AgentSettings(**settings)
    assert refusal.value.field == field


def test_an_agent_needs_a_role() -> None:
    with pytest.raises(ConfigError, match="at least one role"):
        AgentSettings(server_enabled=False, client_enabled=False)


@pytest.mark.parametrize(
    ("settings", "name", "expected"),
    [
        ({}, "n1.global", "n1"),
        ({}, "n1", "n1"),
        ({"region": "eu"}, "n1.global", "n1.global"),
        ({"node_name": "x"}, "n1.global", "x"),
        ({}, ".global", ".global"),
    ],
)
def test_server_name(settings: dict[str, Any], name: str, expected: str) -> None:
    assert AgentSettings(**settings).server_name(name) == expected
