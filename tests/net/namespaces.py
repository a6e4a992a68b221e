"""Hosts in network namespaces of their own, with real interfaces: as root, with ``ip``."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

NEEDED = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("ip") is None,
    reason="needs root and ip (apt-get install iproute2)",
)


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

    def wait_for(self, host: str, line: str) -> None:
        """Waits until the agent there has logged this."""
        deadline = time.monotonic() + 60
        while line not in self.log(host) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert line in self.log(host), self.log(host)

    def close(self) -> None:
        for agent in self.agents:
            agent.send_signal(signal.SIGTERM)
        for agent in self.agents:
            agent.wait(30)
        for host in "ab":
            self.ip("netns", "del", self.prefix + host)
