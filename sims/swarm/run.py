"""One swarm run: faults with the safety checkers on, then a healed core that has to agree in time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sims.bounds import convergence_bound, worst_latency
from sims.checkers import safety_checkers
from sims.errors import NodeCrashedError, NotConvergedError, ViolationError
from sims.fingerprint import Fingerprint
from sims.network import Link, Network
from sims.observer import Observer
from sims.schedule import Schedule
from sims.swarm.kinds import ANCHOR, Planner
from sims.swarm.options import SwarmOptions, pick_options, rng_of
from sims.world import World
from swim.events import MemberStatus

__all__ = ["EXIT_CODES", "Outcome", "SwarmResult", "plan", "run_swarm"]

Outcome = Literal["ok", "crash", "liveness", "safety"]

EXIT_CODES: dict[Outcome, int] = {"ok": 0, "crash": 127, "liveness": 128, "safety": 129}

_GONE = (MemberStatus.FAILED, MemberStatus.LEFT)
_LINGER = 20.0
_LOOK = 1.0
_SEED_NAME = "seeds.example"


@dataclass(frozen=True, slots=True)
class SwarmResult:
    """What came out of one seed.

    Attributes:
        seed: which.
        options: what it picked.
        schedule: the faults.
        outcome: ``ok``, ``crash`` (the protocol code raised), ``liveness`` or ``safety``.
        violations: what was wrong, a line each.
        virtual_seconds: how long the run took in its own time.
        healed_seconds: how long the core took to agree, and
        bound: how long it may have taken.
        steps: things that happened.
        trace_sha256: fingerprint of the whole run.
    """

    seed: int
    options: SwarmOptions
    schedule: Schedule
    outcome: Outcome
    violations: tuple[str, ...]
    virtual_seconds: float
    healed_seconds: float
    bound: float
    steps: int
    trace_sha256: str

    @property
    def exit_code(self) -> int:
        """0, 127 (crash), 128 (liveness) or 129 (safety)."""
        return EXIT_CODES[self.outcome]

    @property
    def replay(self) -> str:
        """The command that does it again."""
        return f"python -m sims.swarm --start {self.seed} --seeds 1 --verbose"

    def __str__(self) -> str:
        head = f"seed {self.seed}: {self.outcome}, {self.virtual_seconds:.1f} s, {self.steps} steps"
        lines = [head, str(self.options), *(f"  {fault!r}" for fault in self.schedule)]
        lines += [f"  ! {violation}" for violation in self.violations]
        if self.violations:
            lines.append(f"  replay: {self.replay}")
        return "\n".join(lines)


def plan(seed: int, options: SwarmOptions) -> Schedule:
    """The faults of a seed."""
    hosts = [f"n{number}" for number in range(1, options.nodes + 1)]
    planner = Planner(rng_of(seed, "faults"), hosts, Link(latency=options.latency), options.slower)
    return planner.plan(options.kinds, options.faults, options.seconds)


def run_swarm(
    seed: int,
    *,
    options: SwarmOptions | None = None,
    byte_mode: bool = True,
    observers: Iterable[Observer] = (),
) -> SwarmResult:
    """Plays one seed.

    Args:
        seed: decides everything.
        options: instead of those that the seed picks.
        byte_mode: see ``World``.
        observers: watch the world, as a trace does.
    """
    return _Swarm(seed, options or pick_options(seed), byte_mode, observers).play()


class _Swarm:
    def __init__(
        self, seed: int, options: SwarmOptions, byte_mode: bool, observers: Iterable[Observer]
    ) -> None:
        self._seed = seed
        self._options = options
        link = Link(latency=options.latency)
        self._schedule = plan(seed, options)
        self._fingerprint = Fingerprint()
        self._checkers = safety_checkers()
        given = {"seeds": (_SEED_NAME,)} if options.named_seed else {}
        self._world = World(
            seed,
            nodes=options.nodes,
            config=options.config(name="any", **given),
            network=Network(link),
            byte_mode=byte_mode,
            start="apart" if options.named_seed else "join",
            observers=[*observers, self._fingerprint, *self._checkers],
        )
        self._world.network.set_names(_SEED_NAME, [self._world.host(ANCHOR).endpoint])
        self._bound = self._healed = 0.0

    def play(self) -> SwarmResult:
        outcome: Outcome = "ok"
        violations: list[str] = []
        try:
            self._schedule.apply(self._world)
            self._world.run_for(self._schedule.seconds + 1.0)
            self._heal()
        except NodeCrashedError as error:
            outcome, violations = "crash", [str(error)]
        except ViolationError as error:
            outcome, violations = "safety", [str(error)]
        except NotConvergedError as error:
            outcome, violations = "liveness", str(error).split("\n")
        return SwarmResult(
            self._seed,
            self._options,
            self._schedule,
            outcome,
            tuple(violations),
            self._world.now,
            self._healed,
            self._bound,
            self._world.clock.steps,
            self._fingerprint.sha256,
        )

    def _heal(self) -> None:
        """The faults end, some of the dead come back, and from then on the core has to agree in time."""
        world, rng = self._world, rng_of(self._seed, "healing")
        crashed = [node for node in world.nodes.values() if node.state == "crashed"]
        back = [
            node.id for node in crashed if node.id == ANCHOR or rng.uniform(0, 1) < self._options.comeback
        ]
        self._schedule.heal(world, restart=back)
        core = world.running()
        config = world.host(ANCHOR).config
        self._bound = config.dead_node_reclaim_time + convergence_bound(
            config,
            len(world.nodes),
            latency=worst_latency(self._options.latency),
            gone=len(world.nodes) - len(core),
            live=len(core),
        )
        self._agree(began := world.now)
        world.run_for(_LINGER * self._options.slower)
        # What was under way may still have upset the agreement, but not for longer than the bound.
        self._agree(began)
        for checker in self._checkers:
            checker.finish(world)

    def _agree(self, began: float) -> None:
        world = self._world
        end = max(began + self._bound, world.now)
        while not world.run_until(lambda world: world.converged, end - world.now) or _differences(world):
            if world.now >= end:
                problem = f"the core does not agree {self._bound:.0f} s after the faults ended"
                raise NotConvergedError("\n".join([problem, *_differences(world)]))
            world.run_for(min(_LOOK, end - world.now))
        self._healed = max(self._healed, world.now - began)


def _differences(world: World) -> list[str]:
    """Who sees what that is not so: the core alive where it is, as it is; everybody else failed or left."""
    core = {node.name: node for node in world.running()}
    lines = []
    for viewer in core.values():
        lines += [f"{viewer.id} does not list {name}" for name in core if viewer.member(name) is None]
        for member in viewer.members():
            node = core.get(member.name)
            if node is None:
                if member.status not in _GONE:
                    lines.append(f"{viewer.id} shows {member.name} as {member.status}, it is gone")
                continue
            own = node.node.local
            for field in ("status", "address", "port", "tags"):
                shown, real = getattr(member, field), getattr(own, field)
                if shown != real:
                    lines.append(f"{viewer.id} shows {member.name} with {field} {shown}, it has {real}")
    return lines
