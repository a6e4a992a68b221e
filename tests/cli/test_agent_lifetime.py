"""``swim agent`` from start to end as Serf's users know it: readiness, giving up, signals, Serf's files."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from swim.cli.agent.service_manager import ServiceManager
from tests.cli.processes import Agent, Processes, eventually, run

pytestmark = pytest.mark.slow

NOBODY = "127.0.0.1:1"


def info(agent: Agent) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(agent.swim("info", "--json").stdout)
    return document


class Manager:
    """A service manager's end of the notifications."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address.replace("@", "\0", 1))
        self.socket.settimeout(30)

    def until(self, wanted: str) -> list[str]:
        """The notifications up to one with this line."""
        found: list[str] = []
        while not found or wanted not in found[-1].splitlines():
            found.append(self.socket.recv(4096).decode())
        return found


@pytest.fixture
def manager() -> Iterator[tuple[str, Manager]]:
    address = f"@swim-{os.getpid()}"
    made = Manager(address)
    yield address, made
    made.socket.close()


def test_an_address_may_be_a_path(tmp_path: Path) -> None:
    address = str(tmp_path / "s")
    systemd, service = Manager(address), ServiceManager({"NOTIFY_SOCKET": address})
    service.ready("a\nb")
    assert systemd.until("READY=1") == ["READY=1\nSTATUS=a b"]
    systemd.socket.close()
    service.close()


def test_systemd_learns_of_start_reload_and_end(
    processes: Processes, manager: tuple[str, Manager], tmp_path: Path
) -> None:
    address, systemd = manager
    first = processes.agent("a")
    flags = ("--ready-at", "converged", "--event-handler", f"env >> {tmp_path}/env")
    variables = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "100000"}
    second = processes.agent("b", "--join", first.gossip, *flags, **variables)
    before = systemd.until("READY=1")
    statuses = [line for text in before for line in text.splitlines() if line.startswith("STATUS=")]
    assert statuses == ["STATUS=listening", "STATUS=joined", "STATUS=converged"]
    assert "WATCHDOG=1" in before
    assert info(second)["readiness"] == "converged"
    assert info(first)["readiness"] == "converged"
    systemd.until("WATCHDOG=1")
    second.signal(signal.SIGHUP)
    reloading = systemd.until("RELOADING=1")[-1]
    assert reloading.splitlines()[1].startswith("MONOTONIC_USEC=")
    systemd.until("READY=1")
    second.signal(signal.SIGTERM)
    systemd.until("STOPPING=1")
    assert second.wait() == 0
    assert "NOTIFY_SOCKET" not in (tmp_path / "env").read_text()


def test_an_unheard_service_manager_is_one_warning(processes: Processes, tmp_path: Path) -> None:
    agent = processes.agent("a", NOTIFY_SOCKET=str(tmp_path / "missing"), WATCHDOG_USEC="20000")
    eventually(lambda: info(agent)["readiness"] == "converged")
    assert sum("cannot notify the service manager" in line for line in agent.err) == 1


def test_a_node_that_finds_no_seed_is_listening(processes: Processes) -> None:
    agent = processes.agent("a", "--retry-join", NOBODY)
    eventually(lambda: info(agent)["seeds"][0]["error"])
    assert info(agent)["readiness"] == "listening"


def test_a_required_join_that_fails_ends_the_agent() -> None:
    finished = run("agent", "--name", "a", "--bind", "127.0.0.1:0", "--no-http", "--join", NOBODY,
                   "--join-required")  # fmt: skip
    assert finished.returncode == 1
    assert "failed to join 127.0.0.1:1" in finished.stderr
    assert "none of the addresses to join answers" in finished.stderr


def test_retries_are_given_up_after_the_maximum(processes: Processes) -> None:
    flags = ("--retry-join", NOBODY, "--retry-join", "127.0.0.1:2", "--retry-max-attempts", "1")
    agent = processes.start("agent", "--name", "a", "--bind", "127.0.0.1:0", "--no-http", *flags,
                            "--retry-interval", "1s")  # fmt: skip
    assert agent.wait() == 1
    assert any("no seed could be joined in 2 attempts" in line for line in agent.err)


def test_nothing_is_given_up_once_a_seed_worked(processes: Processes) -> None:
    first = processes.agent("a")
    flags = ("--retry-max-attempts", "1", "--retry-interval", "1s")
    second = processes.agent("b", "--retry-join", first.gossip, "--retry-join", NOBODY, *flags)
    eventually(lambda: second.statuses() == {"a": "alive", "b": "alive"})
    first.signal(signal.SIGKILL)
    eventually(lambda: second.statuses() == {"a": "failed", "b": "alive"})
    eventually(lambda: info(second)["seeds"][1]["failures"] >= 3)
    assert second.popen.poll() is None


@pytest.mark.parametrize(
    ("flag", "number"),
    [("--skip-leave-on-interrupt", signal.SIGINT), ("--no-leave-on-terminate", signal.SIGTERM)],
)
def test_a_signal_may_stop_without_a_leave(processes: Processes, flag: str, number: int) -> None:
    agent = processes.agent("a", flag)
    agent.signal(number)
    assert agent.wait() == 1
    assert not any("a leaving" in line for line in agent.err)


def test_usr1_writes_every_metric(processes: Processes) -> None:
    agent = processes.agent("a", "--retry-join", NOBODY)
    eventually(lambda: info(agent)["metrics"]["counters"].get("swim.rejoin.attempts"))
    agent.signal(signal.SIGUSR1)
    line = re.compile(r"\[[-0-9: +]+\]\[C\] 'swim\.rejoin\.attempts': Count: \d+\n")
    eventually(lambda: any(line.fullmatch(text) for text in agent.err))
    assert agent.popen.poll() is None


def test_serfs_files_start_and_reload_an_agent(processes: Processes, tmp_path: Path) -> None:
    file, out = tmp_path / "serf.json", tmp_path / "out"
    document = {
        "node_name": "web", "bind": "127.0.0.1:0", "role": "db", "tags": {"x": "1"}, "statsd_addr": "x:1",
        "event_handlers": [f"member-join,user:a=echo $SERF_EVENT >> {out}"], "log_level": "WARN",
    }  # fmt: skip
    file.write_text(json.dumps(document))
    agent = processes.start("agent", "--json", "--http", "127.0.0.1:0", "--serf-config", str(file))
    eventually(lambda: agent.out)
    address = json.loads(agent.out[0])["http"]
    [member] = json.loads(run("members", "--json", "--address", address).stdout)["members"]
    assert (member["name"], member["tags"]) == ("web", {"role": "db", "x": "1"})
    eventually(lambda: out.exists() and out.read_text() == "member-join\n")
    assert any(f"{file}: statsd_addr is not supported" in line for line in agent.err)
    document["tags"] = {"x": "2"}
    document["event_handlers"] = []
    file.write_text(json.dumps(document))
    agent.signal(signal.SIGHUP)

    def tags() -> dict[str, str]:
        [member] = json.loads(run("members", "--json", "--address", address).stdout)["members"]
        found: dict[str, str] = member["tags"]
        return found

    eventually(lambda: tags() == {"role": "db", "x": "2"})
    agent.signal(signal.SIGTERM)
    assert agent.wait() == 0
