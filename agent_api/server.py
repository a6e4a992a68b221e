"""Serving an application on trio. The only file that knows which HTTP server does it."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable
from typing import Any

import hypercorn
import hypercorn.trio
import trio
from hypercorn.logging import Logger
from starlette.types import ASGIApp

from agent_api.app import create_app
from agent_api.settings import AgentSettings
from swim import Cluster, ConfigError, Endpoint
from swim.addresses import join_host_port, split_host_port

__all__ = ["listen", "serve"]

_BACKLOG = 128
_KEEP_ALIVE_SECONDS = 120.0
_LAST_WORDS_SECONDS = 1.0

_log = logging.getLogger("swim.http.server")


async def serve(
    cluster_or_app: Cluster | ASGIApp,
    settings: AgentSettings | None = None,
    *,
    on_leave: Callable[[], None] | None = None,
    listener: socket.socket | None = None,
    task_status: trio.TaskStatus[Endpoint] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves until cancelled; start it with ``await nursery.start(serve, cluster, settings)``.

    Args:
        cluster_or_app: a cluster, for which an application is made, or an ASGI application as it is.
        settings: where to listen, and the application's settings; defaults if None.
        on_leave: see ``create_app``; for a cluster only.
        listener: from ``listen``, instead of the settings' address; this function owns it from now on.
        task_status: told the address and port that were bound, once connections are accepted.

    Raises:
        ConfigError: naming ``http``, if the address cannot be bound.
    """
    settings = settings or AgentSettings()
    listener = listener or listen(settings.http)
    endpoint: Endpoint = listener.getsockname()[:2]
    app = (
        cluster_or_app
        if callable(cluster_or_app)
        else create_app(cluster_or_app, settings, on_leave=on_leave)
    )
    config = hypercorn.Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.errorlog = _log
    config.logger_class = _Quiet
    config.include_server_header = False
    config.keep_alive_timeout = _KEEP_ALIVE_SECONDS
    config.graceful_timeout = _LAST_WORDS_SECONDS
    async with trio.open_nursery() as nursery:
        await nursery.start(hypercorn.trio.serve, app, config)
        task_status.started(endpoint)


class _Quiet(Logger):
    """The server's log without its start-up line: whoever serves announces the address."""

    async def info(self, message: str, *args: Any, **kwargs: Any) -> None:
        """Nothing."""


def listen(http: str) -> socket.socket:
    """A listening socket at ``http``, ``HOST:PORT`` or ``[V6]:PORT``; connections wait until it is served.

    Raises:
        ConfigError: naming ``http``.
    """
    host, port = split_host_port("http", http)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = f"port {port} on {host} is in use; choose another with --http"
        else:
            # Python adds the address, which stands here already, to the system's words.
            words = str(error.strerror or error).partition(" (while ")[0]
            reason = f"cannot listen on {join_host_port(host, port)}: {words}"
        raise ConfigError("http", reason) from None
