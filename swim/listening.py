"""Sockets that servers of this package listen on, for the HTTP API and for Serf's IPC."""

from __future__ import annotations

import errno
import resource
import socket

from swim.addresses import join_host_port, split_host_port
from swim.errors import NO_DESCRIPTORS, ConfigError

__all__ = ["connections_within", "listening_socket"]

_BACKLOG = 128


def listening_socket(field: str, address: str, *, advice: str) -> socket.socket:
    """A listening socket at ``HOST:PORT`` or ``[V6]:PORT``; connections wait until it is served.

    Args:
        field: the setting, named in errors.
        address: where to listen.
        advice: what to do if the port is in use.

    Raises:
        ConfigError: naming ``field``.
    """
    host, port = split_host_port(field, address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        if error.errno in NO_DESCRIPTORS:
            raise
        if error.errno == errno.EADDRINUSE:
            reason = f"port {port} on {host} is in use; {advice}"
        else:
            # Python appends the address, which is in the message already, to the system's text.
            words = str(error.strerror or error).partition(" (while ")[0]
            reason = f"cannot listen on {join_host_port(host, port)}: {words}"
        raise ConfigError(field, reason) from None


def connections_within(wanted: int, *, share: int) -> int:
    """``wanted``, but at most one in ``share`` of the descriptors that the process may open."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, descriptors // share))
