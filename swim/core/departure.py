"""The own leave: announced, declared, told straight to several peers, and over in bounded time.

Serf sends its intent, waits up to 5 s for it to be transmitted, then memberlist's dead message, another 5 s,
then sleeps a second. Here the intent goes straight to several peers and into gossip; the dead message follows
one gossip interval behind, so that no real Serf peer sees a death before the intent; a push/pull carries
both; and the whole always ends, on evidence or at the deadline.
"""

from __future__ import annotations

from swim.core.claims import Claims
from swim.core.gossip import Gossip
from swim.core.output import Finished
from swim.core.shared import Shared
from swim.core.streams import Departing
from swim.core.sync import Sync
from swim.wire.codec import encode
from swim.wire.messages import Dead, User

__all__ = ["Departure"]

_TOLD_DIRECTLY = 32
_LEAD_OF_INTENT = 1.25


class Departure:
    """One leave at a time; ``Finished(ticket, None)`` for every caller when it is over."""

    def __init__(self, shared: Shared, gossip: Gossip, claims: Claims, sync: Sync) -> None:
        self._shared = shared
        self._gossip = gossip
        self._claims = claims
        self._sync = sync
        self._tickets: list[int] = []
        self._synced = False
        self._declared_at = 0.0
        shared.timers.register("leave-declare", self._declare, lambda _: bool(self._tickets))
        shared.timers.register("leave-end", self._end, lambda _: bool(self._tickets))

    @property
    def is_under_way(self) -> bool:
        """Whether a leave has begun and not ended."""
        return bool(self._tickets)

    def begin(self, now: float, ticket: int) -> None:
        """Starts the leave, or joins the one under way."""
        shared = self._shared
        self._tickets.append(ticket)
        if len(self._tickets) > 1:
            return
        if shared.status == "left":
            self._finish()
            return
        shared.status = "leaving"
        intents = shared.delegate.announce_leave(now)
        if not shared.has_peers:
            self._claims.leave_self(now)
            self._finish()
            return
        if intents:
            self._gossip.tell(now, [encode(User(body)) for body in intents], _TOLD_DIRECTLY)
        lead = _LEAD_OF_INTENT * shared.config.gossip_interval if intents else 0.0
        shared.timers.at(now + lead, "leave-declare")

    def synced(self) -> None:
        """The push/pull of the leave was answered."""
        self._synced = True

    def _declare(self, now: float, _token: None) -> None:
        shared, local = self._shared, self._shared.local
        if shared.status == "leaving":  # a peer's word may have declared it already
            self._claims.leave_self(now)
        self._declared_at = now
        leave = encode(Dead(local.incarnation, local.name, local.name))
        self._gossip.tell(now, [leave], _TOLD_DIRECTLY)
        self._synced = not self._sync.with_random_member(now, Departing())
        shared.timers.at(now + shared.config.leave_propagate_delay, "leave-end")

    def _end(self, now: float, _token: None) -> None:
        shared = self._shared
        deadline = self._declared_at + max(
            shared.config.broadcast_timeout, shared.config.leave_propagate_delay
        )
        # What is still queued has not been told often enough.
        evident = self._synced and not shared.queue and not shared.delegate.has_broadcasts()
        if evident or not shared.has_peers or now >= deadline:
            self._finish()
        else:
            shared.timers.at(min(deadline, now + max(shared.config.gossip_interval, 0.05)), "leave-end")

    def _finish(self) -> None:
        self._shared.output.finished += [Finished(ticket, None) for ticket in self._tickets]
        self._tickets.clear()
