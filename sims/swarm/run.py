"""One swarm run: faults with all checkers on, then healing, after which the nodes must agree in time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sims.checkers import LIVENESS, liveness_checkers, safety_checkers
from sims.errors import NodeCrashedError, NotConvergedError, ViolationError
from sims.faults.schedule import Schedule
from sims.swarm.healing import INTRODUCE_AGAIN, agree, agreement_bound, crash_bound, introduce
from sims.swarm.kinds import (
    ANCHOR,
    LATEST,
    SEED_NAME,
    Planner,
    clocks,
    firewalls,
    messages,
    rotations,
    user_events,
)
from sims.swarm.options import SwarmOptions, pick_options, rng_of
from sims.testing.applications import RAISED
from sims.theory.bounds import worst_latency
from sims.traces.fingerprint import Fingerprint
from sims.world import World
from sims.world.network import Link, Network
from sims.world.observer import Observer
from swim import checks

__all__ = ["EXIT_CODES", "Outcome", "SwarmResult", "plan", "run_swarm"]

Outcome = Literal["ok", "crash", "liveness", "safety"]

EXIT_CODES: dict[Outcome, int] = {"ok": 0, "crash": 127, "liveness": 128, "safety": 129}

_LINGER = 20.0


@dataclass(frozen=True, slots=True)
class SwarmResult:
    """The result of one seed.

    Attributes:
        seed: which.
        options: its choices.
        schedule: the faults.
        outcome: ``ok``, ``crash`` (the protocol code or an application raised), ``liveness`` or ``safety``.
        violations: one line each.
        virtual_seconds: duration of the run in virtual time.
        healed_seconds: how long the nodes took to agree.
        bound: how long they were allowed to take.
        steps: number of handled inputs.
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
        """The command that runs it again."""
        return f"python -m sims.swarm --start {self.seed} --seeds 1 --verbose"

    def __str__(self) -> str:
        head = f"seed {self.seed}: {self.outcome}, {self.virtual_seconds:.1f} s, {self.steps} steps"
        lines = [head, str(self.options), *(f"  {fault!r}" for fault in self.schedule)]
        lines += [f"  ! {violation}" for violation in self.violations]
        if self.violations:
            lines.append(f"  replay: {self.replay}")
        return "\n".join(lines)


def plan(seed: int, options: SwarmOptions) -> Schedule:
    """The faults of a seed, and what applications send and change meanwhile."""
    hosts = [f"n{number}" for number in range(1, options.nodes + 1)]
    link = Link(latency=options.latency)
    planner = Planner(rng_of(seed, "faults"), hosts, link, options.slower, anchored=options.anchored)
    faults = planner.plan(options.kinds, options.faults, options.seconds)
    first = hosts[: options.nodes]
    drawn = messages(rng_of(seed, "messages"), first, options.seconds)
    drawn += user_events(rng_of(seed, "user events"), first, options.seconds)
    keys = len(options.settings.get("keys", ()))
    drawn += rotations(rng_of(seed, "rotations"), first, options.seconds, keys)
    drawn += clocks(rng_of(seed, "clocks"), first, options.seconds)
    drawn += firewalls(rng_of(seed, "firewalls"), first, options.seconds, link)
    return Schedule(sorted([*faults, *drawn], key=lambda fault: fault.at)) if drawn else faults


@checks.arguments(seed=checks.instance("a whole number", int), byte_mode=checks.flag)
def run_swarm(
    seed: int,
    *,
    options: SwarmOptions | None = None,
    byte_mode: bool = True,
    observers: Iterable[Observer] = (),
) -> SwarmResult:
    """Runs one seed.

    Args:
        seed: decides everything.
        options: in place of those that the seed picks.
        byte_mode: see ``World``.
        observers: added to the world, such as a trace, or ``Applications`` with your own program.
    """
    return _Swarm(seed, options or pick_options(seed), byte_mode, observers).play()


def _kind_of(violation: ViolationError) -> Outcome:
    return "liveness" if violation.checker in {kind.__name__ for kind in LIVENESS} else "safety"


class _Swarm:
    def __init__(
        self, seed: int, options: SwarmOptions, byte_mode: bool, observers: Iterable[Observer]
    ) -> None:
        self._seed = seed
        self._options = options
        self._schedule = plan(seed, options)
        self._fingerprint = Fingerprint()
        self._checkers = [*safety_checkers(), *liveness_checkers()]
        self._byte_mode = byte_mode
        self._observers = observers
        self._world: World | None = None
        self._bound = self._healed = 0.0

    def play(self) -> SwarmResult:
        outcome: Outcome = "ok"
        violations: list[str] = []
        try:
            world = self._world = self._start()
            self._schedule.apply(world)
            world.run_for(self._options.seconds)
            self._heal(world)
        except NodeCrashedError as error:
            outcome, violations = "crash", [str(error)]
        except ViolationError as error:
            outcome, violations = _kind_of(error), [str(error)]
        except NotConvergedError as error:
            outcome, violations = "liveness", str(error).split("\n")
        except Exception as error:  # starting, resuming and commands call the core outside the world's steps
            node = self._world.current if self._world else "?"
            whose = str(NodeCrashedError(self._seed, self._now, node, error))
            for note in getattr(error, "__notes__", ()):
                whose = f"{note}: {error!r}" if note.startswith(RAISED) else whose
            outcome, violations = "crash", [whose]
        return SwarmResult(
            self._seed,
            self._options,
            self._schedule,
            outcome,
            tuple(violations),
            self._now,
            self._healed,
            self._bound,
            self._world.clock.steps if self._world else 0,
            self._fingerprint.sha256,
        )

    @property
    def _now(self) -> float:
        return self._world.now if self._world else 0.0

    def _start(self) -> World:
        options = self._options
        by_name = {"seeds": (SEED_NAME,)} if options.start == "apart" else {}
        world = World(
            self._seed,
            nodes=options.nodes,
            config=lambda **given: options.config(**(by_name | given)),
            network=Network(Link(latency=options.latency)),
            byte_mode=self._byte_mode,
            start=options.start,
            observers=[*self._observers, self._fingerprint, *self._checkers],
        )
        if options.start == "apart":
            world.network.set_names(SEED_NAME, [world.host(ANCHOR).endpoint])
        return world

    def _heal(self, world: World) -> None:
        """Ends all faults and restarts some crashed nodes: the nodes must agree in time."""
        rng, options = rng_of(self._seed, "healing"), self._options
        crashed = [node for node in world.nodes.values() if node.state == "crashed"]
        back = [
            node.id
            for node in crashed
            if rng.uniform(0, 1) < options.comeback or (options.anchored and node.id == ANCHOR)
        ]
        for host in list(world.network.nats):
            world.translate(host, None)
        self._schedule.heal(world, restart=back)
        core = world.running()
        if core and world.network.names.get(SEED_NAME) is not None:
            world.network.set_names(SEED_NAME, [core[0].endpoint])
        introduce(world)
        latency = worst_latency(options.latency)
        # Packets delayed by a block, a slow reader or the network still arrive, late.
        late = LATEST + max(0.0, self._schedule.seconds - options.seconds)
        began, self._bound = world.now, late + INTRODUCE_AGAIN + agreement_bound(world, latency)
        problem = f"the core does not agree {self._bound:.0f} s after the faults ended"
        agree(world, began + self._bound, problem)
        self._healed = world.now - began
        world.run_for(_LINGER * options.slower)
        # Messages in flight may still have disturbed the agreement, but not for longer than the bound.
        agree(world, max(began + self._bound, world.now), problem)
        if len(core) > 2:
            bound = crash_bound(world, latency)
            world.crash(rng.choice(core))
            agree(world, world.now + bound, f"one more crash is not noticed within {bound:.0f} s")
        for checker in self._checkers:
            checker.finish(world)
