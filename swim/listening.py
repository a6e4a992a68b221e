"""Sockets that servers of this package listen on, for the HTTP API and for Serf's IPC."""

from __future__ import annotations

import contextlib
import errno
import os
import resource
import socket
import stat
from collections.abc import Iterator

from swim.addresses import join_host_port, split_host_port
from swim.errors import NO_DESCRIPTORS, ConfigError

__all__ = ["connections_within", "listening_socket", "socket_file", "socket_path"]

_BACKLOG = 128
_UNIX = "unix://"
_PATH_MAX_BYTES = 107
_PROBE_SECONDS = 1.0


def socket_path(field: str, address: str) -> str:
    """The path in ``unix:///PATH``; "" for an address of another kind.

    Raises:
        ConfigError: naming ``field``, for a path that is not absolute or longer than 107 bytes, which is what
            the system allows.
    """
    if not (isinstance(address, str) and address.startswith("unix:")):
        return ""
    path = address.removeprefix(_UNIX)
    if not path.startswith("/") or path.endswith("/") or "\0" in path:
        raise ConfigError(field, f"{address!r} is not unix:///PATH, with an absolute path")
    if len(os.fsencode(path)) > _PATH_MAX_BYTES:
        raise ConfigError(field, f"{path!r} is longer than the {_PATH_MAX_BYTES} bytes a socket can have")
    return path


def listening_socket(field: str, address: str, *, advice: str, mode: int = 0o600) -> socket.socket:
    """A listening socket at ``HOST:PORT``, ``[V6]:PORT`` or ``unix:///PATH``.

    Connections wait until it is served.

    Args:
        field: the setting, named in errors.
        address: where to listen.
        advice: what to do if the port is in use.
        mode: permissions of a Unix socket's file. One that an ended process left is replaced.

    Raises:
        ConfigError: naming ``field``.
    """
    if path := socket_path(field, address):
        return _unix_socket(field, path, mode)
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


@contextlib.contextmanager
def socket_file(bound: socket.socket) -> Iterator[None]:
    """Removes the file of a Unix socket after the block, unless another socket has taken its place."""
    name = bound.getsockname()
    path = name if isinstance(name, str) else ""
    own = os.lstat(path).st_ino if path else 0
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if path and os.lstat(path).st_ino == own:
                os.unlink(path)


def _unix_socket(field: str, path: str, mode: int) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX)
    try:
        _make_room(field, path)
        with contextlib.suppress(OSError):  # on Linux no other user can connect before the mode is right
            os.fchmod(bound.fileno(), mode)
        bound.bind(path)
        os.chmod(path, mode)
        bound.listen(_BACKLOG)
    except (OSError, ConfigError) as error:
        bound.close()
        if isinstance(error, ConfigError) or error.errno in NO_DESCRIPTORS:
            raise
        raise ConfigError(field, f"cannot listen on {path}: {error.strerror}") from None
    return bound


def _make_room(field: str, path: str) -> None:
    """Removes a socket that no process listens on.

    Raises:
        ConfigError: naming ``field``, for one that is in use, and for a file of another kind.
    """
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(kind):
        raise ConfigError(field, f"{path} exists, and is not a socket")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_PROBE_SECONDS)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except OSError:
            pass  # a full backlog, or no permission: some process has it
    raise ConfigError(field, f"{path} is in use by another process")


def connections_within(wanted: int, *, share: int) -> int:
    """``wanted``, but at most one in ``share`` of the descriptors that the process may open."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, descriptors // share))
