"""Scripts that are no schedule, or would never end, are refused before anything happens."""

from __future__ import annotations

import json

import pytest

from sims.errors import UsageError
from sims.faults import Crash, Fault, Pause, Split
from sims.faults.schedule import LONGEST, Schedule
from sims.world import World


def test_a_script_nested_too_deeply_is_one_clear_line() -> None:
    with pytest.raises(UsageError, match=r"^a fault schedule must be JSON: [^\n]*$"):
        Schedule.from_json("[" * 100_000)


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        (Crash(1e308, "n2"), r"fault 0 \(crash\): at must be at most 31536000 s, a year, not 1e\+308"),
        (Crash(2 * LONGEST, "n2"), r"fault 0 \(crash\): at must be at most"),
        (Pause(1.0, "n2", 1e308), r"fault 0 \(pause\): seconds must be at most"),
        (Split(1.0, (("n1",), ("n2",)), 2 * LONGEST), r"fault 0 \(split\): seconds must be at most"),
    ],
)
def test_times_beyond_a_year_are_refused(fault: Fault, problem: str) -> None:
    schedule = Schedule.from_json(Schedule([fault]).to_json())
    with pytest.raises(UsageError, match=problem):
        schedule.apply(World(nodes=2))


def test_a_year_is_not_too_long() -> None:
    Schedule([Crash(LONGEST, "n2"), Pause(1.0, "n1", LONGEST)]).check(["n1", "n2"])


def test_a_whole_number_that_no_float_can_hold_is_refused() -> None:
    fault = {"type": "Crash", "at": 10**400, "node": "n1"}
    with pytest.raises(UsageError, match=r"fault 0 \(Crash\): at must be finite"):
        Schedule.from_json(json.dumps({"version": 1, "faults": [fault]}))
