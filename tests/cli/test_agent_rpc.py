"""``swim agent`` and Serf's RPC: where it listens, who may use it, and its end."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import msgpack
import pytest

from tests.cli.processes import Processes, eventually, run

pytestmark = pytest.mark.slow


class Connection:
    """A client that has shaken hands and asks one thing after the other."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=20)
        self._unpacker = msgpack.Unpacker(self.socket.makefile("rb", buffering=0))
        self._seq = 0
        assert self.ask("handshake", {"Version": 1}) == ""

    def ask(self, command: str, body: Any = None) -> str:
        """The error of the answer."""
        self._seq += 1
        objects = [{"Command": command, "Seq": self._seq}, *([] if body is None else [body])]
        self.socket.sendall(b"".join(map(msgpack.packb, objects)))
        header = self.next()
        assert header["Seq"] == self._seq
        return header["Error"]

    def next(self) -> Any:
        return self._unpacker.unpack()

    def close(self) -> None:
        self.socket.close()


@contextmanager
def connections(address: str, count: int) -> Iterator[list[Connection]]:
    with ExitStack() as stack:
        made = [Connection(address) for _ in range(count)]
        for one in made:
            stack.callback(one.close)
        yield made


def test_it_is_shown_and_its_key_is_not(processes: Processes) -> None:
    agent = processes.agent("a", "--rpc", "127.0.0.1:0", SWIM_RPC_AUTH="s3cret")
    address = json.loads(agent.out[0])["rpc"]
    eventually(lambda: f"rpc ready on {address}\n" in agent.err)
    assert json.loads(agent.swim("info", "--json").stdout)["rpc"] == address
    with connections(address, 1) as [client]:
        assert client.ask("members") == "Authentication required"
        assert client.ask("auth", {"AuthKey": "s3cret"}) == ""
        assert client.ask("stats") == ""
        assert client.next()["agent"] == {"name": "a"}
    agent.signal(signal.SIGTERM)
    assert agent.wait() == 0
    everything = "".join(agent.out + agent.err)
    assert "s3cret" not in everything
    assert "every user of this machine" not in everything


def test_the_usual_port_may_be_in_use_and_one_that_is_asked_for_may_not(processes: Processes) -> None:
    with socket.socket() as usual:
        with suppress(OSError):  # then another program has it
            usual.bind(("127.0.0.1", 7373))
            usual.listen()
        words = ["agent", "--name", "a", "--bind", "127.0.0.1:0", "--no-http"]
        agent = processes.start(*words)
        warning = "the serf command cannot reach this agent: port 7373 on 127.0.0.1 is in use"
        eventually(lambda: any(warning in line for line in agent.err))
        assert not any("rpc ready" in line for line in agent.err)
        done = run(*words, "--rpc", "127.0.0.1")
        assert done.returncode == 2
        assert done.stderr.startswith("swim: --rpc: port 7373 on 127.0.0.1 is in use; choose another")
        agent.signal(signal.SIGTERM)
        assert agent.wait() == 0


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--rpc", "127.0.0.1:99999"], "swim: --rpc: "),
        (["--rpc", "127.1"], "swim: --rpc: "),
        (["--rpc", "127.0.0.1:0", "--no-rpc"], "swim: --rpc: excludes --no-rpc"),
        (["--rpc-auth", ""], "swim: --rpc-auth: must not be empty"),
    ],
)
def test_wrong_options(words: list[str], reason: str) -> None:
    done = run("agent", "--bind", "127.0.0.1:0", "--no-http", *words)
    assert done.returncode == 2
    assert done.stderr.startswith(reason)
    assert len(done.stderr.splitlines()) == 1


def test_warnings_of_a_key_in_ps_and_of_an_address_beyond_loopback(processes: Processes) -> None:
    agent = processes.agent("a", "--rpc", "0.0.0.0:0", "--rpc-auth", "s3cret")
    eventually(lambda: any("INSECURE: Serf's RPC on 0.0.0.0 is not encrypted" in line for line in agent.err))
    eventually(lambda: any("every user of this machine can see the key" in line for line in agent.err))
    assert not any("s3cret" in line for line in agent.err)


@pytest.mark.parametrize("ending", ["signal", "leave"])
def test_it_ends_cleanly_while_clients_stream(processes: Processes, ending: str) -> None:
    agent = processes.agent("a", "--rpc", "127.0.0.1:0")
    with connections(json.loads(agent.out[0])["rpc"], 4) as clients:
        for client in clients[:3]:
            assert client.ask("stream", {"Type": "*"}) == ""
            assert client.ask("monitor", {"LogLevel": "debug"}) == ""
        if ending == "signal":
            agent.signal(signal.SIGINT)
        else:
            assert clients[3].ask("leave") == ""
        assert agent.wait() == 0
    assert not any("Traceback" in line or "ERROR" in line for line in agent.err), agent.err
