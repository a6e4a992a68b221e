"""Outstanding pings: which sequence numbers wait for an ack, and what for.

An ack counts for the ping with its sequence number, whatever address it comes from, as in memberlist: a
member may answer from another of its addresses, or through a translated port. This is safe because only the
nodes that were asked know the number: it is 32 fresh random bits for every ping, where memberlist counts up
from 1. Guessing one of the few outstanding numbers takes billions of packets, and every miss is counted.
Probes, relayed pings and verification share this rule. Relays are asked under the number of the probe round,
as in memberlist, since their report has to be believed anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from swim.addresses import Endpoint
from swim.core.context import Context
from swim.core.timers import TimerKind
from swim.wire.messages import Ack, Nack, Ping

__all__ = ["Outstanding", "Pings"]

_SEQ_NO_MAX = 0xFFFFFFFF
_ENDED_MAX = 128
"""Ended pings remembered in each of two generations: a late or second ack is not counted as a guess."""

P = TypeVar("P")


class Outstanding(NamedTuple):
    """A ping that waits for its ack.

    Attributes:
        seq_no: what the ack has to repeat.
        endpoint: where the ping went; the ack may come from elsewhere.
        sent_at: seconds.
        purpose: a value of a registered type.
    """

    seq_no: int
    endpoint: Endpoint
    sent_at: float
    purpose: Any


class _Handlers(NamedTuple):
    acked: Callable[[float, Any, Outstanding, Ack], None]
    expired: Callable[[float, Any], None] | None
    nacked: Callable[[float, Any, Endpoint], None] | None


class Pings:
    """The registry of one node's outstanding pings."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._outstanding: dict[int, Outstanding] = {}
        self._ended: set[int] = set()
        self._ended_before: set[int] = set()
        self._handlers: dict[type[Any], _Handlers] = {}
        self.source: Endpoint | None = None
        """Where the ack at hand came from."""
        self._expiry = context.timers.kind(TimerKind.PING, self._expire, self._is_outstanding)

    @property
    def outstanding(self) -> Mapping[int, Outstanding]:
        """The pings that wait for an ack, by sequence number."""
        return MappingProxyType(self._outstanding)

    def register(
        self,
        purpose: type[P],
        acked: Callable[[float, P, Outstanding, Ack], None],
        *,
        expired: Callable[[float, P], None] | None = None,
        nacked: Callable[[float, P, Endpoint], None] | None = None,
    ) -> None:
        """Registers the handlers for pings of one type of purpose.

        Args:
            purpose: the type; every ping carries a value of one.
            acked: called once with the purpose, the ping and its first ack. The ping is not outstanding then.
            expired: called if no ack arrived by ``until``.
            nacked: called with the source of every nack; without it, nacks are unexpected.
        """
        self._handlers[purpose] = _Handlers(acked, expired, nacked)

    def ping(
        self, now: float, name: str, endpoint: Endpoint, purpose: object, *, until: float | None = None
    ) -> Ping:
        """Makes a ping to send now; its new sequence number is outstanding from now on.

        Args:
            now: seconds.
            name: the member that is to answer.
            endpoint: where it is sent.
            purpose: a value of a registered type, handed back with the outcome.
            until: absolute time at which the ping expires; None leaves its end to ``forget``.
        """
        context = self._context
        waiting, ended, ended_before = self._outstanding, self._ended, self._ended_before
        seq_no = context.rng.word() + 1
        while seq_no > _SEQ_NO_MAX or seq_no in waiting or seq_no in ended or seq_no in ended_before:
            seq_no = context.rng.word() + 1
        outstanding = waiting[seq_no] = Outstanding(seq_no, endpoint, now, purpose)
        if until is not None:
            context.timers.at(until, self._expiry, outstanding)
        context.contacts.pinged(endpoint)
        local = context.table.local
        return Ping(seq_no, name, local.addr, local.port, local.name)

    def forget(self, seq_no: int) -> None:
        """Ends a ping: an ack is no longer expected."""
        if self._outstanding.pop(seq_no, None) is not None:
            self._remember_ended(seq_no)

    def ack(self, now: float, ack: Ack, source: Endpoint | None = None) -> None:
        """Passes an ack to the part that waits for it; any other ack is counted and dropped."""
        outstanding = self._outstanding.pop(ack.seq_no, None)
        if outstanding is None:
            self._unmatched(ack.seq_no, "ack")
            return
        self._remember_ended(ack.seq_no)
        self._context.contacts.learn(outstanding.endpoint)
        self.source = source
        purpose = outstanding.purpose
        self._handlers[type(purpose)].acked(now, purpose, outstanding, ack)

    def nack(self, now: float, nack: Nack, source: Endpoint) -> None:
        """Passes a relay's nack to the part that waits for it; any other nack is counted and dropped."""
        outstanding = self._outstanding.get(nack.seq_no)
        if outstanding is None:
            self._unmatched(nack.seq_no, "nack")
            return
        nacked = self._handlers[type(outstanding.purpose)].nacked
        if nacked is None:
            self._context.metrics.dropped("unexpected-nack")
        else:
            nacked(now, outstanding.purpose, source)

    def _unmatched(self, seq_no: int, kind: str) -> None:
        if self._has_ended(seq_no):
            # Normal after a pause, on a slow link, or when a relay answers as well.
            self._context.metrics.count(f"swim.late-{kind}s")
        else:
            self._context.metrics.dropped(f"unmatched-{kind}")

    def _remember_ended(self, seq_no: int) -> None:
        self._ended.add(seq_no)
        if len(self._ended) >= _ENDED_MAX:
            self._ended_before, self._ended = self._ended, set()

    def _has_ended(self, seq_no: int) -> bool:
        return seq_no in self._ended or seq_no in self._ended_before

    def _is_outstanding(self, outstanding: Outstanding) -> bool:
        return self._outstanding.get(outstanding.seq_no) is outstanding

    def _expire(self, now: float, outstanding: Outstanding) -> None:
        self.forget(outstanding.seq_no)
        expired = self._handlers[type(outstanding.purpose)].expired
        assert expired is not None
        expired(now, outstanding.purpose)
