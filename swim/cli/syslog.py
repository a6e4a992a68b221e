"""Log records to the system's log, from a thread: a daemon that is missing or stalled delays nothing."""

from __future__ import annotations

import logging
import os
import queue
import socket
import threading
import time
from contextlib import suppress
from logging.handlers import SysLogHandler

__all__ = ["FACILITIES", "Syslog"]

FACILITIES = tuple(sorted(name.upper() for name in SysLogHandler.facility_names))
"""Names of facilities, such as ``LOCAL0``."""
_ADDRESS = "/dev/log"
_WAITING_MAX = 1024
_CLOSE_SECONDS = 2.0
_SEVERITIES = ((logging.ERROR, "err"), (logging.WARNING, "warning"), (logging.INFO, "info"))

_log = logging.getLogger("swim.syslog")


class Syslog:
    """A connection to the local syslog daemon; ``send`` never waits and never raises.

    Lines that the daemon does not take are dropped and counted. The first is one warning, and so is the first
    after it worked again; each attempt connects anew.

    Args:
        facility: one of ``FACILITIES``.
        address: the daemon's socket.

    Attributes:
        dropped: lines dropped so far.
    """

    def __init__(self, facility: str, *, address: str = _ADDRESS) -> None:
        self.dropped: int = 0
        self._facility = SysLogHandler.facility_names[facility.lower()]
        self._address = address
        self._waiting: queue.Queue[tuple[int, float, str] | None] = queue.Queue(_WAITING_MAX)
        self._socket: socket.socket | None = None
        self._is_failing = False
        self._thread = threading.Thread(target=self._run, name="swim-syslog", daemon=True)
        self._thread.start()

    def send(self, level: int, at: float, text: str) -> None:
        """Queues one line.

        Args:
            level: of ``logging``.
            at: when it was logged, seconds since 1970.
            text: without a line end.
        """
        try:
            self._waiting.put_nowait((level, at, text))
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Sends what waits, for at most two seconds."""
        with suppress(queue.Full):
            self._waiting.put(None, timeout=_CLOSE_SECONDS)
            self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while (line := self._waiting.get()) is not None:
            level, at, text = line
            severity = next((name for least, name in _SEVERITIES if level >= least), "debug")
            priority = self._facility << 3 | SysLogHandler.priority_names[severity]
            when = time.strftime("%b %e %H:%M:%S", time.localtime(at))
            self._write(f"<{priority}>{when} swim[{os.getpid()}]: {text}".encode(errors="backslashreplace"))
        self._disconnect()

    def _write(self, datagram: bytes) -> None:
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.connect(self._address)
            self._socket.send(datagram)
        except OSError as error:
            self.dropped += 1
            self._disconnect()
            if not self._is_failing:
                self._is_failing = True
                _log.warning("no syslog at %s: %s", self._address, error.strerror or error)
        else:
            self._is_failing = False

    def _disconnect(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
