"""One cluster of all kinds of agents under kills, pauses, leaves and noise for a long time."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from signal import SIGCONT, SIGSTOP

from sims.bench.clusters import JOIN_TIMEOUT, SETTLE_SECONDS, add, pump_all
from sims.bench.engines import Engine
from sims.bench.fleet import Agent, Fleet, progress
from sims.bench.noise import Noise
from sims.bench.options import Options, Samples
from sims.bench.procfs import descriptors, resident_mib, threads

__all__ = ["soak"]

_DOWN_SECONDS = (2.0, 25.0)
_BETWEEN_SECONDS = (3.0, 12.0)
_NOISE_SECONDS = 0.5
_CALM_SECONDS = 60.0
_NEWS_SECONDS = 2.0
"""A member is up for this long before an observer may no longer hear that it had failed before."""


def soak(engines: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """Agents are killed, paused and asked to leave, one at a time, and come back; ours also receive noise.

    The window is the time of trouble. Each measure has one value per agent. ``--runs`` is the seed.

    Raises:
        SystemExit: if an agent ends by itself.
    """
    with ExitStack() as stack:
        fleets = [
            stack.enter_context(Fleet(engine, options.profile, prefix=engine.name)) for engine in engines
        ]
        for fleet in fleets:
            progress(f"starting {options.nodes} {fleet.engine.name} agents, {options.profile} profile")
            fleet.start(options.nodes)
        run = _Soak(fleets, stack.enter_context(Noise(options.runs)), random.Random(options.runs))
        run.gather()
        run.trouble(options.window)
        return run.results()


class _Soak:
    def __init__(self, fleets: list[Fleet], noise: Noise, rng: random.Random) -> None:
        self._fleets = fleets
        self._noise = noise
        self._random = rng
        self._up_since = {agent.place.name: 0.0 for fleet in fleets for agent in fleet.agents}
        self._before: dict[int, tuple[float, int, int]] = {}
        self._noisy_at = float("inf")
        self._longest: dict[str, float] = {}
        self._false: set[tuple[str, str, float]] = set()

    @property
    def _agents(self) -> list[Agent]:
        return [agent for fleet in self._fleets for agent in fleet.agents]

    def gather(self) -> None:
        """Joins all agents to the first, and measures the cost of each."""
        for fleet in self._fleets:
            for agent in fleet.agents:
                fleet.join_one(agent, self._agents[0].place)
        names = {agent.place.name for agent in self._agents}
        if not self._wait(lambda: all(names <= agent.known for agent in self._agents), JOIN_TIMEOUT):
            raise SystemExit(f"the agents did not all find each other in {JOIN_TIMEOUT:g} s")
        self._wait(lambda: False, SETTLE_SECONDS)
        self._judge()

    def trouble(self, seconds: float) -> None:
        """Disturbs one agent after another, then waits for calm."""
        self._noisy_at = Fleet.clock()
        end = Fleet.clock() + seconds
        while (left := end - Fleet.clock()) > 0:
            fleet = self._random.choice(self._fleets)
            agent = self._random.choice(fleet.agents)
            what = self._random.choice([self._kill, self._pause, self._leave])
            progress(f"{left:.0f} s left, {self._noise.sent} noises: {what.__name__[1:]} {agent.place.name}")
            what(fleet, agent)
            self._wait(lambda: False, self._random.uniform(*_BETWEEN_SECONDS))
        pump_all(self._fleets, _CALM_SECONDS)
        self._judge()

    def results(self) -> dict[str, Samples]:
        """What each kind of agent observed, and the cost of its agents before and after."""
        results: dict[str, Samples] = {}
        names = {agent.place.name for agent in self._agents}
        for fleet in self._fleets:
            samples = results.setdefault(fleet.engine.name, {})
            for agent in fleet.agents:
                add(samples, "others not alive at the end", len(names - agent.alive(names)))
                false = sum(name == agent.place.name for name, _, _ in self._false)
                add(samples, "running ones called failed", false)
                add(samples, "longest a running one failed, s", self._longest.get(agent.place.name, 0.0))
            costs = [
                (self._before[agent.pid], _cost(agent)) for agent in fleet.agents if agent.pid in self._before
            ]
            for index, measure in enumerate(("RSS grown, MiB", "descriptors grown", "threads grown")):
                for before, after in costs:
                    add(samples, measure, after[index] - before[index])
            add(samples, "RSS, MiB", statistics.fmean(resident_mib(agent.pid) for agent in fleet.agents))
        return results

    def _kill(self, fleet: Fleet, agent: Agent) -> None:
        self._judge()
        agent.end()
        self._return(fleet, agent)

    def _leave(self, fleet: Fleet, agent: Agent) -> None:
        self._judge()
        fleet.leave(agent)
        self._return(fleet, agent)

    def _pause(self, _fleet: Fleet, agent: Agent) -> None:
        name = agent.place.name
        self._judge()
        agent.signal(SIGSTOP)
        self._up_since[name] = float("inf")
        self._wait(lambda: False, self._random.uniform(*_DOWN_SECONDS))
        self._judge()
        agent.signal(SIGCONT)
        self._up_since[name] = Fleet.clock()

    def _return(self, fleet: Fleet, agent: Agent) -> None:
        """After some time, restarts the agent at its place and joins it to a running one."""
        name = agent.place.name
        self._up_since[name] = float("inf")
        self._wait(lambda: False, self._random.uniform(*_DOWN_SECONDS))
        self._judge()
        fresh = fleet.restart(agent)
        others = [other for other in self._agents if other is not fresh]
        fleet.join_one(fresh, self._random.choice(others).place)
        self._up_since[name] = Fleet.clock()

    def _judge(self) -> None:
        """Records how long each observer has listed a running agent as failed since that agent is up.

        Raises:
            SystemExit: if an agent ended by itself; its last log lines are shown.
        """
        now = Fleet.clock()
        for observer in self._agents:
            up = now - self._up_since[observer.place.name]
            if up < 0:
                continue
            if not observer.is_running:
                raise SystemExit(f"{observer.place.name} ended by itself:\n" + "\n".join(observer.tail))
            if up >= SETTLE_SECONDS and observer.pid not in self._before:
                self._before[observer.pid] = _cost(observer)
            for subject, since, until in observer.failures(now):
                start = max(since, self._up_since.get(subject, now), self._up_since[observer.place.name])
                name = observer.place.name
                if since > self._up_since.get(subject, now) + _NEWS_SECONDS:
                    self._false.add((name, subject, since))
                self._longest[name] = max(self._longest.get(name, 0.0), min(until, now) - start)

    def _wait(self, until: Callable[[], bool], seconds: float) -> bool:
        """Reads all logs and sends noise to ours until ``until()`` holds; returns whether it did in time."""
        deadline = Fleet.clock() + seconds
        while not until():
            now = Fleet.clock()
            if now >= deadline:
                return False
            if now >= self._noisy_at:
                self._noisy_at = now + _NOISE_SECONDS
                for fleet in self._fleets:
                    if fleet.engine.name == "swim":
                        self._noise.burst(agent.place for agent in fleet.agents)
            for fleet in self._fleets:
                fleet.pump(lambda: False, 0.1)
        return True


def _cost(agent: Agent) -> tuple[float, int, int]:
    return resident_mib(agent.pid), descriptors(agent.pid), threads(agent.pid)
