"""Which stream gives way when all slots are taken: slots are shared by address, and the idle go first."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Mapping

__all__ = ["gives_way"]

_PATIENCE = 1.0
"""Seconds that a stream is left open while all slots are taken and another one comes."""


def gives_way(taken: Mapping[int, tuple[str, float]], newcomer: str, now: float) -> int | None:
    """Which stream to close for a newcomer when all slots are taken; None refuses the newcomer.

    It is the oldest one of the network that has most of them, unless the newcomer's own has about as many.
    Requests take milliseconds: one that has been open for a second gives way to anybody.

    Args:
        taken: address of the peer and the time of opening, by stream id, the oldest first.
        newcomer: its address.
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
    """Whose slots a stream from this address takes: all of an IPv4 address, or of an IPv6 /64."""
    return str(ipaddress.ip_network(f"{host}/64", strict=False)) if ":" in host else host
