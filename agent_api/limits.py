"""Limits for clients of the HTTP API: connections, bytes and time."""

from __future__ import annotations

from dataclasses import dataclass, fields

from swim import ConfigError

__all__ = ["HttpLimits"]

_MAY_BE_ZERO = ("max_conns_per_client", "max_streams_per_token", "stop_timeout", "max_body_bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Limits of the HTTP server. Connections closed or refused are counted under ``swim.dropped.http-*``.

    Raises:
        ConfigError: naming the field, for a value below its minimum.
    """

    max_conns_per_client: int = 100
    """Connections of one client address at once, Nomad's ``http_max_conns_per_client``; 0 is no limit.
    At the limit, a connection that waits for a request is closed; if none does, the new one gets a 429."""
    max_conns: int = 512
    """Connections in total, by the same rule, with a 503. Never more than a quarter of the descriptors that
    the process may open; the rest is for gossip."""
    max_head_bytes: int = 32 * 1024
    """Bytes of request line and headers; beyond it a 431."""
    max_headers: int = 100
    """Headers of one request; beyond it a 431."""
    max_body_bytes: int = 1024 * 1024
    """Bytes of one request's body; beyond it a 413."""
    max_streams_per_token: int = 64
    """Open streams (``watch``, ``events``, ``monitor``, queries) of one token, or of one address without a
    token; beyond it a 429. 0 is no limit."""
    handshake_timeout: float = 10.0
    """Seconds from a connection's start to the end of its TLS handshake."""
    head_timeout: float = 10.0
    """Seconds from a connection's start (with TLS, from its handshake), and from a later request's first
    byte, to the end of its head."""
    idle_timeout: float = 60.0
    """Seconds between two requests on one connection."""
    body_timeout: float = 30.0
    """Seconds in total that the server waits for one request's body."""
    send_timeout: float = 30.0
    """Seconds in which a client must take the next 64 KiB of an answer."""
    stop_timeout: float = 1.0
    """Seconds that running requests have to finish when the server stops."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            minimum = 0 if field.name in _MAY_BE_ZERO else None
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ConfigError(field.name, f"must be a number, not {value!r}")
            if not (value > 0 if minimum is None else value >= minimum):
                raise ConfigError(
                    field.name, f"must be {'above' if minimum is None else 'at least'} 0, not {value!r}"
                )
