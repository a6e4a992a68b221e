"""A member that watches the programs under test, and the servers that run them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import trio

import swim
from swim import MemberFailed, MemberJoined
from tests.interop.processes import eventually
from tests.source import ROOT

__all__ = ["Program", "Watcher", "fetch", "watching"]

WITHIN = 60.0
_ENDING_SECONDS = 30.0


class Watcher:
    """The view of an independent member."""

    def __init__(self, cluster: swim.Cluster) -> None:
        self.cluster = cluster
        self.failed: set[str] = set()

    @property
    def address(self) -> str:
        """Where programs join."""
        return "{}:{}".format(*self.cluster.endpoint)

    def alive(self, role: str) -> set[str]:
        """The names of the living members of a role."""
        return {member.name for member in self.cluster.alive() if member.tags.get("role") == role}

    async def joined(self, role: str, count: int, program: Program) -> set[str]:
        """Waits for that many members of a role."""
        await eventually(lambda: len(self.alive(role)) == count, WITHIN, describe=program.log)
        return self.alive(role)

    async def left(self, names: set[str], program: Program) -> None:
        """Waits until these members have left; none was declared failed before."""
        members = self.cluster.members
        await eventually(
            lambda: all(member.status == "left" for member in members() if member.name in names),
            WITHIN,
            describe=lambda: (members(), program.log()),
        )
        self.stayed_alive(names, program)

    def stayed_alive(self, names: set[str], program: Program) -> None:
        """None of these members was ever declared failed."""
        assert not self.failed & names, program.log()


@asynccontextmanager
async def watching() -> AsyncIterator[Watcher]:
    """A member for programs to join, which keeps in mind who was declared failed."""
    config = swim.Config.local(name="watcher", bind="127.0.0.1:0")
    async with trio.open_nursery() as nursery, swim.open_cluster(config, leave_timeout=0) as cluster:
        watcher = Watcher(cluster)

        async def watch(*, task_status: trio.TaskStatus[None]) -> None:
            async with cluster.events(kinds=(MemberFailed, MemberJoined)) as events:
                task_status.started()
                async for event in events:
                    if isinstance(event, MemberFailed):
                        watcher.failed.add(event.member.name)

        await nursery.start(watch)
        yield watcher
        nursery.cancel_scope.cancel()


class Program:
    """A server, with its workers in a process group of its own; nothing of it outlives the block.

    Args:
        directory: where it runs, with its recipes.
        watcher: it joins there, by ``SEED``.
        words: ``python -m`` these.
        variables: of its environment.
    """

    def __init__(self, directory: Path, watcher: Watcher, *words: str, **variables: str) -> None:
        self._log = directory / "log"
        self.environment = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{directory}",
            "SEED": watcher.address,
            **variables,
        }
        with self._log.open("wb") as output:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def log(self) -> str:
        """What it has printed."""
        return self._log.read_text(errors="replace")

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends a signal to the server alone, and waits until it has ended; returns its status."""
        self._popen.send_signal(number)
        return await self.ended()

    async def interrupt(self) -> int:
        """Ctrl-C at its terminal: the server and its workers are interrupted; returns the server's status."""
        os.killpg(self._popen.pid, signal.SIGINT)
        return await self.ended()

    async def ended(self) -> int:
        """Waits until it has ended; returns its status."""
        await eventually(lambda: self._popen.poll() is not None, _ENDING_SECONDS, describe=self.log)
        return self._popen.returncode


async def fetch(url: str) -> tuple[int, bytes]:
    """The status and body that a server answers, once it listens."""
    answers: list[tuple[int, bytes]] = []

    def get() -> None:
        try:
            with urlopen(url, timeout=_ENDING_SECONDS) as answer:
                answers.append((answer.status, answer.read()))
        except HTTPError as error:
            answers.append((error.code, error.read()))
        except URLError:
            pass

    async def is_answered() -> bool:
        await trio.to_thread.run_sync(get)
        return bool(answers)

    await eventually(is_answered, _ENDING_SECONDS, describe=lambda: url)
    return answers[0]
