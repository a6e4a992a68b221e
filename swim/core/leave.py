"""This node's own leave: announced, declared, sent directly to several peers, and finished in bounded time.

Serf sends its intent, waits up to 5 s for it to be transmitted, then sends memberlist's dead message, waits
up to 5 s again, then sleeps a second. Here the intent goes directly to several peers and into gossip. The
dead message follows one gossip interval later, so that no Serf peer sees a death before the intent. A
push/pull carries both. The leave always ends, on evidence or at the deadline.
"""

from __future__ import annotations

from swim.core.claims import Claims
from swim.core.context import Context
from swim.core.gossip import Gossip
from swim.core.output import Finished
from swim.core.purposes import Departing
from swim.core.push_pull import PushPulls
from swim.core.timers import TimerKind
from swim.wire.codec import encode
from swim.wire.messages import Dead, User

__all__ = ["Leaving"]

_TOLD_DIRECTLY = 32
_LEAD_OF_INTENT = 1.25


class Leaving:
    """One leave at a time; ``Finished(ticket, None)`` for every caller when it is over."""

    def __init__(self, context: Context, gossip: Gossip, claims: Claims, push_pulls: PushPulls) -> None:
        self._context = context
        self._gossip = gossip
        self._claims = claims
        self._push_pulls = push_pulls
        self._tickets: list[int] = []
        self._synced = False
        self._declared_at = 0.0
        timers = context.timers
        self._lead_over = timers.kind(TimerKind.LEAVE_DECLARE, self._declare, lambda _: bool(self._tickets))
        self._next_look = timers.kind(TimerKind.LEAVE_END, self._end, lambda _: bool(self._tickets))

    @property
    def is_under_way(self) -> bool:
        """Whether a leave has begun and not ended."""
        return bool(self._tickets)

    def begin(self, now: float, ticket: int) -> None:
        """Starts the leave, or waits for the one in progress."""
        context = self._context
        self._tickets.append(ticket)
        if len(self._tickets) > 1:
            return
        if context.status == "left":
            self._finish()
            return
        context.status = "leaving"
        intents = context.delegate.announce_leave(now)
        if not context.has_peers:
            self._claims.leave_self(now)
            self._finish()
            return
        if intents:
            self._gossip.tell(now, [encode(User(body)) for body in intents], _TOLD_DIRECTLY)
        lead = _LEAD_OF_INTENT * context.config.gossip_interval if intents else 0.0
        context.timers.at(now + lead, self._lead_over, None)

    def synced(self) -> None:
        """The push/pull of the leave was answered."""
        self._synced = True

    def _declare(self, now: float, _token: None) -> None:
        context, local = self._context, self._context.local
        if context.status == "leaving":  # a peer may have declared it already
            self._claims.leave_self(now)
        self._declared_at = now
        leave = encode(Dead(local.incarnation, local.name, local.name))
        self._gossip.tell(now, [leave], _TOLD_DIRECTLY)
        self._synced = not self._push_pulls.with_random_member(now, Departing())
        context.timers.at(now + context.config.leave_propagate_delay, self._next_look, None)

    def _end(self, now: float, _token: None) -> None:
        context = self._context
        deadline = self._declared_at + max(
            context.config.broadcast_timeout, context.config.leave_propagate_delay
        )
        # What is still queued has not been sent often enough.
        evident = self._synced and not context.backlog.waiting
        if evident or not context.has_peers or now >= deadline:
            self._finish()
        else:
            pause = max(context.config.gossip_interval, 0.05)
            context.timers.at(min(deadline, now + pause), self._next_look, None)

    def _finish(self) -> None:
        self._context.output.finished += [Finished(ticket, None) for ticket in self._tickets]
        self._tickets.clear()
