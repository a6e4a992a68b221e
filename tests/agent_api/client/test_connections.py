"""How each client reaches an agent, over TCP, TLS and Unix sockets, and the error for each way to fail."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from agent_api.client import (
    AgentClient,
    AgentConnectionRefused,
    AgentError,
    AgentTimeout,
    AgentTlsError,
    AgentUnreachable,
    AsyncAgentClient,
    NotAnAgent,
    Tls,
)
from agent_api.client.target import Target
from swim import ConfigError
from tests.agent_api.client.test_calls import FRONTS, on

REGIONS = b'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n["global"]'


class Server:
    """Answers every connection with the same bytes, some of them later, and keeps what it received first."""

    def __init__(
        self,
        listener: socket.socket,
        answer: bytes | None,
        then: bytes,
        after: float,
        context: ssl.SSLContext | None,
    ) -> None:
        self.received: list[bytes] = []
        self._listener = listener
        self._answer = answer
        self._then = then
        self._after = after
        self._context = context
        self._is_done = threading.Event()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            try:
                with connection:
                    self._handle(connection)
            except OSError:
                continue

    def _handle(self, connection: socket.socket) -> None:
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True)
        with connection:
            received = b""
            connection.settimeout(20)
            while b"\r\n\r\n" not in received:
                chunk = connection.recv(65536)
                if not chunk:
                    return
                received += chunk
            self.received.append(received)
            if self._answer is None:
                self._is_done.wait(20)
            else:
                connection.sendall(self._answer)
                if self._then:
                    self._is_done.wait(self._after)
                    connection.sendall(self._then)

    def stop(self) -> None:
        self._is_done.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def serving(
    listener: socket.socket,
    answer: bytes | None = REGIONS,
    *,
    then: bytes = b"",
    after: float = 0.0,
    context: ssl.SSLContext | None = None,
) -> Iterator[Server]:
    server = Server(listener, answer, then, after, context)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()


def loopback() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def url(listener: socket.socket, scheme: str = "http") -> str:
    return f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"


def regions(client: Any) -> Any:
    return client.nomad.regions()


def watch(client: Any) -> Any:
    return client.watch()


@pytest.mark.parametrize("front", FRONTS)
async def test_over_a_unix_socket(front: str, tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    path = tmp_path / "agent %41.sock"
    listener.bind(str(path))
    listener.listen()
    address = f"unix://{tmp_path}/agent%20%2541.sock"
    with serving(listener) as server:
        assert await on(front, regions, address, token="t0ken") == ["global"]
    head = server.received[0].lower()
    assert head.startswith(b"get /v1/regions http/1.1\r\n")
    assert b"\r\nhost: 127.0.0.1\r\n" in head
    assert b"\r\nx-nomad-token: t0ken\r\n" in head
    with pytest.raises(AgentConnectionRefused, match="Connection refused"):
        await on(front, regions, address)
    with pytest.raises(AgentUnreachable, match="No such file"):
        await on(front, regions, "unix:///nowhere/agent.sock")


@pytest.mark.parametrize("front", FRONTS)
async def test_what_is_sent(front: str) -> None:
    nothing = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    with loopback() as listener, serving(listener, nothing) as server:
        await on(front, lambda c: c.nomad.set_servers(["a b", "ü&=#"]), url(listener) + "/pre/fix/")
    head = server.received[0].split(b"\r\n")
    assert head[0] == b"PUT /pre/fix/v1/agent/servers?address=a+b&address=%C3%BC%26%3D%23 HTTP/1.1"
    names = {line.partition(b":")[0].lower() for line in head[1:] if line}
    assert {b"host", b"accept-encoding"} <= names
    assert b"x-nomad-token" not in names


# -- TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The authority's certificate, another one's, and a client's certificate and key."""
    folder = tmp_path_factory.mktemp("tls")
    made = {name: str(folder / name) for name in ("ca", "other", "cert", "key")}
    authority.cert_pem.write_to_path(made["ca"])
    trustme.CA().cert_pem.write_to_path(made["other"])
    client = authority.issue_cert("client@example")
    client.private_key_pem.write_to_path(made["key"])
    client.cert_chain_pems[0].write_to_path(made["cert"])
    return made


@contextmanager
def tls_agent(authority: trustme.CA, *names: str, verifies: bool = False) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    if verifies:
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    with loopback() as listener, serving(listener, context=context):
        yield url(listener, "https")


@pytest.mark.parametrize("front", FRONTS)
async def test_over_tls(front: str, authority: trustme.CA, files: dict[str, str]) -> None:
    with tls_agent(authority, "127.0.0.1") as address:
        assert await on(front, regions, address, tls=Tls(ca_cert=files["ca"])) == ["global"]
        assert await on(front, regions, address, tls=Tls(skip_verify=True)) == ["global"]
        for tls in (Tls(), Tls(ca_cert=files["other"])):
            with pytest.raises(AgentTlsError, match=r"TLS failed: .*certificate"):
                await on(front, regions, address, tls=tls)
        with pytest.raises(AgentUnreachable):
            await on(front, regions, address.replace("https", "http"))


@pytest.mark.parametrize("front", FRONTS)
async def test_the_name_in_the_certificate(front: str, authority: trustme.CA, files: dict[str, str]) -> None:
    with tls_agent(authority, "server.global.nomad") as address:
        tls = Tls(ca_cert=files["ca"], server_name="server.global.nomad")
        assert await on(front, regions, address, tls=tls) == ["global"]
        for name in ("", "client.global.nomad"):
            with pytest.raises(AgentTlsError, match=r"(?i)mismatch"):
                await on(front, regions, address, tls=Tls(ca_cert=files["ca"], server_name=name))


@pytest.mark.parametrize("front", FRONTS)
async def test_mutual_tls(front: str, authority: trustme.CA, files: dict[str, str]) -> None:
    with tls_agent(authority, "127.0.0.1", verifies=True) as address:
        own = Tls(ca_cert=files["ca"], client_cert=files["cert"], client_key=files["key"])
        assert await on(front, regions, address, tls=own) == ["global"]
        with pytest.raises(AgentUnreachable):  # a refusal in TLS 1.3 comes after the handshake
            await on(front, regions, address, tls=Tls(ca_cert=files["ca"]))


@pytest.mark.parametrize("front", FRONTS)
async def test_https_to_what_speaks_no_tls(front: str) -> None:
    with loopback() as listener, serving(listener, b""), pytest.raises(AgentUnreachable):
        await on(front, regions, url(listener, "https"), timeout=0.1)


@pytest.mark.parametrize(
    ("field", "settings"),
    [
        ("ca_cert", {"ca_cert": "/nowhere"}),
        ("ca_cert", {"ca_cert": __file__}),
        ("client_cert", {"client_cert": "/nowhere", "client_key": "/nowhere"}),
        ("client_cert", {"client_cert": __file__, "client_key": __file__}),
        ("client_cert", {"client_cert": "/a"}),
        ("client_cert", {"client_key": "/a"}),
    ],
)
def test_files_that_cannot_be_used_are_named(field: str, settings: dict[str, str]) -> None:
    for client in (AgentClient, AsyncAgentClient):
        with pytest.raises(ConfigError) as refusal:
            client("https://127.0.0.1:1", tls=Tls(**settings))
        assert refusal.value.field == field


# -- failures


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("call", [regions, watch])
async def test_nothing_listens(front: str, call: Callable[[Any], Any]) -> None:
    with loopback() as listener:
        address = url(listener)
    with pytest.raises(
        AgentConnectionRefused, match=f"cannot reach an agent at {address}: Connection refused"
    ):
        await on(front, call, address)


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("call", [regions, watch])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_answer(front: str, call: Callable[[Any], Any], scheme: str) -> None:
    with loopback() as listener, pytest.raises(AgentTimeout, match=r"within 0\.05 s"):
        await on(front, call, url(listener, scheme), timeout=0.05)


@pytest.mark.parametrize("front", FRONTS)
async def test_a_body_that_stops_coming(front: str) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n["
    with loopback() as listener, serving(listener, answer), pytest.raises(AgentUnreachable) as failure:
        await on(front, regions, url(listener), timeout=5.0)
    assert "cannot reach an agent" in str(failure.value)


FOREIGN = [b"[", b"<html>", b"7", b"null", b'{"a": 1}', b"[1]", b"[" * 100_000, b"9" * 10_000, b"\xff", b""]


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("body", FOREIGN, ids=range(len(FOREIGN)))
async def test_answers_that_are_no_agents(front: str, body: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with loopback() as listener, serving(listener, answer):
        for call in (regions, watch):
            with pytest.raises(NotAnAgent, match="is not a swim agent"):
                await on(front, call, url(listener))


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("banner", [b"SSH-2.0-x\r\n", b"\xff\x00\x1b[31m\n", b"HTTP/1.1 abc\r\n\r\n", b""])
async def test_what_speaks_no_http(front: str, banner: bytes) -> None:
    with loopback() as listener, serving(listener, banner), pytest.raises(AgentUnreachable) as failure:
        await on(front, regions, url(listener))
    assert not isinstance(failure.value, AgentTimeout | AgentConnectionRefused)


@pytest.mark.parametrize("front", FRONTS)
async def test_redirects_are_not_followed(front: str) -> None:
    answer = b"HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    with loopback() as listener, serving(listener, answer), pytest.raises(AgentError) as refusal:
        await on(front, regions, url(listener))
    assert (refusal.value.status, refusal.value.is_foreign) == (307, True)


async def test_a_callers_own_timeout_is_not_ours() -> None:
    """A call in a handler of ``TimeoutError`` that is refused is not reported as late."""
    with loopback() as listener:
        address = url(listener)
    try:
        raise TimeoutError
    except TimeoutError:
        for front in FRONTS:
            with pytest.raises(AgentConnectionRefused):
                await on(front, regions, address)


@pytest.mark.slow
@pytest.mark.parametrize("front", FRONTS)
async def test_a_stream_may_be_silent_for_longer_than_the_timeout(front: str) -> None:
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    line = b'{"event": "MemberJoined"}\n'
    with loopback() as listener, serving(listener, head, then=line, after=2.0):
        item = await on(front, lambda c: c.events(), url(listener), timeout=1.5)
    assert item == {"event": "MemberJoined"}


async def test_a_cancelled_call_leaves_nothing(recwarn: pytest.WarningsRecorder) -> None:
    with loopback() as listener, serving(listener, None):
        async with AsyncAgentClient(url(listener)) as client:
            with trio.move_on_after(0.05) as scope:
                async for _ in client.watch():
                    pass
            assert scope.cancelled_caught
    assert not list(recwarn)


# -- addresses and the environment


@pytest.mark.parametrize(
    "address",
    ["ftp://127.0.0.1:1", "http://", "https://", "http://h:x", "http://[::1", "unix://", "unix:///",
     "unix://host/path", "unix:///a%00b", "http://a b", "http://a\n", "http://h:99999", "://x"],
)  # fmt: skip
def test_addresses_that_cannot_be(address: str) -> None:
    for client in (AgentClient, AsyncAgentClient):
        with pytest.raises(ConfigError) as refusal:
            client(address)
        assert refusal.value.field == "address"


def test_the_environment_is_read_as_nomads_clients_do() -> None:
    environ = {
        "NOMAD_ADDR": "https://nomad.example:4646",
        "NOMAD_TOKEN": "t",
        "NOMAD_REGION": "eu",
        "NOMAD_CACERT": "/ca.pem",
        "NOMAD_CAPATH": "/ca",
        "NOMAD_CLIENT_CERT": "/cert.pem",
        "NOMAD_CLIENT_KEY": "/key.pem",
        "NOMAD_TLS_SERVER_NAME": "server.eu.nomad",
        "NOMAD_SKIP_VERIFY": "true",
    }
    tls = Tls(ca_cert="/ca.pem", ca_path="/ca", client_cert="/cert.pem", client_key="/key.pem",
              server_name="server.eu.nomad", skip_verify=True)  # fmt: skip
    whole = Target.from_environment(environ)
    assert (whole.address, whole.timeout) == ("https://nomad.example:4646", 10.0)
    assert (whole.token, whole.region, whole.tls) == ("t", "eu", tls)
    none = Target.from_environment({})
    assert (none.address, none.token, none.region, none.tls) == ("http://127.0.0.1:4646", "", "", Tls())
    ours = Target.from_environment(environ | {"SWIM_ADDRESS": "a:1", "SWIM_TOKEN": "s"})
    assert (ours.address, ours.token) == ("http://a:1", "s")
    given = Target.from_environment(environ, address="b:2", token="g", region="us", tls_server_name="n")
    assert (given.address, given.token, given.region, given.tls.server_name) == ("http://b:2", "g", "us", "n")


@pytest.mark.parametrize(
    ("text", "skips"), [("1", True), ("T", True), ("0", False), ("yes", False), ("", False)]
)
def test_skip_verify_is_a_boolean_of_gos(text: str, skips: bool) -> None:
    assert Target.from_environment({"NOMAD_SKIP_VERIFY": text}).tls.skip_verify is skips


def test_a_secret_is_not_shown() -> None:
    client = AgentClient("http://127.0.0.1:1", token="hunter2")
    assert "hunter2" not in repr(client.target)
    with pytest.raises(ConfigError, match="token: must be printable ASCII"):
        AgentClient(token="a\nb")
    with pytest.raises(ConfigError, match="region: must be printable ASCII"):
        AsyncAgentClient(region="a\nb")
