"""One run as a value: nodes, faults and duration. It can be run, printed as Python, and replayed.

A failing property test produces one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

from sims.checkers import safety_checkers
from sims.faults.schedule import Schedule
from sims.plain import name_of
from sims.replay import schedule_made
from sims.testing.applications import Applications, Invariant
from sims.world import Start, World
from sims.world.observer import Observer
from swim.config import Config
from swim.config.merge_policy import MergePolicy
from swim.config.profiles import PROFILES
from swim.trace import encode, header

__all__ = ["Program", "pasteable"]

_GIVEN = ("name", "bind", "seeds")
_CHECKERS_IMPORT = "from sims.checkers import safety_checkers"
_SCHEDULE_IMPORT = "from sims.faults.schedule import Schedule"
_WORLD_IMPORT = "from sims.world import World"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A complete run.

    Attributes:
        seed: of the world.
        nodes: the number of first nodes.
        config: settings of every node, as for ``World``.
        start: how they start, see ``sims.world.Start``.
        schedule: faults, applied at time 0.
        seconds: how long it runs.
        settle: after that, within this many seconds all running nodes must list exactly each other; None
            checks nothing.
        application: see ``Applications``.
        invariants: see ``Applications``.
    """

    seed: int = 0
    nodes: int = 3
    config: Config | Callable[..., Config] = Config.local
    start: Start = "join"
    schedule: Schedule = field(default_factory=Schedule)
    seconds: float = 60.0
    settle: float | None = None
    application: Callable[..., Any] | None = None
    invariants: tuple[Invariant, ...] = ()

    def run(self, observers: Iterable[Observer] = ()) -> World:
        """Runs it with the safety checkers; returns the world at the end.

        Raises:
            ViolationError: a checker or an invariant does not hold.
            NotConvergedError: the nodes did not settle in time.
            NodeCrashedError: the protocol code, or the application, raised.
        """
        watchers = [*safety_checkers(), *observers]
        if self.application is not None or self.invariants:
            watchers.append(Applications(self.application, invariants=self.invariants))
        world = World(self.seed, nodes=self.nodes, config=self.config, start=self.start, observers=watchers)
        self.schedule.apply(world)
        world.run_for(self.seconds)
        if self.settle is not None:
            world.settle(self.settle)
        return world

    def __str__(self) -> str:
        """An equivalent Python program, ready to paste."""
        imports = {_CHECKERS_IMPORT, _SCHEDULE_IMPORT, _WORLD_IMPORT, *_imports_of(self.schedule)}

        def source(value: object) -> str:
            text, needed = pasteable(value)
            imports.update(needed)
            return text

        observers = "*safety_checkers()"
        if self.application is not None or self.invariants:
            imports.add("from sims.testing.applications import Applications")
            checks = ", ".join(map(source, self.invariants))
            observers += f", Applications({source(self.application)}, invariants=[{checks}])"
        lines = [
            f"schedule = {self.schedule!r}",
            "world = World(",
            f"    {self.seed},",
            f"    nodes={self.nodes},",
            f"    config={source(self.config)},",
            f'    start="{self.start}",',
            f"    observers=[{observers}],",
            ")",
            "schedule.apply(world)",
            f"world.run_for({self.seconds!r})",
        ]
        if self.settle is not None:
            lines.append(f"world.settle({self.settle!r})")
        return "\n".join([*sorted(imports), "", *lines])

    def _application_name(self) -> str:
        parts = [self.application, *self.invariants]
        return ", ".join(name_of(part) for part in parts if part is not None)

    def write_replay(self, path: Path) -> bool:
        """Writes a replay file for ``swim sim replay``: cluster and faults, without the application.

        Returns:
            False, and nothing is written, if the settings contain gossip keys, which a replay file must not.
        """
        profile, changed = _from_profile(_example(self.config))
        if "keys" in changed:
            return False
        made = schedule_made(
            self.schedule,
            nodes=self.nodes,
            seconds=self.seconds,
            profile=profile,
            config=json.loads(json.dumps(changed, default=dict)),
            start=self.start,
            settle=self.settle,
            lacks=self._application_name(),
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(encode(header(self.seed, made, "all")), encoding="ascii")
        return True


def pasteable(value: object) -> tuple[str, list[str]]:
    """A value as Python source, and the import lines that it needs.

    Settings are printed as changes of the nearest profile, functions and classes by their names. A value that
    cannot be imported (a lambda, a nested function) becomes a comment, for you to define it; so do gossip
    keys, which are never printed.
    """
    match value:
        case Config():
            profile, changed = _from_profile(value)
            arguments, comments = _arguments((), {"name": value.name} | changed)
            return f"Config.{profile}({arguments})", [_CONFIG_IMPORT, *comments]
        case partial(func=function, args=args, keywords=keywords):
            name, imports = pasteable(function)
            arguments, comments = _arguments(args, keywords)
            return f"partial({name}, {arguments})", ["from functools import partial", *imports, *comments]
        case _ if not callable(value):
            return repr(value), []
    name, module = getattr(value, "__qualname__", type(value).__qualname__), value.__module__
    if "<" in name:
        return name.rpartition(".")[2].strip("<>"), [
            f"# {name} of {module} cannot be imported: define it here"
        ]
    return name, [f"from {module} import {name.partition('.')[0]}"]


_CONFIG_IMPORT = "from swim.config import Config"


def _arguments(args: Iterable[object], keywords: Mapping[str, object]) -> tuple[str, list[str]]:
    """Arguments as source, and a comment in place of gossip keys."""
    given = {name: repr(value) for name, value in keywords.items()}
    comments = []
    if any(isinstance(value, MergePolicy) for value in keywords.values()):
        comments.append("from swim.config import MergePolicy")
    if keywords.get("keys"):
        given["keys"] = "gossip_keys"
        comments.append("# gossip_keys are not printed: define them here")
    return ", ".join([*map(repr, args), *(f"{name}={text}" for name, text in given.items())]), comments


def _example(config: Config | Callable[..., Config]) -> Config:
    return config if isinstance(config, Config) else config(name="n1", bind="127.0.0.1:0")


def _from_profile(config: Config) -> tuple[str, dict[str, Any]]:
    """The profile that is nearest, and the fields that differ from it; not name, bind and seeds."""
    found: dict[str, dict[str, Any]] = {}
    for name in sorted(PROFILES):
        plain = Config.profile(name, name="n1")
        found[name] = {
            each.name: _plain(getattr(config, each.name))
            for each in fields(config)
            if each.name not in _GIVEN and getattr(config, each.name) != getattr(plain, each.name)
        }
    nearest = min(found, key=lambda name: len(found[name]))
    return nearest, found[nearest]


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _imports_of(schedule: Schedule) -> list[str]:
    """Every fault class, and the links and latencies inside them."""
    text = repr(schedule)
    names = sorted({type(fault).__name__ for fault in schedule})
    imports = [f"from sims.faults import {', '.join(names)}"] if names else []
    for module, kinds in (
        ("sims.world.network", ("Burst", "Link", "Nat")),
        ("sims.world.latency", ("Constant", "Empirical", "Exponential", "Uniform")),
    ):
        used = [kind for kind in kinds if f"{kind}(" in text]
        if used:
            imports.append(f"from {module} import {', '.join(used)}")
    return imports
