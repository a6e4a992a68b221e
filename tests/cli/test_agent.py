"""``swim agent`` as real processes on loopback: readiness, signals, reload, and the commands against it."""

from __future__ import annotations

import base64
import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.cli.processes import Agent, Processes, environment, eventually, run

pytestmark = pytest.mark.slow

TWO = {"a": "alive", "b": "alive"}


def two(processes: Processes, *arguments: str) -> tuple[Agent, Agent]:
    """Two agents that see each other."""
    first = processes.agent("a", *arguments)
    second = processes.agent("b", "--join", first.gossip, *arguments)
    eventually(lambda: first.statuses() == second.statuses() == TWO)
    return first, second


def test_two_agents_from_join_to_leave(processes: Processes) -> None:
    key = base64.b64encode(bytes(range(32))).decode()
    first, second = two(processes, "--encrypt", key, "--label", "test", "--tag", "role=web")
    member = next(
        m for m in json.loads(first.swim("members", "--json").stdout)["members"] if m["name"] == "b"
    )
    assert member["tags"]["role"] == "web"
    assert f"{member['address']}:{member['port']}" == second.gossip

    info = json.loads(first.swim("info", "--json").stdout)
    assert (info["name"], info["encrypted"], info["label"]) == ("a", True, "test")
    assert "joined" in first.swim("join", second.gossip).stdout
    assert first.swim("why", "b").returncode == 0
    assert first.swim("why", "nobody").returncode == 3
    assert first.swim("force-leave", "nobody").returncode == 3

    second.signal(signal.SIGTERM)
    assert second.wait() == 0
    eventually(lambda: first.statuses() == {"a": "alive", "b": "left"})
    everything = "".join(first.err + first.out + second.err + second.out)
    assert key not in everything


def test_a_killed_agent_is_failed_then_forced_to_leave_then_pruned(processes: Processes) -> None:
    first, second = two(processes)
    second.signal(signal.SIGKILL)
    eventually(lambda: first.statuses() == {"a": "alive", "b": "failed"})
    assert json.loads(first.swim("force-leave", "b", "--json").stdout) == {"node": "b", "outcome": "left"}
    assert first.statuses() == {"a": "alive", "b": "left"}
    assert json.loads(first.swim("force-leave", "b", "--prune", "--json").stdout)["outcome"] == "pruned"
    assert first.statuses() == {"a": "alive"}


def test_leave_over_http_ends_the_agent(processes: Processes) -> None:
    first, second = two(processes)
    assert second.swim("leave").stdout == "left the cluster\n"
    assert second.wait() == 0
    eventually(lambda: first.statuses() == {"a": "alive", "b": "left"})


def test_retry_join_waits_for_a_seed_that_starts_later(processes: Processes) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    first = processes.agent("a", "--retry-join", f"127.0.0.1:{port}")
    second = processes.start("agent", "--name", "b", "--bind", f"127.0.0.1:{port}", "--no-http")
    eventually(lambda: first.statuses() == TWO)
    eventually(lambda: any(line.startswith("gossip ready on ") for line in second.err))


def test_ready_lines_and_a_join_that_reaches_nobody(processes: Processes) -> None:
    agent = processes.agent("a", "--join", "127.0.0.1:1")
    eventually(lambda: len(agent.err) > 2)
    assert agent.err[:2] == [f"gossip ready on {agent.gossip}\n", f"http ready on {agent.http}\n"]
    eventually(lambda: any("failed to join 127.0.0.1:1" in line for line in agent.err))
    assert agent.statuses() == {"a": "alive"}


def test_the_same_signal_twice_at_once_still_leaves_but_a_later_one_stops(processes: Processes) -> None:
    first, second = two(processes)
    second.signal(signal.SIGTERM)
    second.signal(signal.SIGTERM)
    assert second.wait() == 0
    eventually(lambda: first.statuses() == {"a": "alive", "b": "left"})

    third = processes.agent("c", "--join", first.gossip, "--profile", "wan")
    eventually(lambda: third.statuses().get("a") == "alive")
    first.signal(signal.SIGSTOP)
    third.signal(signal.SIGINT)
    eventually(lambda: any("leaving the cluster" in line for line in third.err))
    eventually(lambda: third.signal(signal.SIGINT) or third.popen.poll() is not None)
    assert third.wait() in (1, -signal.SIGINT)  # the last of them may meet an interpreter that ends


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_lone_agent_leaves_on_a_signal(processes: Processes, number: int) -> None:
    agent = processes.agent("a")
    agent.signal(number)
    assert agent.wait() == 0
    assert not any("Traceback" in line for line in agent.err)


def test_sighup_takes_tags_and_level_from_the_file(processes: Processes, tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text('tag = ["role=old"]\n')
    agent = processes.agent("a", "--config", str(file), "--log-format", "json")

    def role() -> str:
        members = json.loads(agent.swim("members", "--json").stdout)["members"]
        return str(members[0]["tags"]["role"])

    assert role() == "old"
    file.write_text('tag = ["role=new"]\nlog_level = "debug"\n')
    agent.signal(signal.SIGHUP)
    eventually(lambda: role() == "new")

    def records(message: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in agent.err if line.startswith("{")]
        assert all({"@timestamp", "@level", "@module", "@message"} <= record.keys() for record in found)
        return [record for record in found if record["@message"].startswith(message)]

    eventually(lambda: records("reloaded"))
    [reloaded] = records("reloaded")
    assert (reloaded["log_level"], reloaded["tags"]["role"]) == ("debug", "new")
    with urlopen(f"{agent.http}/v1/agent/self", timeout=10) as answer:
        document = json.load(answer)
    assert document["config"]["LogLevel"] == "DEBUG"
    assert document["member"]["Tags"]["role"] == "new"
    assert not records("not reloaded")

    file.write_text('tag = ["role=new"]\nlabel = "other"\n[gossip]\nprobe_interval = 3\n')
    agent.signal(signal.SIGHUP)
    eventually(lambda: records("not reloaded"))
    assert records("not reloaded")[0]["names"] == ["label", "gossip.probe_interval"]
    file.write_text("nonsense = 1\n")
    agent.signal(signal.SIGHUP)
    eventually(lambda: any("nonsense" in line for line in agent.err))
    assert role() == "new"


def test_a_key_on_the_command_line_is_warned_of(processes: Processes, tmp_path: Path) -> None:
    key = base64.b64encode(bytes(32)).decode()
    warned = processes.agent("a", "--encrypt", key)
    (tmp_path / "key").write_text(key)
    silent = processes.agent("b", "--key-file", str(tmp_path / "key"))
    variable = processes.agent("c", SWIM_ENCRYPT=key)
    eventually(lambda: any("--key-file" in line for line in warned.err))
    for agent in (warned, silent, variable):
        agent.signal(signal.SIGTERM)
        assert agent.wait() == 0
        assert ("--key-file" in "".join(agent.err)) == (agent is warned)
        assert key not in "".join(agent.err)


@pytest.mark.parametrize("flag", ["--bind", "--http"])
def test_a_taken_port_is_a_usage_error_naming_it_and_its_setting(flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        addresses = {"--bind": "127.0.0.1:0", "--http": "127.0.0.1:0"} | {flag: f"127.0.0.1:{port}"}
        given = [text for pair in addresses.items() for text in pair]
        finished = run("agent", "--name", "a", "--no-rpc", *given)
    assert finished.returncode == 2
    assert re.fullmatch(rf"swim: {flag}: .*port {port} on 127.0.0.1 is in use.*\n", finished.stderr)


def test_addresses_of_nobody_here_start_nothing() -> None:
    for flag in ("--bind", "--http"):
        addresses = {"--bind": "127.0.0.1:0", "--http": "127.0.0.1:0"} | {flag: "192.0.2.1:1"}
        given = [text for pair in addresses.items() for text in pair]
        finished = run("agent", "--name", "a", "--no-rpc", *given)
        assert finished.returncode == 2
        assert re.fullmatch(rf"swim: {flag}: .*192\.0\.2\.1.*\n", finished.stderr)


def test_a_restart_remembers_its_peers(processes: Processes, tmp_path: Path) -> None:
    first, second = two(processes)
    keeper = processes.agent("c", "--join", first.gossip, "--data-dir", str(tmp_path / "c"))
    eventually(lambda: keeper.statuses() == TWO | {"c": "alive"})
    snapshot = tmp_path / "c" / "members.snapshot"
    eventually(lambda: snapshot.exists() and second.gossip in snapshot.read_text())
    keeper.signal(signal.SIGKILL)
    keeper.wait()
    again = processes.agent("c", "--bind", keeper.gossip, "--data-dir", str(tmp_path / "c"))
    eventually(lambda: again.statuses() == second.statuses() == TWO | {"c": "alive"})


HANGING = """
import runpy, socket, sys, threading
def hang(*_, **__):
    print("asked", flush=True)
    threading.Event().wait()
socket.getaddrinfo = hang
sys.argv = ["swim", "agent", "--no-http", *sys.argv[1:]]
runpy.run_module("swim", run_name="__main__")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("flags", [("--bind", "name:0"), ("--bind", "127.0.0.1:0", "--advertise", "name")])
def test_a_signal_stops_an_agent_whose_start_waits_for_a_name(number: int, flags: tuple[str, ...]) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HANGING, *flags],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "asked\n"
        process.send_signal(number)
        err = process.stderr.read()
        assert process.wait() == 1
    assert "stopping before the start, on signal" in err
    assert "Traceback" not in err
    assert "resolve" not in err, "it did not wait for the answer"
