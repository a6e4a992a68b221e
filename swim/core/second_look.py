"""A verdict that nobody announced is checked with one ping before it is believed.

A member that cannot make itself heard suspects others alone: nobody confirms, the accused never learns of it
and cannot refute. When the suspicion has run out, one packet with the verdict that does get through has the
accused declared dead everywhere; that is how memberlist's healthy members lose each other beside a lossy one.
Who has seen no suspicion therefore asks the accused first, and tells it of what it is accused. Whoever has
believes the verdict at once, so that a true failure, suspected everywhere, spreads as fast as ever.
"""

from __future__ import annotations

from collections.abc import Callable

from swim.core.context import Context
from swim.core.gossip import Gossip
from swim.core.member import Record
from swim.core.pings import Pings, Reply
from swim.wire.codec import encode
from swim.wire.messages import Dead

__all__ = ["SecondLook"]

_WINDOW = 16
"""Pings under way at once; verdicts beyond are believed, as when half of a cluster is gone."""


class _Look:
    __slots__ = ("claim", "origin")

    def __init__(self, claim: Dead, origin: str) -> None:
        self.claim = claim
        self.origin = origin


class SecondLook:
    """Verdicts on hold, each with the ping that decides it.

    Attributes:
        believe: what to do with a verdict whose member did not ack; the claims part sets it.
    """

    def __init__(self, context: Context, gossip: Gossip, pings: Pings) -> None:
        self._context = context
        self._pings = pings
        self._gossip = gossip
        self._looks: dict[str, _Look] = {}
        self.believe: Callable[[float, Dead, str], None] = lambda now, claim, origin: None
        pings.register(_Look, self._acked, expired=self._expired)

    def hold(self, now: float, record: Record, claim: Dead, origin: str) -> bool:
        """Keeps a verdict about a live member back until a ping is decided; False if it cannot.

        Args:
            now: seconds.
            record: the accused.
            claim: the verdict.
            origin: name of the member that it came from.
        """
        context = self._context
        look = self._looks.get(record.name)
        if look is not None:
            if claim.incarnation > look.claim.incarnation:
                look.claim, look.origin = claim, origin
            return True
        if not context.config.verify_second_hand:
            return False
        if len(self._looks) >= _WINDOW:
            context.metrics.count("swim.verdicts-unchecked")
            return False
        look = self._looks[record.name] = _Look(claim, origin)
        until = now + context.config.probe_timeout
        ping = self._pings.ping(now, record.name, record.endpoint, look, until=until)
        self._gossip.send_exactly(record.endpoint, [encode(ping), encode(claim)], record=record)
        return True

    def _acked(self, _now: float, look: _Look, _reply: Reply) -> None:
        del self._looks[look.claim.node]
        self._context.metrics.count("swim.verdicts-disproved")

    def _expired(self, now: float, look: _Look) -> None:
        del self._looks[look.claim.node]
        self.believe(now, look.claim, look.origin)
