"""``serve``: a cluster on Serf's RPC port, until cancelled."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Mapping, Sequence

import trio

from swim import Cluster
from swim.addresses import Endpoint, is_loopback
from swim.ipc.commands import ClusterCommands
from swim.ipc.listener import accept_connections
from swim.ipc.service import Service
from swim.ipc.settings import IpcSettings
from swim.listening import listening_socket

__all__ = ["listen", "serve"]

_log = logging.getLogger("swim.ipc")


@trio.lowlevel.enable_ki_protection
async def serve(
    cluster: Cluster,
    settings: IpcSettings | None = None,
    *,
    recent_log: Callable[[int], Sequence[logging.LogRecord]] = lambda level: (),
    on_leave: Callable[[], None] = lambda: None,
    event_handlers: Callable[[], Mapping[str, str]] = dict,
    listener: socket.socket | None = None,
    task_status: trio.TaskStatus[Endpoint] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves Serf's IPC until cancelled; start it with ``await nursery.start(swim.ipc.serve, cluster)``.

    The ``serf`` command and client libraries of Serf then control the cluster: ``-rpc-addr``. For clusters on
    trio (``swim.open_cluster``).

    Args:
        cluster: as ``swim.open_cluster`` gives it.
        settings: where to listen, the key, and limits; defaults if None.
        recent_log: what ``monitor`` sends first: the records at a level and above that the program has kept.
        on_leave: called once a client made the cluster leave, and has its answer; a program may end then.
        event_handlers: what ``serf info`` shows: commands by filter, such as ``query:load``.
        listener: from ``listen``, instead of the settings' address; this function owns it from now on.
        task_status: reports the bound address and port once connections are accepted.

    Raises:
        ConfigError: naming ``rpc``, if the address cannot be bound.
    """
    settings = settings or IpcSettings()
    bound = listener or listen(settings.rpc)
    endpoint: Endpoint = bound.getsockname()[:2]
    _warn_if_exposed(endpoint[0], bool(settings.rpc_auth))
    service = Service(cluster, settings, ClusterCommands(cluster, event_handlers), recent_log, on_leave)
    async with trio.SocketListener(trio.socket.from_stdlib_socket(bound)) as accepting:
        task_status.started(endpoint)
        await accept_connections(service, accepting)


def listen(rpc: str) -> socket.socket:
    """A listening socket at ``rpc``, ``HOST:PORT`` or ``[V6]:PORT``; connections wait until it is served.

    Raises:
        ConfigError: naming ``rpc``.
    """
    return listening_socket("rpc", rpc, advice="choose another with --rpc, or none with --no-rpc")


def _warn_if_exposed(host: str, has_key: bool) -> None:
    """Logs one loud warning if other hosts can reach the port."""
    if is_loopback(host):
        return
    who = "any host that sees its traffic learns rpc_auth and" if has_key else "any host that reaches it"
    _log.warning(
        "INSECURE: Serf's RPC on %s is not encrypted%s: %s can send events, change tags and keys, remove "
        "members and make this agent leave. Bind it to loopback with --rpc",
        host,
        "" if has_key else ", and not authenticated",
        who,
    )
