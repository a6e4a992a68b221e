"""The run behind the player's guided tour: ``python -m sims.pictures.tour`` writes its trace again."""

from __future__ import annotations

from pathlib import Path

from sims.traces.writer import TraceWriter
from sims.world import World

__all__ = ["tour_trace"]

_SEED = 3
_NODES = 5
_VICTIM = "n3"
_BEFORE = 1.5
_AFTER = 0.5
_LIMIT = 60.0
_PLACE = "agent_api/ui/static/replay/tour.jsonl"


def tour_trace() -> str:
    """One of five nodes crashes, until all others have declared it failed."""
    lines: list[str] = []
    made = {"by": "tour", "name": "a crash", "options": {"nodes": _NODES}}
    world = World(_SEED, nodes=_NODES, observers=[TraceWriter(lines.append, made=made)])
    world.settle()
    world.run_for(_BEFORE)
    world.crash(_VICTIM)
    world.run_until(
        lambda world: all(node.status_of(_VICTIM) == "failed" for node in world.nodes.values() if node.is_up),
        _LIMIT,
    )
    world.run_for(_AFTER)
    return "".join(lines)


if __name__ == "__main__":
    Path(_PLACE).write_text(tour_trace(), encoding="ascii")
