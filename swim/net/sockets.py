"""Binds the two sockets of a node: UDP and TCP on one address and port."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence
from contextlib import suppress

from swim.addresses import version_of
from swim.errors import NO_DESCRIPTORS, ConfigError

__all__ = ["bind_pair"]

_SYSTEM_CHOICES = 10
"""Ports that the system may choose for TCP until one is free for UDP too."""
_TAKEN = (errno.EADDRINUSE, errno.EACCES)
_BACKLOG = 1024
_RECEIVE_BUFFER_BYTES = 2 * 1024 * 1024
_LEAST_RECEIVE_BUFFER_BYTES = 64 * 1024


def bind_pair(address: str, ports: Sequence[int], host: str) -> tuple[socket.socket, socket.socket]:
    """A UDP socket and a listening TCP one, non-blocking, on the first port that is free for both.

    Args:
        address: IP address of this machine.
        ports: tried in this order; 0 alone lets the system choose.
        host: the address as it was given, for errors.

    Raises:
        ConfigError: field ``bind``: no such address here, or no port is free.
        OSError: no descriptors are left.
    """
    family = socket.AF_INET if version_of(address) == 4 else socket.AF_INET6
    attempts = ports if ports[0] else [0] * _SYSTEM_CHOICES
    for port in attempts:
        kind = "TCP"
        try:
            listener = _bound(kind, family, address, port)
            port = listener.getsockname()[1]
            kind = "UDP"
            try:
                return _bound(kind, family, address, port), listener
            except OSError:
                listener.close()
                raise
        except OSError as error:
            if error.errno in NO_DESCRIPTORS:
                raise
            failure = ConfigError("bind", _why_not_bound(error, kind, host, port))
            if error.errno not in _TAKEN:
                break
    else:
        if len(ports) > 1:
            failure = ConfigError(
                "bind", f"no port from {ports[0]} to {ports[-1]} on {host} is free; choose others with bind"
            )
    raise failure


def _bound(kind: str, family: int, address: str, port: int) -> socket.socket:
    """A non-blocking socket bound to an address, listening if it is a TCP one."""
    sock = socket.socket(family, socket.SOCK_STREAM if kind == "TCP" else socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == "TCP":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        if kind == "TCP":
            sock.listen(_BACKLOG)
        else:
            _enlarge_receive_buffer(sock)
    except OSError:
        sock.close()
        raise
    return sock


def _why_not_bound(error: OSError, kind: str, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{kind} port {port} on {host} is in use; choose another with bind"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine"
    return f"cannot bind {kind} port {port} on {host}: {os.strerror(error.errno or 0)}"


def _enlarge_receive_buffer(sock: socket.socket) -> None:
    """Asks for memberlist's 2 MiB, halving until the system agrees, so that a late reader loses no burst."""
    size = _RECEIVE_BUFFER_BYTES
    while size >= _LEAST_RECEIVE_BUFFER_BYTES:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
            return
        size //= 2
