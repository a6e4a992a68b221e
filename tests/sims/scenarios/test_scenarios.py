"""Every short scenario passes; runs are the same bytes everywhere; what does not exist is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from sims.errors import UsageError
from sims.scenarios.registry import Run, run_scenario, scenario, scenarios
from swim.serf.queues import EVENTS_WAITING_MAX

SMALLER: dict[str, Mapping[str, object]] = {
    "bn-join": {"storms": 2},
    "bn-pause": {"nodes": 20},
    "byte-flipper": {"seconds": 30},
    "coordinates": {"nodes": 20, "seconds": 120},
    "crash-loop-new-name": {"nodes": 10},
    "encryption-migration": {"nodes": 5},
    "flood": {"rate": 200},
    "half-detached-node": {"nodes": 10},
    "heavy-loss": {"nodes": 10, "seconds": 60},
    "kn-grid": {"nodes": 12},
    "kn-kill": {"nodes": 30},
    "label-migration": {"nodes": 5},
    "late-join": {"nodes": 6},
    "lonely-minority": {"nodes": 10},
    "long-partition": {"nodes": 10},
    "mass-restart-high-incarnation": {"nodes": 10},
    "rolling-deploy": {"nodes": 10},
    "rolling-restart": {"nodes": 10},
    "rotate-with-absent-node": {"nodes": 6},
    "slow-relay": {"nodes": 10, "seconds": 60},
}
"""Where the defaults take more than a second of CPU."""

OWN = sorted(
    name
    for name, found in scenarios().items()
    if not found.is_long and ".papers" not in found.play.__module__
)


@pytest.mark.slow
@pytest.mark.parametrize("name", OWN)
def test_the_engine_passes(name: str):
    result = run_scenario(name, 7, SMALLER.get(name))
    assert result.violations == ()
    assert result.ok
    assert result.exit_code == 0
    assert result.measures
    json.dumps(result.document(), allow_nan=False)


@pytest.mark.slow
def test_a_flood_of_a_thousand_events_a_second_loses_none_that_was_accepted() -> None:
    result = run_scenario("event-storm", 1, {"nodes": 5, "events": 10_000, "senders": 1, "seconds": 10.0})
    assert result.violations == ()
    assert result.measures["refused"] > 5_000
    assert result.measures["waiting"] <= EVENTS_WAITING_MAX


@pytest.mark.parametrize("name", sorted(scenarios()))
def test_each_says_what_it_is_about(name: str):
    found = scenarios()[name]
    assert found.name == name
    assert 20 < len(found.summary) < 110
    assert found.description.startswith(found.summary)
    assert {"nodes", "profile", "byte_mode"} <= found.options.keys()


# -- determinism

_PLAY = """
import json, logging
from sims.scenarios.registry import run_scenario
logging.disable(logging.CRITICAL)
result = run_scenario("replaced-pod", 3, {"nodes": 8})
print(json.dumps(result.document(deterministic=True)))
"""


def _played(hash_seed: str) -> bytes:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    root = Path(__file__).parents[3]
    return subprocess.run(
        [sys.executable, "-c", _PLAY], env=environment, cwd=root, capture_output=True, check=True
    ).stdout


@pytest.mark.slow
def test_two_processes_with_other_hash_seeds_print_the_same_bytes():
    first, second = _played("1"), _played("4711")
    assert first == second
    assert json.loads(first)["ok"] is True
    assert "wall_seconds" not in json.loads(first)


def test_another_seed_is_another_run():
    first, again, other = (run_scenario("kill", seed, {"nodes": 5}) for seed in (1, 1, 2))
    assert first.trace_sha256 == again.trace_sha256 != other.trace_sha256
    assert first.measures == again.measures != other.measures


def test_options_are_part_of_the_run():
    as_text = run_scenario("kill", 1, {"nodes": "5", "silent": "true"})
    assert as_text.options["silent"] is True
    assert as_text.trace_sha256 == run_scenario("kill", 1, {"nodes": 5, "silent": True}).trace_sha256
    assert as_text.trace_sha256 != run_scenario("kill", 1, {"nodes": 5}).trace_sha256


# -- bad input


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("kill-all", {}, "no scenario 'kill-all'"),
        ("kill", {"victims": 3}, "no option 'victims'"),
        ("kill", {"nodes": "many"}, "nodes must be a whole number, not 'many'"),
        ("kill", {"silent": "perhaps"}, "silent must be true or false"),
        ("kill", {"profile": "moon"}, "none of lan, wan, local"),
        ("join", {"nodes": 0}, "at least 1"),
        ("kn-grid", {"arm": "third"}, "none of ours, plain, plain-no-tcp"),
    ],
)
def test_what_does_not_exist_is_refused(name: str, options: Mapping[str, object], words: str):
    with pytest.raises(UsageError, match=words) as caught:
        run_scenario(name, 1, options)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


NUMBERS = [
    (name, option)
    for name, found in sorted(scenarios().items())
    for option, default in found.options.items()
    if type(default) in (int, float)
]
EDGES = [
    (name, option, value)
    for name, option in NUMBERS
    for value in ((0, 1, 2) if option == "nodes" else (0,))
    if not scenarios()[name].is_long
]


@pytest.mark.parametrize(("name", "option"), NUMBERS)
def test_numbers_that_no_scenario_can_play_are_refused_by_name(name: str, option: str):
    for value in ("-1", "-0.5", "nan", "inf", "-inf", *([str(10**30)] if option == "nodes" else [])):
        with pytest.raises(UsageError, match=f"option {option}"):
            run_scenario(name, 1, {option: value})


def refusal(name: str, options: Mapping[str, object]) -> str:
    """Why the options are refused, or "" if they are run to an end, good or bad."""
    try:
        result = run_scenario(name, 1, options)
    except UsageError as error:
        return str(error)
    return "" if result.exit_code in (0, 128, 129) else f"exit code {result.exit_code}"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "option", "value"), EDGES)
def test_the_least_numbers_are_played_or_refused_by_name(name: str, option: str, value: int):
    found = scenarios()[name]
    small = {
        "nodes": 8,
        "seconds": 2,
        "rate": 10,
        "periods": 2,
        "repeats": 1,
        **dict.fromkeys(found.beside, 1),
    }
    fitting = {name: small[name] for name in small.keys() & found.options.keys()}
    said = refusal(name, fitting | {option: value})
    assert said == "" or said.startswith(f"option {option}: ") or option == "nodes"
    assert said.count("\n") == 0


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("kill-k", {"nodes": 2, "kill": 5}, "option kill: must be at most 1 for 2 nodes, not 5"),
        ("lg-threshold", {"c": 0}, "option c: must be at least 1, not 0"),
        ("heavy-loss", {"loss": 1.5}, "option loss: must be at most 1, not 1.5"),
        (
            "address-swap-two-clusters",
            {"nodes": 6},
            "option swapped: must be less than half of 6 nodes, not 3",
        ),
        ("slow-relay", {"least": 3}, "option most: must be at least 3 as least is, not 2.5"),
    ],
)
def test_a_refusal_says_what_would_fit(name: str, options: Mapping[str, object], words: str):
    with pytest.raises(UsageError, match=words):
        run_scenario(name, 1, options)


# -- engines and scenarios that go wrong


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it."""
    monkeypatch.setattr("sims.scenarios.registry._REGISTRY", dict(scenarios()))


def test_a_setting_that_nodes_refuse_is_the_callers_mistake():
    @scenario("test-settings", nodes=2, patience=4)
    def play(run: Run) -> None:
        """Gives its nodes an option as it comes, which they may refuse."""
        run.world(config=run.config(suspicion_mult=run["patience"]))

    assert run_scenario(play.name, 1).ok
    with pytest.raises(UsageError, match="test-settings: suspicion_mult: must be"):
        run_scenario(play.name, 1, {"patience": 0})


BROKEN = {
    "half-detached-node": "swim.core.claims.Claims._refute",
    "mass-restart-high-incarnation": "swim.core.claims.Claims._refute",
    "partition-heal": "swim.core.reconnect.Reconnects.arm",
    "startup-islands": "swim.core.reconnect.Reconnects.arm",
    "mass-restart-new-addresses": "swim.core.reconnect.Reconnects.arm",
    "migratory-alive": "swim.core.table.Table.tombstone",
    "prune-then-late-alive": "swim.core.table.Table.tombstone",
    "address-swap-two-clusters": "swim.wire.packet.check_label",
}
"""By scenario, what of the core may not be missing."""


@pytest.mark.slow
@pytest.mark.parametrize("name", BROKEN)
def test_a_core_without_an_ability_is_noticed_by_what_the_scenario_expects(
    name: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(BROKEN[name], lambda *args, **kwargs: None)
    monkeypatch.setattr("sims.scenarios.registry.safety_checkers", list)
    more = {"stale": 4} if name == "prune-then-late-alive" else {}  # two may be corrected in time
    result = run_scenario(name, 7, {"nodes": 8, **more})
    assert result.exit_code in (128, 129)
    assert not result.ok


def test_what_does_not_hold_is_told_and_gives_the_exit_code():
    @scenario("test-expectation", nodes=2)
    def play(run: Run) -> None:
        """Expects what cannot be, and measures something."""
        world = run.world()
        run.measure("seconds", run.expect_soon(world, lambda w: False, 1.5, "the impossible"))
        run.expect(False, "another thing")

    result = run_scenario(play.name, 1)
    assert result.violations == ("the impossible within 1.5 s", "another thing")
    assert (result.ok, result.exit_code) == (False, 128)
    assert result.measures == {"seconds": 1.5}


def test_a_view_that_never_settles_ends_the_run():
    @scenario("test-unsettled", nodes=2)
    def play(run: Run) -> None:
        """Waits for two nodes that never meet."""
        run.world(start="apart").settle(5.0)

    result = run_scenario(play.name, 1)
    assert result.exit_code == 128
    assert "different views" in result.violations[0]


def test_what_happens_to_a_settled_cluster_is_accounted_for():
    quiet = run_scenario("force-leave-live", 1).measures
    parted = run_scenario("partition-heal", 1, {"nodes": 6, "seconds": 30}).measures
    assert parted["flaps"] == 2 * 3 * 3, "each half takes each member of the other back"
    agreed = parted["parted_seconds"] + parted["heal_seconds"] - parted["disagreed_seconds"]
    assert 2 < agreed < 10, "views are equal, though wrong, until the first failure is declared"
    assert quiet["flaps"] < parted["flaps"]
    for measures in (quiet, parted):
        assert 1 < measures["packets_per_node_second"] < 20
        assert 100 < measures["bytes_per_node_second"] < 10_000


@pytest.mark.slow
def test_a_rotation_that_does_not_wait_cuts_the_absent_member_off():
    measures = run_scenario("rotate-with-absent-node", 7, {"nodes": 6, "careless": True}).measures
    assert (measures["cut_off"], measures["members_with_the_key"]) == (1, 5)
