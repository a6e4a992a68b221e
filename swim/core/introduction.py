"""A lone node that is pinged or accused joins one of the senders: they know it from an earlier run.

A founder has no seeds. When it restarts without a snapshot, the others still probe it, but it does not know
them. So it pings the node that pinged it, and after the ack starts a push/pull.
"""

from __future__ import annotations

from typing import NamedTuple

from swim.addresses import Endpoint
from swim.core.context import Context
from swim.core.gossip import Gossip
from swim.core.pings import Outstanding, Pings
from swim.core.reconnect import Reconnects
from swim.wire.codec import encode
from swim.wire.messages import Ack

__all__ = ["Introductions"]


class _Caller(NamedTuple):
    """The purpose of a ping to a non-member that pinged or accused this node."""


class Introductions:
    """Pings one caller at a time, at the interval at which a lone node looks for past members."""

    def __init__(self, context: Context, gossip: Gossip, pings: Pings, rejoining: Reconnects) -> None:
        self._context = context
        self._gossip = gossip
        self._pings = pings
        self._rejoining = rejoining
        self._next = float("-inf")
        pings.register(_Caller, self._acked, expired=lambda now, caller: None)

    def called(self, now: float, source: Endpoint, subject: str, name: str = "") -> None:
        """A node was pinged or accused from where no member is known to be.

        Args:
            now: seconds.
            source: where the packet came from.
            subject: the pinged or accused node's name.
            name: the sender's, or "" if the message does not give it.
        """
        context = self._context
        config = context.config
        if context.has_peers or subject != context.local.name:
            return
        if context.status != "running" or not config.rejoin_interval or now < self._next:
            return
        self._next = now + config.rejoin_interval_alone
        ping = self._pings.ping(now, name, source, _Caller(), until=now + config.probe_timeout)
        self._gossip.send_exactly(source, [encode(ping)], record=None)

    def _acked(self, now: float, _caller: _Caller, ping: Outstanding, _ack: Ack) -> None:
        if not self._context.has_peers:
            self._rejoining.dial(now, "", ping.endpoint)
