"""Which stream is closed when all slots are taken: slots are shared by address, and idle streams go first."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Mapping

__all__ = ["gives_way"]

_PATIENCE = 1.0
"""Seconds that a stream is left open while all slots are taken and another stream arrives."""


def gives_way(taken: Mapping[int, tuple[str, float]], newcomer: str, now: float) -> int | None:
    """Which stream to close for a new one when all slots are taken; None refuses the new one.

    It is the oldest stream of the network that has the most, unless the new stream's network has about as
    many. Requests take milliseconds, so one that has been open for a second is closed for any new one.

    Args:
        taken: address of the peer and the time of opening, by stream id, the oldest first.
        newcomer: address of the new stream's peer.
        now: seconds.
    """
    networks = {stream_id: _network(host) for stream_id, (host, _) in taken.items()}
    counts = Counter(networks.values())
    largest = max(counts.values(), default=0)
    oldest = next((one for one, network in networks.items() if counts[network] == largest), None)
    if oldest is not None and largest <= counts[_network(newcomer)] + 1:
        return oldest if now - taken[oldest][1] >= _PATIENCE else None
    return oldest


def _network(host: str) -> str:
    """The network whose slots a stream from this address takes: an IPv4 address, or an IPv6 /64."""
    return str(ipaddress.ip_network(f"{host}/64", strict=False)) if ":" in host else host
