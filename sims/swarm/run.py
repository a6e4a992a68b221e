"""One swarm run: faults with the safety checkers on, then a healed core that has to agree in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sims.bounds import convergence_bound, worst_latency
from sims.errors import NodeCrashedError, NotConvergedError, ViolationError
from sims.fingerprint import Fingerprint
from sims.network import Link, Network
from sims.observer import Observer
from sims.schedule import Schedule
from sims.swarm.kinds import ANCHOR, Planner
from sims.swarm.options import SwarmOptions, pick_options, rng_of
from sims.world import World

__all__ = ["EXIT_CODES", "Outcome", "SwarmResult", "run_swarm"]

Outcome = Literal["ok", "crash", "liveness", "safety"]

EXIT_CODES: dict[Outcome, int] = {"ok": 0, "crash": 127, "liveness": 128, "safety": 129}

_LINGER = 20.0
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


def run_swarm(seed: int, *, options: SwarmOptions | None = None, byte_mode: bool = True) -> SwarmResult:
    """Plays one seed.

    Args:
        seed: decides everything.
        options: instead of those that the seed picks.
        byte_mode: see ``World``.
    """
    return _Swarm(seed, options or pick_options(seed), byte_mode).play()


class _Swarm:
    def __init__(self, seed: int, options: SwarmOptions, byte_mode: bool) -> None:
        self._seed = seed
        self._options = options
        link = Link(latency=options.latency)
        hosts = [f"n{number}" for number in range(1, options.nodes + 1)]
        planner = Planner(rng_of(seed, "faults"), hosts, link, options.slower)
        self._schedule = planner.plan(options.kinds, options.faults, options.seconds)
        self._fingerprint = Fingerprint()
        given = {"seeds": (_SEED_NAME,)} if options.named_seed else {}
        self._world = World(
            seed,
            nodes=options.nodes,
            config=options.config(name="any", **given),
            network=Network(link),
            byte_mode=byte_mode,
            start="apart" if options.named_seed else "join",
            observers=[self._fingerprint, *_checkers()],
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

    def _agree(self, began: float) -> None:
        world = self._world
        end = max(began + self._bound, world.now)
        is_healed = world.run_until(_is_healed, end - world.now)
        self._healed = max(self._healed, world.now - began)
        if not is_healed:
            raise NotConvergedError("\n".join(_differences(world, self._bound)))


def _checkers() -> list[Observer]:
    return []


def _is_healed(world: World) -> bool:
    """Whether the core shows itself as alive, and everybody else as failed or left."""
    return world.converged


def _differences(world: World, bound: float) -> list[str]:
    """Who sees what that is not so."""
    core = world.running()
    truth = frozenset(node.name for node in core)
    lines = [f"the core does not agree {bound:.0f} s after the faults ended"]
    for node in core:
        wrong = [f"{name} {node.status_of(name) or 'unlisted'}" for name in sorted(truth ^ node.alive())]
        if wrong:
            lines.append(f"{node.id} shows {', '.join(wrong)}")
    return lines
