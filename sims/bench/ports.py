"""Loopback ports that no other process is likely to take meanwhile."""

from __future__ import annotations

import random
import socket

__all__ = ["free_port"]

_BELOW_EPHEMERAL = range(12_000, 32_000)
_untried = iter(random.sample(_BELOW_EPHEMERAL, len(_BELOW_EPHEMERAL)))


def free_port() -> int:
    """A port free on 127.0.0.1 for TCP and UDP, outside the range from which Linux takes source ports.

    No port is returned twice: its caller may not have bound it yet.

    Raises:
        OSError: if there is none left.
    """
    for port in _untried:
        try:
            with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
                tcp.bind(("127.0.0.1", port))
                udp.bind(("127.0.0.1", port))
        except OSError:
            continue
        return port
    raise OSError("no free loopback port")
