"""Real ``swim`` processes on free ports, always ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parents[2]
DEADLINE = 30.0
_POLL_SECONDS = 0.05


def environment(**extra: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SWIM_", "NOMAD_"))}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", **extra}


def run(*arguments: str, timeout: float = 60.0, **extra: str) -> subprocess.CompletedProcess[str]:
    """One ``swim`` command from start to end."""
    return subprocess.run(
        [sys.executable, "-m", "swim", *arguments],
        env=environment(**extra),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def eventually(condition: Callable[[], object], *, within: float = DEADLINE) -> None:
    """Looks again and again until ``condition`` holds.

    Raises:
        AssertionError: if it doesn't within that many seconds.
    """
    deadline = monotonic() + within
    while not condition():
        assert monotonic() < deadline, f"not within {within:g} s: {condition}"
        sleep(_POLL_SECONDS)


class Process:
    """A ``swim`` process whose output is read as it comes."""

    def __init__(self, *arguments: str, **extra: str) -> None:
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "swim", *arguments],
            env=environment(**extra),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._readers = [
            threading.Thread(target=lines.extend, args=(stream,))
            for lines, stream in ((self.out, self.popen.stdout), (self.err, self.popen.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def wait(self, timeout: float = DEADLINE) -> int:
        """Its exit code; afterwards ``out`` and ``err`` are complete."""
        code = self.popen.wait(timeout)
        for reader in self._readers:
            reader.join()
        return code

    def signal(self, number: int) -> None:
        self.popen.send_signal(number)

    def end(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
        self.wait()
        for stream in (self.popen.stdout, self.popen.stderr):
            if stream is not None:
                stream.close()


class Agent(Process):
    """``swim agent`` on free ports, without RPC unless it is asked for; ``until_ready`` comes first."""

    def __init__(self, name: str, *arguments: str, **extra: str) -> None:
        rpc = [] if "--rpc" in arguments else ["--no-rpc"]
        super().__init__("agent", "--json", "--name", name, "--bind", "127.0.0.1:0", "--http", "127.0.0.1:0",
                         "--profile", "local", *rpc, *arguments, **extra)  # fmt: skip
        self.name = name
        self.gossip = self.http = ""

    def until_ready(self) -> None:
        """Waits for the line that says where it listens."""
        eventually(lambda: self.out or self.popen.poll() is not None)
        assert self.out, self.err
        ready = json.loads(self.out[0])
        self.gossip, self.http = ready["gossip"], ready["http"]

    def swim(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command that asks this agent."""
        return run(*arguments, "--address", self.http)

    def statuses(self) -> dict[str, str]:
        """Status by name, as this agent sees it."""
        document: Any = json.loads(self.swim("members", "--json").stdout)
        return {member["name"]: member["status"] for member in document["members"]}


class Processes:
    """Starts processes and ends them all."""

    def __init__(self) -> None:
        self._started: list[Process] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self._started):
            process.end()

    def start(self, *arguments: str, **extra: str) -> Process:
        process = Process(*arguments, **extra)
        self._started.append(process)
        return process

    def agent(self, name: str, *arguments: str, **extra: str) -> Agent:
        """An agent that is ready; one that never is ends with the others."""
        agent = Agent(name, *arguments, **extra)
        self._started.append(agent)
        agent.until_ready()
        return agent
