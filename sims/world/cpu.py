"""A processor whose work takes time: packets that reach a busy one wait for their turn.

Virtual nodes take no time for their work. Twenty real nodes in one process do, and so does a small machine
under load: give such nodes one ``Processor`` (``node.processor``), and they take turns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from sims.world.clock import Clock
from sims.world.latency import LATENCY, Constant, Latency
from swim import checks
from swim.core.rng import Rng

__all__ = ["Processor"]


class _HasTime(Protocol):
    clock: Clock
    rng: Rng


class Processor:
    """Serves one input at a time, in order of arrival; nodes may share it.

    A node reads, or wakes up, when its turn begins. Each packet that it sends leaves a little later than the
    previous one. Input for any node of this processor waits meanwhile.

    Args:
        world: the ``World`` of its nodes.
        packet: seconds that a received packet takes.
        timer: seconds that a wake-up takes; by default as long as a packet.
        stream: seconds that a step of a stream takes; likewise.
        send: additional seconds for each packet sent.

    Attributes:
        busy: seconds of work done or begun.
    """

    @checks.arguments(
        packet=LATENCY,
        timer=checks.optional(LATENCY),
        stream=checks.optional(LATENCY),
        send=checks.optional(LATENCY),
    )
    def __init__(
        self,
        world: _HasTime,
        *,
        packet: Latency,
        timer: Latency | None = None,
        stream: Latency | None = None,
        send: Latency | None = None,
    ) -> None:
        self.packet = packet
        self.timer = timer or packet
        self.stream = stream or packet
        self.busy = 0.0
        self._send = send or Constant(0.0)
        self._clock = world.clock
        self._rng = world.rng
        self._free_at = 0.0
        self._waiting: deque[tuple[Latency, Callable[..., object], tuple[Any, ...]]] = deque()
        self._is_serving = False

    def serve(self, work: Latency, call: Callable[..., object], *args: Any) -> None:
        """Calls ``call(*args)`` when its turn comes, and is busy for the time that ``work`` gives."""
        self._waiting.append((work, call, args))
        if not self._is_serving:
            self._is_serving = True
            self._clock.at(max(self._clock.now, self._free_at), self._next)

    def sent(self) -> float:
        """Adds the time of one more sent packet; returns when the packet leaves."""
        self._spend(self._send)
        return self._free_at

    def _next(self) -> None:
        work, call, args = self._waiting.popleft()
        self._spend(work)
        call(*args)
        self._is_serving = bool(self._waiting)
        if self._is_serving:
            self._clock.at(self._free_at, self._next)

    def _spend(self, work: Latency) -> None:
        seconds = work.draw(self._rng)
        self._free_at = max(self._clock.now, self._free_at) + seconds
        self.busy += seconds
