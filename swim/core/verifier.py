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
from swim.core.output import Endpoint
from swim.wire.codec import encode
from swim.wire.messages import Alive, Ping

__all__ = ["Verifier"]

_WINDOW = 8
_HELD_MAX = 4096


class _Held(NamedTuple):
    claim: Alive
    origin: str
    is_entombed: bool


class Verifier:
    """Claims on hold, and the pings that release them; at most a window of pings is under way."""

    def __init__(self, context: Context, gossip: Gossip) -> None:
        self._context = context
        self._gossip = gossip
        self._held: dict[str, _Held] = {}
        self._waiting: deque[str] = deque()
        self._pings: dict[int, str] = {}
        self.revive: Callable[[float, Alive], None] = lambda now, claim: None
        """What to do with a claim about a tombstoned member that proved true; the claims part sets it."""
        context.timers.register("verify", self._timed_out, self._pings.__contains__)

    def hold(self, now: float, claim: Alive, origin: str, *, is_entombed: bool = False) -> None:
        """Keeps ``claim`` back until its member acks a ping."""
        if claim.node not in self._held and len(self._held) >= _HELD_MAX:
            self._context.metrics.dropped("verify-full")
            return
        if claim.node not in self._held:
            self._waiting.append(claim.node)
        self._held[claim.node] = _Held(claim, origin, is_entombed)
        self._ping_next(now)

    def forget(self, name: str) -> None:
        """Drops what is held about a member that is dead or left now."""
        self._held.pop(name, None)

    def evidence(self, now: float, record: Record) -> None:
        """First-hand evidence that a listed member is alive: passes on what was held."""
        self._context.table.put(record.witnessed())
        held = self._held.get(record.name)
        if held is not None and not held.is_entombed:
            del self._held[record.name]
            self._release(now, held)

    def acked(self, now: float, seq_no: int, source: Endpoint) -> bool:
        """Takes an ack if it answers one of these pings; True if so."""
        name = self._pings.get(seq_no)
        if name is None:
            return False
        held = self._held.get(name)
        if held is not None and source != endpoint_of(held.claim.addr, held.claim.port):
            self._context.metrics.dropped("unexpected-ack")
            return True
        del self._pings[seq_no]
        held = self._held.pop(name, None)
        record = self._context.table.get(name)
        if record is not None:
            self._context.table.put(record.witnessed())
        if held is not None:
            self._release(now, held)
        self._ping_next(now)
        return True

    def _release(self, now: float, held: _Held) -> None:
        name = held.claim.node
        if held.is_entombed:
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
        while self._waiting and len(self._pings) < _WINDOW:
            held = self._held.get(self._waiting.popleft())
            if held is None:
                continue
            name = held.claim.node
            seq_no = context.next_seq_no()
            self._pings[seq_no] = name
            local = context.local
            ping = Ping(seq_no, name, local.addr, local.port, local.name)
            endpoint = endpoint_of(held.claim.addr, held.claim.port)
            self._gossip.send(now, endpoint, encode(ping), record=context.table.get(name))
            context.timers.at(now + context.config.probe_timeout, "verify", seq_no)

    def _timed_out(self, now: float, seq_no: int) -> None:
        """No ack: a listed member's claim stays held until something is heard of it; a tombstone stands."""
        name = self._pings.pop(seq_no)
        held = self._held.get(name)
        if held is not None and held.is_entombed:
            del self._held[name]
        self._ping_next(now)
