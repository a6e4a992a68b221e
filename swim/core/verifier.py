"""Second-hand news of a stranger is checked with one ping before it is passed on.

An alive claim about an unknown, dead or reaped member may be as old as the slowest peer's table. memberlist
spreads it at once; here the member is added, pinged, and the claim goes on only after first-hand evidence: an
ack, or any packet of the member's own. A claim no newer than a tombstone is not even applied before that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from swim.core.broadcast import Priority
from swim.core.context import Context
from swim.core.gossip import Gossip
from swim.core.member import Record, State, endpoint_of
from swim.core.pings import Pings, Reply
from swim.wire.codec import encode
from swim.wire.messages import Alive

__all__ = ["Verifier"]

_WINDOW = 8
_HELD_MAX = 4096


class _Held(NamedTuple):
    claim: Alive
    origin: str
    is_listed: bool


class _Check(NamedTuple):
    name: str


class Verifier:
    """Claims on hold, and the pings that release them; at most a window of pings is under way."""

    def __init__(self, context: Context, gossip: Gossip, pings: Pings) -> None:
        self._context = context
        self._pings = pings
        self._gossip = gossip
        self._held: dict[str, _Held] = {}
        self._waiting: deque[str] = deque()
        self._under_way = 0
        self.revive: Callable[[float, Alive], None] = lambda now, claim: None
        """What to do with a claim about a tombstoned member that proved true; the claims part sets it."""
        pings.register(_Check, self._acked, expired=self._expired)

    def hold(self, now: float, claim: Alive, origin: str, *, is_listed: bool = True) -> None:
        """Keeps ``claim`` back until its member acks a ping."""
        if claim.node not in self._held and len(self._held) >= _HELD_MAX:
            self._context.metrics.dropped("verify-full")
            return
        if claim.node not in self._held:
            self._waiting.append(claim.node)
        self._held[claim.node] = _Held(claim, origin, is_listed)
        self._ping_next(now)

    def forget(self, name: str) -> None:
        """Drops what is held about a member that is dead or left now."""
        self._held.pop(name, None)

    def evidence(self, now: float, record: Record) -> None:
        """First-hand evidence that a listed member is alive: passes on what was held."""
        self._context.table.put(record.witnessed())
        held = self._held.get(record.name)
        if held is not None and held.is_listed:
            del self._held[record.name]
            self._release(now, held)

    def _acked(self, now: float, check: _Check, _reply: Reply) -> None:
        self._under_way -= 1
        held = self._held.pop(check.name, None)
        record = self._context.table.get(check.name)
        if record is not None:
            self._context.table.put(record.witnessed())
        if held is not None:
            self._release(now, held)
        self._ping_next(now)

    def _release(self, now: float, held: _Held) -> None:
        name = held.claim.node
        if not held.is_listed:
            self._context.table.exhume(name)
            self.revive(now, held.claim)
            return
        record = self._context.table.get(name)
        if record is not None and record.state is State.ALIVE:
            # What holds now, not what was held: a newer claim may have come meanwhile.
            claim = encode(record.alive_claim())
            self._context.queue.queue(name, claim, priority=Priority.ALIVE, origin=held.origin)
            self._gossip.poke(now)

    def _ping_next(self, now: float) -> None:
        context = self._context
        while self._waiting and self._under_way < _WINDOW:
            held = self._held.get(self._waiting.popleft())
            if held is None:
                continue
            name = held.claim.node
            endpoint = endpoint_of(held.claim.addr, held.claim.port)
            until = now + context.config.probe_timeout
            ping = self._pings.ping(now, name, endpoint, _Check(name), until=until)
            self._under_way += 1
            self._gossip.send(now, endpoint, encode(ping), record=context.table.get(name))

    def _expired(self, now: float, check: _Check) -> None:
        """No ack: a listed member's claim stays held until something is heard of it; a tombstone stands."""
        self._under_way -= 1
        held = self._held.get(check.name)
        if held is not None and not held.is_listed:
            del self._held[check.name]
        self._ping_next(now)
