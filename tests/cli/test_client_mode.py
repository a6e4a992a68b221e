"""``swim agent --client``: an agent that is no member, its servers, and its restart."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from agent_api.client import AgentClient
from swim.cli.agent.client_mode import servers_in
from tests.cli.conftest import InProcess
from tests.cli.processes import Process, Processes, eventually, run


class Client(Process):
    """A client on a free port, once it is ready."""

    def __init__(self, *arguments: str) -> None:
        super().__init__("agent", "--json", "--name", "c1", "--client", "--http", "127.0.0.1:0", *arguments)
        eventually(lambda: self.out or self.popen.poll() is not None)
        assert self.out, self.err
        self.ready = json.loads(self.out[0])
        self.ask = AgentClient(self.ready["http"])


@pytest.mark.slow
def test_it_answers_from_its_servers_and_keeps_the_list(processes: Processes, tmp_path: Path) -> None:
    server = processes.agent("n1")
    address = server.http.removeprefix("http://")
    first = Client("--servers", "127.0.0.1:1", "--data-dir", str(tmp_path))
    try:
        assert set(first.ready) == {"name", "http"}
        assert first.ask.nomad.servers() == ["127.0.0.1:1"]
        first.ask.nomad.set_servers([address])
        assert [member["Name"] for member in first.ask.nomad.members()["Members"]] == ["n1"]
        refused = run("join", "127.0.0.1:1", "--address", first.ready["http"])
        assert (refused.returncode, refused.stdout) == (6, "")
        assert "if it is a client, ask a member" in refused.stderr
        assert run("members", "--plain", "--address", first.ready["http"]).stdout.startswith("n1\t")
        assert server.statuses() == {"n1": "alive"}  # the client is none
        other = processes.start("agent", "--client", "--http", "127.0.0.1:0", "--data-dir", str(tmp_path))
        assert other.wait() == 2
        assert "data-dir" in other.err[-1]
        first.signal(signal.SIGTERM)
        assert first.wait() == 0
    finally:
        first.end()
    again = Client("--servers", "127.0.0.1:1", "--data-dir", str(tmp_path))
    try:
        assert again.ask.nomad.servers() == [address]
        assert [member["name"] for member in again.ask.members()] == ["n1"]
        again.ask.leave()
        assert again.wait() == 0
    finally:
        again.end()
    assert not any("Traceback" in line for line in (*first.err, *again.err))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"servers": 7}',
        '{"servers": ["a b:x"]}',
        '{"servers": [[]]}',
        "\0",
        "[" * 100_000,
    ],
    ids=range(9),
)
def test_a_file_that_is_no_list_of_servers(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        servers_in(text)
    assert servers_in('{"servers": ["10.0.0.1:4646"], "more": 1}') == ["10.0.0.1:4646"]


@pytest.mark.slow
def test_a_list_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "servers.json").write_text("{")
    client = Client("--servers", "127.0.0.1:1", "--data-dir", str(tmp_path))
    try:
        assert client.ask.nomad.servers() == ["127.0.0.1:1"]
        eventually(lambda: any("not the list of servers" in line for line in client.err))
    finally:
        client.end()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--client", "--join", "a"), "swim: --join: is for members, and --client is none\n"),
        (("--client", "--no-http"), "swim: --no-http: is for members, and --client is none\n"),
        (("--servers", "a"), "swim: --servers: needs --client\n"),
        (("--servers-tls-name", "a"), "swim: --servers-tls-name: needs --client\n"),
        (
            ("--client", "--servers", "a:b"),
            "swim: --servers: port 'b' in 'a:b' is not a number from 0 to 65535\n",
        ),
        (
            ("--client", "--servers-tls-name", "a"),
            "swim: --servers-ca-file: is needed to reach servers by HTTPS\n",
        ),
        (
            ("--client", "--servers-ca-file", "/nowhere"),
            "swim: --servers-ca-file: /nowhere: No such file or directory\n",
        ),
    ],
)
def test_settings_that_cannot_be(swim: InProcess, arguments: tuple[str, ...], error: str) -> None:
    assert swim("agent", *arguments) == (2, "", error)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[server]\nenabled = false\njoin = 1", "server: must be a table with enabled = true or false"),
        ("server = 7", "server: must be a table with enabled = true or false"),
        ("[server]\nenabled = 'no'", "server: must be a table with enabled = true or false"),
    ],
)
def test_the_table_of_nomads_configuration(swim: InProcess, tmp_path: Path, text: str, error: str) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(text)
    code, _, err = swim("agent", "--config", str(path))
    assert code == 2
    assert error in err
    path.write_text("join = ['a']\n[server]\nenabled = false")
    assert "is for members" in swim("agent", "--config", str(path)).err
