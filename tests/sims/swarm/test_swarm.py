"""Swarm runs: seeds that pass, the same run again, and each kind of failure reported as such."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from sims.checkers import Checker
from sims.faults.schedule import Schedule
from sims.swarm import SwarmOptions, pick_options, run_seeds, run_swarm
from sims.swarm.__main__ import main
from sims.swarm.healing import differences, introduce
from sims.swarm.kinds import ANCHOR, KINDS
from sims.swarm.run import plan
from sims.testing.applications import Applications
from sims.world import Observer, World
from sims.world.host import SimNode
from swim.config import Config
from swim.core.claims import Claims
from swim.core.pings import Pings
from swim.core.prober import Prober
from swim.node import Node
from tests.sims.checkers.planted import in_tables, scripts

SEEDS = range(6)
SMALL = 8


def small(seed: int) -> SwarmOptions:
    """What the seed picks, in a cluster that does not take long."""
    options = pick_options(seed)
    return replace(options, nodes=min(options.nodes, SMALL), faults=min(options.faults, SMALL))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_seeds_pass(seed: int) -> None:
    result = run_swarm(seed, options=small(seed))
    assert result.outcome == "ok", str(result)
    assert result.exit_code == 0
    assert 0 <= result.healed_seconds <= result.bound


def test_seeds_differ_in_everything() -> None:
    options = [pick_options(seed) for seed in range(200)]
    assert {option.profile for option in options} == {"lan", "local", "wan"}
    assert {option.nodes for option in options} >= set(range(3, 9))
    assert max(option.nodes for option in options) <= 30
    assert sum(option.nodes <= 8 for option in options) > 100
    for kind in KINDS:
        assert 60 < sum(kind in option.kinds for option in options) < 140
    assert {option.settings.get("delegate_version") for option in options} == {None, 0, 4}
    for option in options:
        option.config(name="any")


def test_schedules_are_off_the_grid_of_quarter_seconds() -> None:
    """Those of the swarm for applications too, which are the same."""
    kinds: dict[str, list[bool]] = {}
    for seed in range(60):
        options = pick_options(seed)
        for fault in plan(seed, options):
            for seconds in (fault.at, getattr(fault, "seconds", 0.0)):
                kinds.setdefault(fault.kind, []).append(seconds % 0.25 != 0)
    for kind, off_grid in kinds.items():
        assert any(off_grid), kind
    every = [is_off for off_grid in kinds.values() for is_off in off_grid]
    assert sum(every) > len(every) / 2


def test_the_anchor_neither_moves_nor_leaves() -> None:
    moves = {True: 0, False: 0}
    for seed in range(300):
        options = pick_options(seed)
        moves[options.anchored] += sum(
            fault.kind in ("readdress", "leave") and ("node", ANCHOR) in fault.hosts()
            for fault in plan(seed, options)
        )
    assert moves[True] == 0
    assert moves[False] > 0


def test_nodes_may_differ_in_what_they_need_not_have_in_common() -> None:
    for seed in range(200):
        options = pick_options(seed)
        odd, even = (options.config(name=name) for name in ("n1", "n2"))
        for field in ("delegate_version", "protocol_version", "label", "keys"):
            assert getattr(odd, field) == getattr(even, field)
    assert any(options.others != options.settings for options in map(pick_options, range(20)))


def test_who_knows_nobody_any_more_is_introduced() -> None:
    world = World(1, nodes=3, config=Config.local, start="apart")
    introduce(world)
    world.settle()
    assert differences(world) == []
    world.crash("n2")
    assert differences(world) == ["n1 shows n2 as alive, it is gone", "n3 shows n2 as alive, it is gone"]


def test_failed_is_not_accepted_for_left_where_somebody_knows_better() -> None:
    scripts.PLAIN_LOST_LEAVE.play(0, ended := [Ended()])
    assert ended[0].differences == []
    with pytest.MonkeyPatch.context() as patch:
        in_tables.merges_the_left_as_suspect(patch)
        scripts.PLAIN_LOST_LEAVE.play(0, ended := [Ended()])
    assert ended[0].differences == ["n2 shows n4 as failed, it left, as n6 knows"]


class Ended(Checker):
    """Keeps what a swarm run would say at the end."""

    def finish(self, world: World) -> None:
        self.differences = differences(world)


@pytest.mark.slow
def test_tombstones_that_are_too_short_are_a_safety_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    in_tables.tombstones_are_too_short(monkeypatch)
    settings = {"gossip_to_the_dead_time": 5.0}
    result = run_swarm(7, options=replace(quick("crash"), settings=settings, seconds=60.0))
    assert result.outcome == "safety"
    assert result.violations[0].startswith("TombstonesLast at ")


@pytest.mark.parametrize("blocked", ["n1", "n2"])
def test_an_introduction_that_fails_is_repeated(blocked: str) -> None:
    world = World(1, nodes=2, start="apart")
    world.block(blocked, 40.0)
    introduce(world)
    world.run_for(39.0)
    assert not world.converged
    assert world.settle(21.0) > 0.0


def hashes() -> list[str]:
    return [run_swarm(seed, options=small(seed)).trace_sha256 for seed in (2, 4)]


@pytest.mark.slow
def test_a_seed_is_a_run_in_every_process() -> None:
    script = (
        "import logging; logging.disable(50)\nfrom tests.sims.swarm.test_swarm import hashes\nprint(hashes())"
    )

    def run(hash_seed: str) -> str:
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        return subprocess.run(
            [sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True
        ).stdout

    assert run("1") == run("2") == f"{hashes()}\n"


def test_another_seed_is_another_run() -> None:
    options = quick("tags")
    assert run_swarm(1, options=options).trace_sha256 != run_swarm(2, options=options).trace_sha256


def quick(*kinds: str) -> SwarmOptions:
    return replace(
        pick_options(0),
        nodes=4,
        profile="lan",
        settings={},
        kinds=kinds,
        faults=4,
        seconds=20.0,
        comeback=0.0,
    )


def test_code_that_raises_is_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Claims, *args: object) -> None:
        raise ZeroDivisionError("on purpose")

    monkeypatch.setattr(Claims, "_suspect", broken)
    result = run_swarm(7, options=quick("crash"))
    assert result.outcome == "crash"
    assert result.exit_code == 127
    assert "ZeroDivisionError('on purpose')" in str(result)
    assert "Crash(at=" in str(result)
    assert "python -m sims.swarm --start 7 --seeds 1 --verbose" in str(result)


def on_purpose(*args: object, **kwargs: object) -> None:
    raise ZeroDivisionError("on purpose")


def test_code_that_raises_while_the_nodes_start_is_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Node, "start", on_purpose)
    result = run_swarm(7, options=quick())
    assert result.outcome == "crash"
    assert result.violations == ("seed 7, 0.000000 s: node ? raised ZeroDivisionError('on purpose')",)


def test_code_that_raises_when_the_faults_are_over_is_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Schedule, "heal", on_purpose)
    result = run_swarm(7, options=quick())
    assert result.outcome == "crash"
    assert result.violations[0].startswith("seed 7, 20.000000 s: node n")
    assert result.virtual_seconds == 20.0


@pytest.mark.slow
def test_the_dead_that_nobody_notices_are_a_liveness_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def blind(self: Prober, now: float, current: object) -> None:
        self._round = None
        self._schedule_after(now)

    monkeypatch.setattr(Prober, "_fail", blind)
    result = run_swarm(7, options=quick("crash"))
    assert result.outcome == "liveness"
    assert result.exit_code == 128
    assert any("is gone" in violation for violation in result.violations)


def test_a_violated_property_is_a_safety_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fussy(Checker):
        def stepped(self, world: World, node: SimNode) -> None:
            if world.now > 1.0:
                self.violated(world, node, "it lived for a second")

    monkeypatch.setattr("sims.swarm.run.safety_checkers", lambda: [Fussy()])
    result = run_swarm(7, options=quick())
    assert result.outcome == "safety"
    assert result.exit_code == 129
    assert "it lived for a second" in result.violations[0]


class TestCommand:
    def test_a_summary_and_the_exit_code(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--seeds", "2", "--start", "9"]) == 0
        assert capsys.readouterr().out == "2 of 2 seeds from 9: 2 ok\n"

    def test_every_seed_can_be_told(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--seeds", "1", "--start", "9", "--verbose"]) == 0
        out = capsys.readouterr().out
        assert out.startswith("seed 9: ok, ")
        assert "  settings  " in out

    def test_a_failure_is_a_line_with_its_seed_and_what_the_seed_picked(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(self: Pings, *args: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(Pings, "ack", broken)
        assert main(["--seeds", "1", "--start", "9"]) == 127
        first, *picked, last = capsys.readouterr().out.splitlines()
        assert first.startswith("seed 9: crash: ")
        assert first.endswith("(python -m sims.swarm --start 9 --seeds 1 --verbose)")
        assert picked == str(pick_options(9)).splitlines()
        assert last == "1 of 1 seeds from 9: 1 crash"

    def test_an_interrupt_ends_with_a_summary(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(seed: int, **settings: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("sims.swarm.many.run_swarm", interrupted)
        assert main(["--seeds", "3"]) == 130
        assert capsys.readouterr().out == "0 of 3 seeds from 0: none\n"

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            (["--seeds", "0"], "argument --seeds: must be a whole number, at least 1, not 0"),
            (["--seeds", "x"], "argument --seeds: must be a whole number, at least 1, not x"),
            (["--jobs", "-1"], "argument --jobs: must be a whole number, at least 1, not -1"),
            (["--bogus"], "unrecognized arguments: --bogus"),
        ],
    )
    def test_bad_arguments_are_usage_errors_of_one_line(
        self, arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as leaving:
            main(arguments)
        assert leaving.value.code == 2
        assert capsys.readouterr().err == f"python -m sims.swarm: {problem} (see --help)\n"

    @pytest.mark.slow
    def test_processes_share_the_seeds(self) -> None:
        command = [sys.executable, "-m", "sims.swarm", "--seeds", "4", "--start", "9", "--jobs", "2"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stdout.endswith("4 of 4 seeds from 9: 4 ok\n"), done
        assert all(re.fullmatch(r"\d/4: \d ok", line) for line in done.stderr.splitlines()), done


class Fragile:
    def on_event(self, now: float, event: object) -> None:
        raise ZeroDivisionError


def crowded(world: World, applications: object) -> bool:
    return not world.nodes


def crowd() -> list[Observer]:
    return [Applications(invariants=[crowded])]


def test_an_application_rides_on_a_swarm_run() -> None:
    [result] = run_seeds([3], observers=crowd)
    assert (result.outcome, result.exit_code) == ("safety", 129)
    assert result.violations == ("crowded at 0.000000 s on n1: returned False",)
    apart = replace(pick_options(3), start="apart")
    broken = run_swarm(3, options=apart, observers=[Applications(lambda world, node: Fragile())])
    assert broken.outcome == "crash"
    assert broken.violations == (
        "raised by the application: Fragile.on_event on n1 at 0.000000 s, seed 3: ZeroDivisionError()",
    )


def test_the_command_takes_observers_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    place = f"{__name__}:crowd"
    assert main(["--seeds", "1", "--start", "3", "--observers", place], prog="swim sim swarm") == 129
    first = capsys.readouterr().out.splitlines()[0]
    again = f"swim sim swarm --start 3 --seeds 1 --verbose --observers {place}"
    assert first == f"seed 3: safety: crowded at 0.000000 s on n1: returned False ({again})"


@pytest.mark.parametrize("place", ["os", "no.such.module:f", "os:nothing", "os:sep"])
def test_observers_that_cannot_be_made_are_a_usage_error(
    place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as leaving:
        main(["--observers", place])
    assert leaving.value.code == 2
    assert capsys.readouterr().err.startswith("python -m sims.swarm: --observers ")


def test_without_a_terminal_progress_is_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sims.swarm.__main__._LINE_SECONDS", 0.0)
    assert main(["--seeds", "2", "--start", "3"]) == 0
    assert capsys.readouterr().err == "1/2: 1 ok\n2/2: 2 ok\n"
