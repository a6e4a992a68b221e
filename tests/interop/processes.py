"""Processes that a test starts, signals by pid and never leaves behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
import trio

GO_PATH = Path("/usr/share/gocode")
"""Where Debian's packages keep libraries for Go."""
_GO_LIBRARIES = {"golang-github-hashicorp-memberlist-dev": "github.com/hashicorp/memberlist"}
_PROGRAMS = {"golang-go": "go", "node-typescript": "tsc"}
"""Programs that are not named as their package."""


def require(*packages: str) -> None:
    """Without the peers of these Debian packages skips the test; fails it where it must run."""
    missing = " ".join(package for package in packages if not _is_installed(package))
    if not missing:
        return
    reason = f"not installed: apt-get install {missing}"
    if os.environ.get("SWIM_REQUIRE_PEERS") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def _is_installed(package: str) -> bool:
    library = _GO_LIBRARIES.get(package)
    if library is not None:
        return (GO_PATH / "src" / library).exists()
    return shutil.which(_PROGRAMS.get(package, package)) is not None


REPAIRED_WITHIN = 65.0
"""Seconds. What gossip misses, the push/pulls bring, which are half a minute apart."""


async def eventually(
    predicate: Callable[[], bool] | Callable[[], Awaitable[bool]],
    within: float = REPAIRED_WITHIN,
    *,
    describe: Callable[[], object] = lambda: "",
) -> None:
    """Polls until ``predicate`` holds; fails with ``describe()`` after ``within`` seconds of real time."""
    deadline = trio.current_time() + within
    while True:
        outcome = predicate()
        if not isinstance(outcome, bool):
            outcome = await outcome
        if outcome:
            return
        if trio.current_time() >= deadline:
            pytest.fail(f"not within {within:g} s: {describe()}")
        await trio.sleep(0.05)


class Process:
    """One child process with its output in a file."""

    def __init__(self, argv: Sequence[str], log: Path) -> None:
        self.log_path = log
        with log.open("wb") as output:
            self._popen = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        return self._popen.poll()

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def pause(self) -> None:
        self._popen.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._popen.send_signal(signal.SIGCONT)

    def interrupt(self) -> None:
        self._popen.send_signal(signal.SIGINT)

    def hang_up(self) -> None:
        self._popen.send_signal(signal.SIGHUP)

    def terminate(self) -> None:
        self._popen.terminate()

    def kill(self) -> None:
        """SIGKILL, which ends a paused process too, and waits for the end."""
        self._popen.kill()
        self._popen.wait()

    async def exited(self, within: float = 15.0) -> int:
        """The exit code, once there is one."""
        await eventually(lambda: self.returncode is not None, within, describe=self.log)
        assert self.returncode is not None
        return self.returncode
