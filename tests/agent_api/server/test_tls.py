"""HTTPS and mutual TLS: over real sockets for what clients see, in memory for timeouts."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from cryptography.hazmat.primitives import serialization

from agent_api import AgentSettings, Tls, serve
from agent_api.limits import HttpLimits
from agent_api.server import serve_listeners
from agent_api.server.tls import TlsListener
from swim import ConfigError, Metrics
from tests.agent_api.fakes import FakeCluster
from tests.agent_api.http import Agent, served
from tests.agent_api.server.authority import Authority
from tests.agent_api.server.door import MemoryListener, answer, echo, rest_of

MEMBERS = b"GET /v1/agent/members HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

RELOAD = MEMBERS.replace(b"GET", b"PUT").replace(b"members", b"reload")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("other"))


@pytest.fixture(scope="module")
def pair(authority: Authority) -> tuple[str, str]:
    return authority.issue("agent")


async def secured(agent: Agent, context: ssl.SSLContext) -> trio.SSLStream[trio.SocketStream]:
    stream = await trio.open_tcp_stream(*agent.endpoint)
    return trio.SSLStream(stream, context, server_hostname="localhost")


async def call(agent: Agent, context: ssl.SSLContext, request: bytes = MEMBERS) -> bytes:
    """Everything that comes back until the server's ``close_notify``, without which it would raise."""
    with trio.fail_after(10):
        async with await secured(agent, context) as stream:
            await stream.send_all(request)
            return await rest_until_notified(stream)


async def rest_until_notified(stream: trio.abc.ReceiveStream) -> bytes:
    received = b""
    while data := await stream.receive_some():
        received += data
    return received


async def test_every_answer_is_whole_and_the_end_is_announced(
    cluster: FakeCluster, authority: Authority, pair: tuple[str, str]
) -> None:
    async with served(cluster, tls=Tls(*pair)) as agent:
        context = authority.trusting()
        assert (await call(agent, context)).startswith(b"HTTP/1.1 200")
        assert b"HTTP/1.1 404" in await call(agent, context, MEMBERS.replace(b"agent/members", b"none"))
        assert b"HTTP/1.1 400" in await call(agent, context, b"\xff\r\n\r\n")
        # The server ends while a body is on its way: the answer arrives all the same.
        long = MEMBERS.replace(b"GET", b"PUT").replace(b"\r\n\r\n", b"\r\nContent-Length: 9000000\r\n\r\n")
        assert b"HTTP/1.1 413" in await call(agent, context, long + bytes(100_000))


async def test_a_stream_of_events_runs_while_the_client_is_there(
    cluster: FakeCluster, authority: Authority, pair: tuple[str, str]
) -> None:
    async with served(cluster, tls=Tls(*pair)) as agent:
        async with await secured(agent, authority.trusting()) as stream:
            await stream.send_all(b"GET /v1/swim/watch HTTP/1.1\r\nHost: localhost\r\n\r\n")
            received = b""
            with trio.fail_after(10):
                while b"Snapshot" not in received:
                    received += await stream.receive_some()
        with trio.fail_after(10):
            while cluster.metrics.gauges["swim.http.connections"]:
                await trio.lowlevel.checkpoint()


async def test_the_application_knows_that_it_is_https(authority: Authority, pair: tuple[str, str]) -> None:
    async def scheme(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await answer(send, scope["scheme"].encode())

    async with trio.open_nursery() as nursery:
        settings = AgentSettings(http="127.0.0.1:0", tls=Tls(*pair))
        agent = Agent(None, await nursery.start(serve, scheme, settings))
        assert (await call(agent, authority.trusting())).endswith(b"https")
        nursery.cancel_scope.cancel()


async def test_self_shows_the_files(
    cluster: FakeCluster, authority: Authority, pair: tuple[str, str]
) -> None:
    async with served(cluster, tls=Tls(*pair, ca_file=authority.ca_file)) as agent:
        received = await call(agent, authority.trusting(), MEMBERS.replace(b"members", b"self"))
    config = received.partition(b'"TLSConfig":')[2].partition(b"}")[0].decode()
    assert all(f'"{path}"' in config for path in (*pair, authority.ca_file))
    assert '"EnableHTTP":true' in config


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_mutual_tls_serves_only_certificates_of_the_authority(
    cluster: FakeCluster,
    authority: Authority,
    other: Authority,
    pair: tuple[str, str],
    version: ssl.TLSVersion,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def try_with(*own: str) -> bytes:
        context = authority.trusting(*own)
        context.maximum_version = version
        return await call(agent, context)

    tls = Tls(*pair, ca_file=authority.ca_file, verify_https_client=True)
    async with served(cluster, tls=tls) as agent:
        assert (await try_with(*authority.issue("client"))).startswith(b"HTTP/1.1 200")
        for own in ((), other.issue("client"), authority.issue("old", **EXPIRED)):
            with pytest.raises(trio.BrokenResourceError) as refusal:
                await try_with(*own)
            # The alert says why; without one the client would see no more than a closed connection.
            assert isinstance(refusal.value.__cause__, ssl.SSLError)
            assert "ALERT" in str(refusal.value.__cause__.reason)
        assert (await try_with(*authority.issue("client"))).startswith(b"HTTP/1.1 200")
        assert cluster.metrics.counters["swim.dropped.http-tls"] == 3
    (record,) = caplog.records
    assert record.getMessage().startswith("TLS handshake with 127.0.0.1 failed: ")


NOW = datetime.now(UTC)
EXPIRED = {"not_before": NOW - timedelta(days=9), "not_after": NOW - timedelta(days=2)}


async def test_a_client_that_does_not_trust_the_certificate_is_counted(
    cluster: FakeCluster, other: Authority, pair: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    async with served(cluster, tls=Tls(*pair)) as agent:
        for _ in range(2):
            with pytest.raises(ssl.SSLCertVerificationError):
                await trio.to_thread.run_sync(_connect, agent, other.trusting())
        with trio.fail_after(10):
            while cluster.metrics.counters["swim.dropped.http-tls"] < 2:
                await trio.lowlevel.checkpoint()
    assert [record.getMessage() for record in caplog.records] == [
        "TLS handshake with 127.0.0.1 failed: tlsv1 alert unknown ca"
    ]


def _connect(agent: Agent, context: ssl.SSLContext) -> None:
    """As a client that says why it goes, which trio's does not."""
    with socket.create_connection(agent.endpoint, timeout=10) as plain:
        context.wrap_socket(plain, server_hostname="localhost")


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "HEAD"])
async def test_http_at_an_https_port_is_answered_in_clear(
    cluster: FakeCluster, pair: tuple[str, str], method: str
) -> None:
    async with served(cluster, tls=Tls(*pair)) as agent:
        found = await agent.call(method, "/v1/agent/members")
    assert (found.status, found.text) == (400, "Client sent an HTTP request to an HTTPS server.\n")
    assert found.headers["x-content-type-options"] == "nosniff"
    assert cluster.metrics.counters["swim.dropped.http-tls"] == 1


JUNK = [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(600), b"\xff" * 9000,
        b"\x15\x03\x01\x00\x02\x02\x28", b"SSH-2.0-x\r\n", b"\x16\x03\x01\xff\xff" + bytes(70_000),
        b"\x80\x2e\x01\x00\x02" + bytes(60)]  # fmt: skip


@pytest.mark.parametrize("data", JUNK, ids=range(len(JUNK)))
async def test_no_handshake_ends_the_server(
    cluster: FakeCluster, authority: Authority, pair: tuple[str, str], data: bytes
) -> None:
    async with served(cluster, tls=Tls(*pair)) as agent:
        for ending in ("close", "half-close", "reset"):
            stream = await trio.open_tcp_stream(*agent.endpoint)
            with suppress(trio.BrokenResourceError):
                await stream.send_all(data)
                if ending == "half-close":
                    await stream.send_eof()
                    await rest_of(stream)
            if ending == "reset":
                stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            await stream.aclose()
        assert (await call(agent, authority.trusting())).startswith(b"HTTP/1.1 200")
        with trio.fail_after(10):
            while cluster.metrics.gauges["swim.http.connections"]:
                await trio.lowlevel.checkpoint()
        assert cluster.metrics.counters["swim.dropped.http-tls"] == 3
        assert not cluster.metrics.counters["swim.http.failed"]


class Door:
    """A TLS server in memory: ``connect`` gives the transport, without a handshake."""

    def __init__(self, listener: MemoryListener, metrics: Metrics) -> None:
        self.connect = listener.connect
        self.metrics = metrics


@asynccontextmanager
async def tls_door(tls: Tls, **limits: Any) -> AsyncIterator[Door]:
    listener, metrics = MemoryListener(), Metrics()
    settings = AgentSettings(limits=HttpLimits(**limits))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(
            partial(serve_listeners, echo, [TlsListener(listener, tls)], settings, metrics=metrics)
        )
        yield Door(listener, metrics)
        nursery.cancel_scope.cancel()


async def test_a_handshake_that_does_not_end_is_ended(
    pair: tuple[str, str], autojump_clock: trio.testing.MockClock
) -> None:
    async with tls_door(Tls(*pair), handshake_timeout=7.0) as door:
        streams = [door.connect() for _ in range(20)]
        for stream in streams:
            await stream.send_all(b"\x16\x03\x01\x02\x00\x01")
        for stream in streams:
            assert await rest_of(stream) == b""
        assert 7 <= trio.current_time() <= 8
        assert door.metrics.counters["swim.dropped.http-tls"] == 20


async def test_beyond_the_limit_a_connection_is_closed_without_a_handshake(
    authority: Authority, pair: tuple[str, str], autojump_clock: trio.testing.MockClock
) -> None:
    async with tls_door(Tls(*pair), max_conns=2) as door:
        busy = [client(door.connect(), authority.trusting()) for _ in range(2)]
        for stream in busy:
            await stream.send_all(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
        await trio.testing.wait_all_tasks_blocked()
        assert await rest_of(door.connect()) == b""
        assert trio.current_time() < 1
        assert door.metrics.counters["swim.dropped.http-connections"] == 1
        for stream in busy:
            await stream.send_all(b"whole")
            assert (await stream.receive_some()).endswith(b"whole")


def client(transport: Any, context: ssl.SSLContext) -> trio.SSLStream[Any]:
    return trio.SSLStream(transport, context, server_hostname="localhost", https_compatible=True)


async def test_a_reload_changes_new_connections_only(
    cluster: FakeCluster, authority: Authority, other: Authority, tmp_path: Path
) -> None:
    cert, key = tmp_path / "cert", tmp_path / "key"

    def put(issued: tuple[str, str]) -> None:
        for target, source in zip((cert, key), issued, strict=True):
            target.write_bytes(Path(source).read_bytes())

    put(authority.issue("first"))
    tls = Tls(str(cert), str(key))
    async with served(cluster, tls=tls) as agent, await secured(agent, authority.trusting()) as old:
        again = MEMBERS.replace(b"Connection: close\r\n", b"")
        await old.send_all(again)
        assert (await old.receive_some()).startswith(b"HTTP/1.1 200")
        put(other.issue("second"))
        tls.reload()
        assert (await call(agent, other.trusting())).startswith(b"HTTP/1.1 200")
        with pytest.raises(trio.BrokenResourceError):
            await call(agent, authority.trusting())
        # A program that gave no reload of its own has that of the certificate.
        put(authority.issue("third"))
        assert b" 200 " in await call(agent, other.trusting(), RELOAD)
        put(other.issue("fourth"))
        assert b" 200 " in await call(agent, authority.trusting(), RELOAD)
        cert.write_bytes(b"nothing")
        with pytest.raises(ConfigError):
            tls.reload()
        assert (await call(agent, other.trusting())).startswith(b"HTTP/1.1 200")
        await old.send_all(again)
        assert (await old.receive_some()).startswith(b"HTTP/1.1 200")


Files = dict[str, Any]


def _encrypted(authority: Authority) -> bytes:
    key = serialization.load_pem_private_key(Path(authority.issue("locked")[1]).read_bytes(), None)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )


WRONG: dict[str, tuple[Callable[[Authority, Files], Files], str]] = {
    "no certificate": (lambda a, f: {"cert_file": ""}, "tls_cert_file: is needed for HTTPS"),
    "no key": (lambda a, f: {"key_file": ""}, "tls_key_file: is needed for HTTPS"),
    "missing certificate": (lambda a, f: {"cert_file": "/no/such"}, "tls_cert_file: /no/such: No such file"),
    "missing key": (lambda a, f: {"key_file": "/no/such"}, "tls_key_file: /no/such: No such file"),
    "missing roots": (lambda a, f: {"ca_file": "/no/such"}, "tls_ca_file: /no/such: No such file"),
    "a directory": (lambda a, f: {"cert_file": "/tmp"}, "tls_cert_file: /tmp: Is a directory"),
    "nul": (lambda a, f: {"key_file": "/a\0b"}, "tls_key_file: /a\0b: embedded null byte"),
    "empty": (lambda a, f: {"cert_file": "/dev/null"}, "tls_cert_file: /dev/null holds no certificate"),
    "no roots in it": (lambda a, f: {"ca_file": "/dev/null"}, "tls_ca_file: /dev/null holds no certificate"),
    "no key in it": (lambda a, f: {"key_file": "/dev/null"}, "tls_key_file: /dev/null holds no private key"),
    "swapped": (lambda a, f: {"cert_file": f["key_file"]}, "tls_cert_file: .* holds no certificate"),
    "certificate as key": (
        lambda a, f: {"key_file": f["cert_file"]},
        "tls_key_file: .* holds no private key",
    ),
    "another's key": (lambda a, f: {"key_file": a.issue("x")[1]}, "tls_key_file: .*x.key is not the key of "),
    "locked key": (
        lambda a, f: {"key_file": a.write("locked.key", _encrypted(a))},
        "tls_key_file: .*locked.key is encrypted; it must have no passphrase",
    ),
    "binary": (
        lambda a, f: {"cert_file": a.write("der", b"0\x82\1\0" + bytes(256))},
        "tls_cert_file: .*der holds no certificate in PEM format",
    ),
    "expired": (
        lambda a, f: dict(zip(("cert_file", "key_file"), a.issue("old", **EXPIRED), strict=True)),
        "tls_cert_file: .*CN=old.* expired on 20",
    ),
    "not yet": (
        lambda a, f: dict(zip(("cert_file", "key_file"), a.issue("new", **NOT_YET), strict=True)),
        "tls_cert_file: .*CN=new.* begins on 20",
    ),
    "expired root": (
        lambda a, f: {"ca_file": a.issue("old root", **EXPIRED)[0]},
        "tls_ca_file: .* expired on 20",
    ),
    "verify by nothing": (
        lambda a, f: {"verify_https_client": True, "ca_file": ""},
        "tls_ca_file: is needed to verify the certificates of clients",
    ),
}
NOT_YET = {"not_before": NOW + timedelta(days=2), "not_after": NOW + timedelta(days=9)}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_one_error_that_names_its_setting(
    authority: Authority, pair: tuple[str, str], case: str
) -> None:
    change, text = WRONG[case]
    files: Files = {"cert_file": pair[0], "key_file": pair[1], "ca_file": authority.ca_file}
    with pytest.raises(ConfigError, match=f"^{text}") as refusal:
        Tls(**files | change(authority, files))
    assert len(str(refusal.value).splitlines()) == 1


def test_a_unix_socket_excludes_tls(pair: tuple[str, str]) -> None:
    with pytest.raises(ConfigError, match=r"^http: "):
        AgentSettings(http="unix:///run/x", tls=Tls(*pair))
