"""When to push/pull: periodically, slower in large clusters, and a few extra times after a burst of joins."""

from __future__ import annotations

import math
from collections.abc import Callable

from swim.core.context import Context
from swim.core.timers import TimerKind

__all__ = ["PushPullSchedule", "push_pull_scale"]

_SCALE_FROM = 32
_BURST_SHARE = 8
_SETTLE_ROUNDS = 4
_DOUBLINGS_MAX = 8


def push_pull_scale(interval: float, n: int) -> float:
    """Seconds between a node's push/pulls in a cluster of ``n``, as memberlist scales them."""
    if n <= _SCALE_FROM:
        return interval
    return interval * (math.ceil(math.log2(n) - math.log2(_SCALE_FROM)) + 1)


class PushPullSchedule:
    """Decides when to push/pull; ``exchange`` does it, with one random live member.

    A mass join sometimes leaves a node with gaps, since early senders count a small cluster and few nodes
    send to the last joiners. So when the table grew by an eighth or more, extra push/pulls follow at doubling
    intervals, until several in a row brought nothing new.
    """

    def __init__(self, context: Context, exchange: Callable[[float], None]) -> None:
        self._context = context
        self._exchange = exchange
        self._armed: float | None = None
        self._settle: float | None = None
        self._growth = 0
        self._rounds_left = 0
        self._rounds_done = 0
        self._next = context.timers.kind(TimerKind.PUSH_PULL, self._periodic, lambda at: at == self._armed)
        self._next_extra = context.timers.kind(TimerKind.SETTLE, self._settled, lambda at: at == self._settle)

    def arm(self, now: float) -> None:
        """Starts the periodic exchange at a random phase, if it is not running and there is a peer."""
        config = self._context.config
        if self._armed is not None or not config.push_pull_interval or not self._context.has_peers:
            return
        delay = self._context.rng.uniform(0, config.push_pull_interval)
        self._set(now + delay + push_pull_scale(config.push_pull_interval, self._context.n))

    def grown(self, now: float, count: int) -> None:
        """``count`` members joined or came back: schedules extra push/pulls if that is a burst."""
        self.arm(now)
        self._growth += count
        if not self._context.config.push_pull_interval:
            return
        if self._rounds_left or self._growth * _BURST_SHARE >= self._context.n:
            self._rounds_left = _SETTLE_ROUNDS
        # A burst that goes on does not postpone an exchange that is due, or it would never come.
        if self._settle is None:
            self._arm_settle(now)

    def _arm_settle(self, now: float) -> None:
        config = self._context.config
        quiet = self._context.rng.uniform(1, 2) * max(config.gossip_interval, 0.05)
        # The first three follow quickly; more of them must not prolong a burst on a slow machine.
        distance = quiet * 2 ** max(0, self._rounds_done - 2)
        self._settle = now + min(distance, config.push_pull_interval)
        self._context.timers.at(self._settle, self._next_extra, self._settle)

    def _settled(self, now: float, _deadline: float) -> None:
        self._settle = None
        self._growth = 0
        if not self._rounds_left or not self._context.has_peers:
            self._rounds_left = self._rounds_done = 0
            return
        self._rounds_left -= 1
        self._rounds_done = min(self._rounds_done + 1, _DOUBLINGS_MAX)
        self._exchange(now)
        self._arm_settle(now)

    def _periodic(self, now: float, _deadline: float) -> None:
        self._armed = None
        if not self._context.has_peers:
            return
        self._exchange(now)
        self._set(now + push_pull_scale(self._context.config.push_pull_interval, self._context.n))

    def _set(self, deadline: float) -> None:
        self._armed = deadline
        self._context.timers.at(deadline, self._next, deadline)
