"""Deadlines as values. A timer carries what it was made for; a stale one is skipped, none is cancelled.

Stale timers are removed whenever the heap has doubled. Otherwise the distant deadlines of members that come
and go (a day until a failed member is forgotten) would accumulate.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection
from enum import Enum
from typing import Any, Generic, TypeVar

from swim.errors import InternalError

__all__ = ["Timer", "TimerKind", "Timers"]

_SWEEP_FROM = 1024

T = TypeVar("T")


class TimerKind(Enum):
    """Everything that a node waits for."""

    PROBE = "probe"
    """The next probe round begins."""
    RELAYS = "relays"
    """A direct ping got no ack in time: relays are asked."""
    PROBE_END = "probe-end"
    """A probe round is over."""
    PING = "ping"
    """A relayed or verifying ping got no ack in time."""
    NACK = "nack"
    """A relayed ping got no ack so far: the requester receives a nack."""
    REFUSAL = "refusal"
    """The host of a suspect refused a stream: it is dialled once more."""
    SUSPICION = "suspicion"
    """A suspicion ends: the member is dead."""
    ASK_AGAIN = "ask-again"
    """An accused member acked a ping, but has not refuted yet: it is pinged once more."""
    NOT_REFUTED = "not-refuted"
    """An accused member has acked often enough without refuting: the accusation holds."""
    GOSSIP = "gossip"
    """The next gossip round."""
    STREAM_TURN = "stream-turn"
    """The next step of streams with much to decode."""
    PUSH_PULL = "push-pull"
    """The next periodic push/pull."""
    SETTLE = "settle"
    """An extra push/pull after a burst of joins."""
    RECONNECT = "reconnect"
    """A lost member or a seed is dialled."""
    RETURN = "return"
    """The next members of the last run are asked whether they are still there."""
    REAP = "reap"
    """A dead member is reaped and leaves a tombstone."""
    LEAVE_DECLARE = "leave-declare"
    """The intent had time to spread: this node's leave is declared."""
    LEAVE_END = "leave-end"
    """This node's leave is over, since it has spread or took too long."""
    BROADCAST_END = "broadcast-end"
    """A command whose broadcast was not sent often enough in time finishes."""
    FORGET = "forget"
    """A member that failed or left is no longer listed."""
    LEAVING = "leaving"
    """A member announced its leave some time ago and is still listed: it must be seen again."""
    LEAVING_END = "leaving-end"
    """A member that announced its leave was not seen since."""
    QUERY_REMINDER = "query-reminder"
    """A query goes directly to the members that have not replied."""
    QUERY_END = "query-end"
    """The answers to a query are counted."""


class Timer(Generic[T]):
    """One kind of timer of one node: what happens when it is due, and whether a token is still current."""

    __slots__ = ("fire", "is_current", "kind")

    def __init__(
        self, kind: TimerKind, fire: Callable[[float, T], None], is_current: Callable[[T], bool]
    ) -> None:
        self.kind: TimerKind = kind
        self.fire: Callable[[float, T], None] = fire
        self.is_current: Callable[[T], bool] = is_current


_Entry = tuple[float, int, Timer[Any], Any]
"""Deadline, order in which it was set, kind, and token."""


class Timers:
    """All deadlines of one node, in one heap; equal deadlines fire in the order they were set."""

    __slots__ = ("_heap", "_order", "_sweep_at", "_timers")

    def __init__(self) -> None:
        self._heap: list[_Entry] = []
        self._timers: dict[TimerKind, Timer[Any]] = {}
        self._order = 0
        self._sweep_at = _SWEEP_FROM

    def __len__(self) -> int:
        """Deadlines in the heap, stale ones included."""
        return len(self._heap)

    @property
    def kinds(self) -> Collection[TimerKind]:
        """The kinds made so far."""
        return self._timers.keys()

    def kind(
        self, kind: TimerKind, fire: Callable[[float, T], None], is_current: Callable[[T], bool]
    ) -> Timer[T]:
        """Makes a kind of timer, once: what to do when it is due, and whether a token is still current."""
        if kind in self._timers:
            raise InternalError(f"two parts of one node set {kind.value} timers")
        timer = self._timers[kind] = Timer(kind, fire, is_current)
        return timer

    def at(self, deadline: float, timer: Timer[T], token: T) -> None:
        """Sets a timer for ``deadline``, absolute seconds."""
        if len(self._heap) >= self._sweep_at:
            self._sweep()
        self._order += 1
        heapq.heappush(self._heap, (deadline, self._order, timer, token))

    def wrap(self, kind: TimerKind, around: Callable[[float, Callable[[], None]], float | None]) -> None:
        """Wraps a kind of timer for a simulation.

        Args:
            kind: which one.
            around: called when a timer is due, with the time and what fires it. It fires it, or returns
                the later deadline for which the timer is set again.
        """
        timer = self._timers[kind]
        inner = timer.fire

        def fire(now: float, token: Any) -> None:
            later = around(now, lambda: inner(now, token))
            if later is not None:
                self.at(later, timer, token)

        timer.fire = fire

    def next_deadline(self) -> float | None:
        """When the next current timer is due; a stale timer causes no wake-up."""
        heap = self._heap
        while heap:
            deadline, _, timer, token = heap[0]
            if timer.is_current(token):
                return deadline
            heapq.heappop(heap)
        return None

    def fire_due(self, now: float) -> None:
        """Fires every current timer whose deadline has come, earliest first."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            _, _, timer, token = heapq.heappop(heap)
            if timer.is_current(token):
                timer.fire(now, token)

    def _sweep(self) -> None:
        self._heap[:] = [entry for entry in self._heap if entry[2].is_current(entry[3])]
        heapq.heapify(self._heap)
        self._sweep_at = max(_SWEEP_FROM, 2 * len(self._heap))
