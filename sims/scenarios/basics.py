"""What every cluster does: nodes join, crash and leave, and networks part and heal."""

from __future__ import annotations

from sims.scenario import Run, scenario

__all__ = ["partition_heal"]


@scenario("partition-heal", seconds=60.0)
def partition_heal(run: Run) -> None:
    """The network splits in two halves for a while: both go on alone, then find each other again."""
    world = run.world()
    run.measure("join_seconds", world.settle())
    names = list(world.nodes)
    half = len(names) // 2
    world.network.partition(names[:half], names[half:])
    world.run_for(run["seconds"])
    run.expect(
        all(not node.alive() & set(names[half:]) for node in world.running()[:half]),
        "a half still shows the other as alive",
    )
    world.network.heal()
    run.measure("heal_seconds", run.expect_soon(world, lambda w: w.converged, 120.0, "no agreement"))
