"""``serve``: an application on a port, until cancelled."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import trio
from starlette.types import ASGIApp

from agent_api.app import create_app
from agent_api.cluster import ClusterLike
from agent_api.envelope import answer_headers
from agent_api.server.connection import Service
from agent_api.server.listener import Listeners
from agent_api.server.tls import TlsListener
from agent_api.settings import AgentSettings
from swim import Metrics
from swim.addresses import Endpoint, is_loopback
from swim.listening import listening_socket, socket_file

__all__ = ["listen", "serve", "serve_listeners"]

_OPEN = "any host that reaches it can read and remove members and make this agent leave"

_log = logging.getLogger("swim.http")


async def serve(
    cluster_or_app: ClusterLike | ASGIApp,
    settings: AgentSettings | None = None,
    *,
    on_leave: Callable[[], None] | None = None,
    on_reload: Callable[[], Awaitable[None]] | None = None,
    readiness: Callable[[], str] | None = None,
    listener: socket.socket | None = None,
    task_status: trio.TaskStatus[Endpoint] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves until cancelled; start it with ``await nursery.start(serve, cluster, settings)``.

    Args:
        cluster_or_app: a cluster, for which an application is made, or an ASGI application.
        settings: where to listen, limits, and the application's settings; defaults if None.
        on_leave: see ``create_app``; for a cluster only.
        on_reload: likewise.
        readiness: likewise.
        listener: from ``listen``, instead of the settings' address; this function owns it from now on.
        task_status: reports the bound address and port once connections are accepted; of a Unix socket its
            path and 0.

    Raises:
        ConfigError: naming ``http``, if the address cannot be bound.
        RuntimeError: the application reports that it cannot start.
    """
    settings = settings or AgentSettings()
    bound = listener or listen(settings.http, mode=settings.http_socket_mode)
    name = bound.getsockname()
    endpoint: Endpoint = name[:2] if isinstance(name, tuple) else (os.fsdecode(name), 0)
    if callable(cluster_or_app):
        app = cluster_or_app
    else:
        app = create_app(
            cluster_or_app, settings, on_leave=on_leave, on_reload=on_reload, readiness=readiness
        )
    # An agent's own application, made here or by the caller; any other one is not known to be dangerous.
    agent = getattr(getattr(app, "state", None), "agent", None)
    metrics = agent.cluster.metrics if agent else Metrics()
    if agent:
        _warn_if_exposed(endpoint[0], settings)
    accepting: trio.abc.Listener[Any] = trio.SocketListener(trio.socket.from_stdlib_socket(bound))
    if settings.tls is not None:
        accepting = TlsListener(accepting, settings.tls)
    with socket_file(bound):
        async with accepting:
            await serve_listeners(
                app, [accepting], settings, metrics=metrics, started=lambda: task_status.started(endpoint)
            )


async def serve_listeners(
    app: ASGIApp,
    listeners: Sequence[trio.abc.Listener[Any]],
    settings: AgentSettings | None = None,
    *,
    metrics: Metrics | None = None,
    started: Callable[[], None] = lambda: None,
) -> None:
    """Serves an application on listeners of any of trio's kinds (TCP, TLS, Unix sockets) until cancelled.

    Args:
        app: an ASGI application.
        listeners: the caller closes them.
        settings: limits, and the headers of answers that the server makes itself; defaults if None.
        metrics: where requests, refusals and failures are counted; not readable if None.
        started: called once connections are accepted.

    Raises:
        RuntimeError: the application reports that it cannot start.
    """
    settings = settings or AgentSettings()
    headers = answer_headers(settings.http_api_response_headers)
    service = Service(app, settings.limits, metrics or Metrics(), headers)
    await Listeners(service, listeners).run(started)


def _warn_if_exposed(host: str, settings: AgentSettings) -> None:
    """Logs one loud warning if other hosts can reach the API, and what keeps them out is missing."""
    tls, has_tokens = settings.tls, settings.access.is_on
    is_closed = has_tokens or (tls is not None and tls.verify_https_client)
    if host.startswith("/") or is_loopback(host) or (tls and is_closed):
        return
    if is_closed:
        danger = "is not encrypted: tokens and answers can be read on their way. Set --tls-cert-file"
    elif tls:
        danger = f"asks for no token or certificate: {_OPEN}. Set --acl-file or --tls-verify-https-client"
    else:
        danger = f"is neither encrypted nor authenticated: {_OPEN}. Set --tls-cert-file and --acl-file"
    _log.warning("INSECURE: the HTTP API on %s %s, or bind it to loopback with --http", host, danger)


def listen(http: str, *, mode: int = 0o600) -> socket.socket:
    """A listening socket at ``HOST:PORT``, ``[V6]:PORT`` or ``unix:///PATH``.

    Connections wait until it is served. The file of a Unix socket has the permissions ``mode``, and is
    removed when ``serve`` ends.

    Raises:
        ConfigError: naming ``http``.
    """
    return listening_socket("http", http, advice="choose another with --http", mode=mode)
