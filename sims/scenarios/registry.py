"""Named scenarios: functions that run a world, measure, and state what must hold.

A scenario is run with a seed and a few options, and returns a ``Result``; the same seed and options give the
same result. Scenarios are in ``sims.scenarios``, one file per kind of trouble::

    @scenario("kill-k", kill=3, at_least={"kill": 1, "nodes": 2}, beside={"kill": 1})
    def kill_k(run: Run) -> None:
        '''Some nodes crash at once: all others must detect it, and no other node may be accused.'''
        world = run.world()
        ...
        run.measure("detection_seconds", seconds)
        run.expect(world.agree, "the views differ")
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

from sims.checkers import Checker, safety_checkers
from sims.errors import SimError, UsageError, ViolationError
from sims.settings import read_settings
from sims.traces.fingerprint import Fingerprint
from sims.world import Start, World
from sims.world.network import Network
from sims.world.observer import Observer
from swim import checks
from swim.config import Config
from swim.config.profiles import PROFILES
from swim.errors import ConfigError

__all__ = ["Result", "Run", "Scenario", "run_scenario", "scenario", "scenarios"]

Value = int | float | bool | str
_COMMON: dict[str, Value] = {"nodes": 20, "profile": "lan", "byte_mode": True}
_NODES_MAX = 1_000_000
_NO_LIMITS: Mapping[str, float] = MappingProxyType({})
_REGISTRY: dict[str, Scenario] = {}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One named experiment.

    Attributes:
        name: as on the command line.
        summary: one line; the rest is in ``description``.
        options: names with their defaults, which also give the types.
        is_long: takes minutes; omitted from runs over all scenarios.
        at_least: the least values of options, where that is not 0 (for ``nodes``: 1).
        at_most: the greatest values of options that have one (``nodes`` has a million).
        beside: for an option that picks a number of nodes, how many other nodes there must be.
    """

    name: str
    summary: str
    description: str
    options: Mapping[str, Value]
    play: Callable[[Run], None]
    is_long: bool = False
    at_least: Mapping[str, float] = field(default_factory=dict)
    at_most: Mapping[str, float] = field(default_factory=dict)
    beside: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one run.

    Attributes:
        violations: one sentence each; empty if everything held.
        measures: numbers by name; seconds unless the name says otherwise.
        trace_sha256: fingerprint of everything that happened in the run's worlds.
        exit_code: 0, 127 (the core crashed), 128 (not in time) or 129 (a property was violated).
        settings: fields of ``Config`` that the user set.
    """

    scenario: str
    seed: int
    options: Mapping[str, Value]
    violations: tuple[str, ...]
    measures: Mapping[str, float]
    trace_sha256: str
    virtual_seconds: float
    wall_seconds: float
    exit_code: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing was violated."""
        return not self.violations

    def document(self, *, deterministic: bool = False) -> dict[str, Any]:
        """The JSON form; ``deterministic`` leaves out the wall-clock time."""
        document: dict[str, Any] = {
            "scenario": self.scenario,
            "seed": self.seed,
            "options": dict(self.options),
            **({"settings": dict(self.settings)} if self.settings else {}),
            "ok": self.ok,
            "violations": list(self.violations),
            "measures": dict(self.measures),
            "trace_sha256": self.trace_sha256,
            "virtual_seconds": self.virtual_seconds,
        }
        return document if deterministic else document | {"wall_seconds": round(self.wall_seconds, 3)}


@dataclass
class Run:
    """One running scenario.

    Attributes:
        options: every option of the scenario with its value.
        progress: called occasionally with a share from 0 to 1 and a word.
        observers: added to every world of the run (traces, pictures).
        closing: called when the run has ended without an error, for final measures.
        settings: fields of ``Config`` for every node, which override the scenario's.
    """

    seed: int
    options: Mapping[str, Value]
    progress: Callable[[float, str], None] = lambda share, word: None
    observers: tuple[Observer, ...] = ()
    measures: dict[str, float] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)
    fingerprint: Fingerprint = field(default_factory=Fingerprint)
    worlds: list[World] = field(default_factory=list)
    checkers: list[tuple[World, Checker]] = field(default_factory=list)
    closing: list[Callable[[], None]] = field(default_factory=list)
    settings: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int = 0

    def __getitem__(self, option: str) -> Any:
        return self.options[option]

    def config(self, **overrides: Any) -> Callable[..., Config]:
        """A factory of node settings: the run's profile, some fields changed, then the user's own."""
        return partial(Config.profile, self["profile"], **(overrides | dict(self.settings)))

    def world(
        self,
        *,
        nodes: int | None = None,
        seed: int | None = None,
        config: Config | Callable[..., Config] | None = None,
        network: Network | None = None,
        start: Start = "join",
        checked: bool = True,
        observers: Iterable[Observer] = (),
    ) -> World:
        """A world of the run, with the safety checkers unless ``checked`` is off.

        Defaults come from the options ``nodes``, ``profile`` and ``byte_mode``. Large experiments about speed
        or false positives turn the checkers off, which cost as much as the nodes.
        """
        watchers: list[Observer] = [*observers, *self.observers, self.fingerprint]
        checkers = safety_checkers() if checked else []
        world = World(
            self.seed if seed is None else seed,
            nodes=self["nodes"] if nodes is None else nodes,
            config=config or self.config(),
            network=network,
            byte_mode=self["byte_mode"],
            start=start,
            observers=[*watchers, *checkers],
        )
        self.worlds.append(world)
        self.checkers += [(world, checker) for checker in checkers]
        return world

    def measure(self, name: str, value: float) -> None:
        """Records a number, rounded to microseconds (or millionths)."""
        self.measures[name] = round(float(value), 6)

    def expect(self, condition: bool, problem: str, *, exit_code: int = 129) -> None:
        """Records a violation unless the condition holds."""
        if not condition:
            self.violations.append(problem)
            for world in self.worlds[-1:]:
                world.tell("violation", ViolationError("scenario", world.now, "", problem))
            self.exit_code = self.exit_code or exit_code

    def expect_soon(
        self, world: World, condition: Callable[[World], bool], limit: float, problem: str
    ) -> float:
        """Runs until the condition holds, for ``limit`` seconds at most; returns the seconds it took."""
        began = world.now
        held = world.run_until(condition, limit)
        self.expect(held, f"{problem} within {limit:g} s", exit_code=128)
        return world.now - began


def scenario(
    name: str,
    *,
    is_long: bool = False,
    at_least: Mapping[str, float] = _NO_LIMITS,
    at_most: Mapping[str, float] = _NO_LIMITS,
    beside: Mapping[str, float] = _NO_LIMITS,
    **options: Value,
) -> Callable[[Callable[[Run], None]], Scenario]:
    """Registers a function as a scenario; its docstring's first line is the summary.

    Args:
        name: as on the command line.
        is_long: takes minutes.
        at_least: see ``Scenario``.
        at_most: see ``Scenario``.
        beside: see ``Scenario``.
        options: further ones with their defaults, besides ``nodes``, ``profile`` and ``byte_mode``.
    """

    def register(play: Callable[[Run], None]) -> Scenario:
        description = (play.__doc__ or "").strip()
        made = Scenario(
            name,
            description.partition("\n")[0],
            description,
            _COMMON | options,
            play,
            is_long,
            {"nodes": 1, **at_least},
            {"nodes": _NODES_MAX, **at_most},
            beside,
        )
        _REGISTRY[name] = made
        return made

    return register


def scenarios() -> Mapping[str, Scenario]:
    """All scenarios by name, in alphabetical order; importing ``sims.scenarios`` registered them."""
    return dict(sorted(_REGISTRY.items()))


@checks.arguments(seed=checks.instance("a whole number", int))
def run_scenario(
    name: str,
    seed: int,
    options: Mapping[str, object] | None = None,
    *,
    settings: Mapping[str, object] | None = None,
    progress: Callable[[float, str], None] | None = None,
    observers: Iterable[Observer] = (),
) -> Result:
    """Runs a scenario once.

    Args:
        name: which.
        seed: decides everything but the options.
        options: values, as themselves or as text; missing ones take their defaults.
        settings: fields of ``Config`` for every node, as themselves or as text; they override the scenario's.
        progress: called with a share from 0 to 1 and a word.
        observers: added to every world.

    Raises:
        UsageError: an unknown scenario, option or setting, or a value that does not fit.
    """
    found = scenarios().get(name)
    if found is None:
        raise UsageError(f"there is no scenario {name!r}; see `swim sim list`")
    given = _checked(found, options or {})
    chosen = read_settings(settings or {})
    run = Run(seed, given, observers=tuple(observers), settings=chosen)
    if progress is not None:
        run.progress = progress
    began = time.perf_counter()
    try:
        found.play(run)
        for world, checker in run.checkers:
            checker.finish(world)
        for close in run.closing:
            close()
    except UsageError:
        raise
    except ConfigError as error:
        raise UsageError(f"scenario {name}: {error}") from None
    except SimError as error:
        run.violations.append(str(error))
        run.exit_code = error.exit_code
    return Result(
        name,
        seed,
        given,
        tuple(run.violations),
        run.measures,
        run.fingerprint.sha256,
        round(sum(world.now for world in run.worlds), 6),
        time.perf_counter() - began,
        run.exit_code,
        chosen,
    )


def _checked(found: Scenario, options: Mapping[str, object]) -> dict[str, Value]:
    for name in options:
        if name not in found.options:
            known = ", ".join(sorted(found.options))
            raise UsageError(f"scenario {found.name} has no option {name!r} (it has {known})")
    values = {
        name: _convert(found.name, name, options.get(name, default), default)
        for name, default in found.options.items()
    }
    if values["profile"] not in PROFILES:
        raise UsageError(f"option profile: {values['profile']!r} is none of {', '.join(PROFILES)}")
    _check_limits(found, {name: v for name, v in values.items() if isinstance(v, int | float)})
    return values


def _check_limits(found: Scenario, values: Mapping[str, float]) -> None:
    for name, value in values.items():
        least, most = found.at_least.get(name, 0), found.at_most.get(name, math.inf)
        if value < least:
            raise UsageError(f"option {name}: must be at least {least:g}, not {value}")
        if value > most:
            raise UsageError(f"option {name}: must be at most {most:g}, not {value}")
    nodes = values["nodes"]
    for name, others in found.beside.items():
        if values[name] + others > nodes:
            most = nodes - others
            raise UsageError(f"option {name}: must be at most {most} for {nodes} nodes, not {values[name]}")


def _convert(scenario_name: str, name: str, value: object, default: Value) -> Value:
    kind = type(default)
    text = str(value)
    try:
        if kind is bool:
            return {"true": True, "false": False, "1": True, "0": False}[text.lower()]
        if kind is float and not math.isfinite(float(text)):
            raise ValueError
        return kind(text)
    except (ValueError, KeyError):
        wanted = {int: "a whole number", float: "a number", bool: "true or false"}[kind]
        raise UsageError(f"scenario {scenario_name}: option {name} must be {wanted}, not {text!r}") from None
