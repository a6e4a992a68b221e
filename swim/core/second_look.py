"""A verdict that nobody announced is checked with one ping before it is believed.

A member that cannot make itself heard suspects others alone: nobody confirms, the accused never learns of it
and cannot refute. When the suspicion has run out, one packet with the verdict that does get through has the
accused declared dead everywhere; that is how memberlist's healthy members lose each other beside a lossy one.
Who has seen no suspicion therefore asks the accused first, and tells it of what it is accused. Whoever has
believes the verdict at once, so that a true failure, suspected everywhere, spreads as fast as ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from swim.core.context import Context
from swim.core.gossip import Gossip
from swim.core.member import Record
from swim.core.output import Endpoint
from swim.wire.codec import encode
from swim.wire.messages import Dead, Ping

__all__ = ["SecondLook"]

_WINDOW = 16
"""Pings under way at once; verdicts beyond are believed, as when half of a cluster is gone."""


class _Look(NamedTuple):
    claim: Dead
    origin: str
    endpoint: Endpoint


class SecondLook:
    """Verdicts on hold, each with the ping that decides it.

    Attributes:
        believe: what to do with a verdict whose member did not ack; the claims part sets it.
    """

    def __init__(self, context: Context, gossip: Gossip) -> None:
        self._context = context
        self._gossip = gossip
        self._pings: dict[int, _Look] = {}
        self._names: dict[str, int] = {}
        self.believe: Callable[[float, Dead, str], None] = lambda now, claim, origin: None
        context.timers.register("second-look", self._timed_out, self._pings.__contains__)

    def hold(self, now: float, record: Record, claim: Dead, origin: str) -> bool:
        """Keeps a verdict about a live member back until a ping is decided; False if it cannot.

        Args:
            now: seconds.
            record: the accused.
            claim: the verdict.
            origin: name of the member that it came from.
        """
        context = self._context
        running = self._names.get(record.name)
        if running is not None:
            look = self._pings[running]
            if claim.incarnation > look.claim.incarnation:
                self._pings[running] = look._replace(claim=claim, origin=origin)
            return True
        if not context.config.verify_second_hand:
            return False
        if len(self._names) >= _WINDOW:
            context.metrics.count("swim.verdicts-unchecked")
            return False
        seq_no = context.next_seq_no()
        self._pings[seq_no] = _Look(claim, origin, record.endpoint)
        self._names[record.name] = seq_no
        local = context.local
        ping = Ping(seq_no, record.name, local.addr, local.port, local.name)
        self._gossip.send_exactly(record.endpoint, [encode(ping), encode(claim)], record=record)
        context.timers.at(now + context.config.probe_timeout, "second-look", seq_no)
        return True

    def acked(self, seq_no: int, source: Endpoint) -> bool:
        """Takes an ack if it answers one of these pings; True if so."""
        look = self._pings.get(seq_no)
        if look is None:
            return False
        if source != look.endpoint:
            self._context.metrics.dropped("unexpected-ack")
            return True
        self._drop(seq_no)
        self._context.metrics.count("swim.verdicts-disproved")
        return True

    def _timed_out(self, now: float, seq_no: int) -> None:
        look = self._drop(seq_no)
        self.believe(now, look.claim, look.origin)

    def _drop(self, seq_no: int) -> _Look:
        look = self._pings.pop(seq_no)
        del self._names[look.claim.node]
        return look
