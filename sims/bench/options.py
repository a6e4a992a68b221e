"""The input of a scenario, and its output."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Options", "Samples"]

Samples = dict[str, list[float]]
"""Values of each measure, one per run (or per window); the measure's name ends with the unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Size, repetitions and duration.

    Attributes:
        nodes: agents of each kind; members of the table.
        profile: memberlist's timers, ``lan`` or ``local``.
        runs: repetitions, or measuring windows.
        window: seconds of idling, or of busy loops.
        hogs: busy loops.
        mixed: whether a cluster of both kinds, one half each, is measured too.
        stopped: agents stopped for ``stop_seconds``.
    """

    nodes: int
    profile: str
    runs: int
    window: float
    hogs: int
    stopped: int
    stop_seconds: float
    mixed: bool = False
