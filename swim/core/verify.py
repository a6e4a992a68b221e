"""Ask before believing: a claim that may be false waits for one ping to its subject.

An alive claim about an unknown, dead or reaped member may be as old as the slowest peer's table, and a
non-member can make one up. memberlist spreads all of them at once. Here a doubtful claim is passed on, or
even applied, only after first-hand evidence: an ack, or any other packet from the member.

A *dead* claim about a member that this node does not suspect may come from a node whose packets are lost: it
suspects others alone, no member confirms, and the accused never learns of it. If one packet with its dead
claim gets through, the accused would be declared dead everywhere. So the accused is pinged first, with the
accusation in the same packet. If the member was suspected before, the dead claim is believed at once, and
failures spread as fast as in memberlist.

A *leave* from another member may be forged, or replayed from an earlier run. Its subject is pinged too. An
ack does not disprove it, since a member that left may still ack. Only a refutation does, so the subject is
pinged twice, and its refutation can come with the second ack.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from swim.addresses import Endpoint
from swim.core.broadcast import Priority
from swim.core.context import Context
from swim.core.gossip import Gossip
from swim.core.member import Record, State, endpoint_of
from swim.core.pings import Outstanding, Pings
from swim.core.timers import TimerKind
from swim.wire.codec import encode
from swim.wire.messages import Ack, Alive, Dead

__all__ = ["ACCUSED_MAX", "HELD_MAX", "Accused", "Held", "Verify"]

_WINDOW = 8
"""Outstanding pings about alive claims."""
HELD_MAX = 4096
"""Alive claims on hold; more are dropped."""
_TIMES_ASKED = 2
_PAUSE_MIN = 0.05
ACCUSED_MAX = 16
"""Accusations on hold; beyond that they are believed at once, as when half of a cluster is gone."""


class Held:
    """An alive claim on hold, and whether its member is listed already."""

    __slots__ = ("against", "claim", "endpoint", "is_listed", "origin")

    def __init__(self, claim: Alive, origin: str, against: bytes, *, is_listed: bool) -> None:
        self.claim: Alive = claim
        self.against: bytes = against
        self.endpoint: Endpoint = endpoint_of(claim.addr, claim.port)
        self.origin: str = origin
        self.is_listed: bool = is_listed


class Accused:
    """The newest accusation of a member, and how often the member was pinged."""

    __slots__ = ("asked", "claim", "origin")

    def __init__(self, claim: Dead, origin: str) -> None:
        self.claim: Dead = claim
        self.origin: str = origin
        self.asked: int = 0


def _is_leave(claim: Dead) -> bool:
    return claim.accuser == claim.node


def _rank(claim: Dead) -> tuple[int, bool]:
    """Of two accusations the newer is held; of equally new ones, the leave."""
    return claim.incarnation, _is_leave(claim)


class Verify:
    """Claims on hold, and the pings that decide them.

    Attributes:
        revive: applies an alive claim that was held and proved true; the claims part sets it.
        believe: applies an accusation that was not disproved; the claims part sets it.
    """

    def __init__(self, context: Context, gossip: Gossip, pings: Pings) -> None:
        self._context = context
        self._gossip = gossip
        self._pings = pings
        self.held: dict[str, Held] = {}
        self.accused: dict[str, Accused] = {}
        self._waiting: deque[Held] = deque()
        self._under_way = 0
        self.revive: Callable[[float, Alive], None] = lambda now, claim: None
        self.believe: Callable[[float, Dead, str, str], None] = lambda now, claim, origin, detail: None
        pings.register(Held, self._is_alive, expired=self._is_silent)
        pings.register(Accused, self._is_innocent, expired=self._is_guilty)
        timers = context.timers
        self._next_ask = timers.kind(TimerKind.ASK_AGAIN, self._ask_again, self._is_accused)
        self._last_word = timers.kind(TimerKind.NOT_REFUTED, self._has_not_refuted, self._is_accused)

    def alive(self, now: float, claim: Alive, origin: str, *, is_listed: bool, against: bytes = b"") -> None:
        """Holds an alive claim until its subject acks a ping.

        Args:
            now: seconds.
            claim: the claim.
            origin: name of the member that it came from.
            is_listed: the claim is applied and only its broadcast is held; else both are.
            against: the accusation of the subject, for it to refute.
        """
        before = self.held.get(claim.node)
        if before is None and len(self.held) >= HELD_MAX:
            self._context.metrics.dropped("verify-full")
            return
        held = self.held[claim.node] = Held(claim, origin, against, is_listed=is_listed)
        if before is None or before.endpoint != held.endpoint:
            self._waiting.append(held)
            self._ping_next(now)

    def dead(self, now: float, record: Record, claim: Dead, origin: str) -> bool:
        """Holds an accusation of a live member until a ping is decided; False if too many are held.

        Args:
            now: seconds.
            record: the accused.
            claim: a death or a leave.
            origin: name of the member that it came from.
        """
        context = self._context
        accused = self.accused.get(record.name)
        if accused is not None:
            if _rank(claim) > _rank(accused.claim):
                accused.claim, accused.origin = claim, origin
            return True
        if not context.config.verify_second_hand:
            return False
        if len(self.accused) >= ACCUSED_MAX:
            context.metrics.count("swim.accusations-unchecked")
            return False
        accused = self.accused[record.name] = Accused(claim, origin)
        self._ask(now, record, accused)
        return True

    def acked(self, name: str) -> None:
        """A member acked the ping of a probe round, which disproves its death just as well."""
        accused = self.accused.get(name)
        if accused is not None and not _is_leave(accused.claim):
            self._disproved(accused)

    def refuted(self, record: Record) -> None:
        """A member raised its incarnation: drops the accusation on hold and answers its accuser."""
        accused = self.accused.get(record.name)
        if accused is None or record.incarnation <= accused.claim.incarnation:
            return
        self._disproved(accused)
        accuser = self._context.table.get(accused.origin)
        if accuser is not None and accuser.is_live and accuser is not self._context.local:
            self._gossip.send_exactly(accuser.endpoint, [encode(record.alive_claim())], record=accuser)

    def forget(self, name: str) -> None:
        """Drops the alive claim on hold about a member; something newer is known."""
        self.held.pop(name, None)

    def packet_from(self, now: float, record: Record) -> None:
        """A packet came from the address of a member not seen first-hand: evidence, if no other is there."""
        if not self._context.table.is_ambiguous(record.endpoint):
            self.evidence(now, record)

    def evidence(self, now: float, record: Record) -> None:
        """First-hand evidence that a listed member is alive: broadcasts the claim on hold."""
        self._context.table.put(record.witnessed())
        held = self.held.get(record.name)
        if held is not None and held.is_listed:
            self._release(now, held)

    def _release(self, now: float, held: Held) -> None:
        name = held.claim.node
        del self.held[name]
        if not held.is_listed:
            self._context.table.exhume(name)
            self.revive(now, held.claim)
            return
        record = self._context.table.get(name)
        if record is not None and record.state is State.ALIVE:
            # The current record, not the claim on hold: a newer one may have come meanwhile.
            claim = encode(record.alive_claim())
            self._context.queue.queue(name, claim, priority=Priority.ALIVE, origin=held.origin)
            self._gossip.poke(now)

    def _ping_next(self, now: float) -> None:
        context = self._context
        while self._waiting and self._under_way < _WINDOW:
            held = self._waiting.popleft()
            if self._current(held) is None:
                continue
            name, until = held.claim.node, now + context.config.probe_timeout
            ping = self._pings.ping(now, name, held.endpoint, held, until=until)
            self._under_way += 1
            parts = [encode(ping), held.against] if held.against else [encode(ping)]
            self._gossip.send(now, held.endpoint, parts, record=context.table.get(name))

    def _current(self, asked: Held) -> Held | None:
        """The claim on hold about the member that was pinged, if it is still at the same address."""
        held = self.held.get(asked.claim.node)
        return held if held is not None and held.endpoint == asked.endpoint else None

    def _is_alive(self, now: float, asked: Held, _ping: Outstanding, _ack: Ack) -> None:
        self._under_way -= 1
        held, record = self._current(asked), self._context.table.get(asked.claim.node)
        if record is not None and record.endpoint == asked.endpoint:
            self._context.table.put(record.witnessed())
        if held is not None:
            self._release(now, held)
        self._ping_next(now)

    def _is_silent(self, now: float, asked: Held) -> None:
        """No ack: a listed member's claim stays on hold until first-hand evidence; another is dropped."""
        self._under_way -= 1
        held = self._current(asked)
        if held is not None and not held.is_listed:
            del self.held[held.claim.node]
        self._ping_next(now)

    def _ask(self, now: float, record: Record, accused: Accused) -> None:
        accused.asked += 1
        until = now + self._context.config.probe_timeout
        ping = self._pings.ping(now, record.name, record.endpoint, accused, until=until)
        self._gossip.send_exactly(record.endpoint, [encode(ping), encode(accused.claim)], record=record)

    def _ask_again(self, now: float, accused: Accused) -> None:
        record = self._context.table.get(accused.claim.node)
        if record is not None and record.is_live:
            self._ask(now, record, accused)
        else:
            del self.accused[accused.claim.node]

    def _is_innocent(self, now: float, accused: Accused, _ping: Outstanding, _ack: Ack) -> None:
        if not self._is_accused(accused):
            return
        if not _is_leave(accused.claim):
            self._disproved(accused)
        elif accused.asked < _TIMES_ASKED:
            pause = max(self._context.config.gossip_interval, _PAUSE_MIN)
            self._context.timers.at(now + pause, self._next_ask, accused)
        else:
            # The refutation may follow in this packet.
            self._context.timers.at(now, self._last_word, accused)

    def _is_guilty(self, now: float, accused: Accused) -> None:
        if self._is_accused(accused):
            del self.accused[accused.claim.node]
            self.believe(now, accused.claim, accused.origin, "")

    def _has_not_refuted(self, now: float, accused: Accused) -> None:
        del self.accused[accused.claim.node]
        self.believe(now, accused.claim, accused.origin, "answers, but does not refute")

    def _disproved(self, accused: Accused) -> None:
        del self.accused[accused.claim.node]
        self._context.metrics.count("swim.accusations-disproved")

    def _is_accused(self, accused: Accused) -> bool:
        return self.accused.get(accused.claim.node) is accused
