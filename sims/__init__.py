"""Simulates whole clusters in virtual time, to test programs; measures real ones (``sims.bench``).

    from sims import World

    world = World(seed=7, nodes=5)
    world.settle()
    world.crash("n3")
    world.run_until(lambda w: w.converged, limit=60)

The names below are the common ones. ``sims.faults`` has one class per fault, ``sims.checkers`` one per
property, ``sims.testing`` the tools for your own tests. See ``docs/simulating.md``.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sims.checkers import safety_checkers as safety_checkers
    from sims.errors import NodeCrashedError as NodeCrashedError
    from sims.errors import NotConvergedError as NotConvergedError
    from sims.errors import SimError as SimError
    from sims.errors import UsageError as UsageError
    from sims.errors import ViolationError as ViolationError
    from sims.faults.schedule import Schedule as Schedule
    from sims.scenarios.registry import run_scenario as run_scenario
    from sims.swarm import run_seeds as run_seeds
    from sims.swarm import run_swarm as run_swarm
    from sims.testing.applications import Applications as Applications
    from sims.testing.applications import every as every
    from sims.testing.applications import once as once
    from sims.testing.machine import membership_machine as membership_machine
    from sims.testing.strategies import fault_schedules as fault_schedules
    from sims.traces.writer import TraceWriter as TraceWriter
    from sims.world import World as World
    from sims.world.cpu import Processor as Processor
    from sims.world.host import SimNode as SimNode
    from sims.world.network import Link as Link
    from sims.world.network import Network as Network
    from sims.world.observer import Observer as Observer

__all__ = [
    "Applications",
    "Link",
    "Network",
    "NodeCrashedError",
    "NotConvergedError",
    "Observer",
    "Processor",
    "Schedule",
    "SimError",
    "SimNode",
    "TraceWriter",
    "UsageError",
    "ViolationError",
    "World",
    "every",
    "fault_schedules",
    "membership_machine",
    "once",
    "run_scenario",
    "run_seeds",
    "run_swarm",
    "safety_checkers",
]

# The pytest plugin is loaded by every test run where this package is installed, and must cost nothing.
_HOMES = {
    "Applications": "sims.testing.applications",
    "every": "sims.testing.applications",
    "fault_schedules": "sims.testing.strategies",
    "membership_machine": "sims.testing.machine",
    "once": "sims.testing.applications",
    "run_seeds": "sims.swarm",
    "Link": "sims.world.network",
    "Network": "sims.world.network",
    "NodeCrashedError": "sims.errors",
    "NotConvergedError": "sims.errors",
    "Observer": "sims.world.observer",
    "Processor": "sims.world.cpu",
    "Schedule": "sims.faults.schedule",
    "SimError": "sims.errors",
    "SimNode": "sims.world.host",
    "TraceWriter": "sims.traces.writer",
    "UsageError": "sims.errors",
    "ViolationError": "sims.errors",
    "World": "sims.world",
    "run_scenario": "sims.scenarios.registry",
    "run_swarm": "sims.swarm",
    "safety_checkers": "sims.checkers",
}

if not TYPE_CHECKING:  # or every name would exist for a type checker

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
