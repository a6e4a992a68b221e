"""A small HTTP/1.1 server for ASGI applications, on h11 and trio.

The entry points are ``serve`` and ``listen`` (``serving``). ``listener`` accepts and limits connections,
``connection`` answers the requests of one in order, ``exchange`` is one request as an application sees it,
and ``wire`` runs h11 on a stream.
"""

from __future__ import annotations

from agent_api.server.serving import listen, serve, serve_listeners

__all__ = ["listen", "serve", "serve_listeners"]
