"""The rules of a node's streams that no driver decides by itself: limits, and why a stream ended."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from typing import Protocol

from swim.core.output import Close, Send, StreamEnd
from swim.core.slots import gives_way
from swim.node import Node

__all__ = [
    "DRAIN_SECONDS",
    "LONGEST_BACK_OFF",
    "READ_BYTES",
    "SHORTEST_BACK_OFF",
    "OpenStream",
    "make_room",
    "why_ended",
]

READ_BYTES = 65_536
DRAIN_SECONDS = 1.0
"""For a peer to close after a reply: closing on unread bytes would destroy the reply (RST)."""
SHORTEST_BACK_OFF = 0.005
"""Seconds until the next attempt to accept when the system is short of resources; doubled from then on."""
LONGEST_BACK_OFF = 1.0
_STREAMS_FACTOR = 3
"""Inbound, outbound and still replying ones: each may be ``max_streams``."""

_ENDS = {
    errno.ECONNREFUSED: StreamEnd.REFUSED,
    errno.ECONNRESET: StreamEnd.RESET,
    errno.ECONNABORTED: StreamEnd.RESET,
    errno.EPIPE: StreamEnd.RESET,
    errno.ETIMEDOUT: StreamEnd.TIMEOUT,
    errno.EHOSTUNREACH: StreamEnd.UNREACHABLE,
    errno.EHOSTDOWN: StreamEnd.UNREACHABLE,
    errno.ENETUNREACH: StreamEnd.UNREACHABLE,
    errno.ENETDOWN: StreamEnd.UNREACHABLE,
}


class OpenStream(Protocol):
    """One stream that a driver holds open; ``answer`` is what the node wants done with it, if anything."""

    stream_id: int
    host: str
    opened_at: float
    answer: Send | Close | None


def make_room(
    node: Node, streams: Mapping[int, OpenStream], host: str, now: float
) -> tuple[bool, int | None]:
    """Decides on one more inbound stream, unless peers that don't read their replies hold too many already.

    Returns:
        Whether the node is asked, and the stream that has to give way first, if any.
    """
    if len(streams) < _STREAMS_FACTOR * node.config.max_streams:
        return True, None
    node.metrics.dropped("replying-streams")
    replying = {
        one.stream_id: (one.host, one.opened_at) for one in streams.values() if one.answer is not None
    }
    stream_id = gives_way(replying, host, now)
    return stream_id is not None, stream_id


def why_ended(error: OSError) -> tuple[StreamEnd, str]:
    """Sorts an error of a stream into the node's vocabulary; the detail is the system's own text."""
    if error.errno is None:
        return StreamEnd.RESET, str(error)
    return _ENDS.get(error.errno, StreamEnd.LOCAL), os.strerror(error.errno)
