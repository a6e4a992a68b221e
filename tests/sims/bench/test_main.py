"""The command line of the benchmarks: which engines run, how big, and what is printed."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from sims.bench.__main__ import main
from sims.bench.engines import Engine
from sims.bench.options import Options, Samples
from sims.bench.scenarios import SCENARIOS

MEASURE = "cpu per node, s/min"
SERF_CPU = 0.1


def scenario(engines: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """Samples out of the air: ours cost a hundredth per node, Serf's a tenth."""
    costs = {"swim": options.nodes / 100, "serf": SERF_CPU}
    return {engine.name: {MEASURE: [costs[engine.name]]} for engine in engines}


@pytest.fixture(autouse=True)
def no_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    """No scenario starts anything."""
    for name in SCENARIOS:
        monkeypatch.setitem(SCENARIOS, name, scenario)


@pytest.mark.parametrize("name", ["steady", "join", "leave", "fail"])
@pytest.mark.parametrize("against", [(), ("--against", "serf")])
def test_serf_runs_next_to_ours(
    name: str, against: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--nodes", "4", *against, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["scenario"] == name
    assert summary["measures"][MEASURE]["medians"] == {"serf": SERF_CPU, "swim": 0.04}
    assert summary["measures"][MEASURE]["ratio"] == pytest.approx(0.4)


def test_ours_may_run_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["steady", "--against", "none", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)["results"]) == ["swim"]


def test_a_missed_target_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["steady", "--nodes", "9"]) == 1
    assert "ratio <= 0.5: MISSED" in capsys.readouterr().out


def test_an_unknown_engine_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["steady", "--against", "consul"])
    assert "--against" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["nope"], "argument scenario: invalid choice: 'nope'"),
        (["steady", "--runs", "0"], "argument --runs: must be a whole number, at least 1, not 0"),
        (["steady", "--engine", "thread"], "--engine is for soak only"),
        (["steady", "--mixed"], "--mixed is for fail and host-gone against another engine"),
        (
            ["fail", "--mixed", "--against", "none"],
            "--mixed is for fail and host-gone against another engine",
        ),
        (["host-gone", "--nodes", "1"], "host-gone needs at least 2 nodes"),
        (["steady", "--nodes", "0"], "argument --nodes: must be a whole number, at least 1, not 0"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    said = capsys.readouterr().err
    assert said.startswith(f"python -m sims.bench: {problem}")
    assert said.endswith(" (see --help)\n")
    assert said.count("\n") == 1
