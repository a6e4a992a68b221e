"""``swim sim``: files that cannot be read or written are one line and exit code 2, before anything runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import InProcess

SMALL = ("sim", "run", "kill-k", "--nodes", "3", "--kill", "1", "--profile", "local")


@pytest.mark.parametrize("option", ["--trace", "--diagram", "--timeline"])
def test_a_run_does_not_begin_if_what_it_leaves_cannot_be_written(
    option: str, swim: InProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def played(*args: object, **settings: object) -> None:
        raise AssertionError("the run began")

    monkeypatch.setattr("sims.scenarios.registry.run_scenario", played)
    path = tmp_path / "nowhere" / "x"
    done = swim(*SMALL, option, str(path))
    assert (done.code, done.out) == (2, "")
    assert done.err == f"swim: {option}: {path}: No such file or directory (see 'swim sim run --help')\n"


@pytest.mark.parametrize("option", ["--diagram", "--timeline"])
def test_a_picture_that_cannot_be_written_is_one_line(option: str, swim: InProcess, tmp_path: Path) -> None:
    trace, path = tmp_path / "run.jsonl", tmp_path / "nowhere" / "x"
    assert swim(*SMALL, "--trace", str(trace)).code == 0
    done = swim("sim", "draw", str(trace), option, str(path))
    assert (done.code, done.out) == (2, "")
    assert done.err == f"swim: {option}: {path}: No such file or directory (see 'swim sim draw --help')\n"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"options": 7}, "options must be an object of names and values, not 7"),
        ({"by": "schedule", "start": "bogus"}, "start must be one of join, apart, converged, not 'bogus'"),
        ({"by": "schedule", "nodes": -1}, "nodes must be from 1 to 1000000, not -1"),
        ({"by": "schedule", "seconds": "1e400"}, "seconds must be a number, not '1e400'"),
    ],
)
def test_a_header_that_nobody_can_follow_is_one_line(
    changes: dict[str, Any], problem: str, swim: InProcess, tmp_path: Path
) -> None:
    from sims.faults.schedule import Schedule
    from sims.replay import schedule_made
    from swim.trace import encode, header

    made = schedule_made(Schedule(), nodes=2, seconds=1.0) | {"by": "scenario", "name": "kill-k"} | changes
    path = tmp_path / "run.jsonl"
    path.write_text(encode(header(1, made, "events")))
    done = swim("sim", "replay", str(path))
    assert (done.code, done.out, done.err) == (2, "", f"swim: {path}: {problem}\n")


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("[" * 100_000, "a fault schedule must be JSON"),
        ({"type": "Crash", "at": 1e308, "node": "n2"}, "fault 0 (crash): at must be at most 31536000 s"),
        (
            {
                "type": "SlowReader",
                "at": 1.0,
                "node": "n2",
                "latency": {"type": "Uniform", "low": 2, "high": -1},
            },
            "fault 0 (SlowReader): latency: high must be at least 2 s and finite, not -1.0",
        ),
    ],
)
def test_a_script_that_nobody_can_play_is_one_line(
    script: str | dict[str, Any], problem: str, swim: InProcess, tmp_path: Path
) -> None:
    path = tmp_path / "faults.json"
    path.write_text(script if isinstance(script, str) else json.dumps({"version": 1, "faults": [script]}))
    done = swim("sim", "run", "faults", "--nodes", "3", "--profile", "local", "--script", str(path))
    assert (done.code, done.out) == (2, "")
    assert problem in done.err
    assert done.err.count("\n") == 1
