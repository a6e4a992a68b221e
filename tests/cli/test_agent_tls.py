"""``swim agent`` over HTTPS and on a Unix socket, as a process."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from agent_api.client import Tls as ClientTls
from swim import ConfigError
from tests.agent_api.server.authority import Authority
from tests.cli.processes import Agent, Processes, eventually
from tests.cli.test_plan import planned


def ask(agent: Agent, context: ssl.SSLContext, method: str = "GET", path: str = "/v1/agent/self") -> Any:
    """The status and body of an answer over HTTPS."""
    parts = urlsplit(agent.http)
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=20, context=context)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def shown_by(agent: Agent, context: ssl.SSLContext) -> str:
    """The name in the certificate that new connections see."""
    parts = urlsplit(agent.http)
    with (
        socket.create_connection((parts.hostname, parts.port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=parts.hostname) as secured,
    ):
        certificate: Any = secured.getpeercert()
    return dict(pair for part in certificate["subject"] for pair in part)["commonName"]


@pytest.mark.slow
def test_https_and_its_reload(processes: Processes, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = tmp_path / "cert", tmp_path / "key"

    def put(issued: tuple[str, str]) -> None:
        for target, source in zip((cert, key), issued, strict=True):
            target.write_bytes(Path(source).read_bytes())

    put(authority.issue("first"))
    agent = processes.agent(
        "a", "--tls-cert-file", str(cert), "--tls-key-file", str(key),
        "--tls-ca-file", authority.ca_file, "--tls-verify-https-client",
    )  # fmt: skip
    assert agent.http.startswith("https://127.0.0.1:")
    own = authority.issue("client")
    trusting = authority.trusting(*own)
    keys = ("--ca-cert", authority.ca_file, "--client-cert", own[0], "--client-key", own[1])
    assert agent.swim("members", "--plain", *keys).stdout.startswith("a\t")
    assert agent.swim("members", *keys[:2]).returncode == 4
    status, body = ask(agent, trusting)
    shown = json.loads(body)["config"]["TLSConfig"]
    assert (status, shown["EnableHTTP"], shown["CertFile"]) == (200, True, str(cert))
    assert shown_by(agent, trusting) == "first"
    put(authority.issue("second"))
    agent.signal(signal.SIGHUP)
    eventually(lambda: shown_by(agent, trusting) == "second")
    put(authority.issue("third"))
    assert ask(agent, trusting, "PUT", "/v1/agent/reload") == (200, b"")
    assert shown_by(agent, trusting) == "third"
    key.write_bytes(b"")
    status, body = ask(agent, trusting, "PUT", "/v1/agent/reload")
    assert (status, body) == (500, f"--tls-key-file: {key} holds no private key in PEM format".encode())
    assert shown_by(agent, trusting) == "third"
    agent.signal(signal.SIGTERM)
    assert agent.wait() == 0
    assert not any("Traceback" in line for line in agent.err)


def test_a_wrong_file_is_one_error_that_names_the_flag_or_the_key_of_the_file(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("one")
    config = tmp_path / "agent.toml"
    config.write_text(f'tls_cert_file = "{cert}"\ntls_key_file = "{cert}"\n')
    for arguments, text in (
        (["--tls-cert-file", cert], "--tls-key-file: is needed for HTTPS"),
        (["--config", str(config)], f"{config}: tls_key_file: {cert} holds no private key in PEM format"),
        (["--tls-verify-https-client"], "--tls-cert-file: is needed for HTTPS"),
        (
            ["--config", str(config), "--tls-key-file", key, "--http", "unix:///x"],
            "--http: a Unix socket is served without TLS; set one of both",
        ),
        (["--http-socket-mode", "rw"], "--http-socket-mode: must be an octal number such as 0660, not 'rw'"),
        (["--http-socket-mode", "1777"], "--http-socket-mode: must be an octal number from 0 to 777"),
    ):
        with pytest.raises(ConfigError) as refusal:
            planned(*arguments)
        assert str(refusal.value) == text


def test_an_https_address_is_advertised_and_others_are_asked_with_the_files_for_views(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("x")
    serves = ("--tls-cert-file", cert, "--tls-key-file", key, "--http-tag")
    for address, tag in (("10.0.0.1:80", "10.0.0.1:80"), ("[::1]:80", "[::1]:80"), ("[::]:80", ":80")):
        assert planned("--http", address, *serves).config.tags["http"] == f"https://{tag}"
    asks = ("--views-ca-file", authority.ca_file, "--views-cert-file", cert, "--views-tls-name", "x.example")
    assert planned(*asks, "--views-key-file", key).api.views_tls == ClientTls(
        ca_cert=authority.ca_file, client_cert=cert, client_key=key, server_name="x.example"
    )
    for arguments, text in (
        (("--views-ca-file", "/nowhere"), "--views-ca-file: /nowhere: No such file or directory"),
        (asks, "--views-cert-file: needs its private key, and the key needs the certificate"),
        (("--client", *asks[:2]), "--views-ca-file: is for members, and --client is none"),
    ):
        with pytest.raises(ConfigError) as refusal:
            planned(*arguments)
        assert str(refusal.value).startswith(text)


@pytest.mark.slow
def test_a_unix_socket_is_there_while_the_agent_runs(processes: Processes, tmp_path: Path) -> None:
    path = tmp_path / "http"
    address = f"unix://{path}"
    agent = processes.agent("a", "--http", address, "--http-socket-mode", "0660")
    assert (agent.http, path.lstat().st_mode & 0o777) == (address, 0o660)
    assert agent.statuses() == {"a": "alive"}
    agent.signal(signal.SIGKILL)
    agent.wait()
    assert path.exists()
    after = processes.agent("a", "--http", address)
    assert path.lstat().st_mode & 0o777 == 0o600
    after.signal(signal.SIGTERM)
    assert after.wait() == 0
    assert not path.exists()
