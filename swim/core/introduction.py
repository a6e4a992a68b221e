"""A lone node that others ping or accuse: they know it from a former life, and it joins one of them.

A founder has no seeds. When it comes back with nothing, everybody still probes it, yet nobody tells it of the
others. So it pings who pings it, and an ack is followed by a push/pull.
"""

from __future__ import annotations

from typing import NamedTuple

from swim.addresses import Endpoint
from swim.core.context import Context
from swim.core.gossip import Gossip
from swim.core.pings import Pings, Reply
from swim.core.reconnect import Reconnects
from swim.wire.codec import encode

__all__ = ["Introductions"]


class _Caller(NamedTuple):
    """The purpose of a ping to a non-member that pinged or accused this node."""


class Introductions:
    """Asks one caller at a time, as often as a lone node looks for past members."""

    def __init__(self, context: Context, gossip: Gossip, pings: Pings, rejoining: Reconnects) -> None:
        self._context = context
        self._gossip = gossip
        self._pings = pings
        self._rejoining = rejoining
        self._next = float("-inf")
        pings.register(_Caller, self._acked, expired=lambda now, caller: None)

    def called(self, now: float, source: Endpoint, member: str, subject: str, name: str = "") -> None:
        """A node was pinged or accused.

        Args:
            now: seconds.
            source: where the packet came from.
            member: the member that is known there, or "".
            subject: the pinged or accused node's name.
            name: the sender's, or "" if it did not say.
        """
        context = self._context
        config = context.config
        if context.has_peers or member or subject != context.local.name:
            return
        if context.status != "running" or not config.rejoin_interval or now < self._next:
            return
        self._next = now + config.rejoin_interval_alone
        ping = self._pings.ping(now, name, source, _Caller(), until=now + config.probe_timeout)
        self._gossip.send_exactly(source, [encode(ping)], record=None)

    def _acked(self, now: float, _caller: _Caller, reply: Reply) -> None:
        if not self._context.has_peers:
            self._rejoining.dial(now, "", reply.endpoint)
