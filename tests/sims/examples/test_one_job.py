"""The recipe for one job on exactly one member: it runs, it moves on, and each of its rules is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
from hypothesis import given

from sims import Applications, World, every
from sims.errors import ViolationError
from sims.examples.one_job import OneJob
from sims.faults import Crash, Pause, Restart, Schedule, Split
from sims.testing.strategies import fault_schedules
from sims.world.host import SimNode
from swim.config import Config
from tests.sims.settings import examples

HOSTS = ["n1", "n2", "n3", "n4", "n5"]
JOBS = ["report", "backup", "mail", "index"]
SPLIT = Schedule([Split(0.0, (("n1", "n2"), ("n3", "n4", "n5")), 90.0)])
PAUSES = Schedule([Pause(0.0, host, 60.0) for host in HOSTS[:2]])

Runner = Callable[[World, SimNode], list[OneJob]]


class Jobs:
    """All jobs on one simulated node."""

    def __init__(self, world: World, node: SimNode, *, tick: float = 0.25, **rules: Any) -> None:
        settings = {"expected": 5, "grace": 30.0, "tick": tick} | rules
        self.jobs = [OneJob(node, name, **settings) for name in JOBS]
        every(world, node, tick, self.tick)

    def tick(self) -> None:
        for job in self.jobs:
            job.tick()

    def on_event(self, now: float, event: Any) -> None:
        for job in self.jobs:
            job.on_event(now, event)

    def running(self) -> set[str]:
        return {job.name for job in self.jobs if job.may_run()}


def at_most_one(world: World, nodes: Mapping[str, Jobs]) -> None:
    for job in JOBS:
        runners = [host for host, jobs in nodes.items() if job in jobs.running()]
        assert len(runners) <= 1, f"{job} runs on {' and '.join(runners)}"


def play(schedule: Schedule, **rules: Any) -> Applications:
    nodes = Applications(partial(Jobs, **rules), invariants=[at_most_one])
    world = World(nodes=5, config=Config.local)
    world.settle()
    world.observe(nodes)
    world.run_for(40.0)
    schedule.apply(world)
    world.run_for(max(60.0, schedule.seconds + 40.0))
    return nodes


def runners(nodes: Applications) -> dict[str, str]:
    return {job: host for host, jobs in nodes.running().items() for job in jobs.running()}


def test_at_rest_every_job_runs_somewhere() -> None:
    assert runners(play(Schedule())).keys() == set(JOBS)


@pytest.mark.slow
def test_a_job_moves_on_when_its_member_dies_and_its_fence_is_larger() -> None:
    first = play(Schedule())
    before = runners(first)
    gone = before["report"]
    after = play(Schedule([Crash(1.0, gone)]))
    moved = runners(after)
    assert moved.keys() == set(JOBS)
    assert gone not in moved.values()
    assert all(moved[job] == host for job, host in before.items() if host != gone)
    assert after[moved["report"]].jobs[0].fence > first[gone].jobs[0].fence


@pytest.mark.slow
@examples(5)
@given(fault_schedules(HOSTS, 30, kinds=[Split, Pause, Crash, Restart]))
def test_no_job_runs_twice_at_a_time(schedule: Schedule) -> None:
    play(schedule)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schedule", "without"),
    [(SPLIT, {"expected": 1}), (SPLIT, {"grace": 0.0}), (PAUSES, {"tick": 1e6})],
    ids=["majority", "grace", "pauses"],
)
def test_each_rule_is_needed(schedule: Schedule, without: dict[str, Any]) -> None:
    play(schedule)
    with pytest.raises(ViolationError, match="runs on"):
        play(schedule, **without)
