"""A Hypothesis state machine that exercises a simulated cluster and shrinks failures.

``membership_machine`` makes one from plain functions and values::

    Machine = membership_machine(nodes=(3, 7))
    TestMembership = Machine.TestCase

Every rule injects one fault of ``sims.faults`` and lets a moment pass. The safety checkers check every step.
At the end, when all faults are over, the nodes must agree within the bound given by their settings. A failing
example can be reproduced from Hypothesis's list of rules, from a program to paste, and from a replay file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from sims.checkers import Checker, safety_checkers
from sims.errors import SimError
from sims.faults import (
    Add,
    Block,
    Crash,
    CutPair,
    Fault,
    Leave,
    Pause,
    Readdress,
    Rejoin,
    Restart,
    SendQuery,
    SendUserEvent,
    SetLink,
    SetTags,
    Split,
)
from sims.faults.rules import Overrides
from sims.faults.schedule import Schedule
from sims.testing.applications import Applications, Invariant
from sims.testing.reproducer import Program
from sims.testing.strategies import durations, links, splits
from sims.theory.bounds import convergence_bound
from sims.world import Start, World
from sims.world.host import SimNode
from sims.world.network import Link
from swim.config import Config
from swim.errors import ConfigError

__all__ = ["MembershipMachine", "hosts", "membership_machine"]

ANCHOR = "n1"
"""The host that new nodes join. It may crash, but it does not leave or move, and at the end it runs."""

_MOMENT = 2.0**-10
"""Seconds that pass after each fault, so that no two happen at once, and all times are exact."""
_STEPS = 20
_LATENCY = 0.02
"""Seconds, more than any packet takes when the faults are over."""


@dataclass(frozen=True, slots=True)
class _Setup:
    nodes: tuple[int, int]
    config: Callable[..., Config] | Config
    start: Start
    application: Callable[..., Any] | None
    invariants: tuple[Invariant, ...]


def hosts(*states: str) -> st.SearchStrategy[str]:
    """Ids of the machine's hosts in one of these states (of all hosts if none is given), for a rule."""
    return st.runner().flatmap(lambda machine: st.sampled_from(machine.ids(*states)))


class MembershipMachine(RuleBasedStateMachine):
    """Rules over one ``World``; see ``membership_machine``, which makes usable ones.

    Attributes:
        setup: the arguments of ``membership_machine``.
        world: the cluster.
        applications: the applications on it, by host id.
    """

    setup = _Setup((2, 7), Config.local, "join", None, ())

    def __init__(self) -> None:
        super().__init__()
        self.world: World
        self.applications: Applications
        self._faults: list[Fault] = []
        self._nodes = self._seed = 0
        self._checkers: list[Checker] = []
        self._overrides = Overrides()
        self._seconds = 0.0
        self._settle: float | None = None
        self._handled_before = sys.exception()

    # -- for rules

    def do(self, kind: type[Fault], *what: Any, **more: Any) -> None:
        """Injects a fault now: ``machine.do(Crash, "n2", silent=True)``. It becomes part of the program.

        Raises:
            UsageError: it names a host that does not exist, or a value that is not valid.
        """
        fault = kind(self.world.now, *what, **more)
        Schedule([fault]).check(self.world.nodes)
        self._faults.append(fault)
        self.world.at(self.world.now, fault.begin, self.world, self._overrides)
        self.world.run_for(_MOMENT)

    def ids(self, *states: str) -> list[str]:
        """Ids of the hosts in one of these states, or of all hosts if none is given.

        The states are those of ``SimNode``, except that a node that left and keeps its process is
        ``leaving``.
        """
        found = [node.id for node in self.world.nodes.values() if _state_of(node) in states]
        return found or list(self.world.nodes)

    def program(self) -> Program:
        """What happened so far."""
        if self._settle is None and hasattr(self, "world"):
            self._seconds = self.world.now
        return Program(
            seed=self._seed,
            nodes=self._nodes,
            config=self.setup.config,
            start=self.setup.start,
            schedule=Schedule(self._faults),
            seconds=self._seconds,
            settle=self._settle,
            application=self.setup.application,
            invariants=self.setup.invariants,
        )

    # -- rules

    @initialize(
        nodes=st.runner().flatmap(lambda self: st.integers(*self.setup.nodes)), seed=st.integers(0, 999)
    )
    def begin(self, nodes: int, seed: int) -> None:
        """Starts the world."""
        self.applications = Applications(self.setup.application, invariants=self.setup.invariants)
        self._checkers = safety_checkers()
        self._nodes, self._seed = nodes, seed
        self.world = World(
            seed,
            nodes=nodes,
            config=self.setup.config,
            start=self.setup.start,
            observers=[*self._checkers, self.applications],
        )
        self.world.run_for(_MOMENT)

    @rule(seconds=durations(0.25, 30.0))
    def advance(self, seconds: float) -> None:
        """Time passes."""
        self.world.run_for(seconds)

    @precondition(lambda self: len(self.world.nodes) < self.setup.nodes[1])
    @rule()
    def add(self) -> None:
        """A new node joins."""
        self.do(Add, f"n{len(self.world.nodes) + 1}", (ANCHOR,))

    @rule(node=hosts("running"), silent=st.booleans())
    def crash(self, node: str, silent: bool) -> None:
        """A process dies."""
        self.do(Crash, node, silent=silent)

    @rule(node=hosts("crashed", "left"), snapshot=st.booleans(), moved=st.booleans())
    def restart(self, node: str, snapshot: bool, moved: bool) -> None:
        """A process restarts, perhaps at a new address."""
        self.do(Readdress if moved and node != ANCHOR else Restart, node, snapshot=snapshot)

    @rule(node=hosts("running"), seconds=durations())
    def pause(self, node: str, seconds: float) -> None:
        """A process is paused for a while."""
        self.do(Pause, node, seconds)

    @rule(node=hosts("running"), seconds=durations())
    def block(self, node: str, seconds: float) -> None:
        """A node is cut off while its timers fire."""
        self.do(Block, node, seconds)

    @precondition(lambda self: len(self.world.nodes) > 1)
    @rule(node=hosts("running").filter(ANCHOR.__ne__), stop=st.booleans())
    def leave(self, node: str, stop: bool) -> None:
        """A node leaves gracefully."""
        self.do(Leave, node, stop=stop)

    @precondition(lambda self: any(_state_of(node) == "leaving" for node in self.world.nodes.values()))
    @rule(node=hosts("leaving"))
    def rejoin(self, node: str) -> None:
        """A node that left and kept its process comes back."""
        self.do(Rejoin, node)

    @rule(node=hosts("running"), role=st.sampled_from("abc"))
    def set_tags(self, node: str, role: str) -> None:
        """A node changes its tags."""
        self.do(SetTags, node, {"role": role})

    @rule(node=hosts("running"), count=st.integers(1, 3))
    def user_event(self, node: str, count: int) -> None:
        """An application sends user events."""
        self.do(SendUserEvent, node, count=count)

    @rule(node=hosts("running"), ack=st.booleans(), relay=st.booleans(), early=st.booleans())
    def query(self, node: str, ack: bool, relay: bool, early: bool) -> None:
        """An application asks all members, and the applications there answer."""
        self.do(SendQuery, node, ack=ack, relay_factor=2 * relay, finish_early=early)

    @precondition(lambda self: len(self.world.nodes) > 1)
    @rule(groups=st.runner().flatmap(lambda self: splits(self.ids())), seconds=durations())
    def split(self, groups: tuple[tuple[str, ...], ...], seconds: float) -> None:
        """The network is partitioned for a while."""
        self.do(Split, groups, seconds)

    @rule(source=hosts("running"), other=hosts("running"), seconds=durations(), one_way=st.booleans())
    def cut(self, source: str, other: str, seconds: float, one_way: bool) -> None:
        """Two hosts do not reach each other for a while, or the first one not the other."""
        self.do(CutPair, (source,), (other,), seconds, one_way=one_way)

    @rule(
        source=st.none() | hosts("running"),
        other=st.none() | hosts("running"),
        link=links(),
        seconds=durations(),
    )
    def degrade(self, source: str | None, other: str | None, link: Link, seconds: float) -> None:
        """The link from one host to another is degraded for a while; None is any host."""
        self.do(SetLink, source, other, link, seconds)

    # -- the end

    def teardown(self) -> None:
        """Ends every fault; then the nodes must agree in time. If the run failed already, reports it."""
        error = sys.exception()
        if error is self._handled_before:
            try:
                self._require_agreement()
            except (SimError, AssertionError) as late:
                self._explain(late)
                raise
        elif isinstance(error, Exception) and not isinstance(error, HypothesisException):
            self._explain(error)

    def _require_agreement(self) -> None:
        world = self.world
        if not world.host(ANCHOR).is_up:
            self.do(Restart, ANCHOR)
        world.run_for(max(0.0, Schedule(self._faults).seconds - world.now) + _MOMENT)
        self._seconds = world.now
        live = len(world.running())
        config = world.host(ANCHOR).config
        self._settle = config.dead_node_reclaim_time + convergence_bound(
            config, len(world.nodes), latency=_LATENCY, gone=len(world.nodes) - live, live=live
        )
        world.settle(self._settle)
        for checker in self._checkers:
            checker.finish(world)

    def _explain(self, error: BaseException) -> None:
        program = self.program()
        kind = getattr(error, "checker", type(error).__name__)
        folder = Path(os.environ.get("HYPOTHESIS_STORAGE_DIRECTORY", ".hypothesis"), "swim")
        path = folder / f"{type(self).__name__}-{kind}.jsonl"
        replay = "none: a replay file does not hold gossip keys"
        if program.write_replay(path):
            replay = f"swim sim replay {path}"
        error.add_note(f"As a program:\n\n{program}\n\nReplay: {replay}")


def _state_of(node: SimNode) -> str:
    return "leaving" if node.state == "running" and node.is_leaving else node.state


def membership_machine(
    *,
    nodes: int | tuple[int, int] = (2, 7),
    config: Callable[..., Config] | Config = Config.local,
    start: Start = "join",
    rules: Iterable[Callable[..., Any]] = (),
    without: Iterable[str] = (),
    invariants: Iterable[Invariant] = (),
    application: Callable[..., Any] | None = None,
    name: str = "MembershipMachine",
) -> type[MembershipMachine]:
    """A state machine class: use its ``TestCase``, or ``hypothesis.stateful.run_state_machine_as_test``.

    ``TestCase.settings`` are the current profile's without a deadline and Hypothesis's explain phase, which
    traces every line; 20 rules make an example.

    Args:
        nodes: how many there are, or the fewest at first and the most ever.
        config: settings of every node, as for ``World``.
        start: how they start, as for ``World``.
        rules: your own: functions under ``hypothesis.stateful.rule(...)``, with the machine as first
            argument. They call ``machine.do(...)`` and use ``machine.world`` and ``machine.applications``.
        without: names of rules to omit, such as ``"leave"``.
        invariants: ``check(world, applications)``, called after every step of a node; see ``Applications``.
        application: started in every run of every node; see ``Applications``.
        name: of the class; Hypothesis prints it, and it names the replay file.

    Raises:
        ConfigError: naming an argument: a size below 1, no such start, or a name that is no rule.
    """
    match nodes:
        case int(low):
            high = low
        case (int(low), int(high)):
            pass
        case _:
            raise ConfigError("nodes", f"must be a whole number, or a pair of them, not {nodes!r}")
    if not 1 <= low <= high:
        raise ConfigError("nodes", f"must be at least 1, and the fewest first, not {nodes!r}")
    if start not in get_args(Start):
        raise ConfigError("start", f"must be one of {', '.join(get_args(Start))}, not {start!r}")
    body: dict[str, Any] = {
        "__doc__": MembershipMachine.__doc__,
        "setup": _Setup((low, high), config, start, application, tuple(invariants)),
    }
    for taken in without:
        if taken not in RULES:
            raise ConfigError("without", f"there is no rule {taken!r}; the rules are {', '.join(RULES)}")
        body[taken] = None
    for added in rules:
        body[added.__name__] = added
    made: type[MembershipMachine] = type(name, (MembershipMachine,), body)
    made.TestCase.settings = settings(
        deadline=None,
        stateful_step_count=_STEPS,
        phases=[each for each in Phase if each is not Phase.explain],
    )
    return made


RULES = (
    "advance", "add", "crash", "restart", "pause", "block",
    "leave", "rejoin", "set_tags", "user_event", "query", "split", "cut", "degrade",
)  # fmt: skip
"""Names of the machine's own rules."""
