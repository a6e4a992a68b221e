"""The state machine: clusters survive it, and what does not is handed back as a program and a replay file."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from sims.errors import NotConvergedError, SimError, ViolationError
from sims.faults import Crash, ForceLeave
from sims.replay import read_trace, replay
from sims.testing.machine import MembershipMachine, hosts, membership_machine
from sims.testing.reproducer import Program
from sims.world import World
from swim.config import Config
from swim.errors import ConfigError
from tests.sims.settings import examples

Small = membership_machine(nodes=(5, 8), name="Small")
Small.TestCase.settings = examples(20, parent=Small.TestCase.settings, stateful_step_count=12)
TestSmallClusters = pytest.mark.slow(Small.TestCase)

Larger = membership_machine(nodes=(9, 15), name="Larger")
Larger.TestCase.settings = examples(8, parent=Larger.TestCase.settings, stateful_step_count=12)
TestLargerClusters = pytest.mark.slow(Larger.TestCase)


KEY = b"0123456789abcdef"
SETTINGS = {
    "lan": Config.lan,
    "plain memberlist": partial(Config.local, delegate_version=0),
    "encrypted": partial(Config.local, keys=(KEY,), label="blue"),
    "plain SWIM": partial(Config.lan, buddy_system=False, early_suspicion=False, awareness_max_multiplier=1),
    "slow gossip": partial(Config.local, eager_gossip_delay=-1.0, gossip_nodes=1, verify_second_hand=False),
}


@pytest.mark.deep
@pytest.mark.timeout(0)
@pytest.mark.parametrize("config", SETTINGS.values(), ids=SETTINGS)
def test_clusters_of_other_settings(config: Callable[..., Config]) -> None:
    made = membership_machine(nodes=(3, 10), config=config)
    run_state_machine_as_test(made, settings=examples(300, parent=made.TestCase.settings))


def nobody_fails(world: World, applications: Mapping[str, Any]) -> None:
    for node in world.running():
        assert "failed" not in node.statuses().values(), f"{node.id} lists a member as failed"


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(os.environ, "HYPOTHESIS_STORAGE_DIRECTORY", str(tmp_path))
    return tmp_path / "swim"


def failure_of(machine: type[MembershipMachine]) -> SimError:
    few = settings(machine.TestCase.settings, max_examples=60, report_multiple_bugs=False)
    with pytest.raises(SimError) as caught:
        run_state_machine_as_test(machine, settings=few)
    return caught.value


def program_of(error: BaseException) -> str:
    note = next(note for note in error.__notes__ if note.startswith("As a program:"))
    return note.removeprefix("As a program:").partition("Replay: ")[0]


@pytest.mark.slow
def test_a_failure_becomes_a_short_program_and_a_replay_file(storage: Path) -> None:
    made = membership_machine(nodes=(3, 5), invariants=[nobody_fails], without=["degrade"], name="Nobody")
    error = failure_of(made)
    assert isinstance(error, ViolationError)
    assert error.checker == "nobody_fails"
    program = program_of(error)
    assert len([line for line in program.splitlines() if "at=" in line]) <= 6  # two, or a local minimum
    with pytest.raises(ViolationError) as again:
        exec(program, {})
    assert str(again.value) == str(error)

    path = storage / "Nobody-nobody_fails.jsonl"
    assert any(note.endswith(f"Replay: swim sim replay {path}") for note in error.__notes__)
    shown = [record for record in replay(read_trace(path)).trace.records if record["kind"] == "event"]
    assert (round(error.at, 6), "failed") in [(record["at"], record["after"]) for record in shown]


@pytest.mark.slow
def test_a_cluster_that_does_not_agree_in_time_is_told_the_same_way(
    storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sims.testing.machine.convergence_bound", lambda *args, **kwargs: 0.0)
    error = failure_of(membership_machine(nodes=(3, 5), name="Hasty"))
    assert isinstance(error, NotConvergedError)
    program = program_of(error)
    assert "world.settle(0.0)" in program
    with pytest.raises(NotConvergedError) as again:
        exec(program, {})
    assert str(again.value) == str(error)
    ending = replay(read_trace(storage / "Hasty-NotConvergedError.jsonl")).ending
    assert (ending.problem, ending.exit_code) == (str(error), 128)


@pytest.mark.slow
def test_rules_are_plain_functions(storage: Path) -> None:
    used: set[str] = set()

    @rule(node=hosts("running"), silent=st.booleans())
    def power_cut(machine: MembershipMachine, node: str, silent: bool) -> None:
        machine.do(Crash, node, silent=silent)
        used.add("power_cut")

    @rule(node=hosts("running"), gone=hosts("crashed"))
    def operator(machine: MembershipMachine, node: str, gone: str) -> None:
        machine.do(ForceLeave, node, gone)
        used.add("operator")

    made = membership_machine(nodes=3, rules=[power_cut, operator], without=["crash", "add", "split"])
    run_state_machine_as_test(made, settings=settings(made.TestCase.settings, max_examples=10))
    assert used == {"power_cut", "operator"}


@pytest.mark.slow
def test_a_rule_of_ones_own_that_raises_is_explained_too(storage: Path) -> None:
    @rule(node=hosts("running"))
    def broken(machine: MembershipMachine, node: str) -> None:
        machine.do(Crash, node)
        raise RuntimeError("my own mistake")

    made = membership_machine(nodes=2, rules=[broken])
    with pytest.raises(RuntimeError, match="my own mistake") as caught:
        run_state_machine_as_test(made, settings=settings(made.TestCase.settings, max_examples=20))
    assert "Crash(at=" in program_of(caught.value)


@pytest.mark.parametrize(
    "config",
    [partial(Config.local, keys=(KEY,), label="blue"), Config.local(name="n1", keys=(KEY,), label="blue")],
)
def test_a_program_never_shows_gossip_keys(config: Callable[..., Config] | Config) -> None:
    source = str(Program(nodes=2, config=config, seconds=1.0))
    assert repr(KEY) not in source
    assert "# gossip_keys are not printed: define them here\n" in source
    names: dict[str, Any] = {"gossip_keys": (KEY,)}
    exec(source, names)
    assert names["world"].host("n2").config.keys == (KEY,)
    assert names["world"].host("n2").config.label == "blue"


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: membership_machine(nodes=0), "nodes: must be at least 1"),
        (lambda: membership_machine(nodes=(5, 3)), "the fewest first"),
        (lambda: membership_machine(without=["crashes"]), "there is no rule 'crashes'"),
    ],
)
def test_mistakes_are_told(make: Callable[[], object], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        make()
