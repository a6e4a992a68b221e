"""Agents on real interfaces, in network namespaces of their own: as root, with ``ip``."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.peers,
    pytest.mark.slow,
    pytest.mark.skipif(
        not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("ip") is None,
        reason="needs root and ip (apt-get install iproute2)",
    ),
]

PORT = 7946


class Networks:
    """Two hosts, ``a`` and ``b``, joined by a cable and by nothing else: no route leads anywhere."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.prefix = f"swim{os.getpid()}"
        self.agents: list[subprocess.Popen[bytes]] = []
        for host in "ab":
            self.ip("netns", "add", self.prefix + host)
            self.inside(host, "ip", "link", "set", "lo", "up")
        ends = [f"sw{os.getpid()}{host}" for host in "ab"]
        self.ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for host, end in zip("ab", ends, strict=True):
            self.ip("link", "set", end, "netns", self.prefix + host)
            self.inside(host, "ip", "link", "set", end, "name", "eth0")
            self.inside(host, "ip", "link", "set", "eth0", "up")

    def ip(self, *words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    def inside(self, host: str, *words: str) -> str:
        command = ["ip", "netns", "exec", self.prefix + host, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def agent(self, host: str, *options: str) -> subprocess.Popen[bytes]:
        command = ["ip", "netns", "exec", self.prefix + host, sys.executable, "-m", "swim", "agent"]
        command += ["--name", host, "--profile", "local", "--log-format", "json", *options]
        with open(self.directory / f"{host}.log", "ab") as log:
            agent = subprocess.Popen(command, stdout=log, stderr=log)
        self.agents.append(agent)
        return agent

    def log(self, host: str) -> str:
        return (self.directory / f"{host}.log").read_text()

    def members(self, host: str) -> dict[str, tuple[str, str]]:
        """Address and status of each member in the eyes of the agent there; {} while it does not answer."""
        try:
            document: Any = json.loads(self.inside(host, sys.executable, "-m", "swim", "members", "--json"))
        except subprocess.CalledProcessError:
            return {}
        return {one["name"]: (one["address"], one["status"]) for one in document["members"]}

    def wait(self, host: str, expected: dict[str, tuple[str, str]]) -> None:
        deadline = time.monotonic() + 60
        while (found := self.members(host)) != expected and time.monotonic() < deadline:
            time.sleep(0.2)
        assert found == expected, self.log("a") + self.log("b")

    def close(self) -> None:
        for agent in self.agents:
            agent.send_signal(signal.SIGTERM)
        for agent in self.agents:
            agent.wait(30)
        for host in "ab":
            self.ip("netns", "del", self.prefix + host)


@pytest.fixture
def networks(tmp_path: Path) -> Iterator[Networks]:
    try:
        made = Networks(tmp_path)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"network namespaces cannot be made here: {error.stderr.decode().strip()}")
    yield made
    made.close()


def test_an_isolated_network_and_an_address_that_changes(networks: Networks) -> None:
    networks.inside("a", "ip", "address", "add", "10.77.0.1/24", "dev", "eth0")
    networks.inside("b", "ip", "address", "add", "10.77.0.2/24", "dev", "eth0")
    networks.agent("a", "--bind", "0.0.0.0:7946")
    networks.agent("b", "--bind", "0.0.0.0:7946", "--retry-join", "10.77.0.1")
    both = {"a": ("10.77.0.1", "alive"), "b": ("10.77.0.2", "alive")}
    networks.wait("a", both)
    networks.wait("b", both)
    networks.inside("a", "ip", "address", "add", "10.77.0.9/24", "dev", "eth0")
    networks.inside("a", "sysctl", "-qw", "net.ipv4.conf.eth0.promote_secondaries=1")
    networks.inside("a", "ip", "address", "del", "10.77.0.1/24", "dev", "eth0")
    moved = both | {"a": ("10.77.0.9", "alive")}
    networks.wait("b", moved)
    networks.wait("a", moved)
    assert "own address 10.77.0.1 is gone" in networks.log("a")
    assert "MemberFailed" not in networks.log("a") + networks.log("b")
    networks.inside("a", "ip", "address", "del", "10.77.0.9/24", "dev", "eth0")
    networks.wait("b", both | {"a": ("10.77.0.9", "failed")})
    assert networks.members("a") == moved
    networks.inside("a", "ip", "address", "add", "10.77.0.9/24", "dev", "eth0")
    networks.wait("b", moved)


def test_an_address_that_streams_do_not_leave_from_is_named(networks: Networks) -> None:
    networks.inside("a", "ip", "address", "add", "10.77.0.1/24", "dev", "eth0")
    networks.inside("a", "ip", "address", "add", "10.77.0.9/24", "dev", "eth0")
    networks.inside("b", "ip", "address", "add", "10.77.0.2/24", "dev", "eth0")
    networks.agent("a", "--bind", "0.0.0.0:7946", "--advertise", "10.77.0.9")
    networks.agent("b", "--bind", "10.77.0.2", "--retry-join", "10.77.0.9:7946")
    both = {"a": ("10.77.0.9", "alive"), "b": ("10.77.0.2", "alive")}
    networks.wait("b", both)
    said = "streams leave from 10.77.0.1, but this node advertises 10.77.0.9"
    deadline = time.monotonic() + 60
    while said not in networks.log("a") and time.monotonic() < deadline:
        time.sleep(0.2)  # until its first push/pull
    assert said in networks.log("a")
    assert "streams leave from" not in networks.log("b")


def test_no_agent_starts_where_only_loopback_is(networks: Networks) -> None:
    agent = networks.agent("a", "--bind", "0.0.0.0:7946")
    assert agent.wait(30) == 2
    assert "--advertise: bound to every address, but no interface has an IPv4 address" in networks.log("a")


def test_nothing_leaves_loopback(networks: Networks) -> None:
    """As on any laptop: a route exists, and an agent that was not asked to must not use it."""
    networks.inside("a", "ip", "address", "add", "10.77.0.1/24", "dev", "eth0")
    networks.inside("b", "ip", "address", "add", "10.77.0.2/24", "dev", "eth0")
    networks.inside("a", "ip", "route", "add", "default", "via", "10.77.0.2")
    refused = networks.agent("a", "--retry-join", "10.77.0.2")
    assert refused.wait(30) == 2
    assert "--retry-join: 10.77.0.2 is an address beyond loopback" in networks.log("a")
    networks.agent("a", "--join", "198.51.100.7", "--join", "10.77.0.2:7946")
    networks.wait("a", {"a": ("127.0.0.1", "alive")})
    before = networks.inside("b", "cat", "/proc/net/dev")
    networks.inside("a", sys.executable, "-m", "swim", "info")
    time.sleep(3)
    assert packets_in(networks.inside("b", "cat", "/proc/net/dev")) <= packets_in(before) + NEIGHBOUR_NOISE


NEIGHBOUR_NOISE = 3
"""Router solicitations and the like of the kernel itself."""


def packets_in(table: str) -> int:
    """Packets received on eth0, from ``/proc/net/dev``."""
    line = next(line for line in table.splitlines() if line.strip().startswith("eth0:"))
    return int(line.split(":")[1].split()[1])
