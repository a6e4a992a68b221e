"""Replays reproduce a run from its first line, say so when they cannot, and show where two runs part."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from sims.errors import UsageError, ViolationError
from sims.faults import Crash, CutPair, Pause, SetLink
from sims.faults.schedule import Schedule
from sims.replay import Ending, makers, parse_trace, read_trace, replay, schedule_made
from sims.scenarios.registry import run_scenario
from sims.testing.reproducer import Program
from sims.traces.difference import diff
from sims.traces.writer import EventTrace, TraceWriter
from sims.world import World
from sims.world.latency import Constant
from sims.world.network import Link
from sims.world.observer import Observer
from swim.cli.main import main
from swim.trace import encode, header

MADE = schedule_made(
    Schedule([CutPair(1.0, ("n1",), ("n2",), 4.0), Pause(2.1234567891, "n3", 2.0), Crash(6.0, "n4")]),
    nodes=5,
    seconds=20.0,
    config={"probe_interval": 0.5, "probe_timeout": 0.2},
)


def recorded(
    made: Mapping[str, Any] = MADE, seed: int = 5, kind: type[EventTrace] = TraceWriter
) -> list[str]:
    lines: list[str] = []
    makers[made["by"]](seed, made, [kind(lines.append, made=made)])
    return lines


def changed(lines: list[str], **fields: Any) -> list[str]:
    return [encode(json.loads(lines[0]) | fields), *lines[1:]]


@pytest.mark.parametrize("kind", [TraceWriter, EventTrace])
def test_a_trace_runs_again_from_its_first_line(tmp_path: Path, kind: type[EventTrace]) -> None:
    lines = recorded(kind=kind)
    path = tmp_path / "run.jsonl"
    path.write_text("".join(lines))
    trace = read_trace(path)
    again = replay(trace)
    assert diff(trace, again.trace) is None
    assert again.ending == Ending()
    path.write_text(lines[0])
    from_header = replay(read_trace(path))
    assert from_header.sha256 == again.sha256
    assert from_header.trace.records == trace.records


def test_a_scenario_runs_again() -> None:
    lines: list[str] = []
    made = {"by": "scenario", "name": "kill-k", "options": {"nodes": 4, "kill": 1}}
    run_scenario("kill-k", 3, made["options"], observers=[TraceWriter(lines.append, made=made)])
    trace = parse_trace(lines, "kill")
    assert diff(trace, replay(trace).trace) is None


def test_a_swarm_seed_runs_again() -> None:
    first, second = EventTrace(made={"by": "swarm"}), EventTrace(made={"by": "swarm"})
    for writer in (first, second):
        assert makers["swarm"](9, {"by": "swarm"}, [writer]).exit_code == 0
    assert first.sha256 == second.sha256
    assert first.lines > 10


def test_a_run_that_failed_fails_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(seed: int, made: Mapping[str, Any], observers: Iterable[Observer]) -> Ending:
        World(seed, nodes=1, observers=observers).run_for(1)
        raise ViolationError("Rule", 1.0, "n1", "broken")

    monkeypatch.setitem(makers, "mine", fail)
    again = replay(parse_trace([encode(header(1, {"by": "mine"}, "all"))], "mine"))
    assert again.ending == Ending("Rule at 1.000000 s on n1: broken", 129)
    assert again.trace.records


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"swim": "0.0.1"}, "t: recorded by swim 0.0.1, this is"),
        ({"format": 99}, "t: trace format 99; this version reads 1"),
        ({"kind": "send"}, "t: not a trace: the first line is not its header"),
        ({"made": {}}, "t: a run made by None cannot be made again"),
        ({"made": {"by": "cluster"}}, "t: a run made by 'cluster' cannot be made again"),
        ({"made": {"by": "schedule"}}, "t: the header does not say how the run was made: 'nodes'"),
        (
            {"made": MADE | {"profile": "moon"}},
            "t: the header does not say how the run was made: profile: must be one of",
        ),
        ({"made": MADE | {"config": {"nonsense": 1}}}, "t: the header does not say how"),
        ({"made": MADE | {"config": {"probe_timeout": -1.0}}}, "t: the header does not say how"),
        ({"made": MADE | {"nodes": 3}}, "t: fault 2 (crash): node: there is no host 'n4'"),
        ({"made": {"by": "scenario", "name": "nothing"}}, "t: there is no scenario 'nothing'"),
        (
            {"made": {"by": "scenario", "name": "kill-k", "options": 7}},
            "t: options must be an object of names and values, not 7",
        ),
        ({"made": MADE | {"start": "bogus"}}, "t: start must be one of join, apart, converged, not 'bogus'"),
        ({"made": MADE | {"nodes": -1}}, "t: nodes must be from 1 to 1000000, not -1"),
        ({"made": MADE | {"nodes": 10**30}}, "t: nodes must be from 1 to 1000000, not 1000"),
        ({"made": MADE | {"nodes": "5"}}, "t: nodes must be a whole number, not '5'"),
        ({"made": MADE | {"seconds": "1e400"}}, "t: seconds must be a number, not '1e400'"),
        ({"made": MADE | {"seconds": 10**400}}, "t: seconds must be finite, not 1000"),
        ({"made": MADE | {"seconds": 1e300}}, "t: seconds must be from 0 to 31536000, not 1e+300"),
        ({"made": MADE | {"seconds": -1}}, "t: seconds must be from 0 to 31536000, not -1.0"),
        ({"made": MADE | {"settle": 1e300}}, "t: settle must be from 0 to 31536000, not 1e+300"),
        ({"made": MADE | {"config": 7}}, "t: the header does not say how"),
        ({"made": MADE | {"config": {"label": 7}}}, "t: the header does not say how"),
        ({"made": MADE | {"config": {"seeds": 7}}}, "t: the header does not say how"),
        ({"made": 7}, "t: the header does not say how the run was made"),
        ({"seed": "x"}, "t: the header does not say how the run was made"),
    ],
)
def test_what_cannot_run_again_says_why_in_one_line(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError) as raised:
        replay(parse_trace(changed(recorded(kind=EventTrace)[:1], **fields), "t"))
    assert str(raised.value).startswith(problem)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "an empty file"),
        ("hello\n", "line 1: not a line of a trace"),
        ('{"kind":"send"}\n', "not a trace"),
        ("[1]\n", "line 1: not a line of a trace"),
        ("[" * 100_000 + "\n", "line 1: not a line of a trace"),
        ("é\n", "not a trace"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: str, problem: str) -> None:
    path = tmp_path / "x"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UsageError, match=problem):
        read_trace(path)


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    lines = recorded(kind=EventTrace)
    with pytest.raises(UsageError, match="run, line 4: not a line"):
        parse_trace([*lines[:3], lines[3][:-9], *lines[4:]], "run")
    with pytest.raises(UsageError, match="No such file"):
        read_trace(tmp_path / "missing")


def test_a_difference_shows_where_and_in_what() -> None:
    lines = recorded()
    trace = parse_trace(lines, "a")
    number = next(i for i, r in enumerate(trace.records) if r["kind"] == "send" and r["at"] > 3)
    other = json.loads(lines[number + 1])
    other["messages"][0]["node"] = "n9"
    found = diff(trace, parse_trace([*lines[: number + 1], encode(other), *lines[number + 2 :]], "b"))
    assert found is not None
    assert found.number == number + 2
    assert [change.place for change in found.changes] == ["messages[0].node"]
    assert len(found.context) == 3
    assert "the same transitions" in list(found.lines())[-1]


def test_a_difference_tells_what_came_of_it() -> None:
    calm = schedule_made(
        Schedule([SetLink(5.0, None, None, Link(latency=Constant(0.002)))]), nodes=4, seconds=30
    )
    broken = calm | {
        "schedule": Schedule([*Schedule.from_plain(calm["schedule"]), Crash(9.0, "n2")]).to_plain()
    }
    first, second = (parse_trace(recorded(made), "t") for made in (calm, broken))
    found = diff(first, second)
    assert found is not None
    assert found.right is not None
    assert (found.right["kind"], found.right["at"]) == ("fault", 9.0)
    assert ("n1", "n2", "alive", "failed") in found.views
    assert any("n1: n2@1 suspect -> failed" in words for words in found.only_right)
    text = "\n".join(found.lines())
    assert "at the end n1 has n2: alive | failed" in text
    mirrored = diff(second, first)
    assert mirrored is not None
    assert mirrored.only_left == found.only_right


def test_two_seeds_move_the_same_transitions() -> None:
    first, second = (parse_trace(recorded(seed=seed, kind=EventTrace), "t") for seed in (1, 2))
    found = diff(first, second)
    assert found is not None
    assert found.moved
    assert "made with seed: 1 | 2" in list(found.lines())
    assert any("transitions at other times" in line for line in found.lines())


def test_one_trace_may_end_before_the_other() -> None:
    lines = recorded(kind=EventTrace)
    found = diff(parse_trace(lines, "a"), parse_trace(lines[:-2], "b"))
    assert found is not None
    assert found.right is None
    assert "  + ends here" in list(found.lines())


def test_a_replay_without_the_application_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.jsonl"
    assert Program(seconds=1.0, invariants=(never,)).write_replay(path)
    assert main(["sim", "replay", str(path)]) == 0
    said = capsys.readouterr().out
    assert "the recorded run also had never:" in said
    assert "it ended without a violation" not in said


def never(world: World, applications: object) -> bool:
    return False
