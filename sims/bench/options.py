"""What a scenario is given, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Options", "Samples"]

Samples = dict[str, list[float]]
"""Values of each measure, one per run (or per window); the unit stands at the end of the measure's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How big, how often, how long.

    Attributes:
        nodes: agents of each kind; members of the table.
        profile: memberlist's timers, ``lan`` or ``local``.
        runs: repetitions, or measuring windows.
        window: seconds of idling, or of busy loops.
        hogs: busy loops.
        stopped: agents stopped for ``stop_seconds``.
    """

    nodes: int
    profile: str
    runs: int
    window: float
    hogs: int
    stopped: int
    stop_seconds: float
