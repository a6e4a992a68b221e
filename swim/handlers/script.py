"""One run of a shell command, in a thread: its input, the end of its output, and a time limit.

The command is the leader of a process group of its own, so that nothing it started outlives its time limit.
What it puts in the background continues when the command itself ends in time, and is not waited for.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from typing import NamedTuple

from swim.text import shown

__all__ = ["OUTPUT_BYTES", "TIMEOUT", "Outcome", "Script"]

OUTPUT_BYTES = 8192
"""How much of the output is kept: its end (Serf's maxBufSize)."""
TIMEOUT = 300.0
"""Seconds that a run may take, by default."""
_CHUNK = 65_536
_DRAIN_CHUNKS = 16
"""How much is still read once the command has ended, in case something in the background writes on."""
_SLOW_SECONDS = 1.0
_LONGEST_WAIT = 3600.0
_TICK = 0.05
"""How often the command's end is looked for where the system cannot report it (no ``pidfd_open``)."""

_log = logging.getLogger("swim.handlers")


class Outcome(NamedTuple):
    """The end of a run.

    Attributes:
        code: exit code; negative for a signal.
        output: the last ``OUTPUT_BYTES`` of stdout and stderr together.
        written: bytes of output in all.
        timed_out: whether it was killed because of its time limit.
    """

    code: int
    output: bytes
    written: int
    timed_out: bool


class Script:
    """One run, made at once and started by ``run``.

    Args:
        command: for ``/bin/sh -c``.
        environment: all its variables.
        stdin: all its input.
        timeout: seconds after which its process group is killed.
    """

    def __init__(self, command: str, environment: Mapping[str, str], stdin: bytes, *, timeout: float) -> None:
        self._command = command
        self._environment = environment
        self._stdin = memoryview(stdin)
        self._timeout = timeout
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False
        self._output = bytearray()
        self._written = 0

    def run(self) -> Outcome:
        """Runs the command to its end; blocks.

        Raises:
            OSError: it cannot be started.
            ValueError: a variable contains a NUL byte.
        """
        with self._lock:
            if self._killed:
                return Outcome(-signal.SIGKILL, b"", 0, timed_out=False)
            process = self._process = subprocess.Popen(
                ["/bin/sh", "-c", self._command],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        with process:
            timed_out = self._attend(process)
            return Outcome(process.wait(), bytes(self._output), self._written, timed_out)

    def kill(self) -> None:
        """Kills the whole process group, from any thread; a run that has not started never will."""
        with self._lock:
            self._killed = True
            process = self._process
            if process is not None and process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)

    def _attend(self, process: subprocess.Popen[bytes]) -> bool:
        """Moves the bytes until the command has ended; True if it had to be killed."""
        assert process.stdin is not None
        assert process.stdout is not None
        started = time.monotonic()
        is_slow = timed_out = False
        for pipe in (process.stdin, process.stdout):
            os.set_blocking(pipe.fileno(), False)
        end = _end_of(process.pid)
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, self._read)
            selector.register(process.stdin, selectors.EVENT_WRITE, self._write)
            if end is not None:
                selector.register(end, selectors.EVENT_READ)
            while not self._has_ended(process):
                age = time.monotonic() - started
                if age >= _SLOW_SECONDS and not is_slow:
                    is_slow = True
                    _log.warning("handler %s takes more than %g s", shown(self._command), _SLOW_SECONDS)
                if age >= self._timeout and not timed_out:
                    timed_out = True
                    self.kill()
                until = age + _LONGEST_WAIT if timed_out else self._timeout
                if not is_slow:
                    until = min(until, _SLOW_SECONDS)
                wait = min(_LONGEST_WAIT, max(0.0, until - age))
                for key, _ in selector.select(wait if end is not None else min(_TICK, wait)):
                    if key.data is not None and not key.data(key.fd):
                        selector.unregister(key.fileobj)
                        if key.fileobj is process.stdin:
                            process.stdin.close()
        if end is not None:
            os.close(end)
        for _ in range(_DRAIN_CHUNKS):
            before = self._written
            self._read(process.stdout.fileno())
            if self._written == before:
                break
        return timed_out

    def _has_ended(self, process: subprocess.Popen[bytes]) -> bool:
        """Under the lock: afterwards its id may belong to another process."""
        with self._lock:
            return process.poll() is not None

    def _read(self, descriptor: int) -> bool:
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return True
        self._written += len(data)
        self._output += data
        del self._output[:-OUTPUT_BYTES]
        return bool(data)

    def _write(self, descriptor: int) -> bool:
        try:
            self._stdin = self._stdin[os.write(descriptor, self._stdin[:_CHUNK]) :]
        except BlockingIOError:
            return True
        except BrokenPipeError:
            return False
        return bool(self._stdin)


def _end_of(pid: int) -> int | None:
    """A descriptor that is readable once the process has ended, where the system has such."""
    try:
        return os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    except OSError:
        return None
