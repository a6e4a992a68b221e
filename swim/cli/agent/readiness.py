"""How far an agent has come since it started: ``listening``, ``joined``, ``converged``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import trio

from swim.events import MemberEvent
from swim.net.cluster import Cluster

__all__ = ["STATES", "Readiness", "State"]

State = Literal["listening", "joined", "converged"]
STATES: tuple[State, ...] = ("listening", "joined", "converged")
"""In their order."""
_QUIET_SECONDS_MIN = 1.0


class Readiness:
    """The state of one agent; it never goes back.

    ``listening``: its ports are bound, and it gossips. ``joined``: another member is alive, or it was not
    asked to join any. ``converged``: after that, no member changed for a probe interval, at least a second.

    Args:
        cluster: from ``open_cluster``.
        is_asked_to_join: whether addresses to join were given, or a discovery.
        reached: called at each state, ``listening`` included.
    """

    def __init__(self, cluster: Cluster, *, is_asked_to_join: bool, reached: Callable[[State], None]) -> None:
        self._cluster = cluster
        self._is_asked_to_join = is_asked_to_join
        self._reached = reached
        self._quiet = max(_QUIET_SECONDS_MIN, cluster.config.probe_interval)
        self._state: State = "listening"

    @property
    def state(self) -> State:
        """The latest state reached."""
        return self._state

    async def run(self) -> None:
        """Follows the cluster until it has converged, or ends."""
        async with self._cluster.events(kinds=MemberEvent) as events:
            self._reach("listening")
            if self._is_asked_to_join:
                while self._cluster.is_alone:
                    if await anext(events, None) is None:
                        return
            self._reach("joined")
            is_quiet = False
            while not is_quiet:
                with trio.move_on_after(self._quiet) as pause:
                    if await anext(events, None) is None:
                        return
                is_quiet = pause.cancelled_caught
        self._reach("converged")

    def _reach(self, state: State) -> None:
        self._state = state
        self._reached(state)
