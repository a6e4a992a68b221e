"""Notifies systemd, or another service manager with its protocol (``sd_notify``), of the agent's state."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Mapping

import trio

__all__ = ["ServiceManager"]

_log = logging.getLogger("swim.agent")


class ServiceManager:
    """The service manager that started this process; without one, nothing happens.

    A notification is one datagram. It never waits: one that the manager does not take at once is dropped.

    Args:
        environment: variables of the process: ``NOTIFY_SOCKET``, a path or ``@`` and an abstract name;
            ``WATCHDOG_USEC`` and ``WATCHDOG_PID``.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._socket: socket.socket | None = None
        if address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
        self._watchdog_seconds = _watchdog_seconds(environment)

    def close(self) -> None:
        """Sends no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def ready(self, status: str) -> None:
        """The service has started, or is ready again after a reload."""
        self._send("READY=1", f"STATUS={status}")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self._send(f"STATUS={text}")

    def reloading(self) -> None:
        """A reload began; ``ready`` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The service is about to end."""
        self._send("STOPPING=1")

    async def keep_alive(self) -> None:
        """Notifies the watchdog, if there is one, twice as often as it asks for; runs until cancelled."""
        if self._watchdog_seconds is not None and self._socket is not None:
            while True:
                self._send("WATCHDOG=1")
                await trio.sleep(self._watchdog_seconds / 2)

    def _send(self, *lines: str) -> None:
        if self._socket is None:
            return
        text = "\n".join(" ".join(line.splitlines()) for line in lines)
        try:
            self._socket.sendto(text.encode(errors="replace"), self._address)
        except BlockingIOError:
            _log.debug("the service manager takes no notifications now")
        except (OSError, ValueError) as error:
            _log.warning("cannot notify the service manager at %s: %s", self._address, error)
            self.close()


def _watchdog_seconds(environment: Mapping[str, str]) -> float | None:
    """How often the watchdog of this process expects to hear from it."""
    microseconds = environment.get("WATCHDOG_USEC", "")
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    if not (microseconds.isascii() and microseconds.isdecimal()):
        return None
    return int(microseconds) / 1e6 or None
