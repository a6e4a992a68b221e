"""A processor that takes its time: what reaches a busy one waits for its turn.

Virtual nodes work in no time. Twenty real ones in one process do not, nor does a small machine under load:
give them one ``Processor`` (``node.processor``), and they take turns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from sims.world.clock import Clock
from sims.world.latency import Constant, Latency
from swim.core.rng import Rng

__all__ = ["Processor"]


class _HasTime(Protocol):
    clock: Clock
    rng: Rng


class Processor:
    """Serves one thing at a time, in order of arrival; nodes may share it.

    A node reads, or wakes up, when its turn begins; each packet it sends leaves a little later than the one
    before; whatever reaches any node of this processor meanwhile waits.

    Args:
        world: the ``World`` of its nodes.
        packet: seconds that a received packet takes.
        timer: seconds that a wake-up takes; by default as long as a packet.
        stream: seconds that a step of a stream takes; likewise.
        send: seconds that a packet takes to be sent, besides.

    Attributes:
        busy: seconds of work done or begun.
    """

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
        """Calls ``call(*args)`` when its turn has come, and is busy with it for as long as ``work`` says."""
        self._waiting.append((work, call, args))
        if not self._is_serving:
            self._is_serving = True
            self._clock.at(max(self._clock.now, self._free_at), self._next)

    def sent(self) -> float:
        """One more packet leaves: takes its time, and says when it is out."""
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
