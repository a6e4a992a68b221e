"""``swim token``, and an agent that reads the file."""

from __future__ import annotations

import json
import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent_api.access.rules import hash_of
from tests.cli.conftest import InProcess
from tests.cli.fake_agent import fake_agent
from tests.cli.processes import Agent, Processes, eventually


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


@pytest.fixture
def token(swim: InProcess, file: Path) -> Callable[..., Any]:
    def call(*arguments: str) -> Any:
        result = swim("token", *arguments, "--acl-file", str(file), "--json")
        assert result.code == 0, result.err
        return json.loads(result.out)

    return call


def test_a_token_is_created_listed_and_revoked(token: Callable[..., Any], file: Path) -> None:
    made = token("create", "ci", "--policy", "node:read", "--policy", "agent:read")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert made["secret"] not in file.read_text()
    assert hash_of(made["secret"]) in file.read_text()
    other = token("create", "ops", "--policy", "management", "--expires", "1h")
    assert made["secret"] != other["secret"]
    listed = token("list")["tokens"]
    assert [one["name"] for one in listed] == ["ci", "ops"]
    assert listed[0]["policies"] == ["node:read", "agent:read"]
    assert listed[1]["expires"] > listed[1]["created"]
    assert "hash" not in listed[0]
    assert "secret" not in listed[0]
    assert token("revoke", "ci") == {"revoked": made["accessor"]}
    assert token("revoke", other["accessor"]) == {"revoked": other["accessor"]}
    assert token("list") == {"tokens": []}
    assert os.listdir(file.parent) == [file.name]


def test_policies_in_the_file_stay_and_can_be_used(token: Callable[..., Any], file: Path) -> None:
    file.write_text(json.dumps({"policies": {"anonymous": ["node:read"], "ops": ["agent:write"]}}))
    file.chmod(0o600)
    token("create", "a", "--policy", "ops")
    document = json.loads(file.read_text())
    assert document["policies"] == {"anonymous": ["node:read"], "ops": ["agent:write"]}
    assert document["tokens"][0]["policies"] == ["ops"]


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("create", "a", "--policy", "nope"), 2, "there is no policy 'nope'"),
        (("create", "", "--policy", "node:read"), 2, "name: must match"),
        (("create", "a"), 2, "--policy"),
        (("list",), 2, "No such file"),
        (("revoke", "a"), 2, "No such file"),
    ],
)
def test_what_is_wrong_is_named_and_changes_nothing(
    swim: InProcess, file: Path, arguments: tuple[str, ...], code: int, text: str
) -> None:
    result = swim("token", *arguments, "--acl-file", str(file))
    assert (result.code, result.out) == (code, "")
    assert text in result.err
    assert result.err.count("\n") == 1
    assert not file.exists()


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"{", "is not JSON"), (b"[" * 100_000, "is not JSON"), (b"\xff", "is not JSON"),
     (b"7", "must be an object"),
     (b'{"tokens": [{}]}', "number 1: accessor")],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_named(swim: InProcess, file: Path, content: bytes, text: str) -> None:
    file.write_bytes(content)
    file.chmod(0o600)
    for command in (("token", "list"), ("agent", "--bind", "127.0.0.1:0")):
        result = swim(*command, "--acl-file", str(file))
        assert result.code == 2
        assert str(file) in result.err
        assert text in result.err


def test_a_file_that_other_users_may_write_is_refused(swim: InProcess, file: Path) -> None:
    file.write_text("{}")
    file.chmod(0o622)
    result = swim("token", "list", "--acl-file", str(file))
    assert (result.code, result.err) == (2, f"swim: {file}: other users may write it: chmod 600 {file}\n")


def test_revoking_needs_one_token(swim: InProcess, token: Callable[..., Any], file: Path) -> None:
    for _ in range(2):
        token("create", "twin", "--policy", "node:read")
    result = swim("token", "revoke", "twin", "--acl-file", str(file))
    assert (result.code, result.err) == (1, "swim: 2 tokens have the name 'twin': give an accessor\n")
    assert swim("token", "revoke", "nope", "--acl-file", str(file)).code == 3


def test_where_commands_take_their_token_from(
    swim: InProcess, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("  from-file\n")
    with fake_agent() as agent:
        agent.answers["/v1/swim/members"] = (200, {"members": []})
        monkeypatch.setenv("NOMAD_TOKEN", "from-nomad")
        swim("members", "--address", agent.url)
        monkeypatch.setenv("SWIM_TOKEN", "from-swim")
        swim("members", "--address", agent.url)
        swim("members", "--address", agent.url, "--token-file", str(file))
        swim("--token", "from-flag", "members", "--address", agent.url)
        assert agent.tokens == ["from-nomad", "from-swim", "from-file", "from-flag"]
        both = swim("members", "--token", "a", "--token-file", str(file), "--address", agent.url)
        assert (both.code, len(agent.tokens)) == (2, 4)
        assert swim("members", "--token-file", str(file) + "x", "--address", agent.url).code == 2
        agent.answers["/v1/swim/members"] = (403, "Permission denied")
        denied = swim("members", "--address", agent.url)
        assert (denied.code, denied.out) == (6, "")
        assert denied.err.startswith("swim: Permission denied; this takes a token")


@pytest.mark.slow
def test_an_agent_reads_the_file_again_without_a_restart(
    processes: Processes, token: Callable[..., Any], file: Path
) -> None:
    manager = token("create", "manager", "--policy", "management")
    agent = processes.agent("a", "--acl-file", str(file))

    def code(secret: str, *command: str) -> int:
        return agent.swim(*command, "--token", secret).returncode

    assert agent.swim("members").returncode == 6
    assert code(manager["secret"], "members") == 0
    reader = token("create", "reader", "--policy", "node:read")
    assert code(reader["secret"], "members") == 6
    agent.signal(signal.SIGHUP)
    eventually(lambda: code(reader["secret"], "members") == 0)
    assert code(reader["secret"], "info") == 6
    token("revoke", "reader")
    assert reload_over_http(agent, manager["secret"]) == 200
    assert code(reader["secret"], "members") == 6
    file.write_text("{")
    assert reload_over_http(agent, manager["secret"]) == 500
    assert code(manager["secret"], "members") == 0
    assert not any(made["secret"] in line for made in (manager, reader) for line in agent.err)


def reload_over_http(agent: Agent, secret: str) -> int:
    import urllib.error
    import urllib.request

    request = urllib.request.Request(f"{agent.http}/v1/agent/reload", method="PUT")
    request.add_header("X-Nomad-Token", secret)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
