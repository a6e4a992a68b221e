"""The commands reach an agent over TLS and Unix sockets, as options and Nomad's variables say."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.agent_api.client.test_connections import loopback, serving, url
from tests.cli.conftest import InProcess

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"members":[]}'


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("tls")
    made = {name: str(folder / name) for name in ("ca", "cert", "key")}
    authority.cert_pem.write_to_path(made["ca"])
    client = authority.issue_cert("client@example")
    client.private_key_pem.write_to_path(made["key"])
    client.cert_chain_pems[0].write_to_path(made["cert"])
    return made


@pytest.fixture
def address(authority: trustme.CA) -> Iterator[str]:
    """An agent that verifies its clients, with a certificate for another name than its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("server.global.nomad").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    with loopback() as listener, serving(listener, ANSWER, context=context):
        yield url(listener, "https")


def test_options(swim: InProcess, address: str, files: dict[str, str]) -> None:
    own = ("--client-cert", files["cert"], "--client-key", files["key"], "--address", address)
    name = ("--tls-server-name", "server.global.nomad")
    assert swim("members", "--ca-cert", files["ca"], *own, *name).code == 0
    assert swim("--ca-cert", files["ca"], *own, *name, "members").code == 0
    assert swim("members", "--tls-skip-verify", *own).code == 0
    code, out, err = swim("members", "--ca-cert", files["ca"], *own)
    assert (code, out) == (4, "")
    assert "TLS failed" in err
    assert err.count("\n") == 1
    assert swim("members", *own, *name).code == 4


def test_variables(
    swim: InProcess, address: str, files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        "ADDR": address, "CACERT": files["ca"], "CLIENT_CERT": files["cert"], "CLIENT_KEY": files["key"],
        "TLS_SERVER_NAME": "server.global.nomad",
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(f"NOMAD_{name}", value)
    assert swim("members").code == 0
    assert swim("members", "--tls-server-name", "other.example").code == 4
    monkeypatch.setenv("NOMAD_TLS_SERVER_NAME", "")
    assert swim("members").code == 4
    monkeypatch.setenv("NOMAD_SKIP_VERIFY", "1")
    assert swim("members").code == 0


def test_a_file_that_cannot_be_read_is_a_usage_error(swim: InProcess) -> None:
    code, out, err = swim("members", "--address", "https://127.0.0.1:1", "--ca-cert", "/nowhere")
    assert (code, out) == (2, "")
    assert err == "swim: ca_cert: /nowhere: No such file or directory\n"


def test_a_unix_socket(swim: InProcess, tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    path = tmp_path / "agent.sock"
    listener.bind(str(path))
    listener.listen()
    with serving(listener, ANSWER):
        assert swim("members", "--address", f"unix://{path}", "--plain") == (0, "", "")
    assert swim("members", "--address", f"unix://{path}").code == 4
