"""Medians, ratios and targets of a run."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sims.bench.report import document, table


def measure(scenario: str, name: str, ours: list[float], serf: list[float]) -> dict[str, Any]:
    summary: dict[str, Any] = document(scenario, {"serf": {name: serf}, "swim": {name: ours}})
    json.dumps(summary)
    return summary["measures"][name]  # type: ignore[no-any-return]


def test_the_ratio_is_ours_over_serf_by_medians() -> None:
    summary = measure("fail", "first back, s", [1.0, 2.0, 9.0], [4.0, 4.0, 40.0])
    assert summary.pop("p90_ratio") == pytest.approx(7.6 / 32.8)
    assert summary.pop("p99_ratio") == pytest.approx(8.86 / 39.28)
    assert summary == {"medians": {"serf": 4.0, "swim": 2.0}, "ratio": 0.5, "worst_ratio": 0.225, "met": None}


@pytest.mark.parametrize(
    ("ours", "serf", "met"),
    [([1.0, 2.9], [2.0, 2.0], True), ([1.0, 1.0, 3.1], [2.0], False), ([2.9, 2.9], [1.0], False)],
    ids=["both bounds hold", "one run over the limit", "median over serf's"],
)
def test_a_target_may_bound_the_ratio_and_every_run(ours: list[float], serf: list[float], met: bool) -> None:
    assert measure("join", "all complete, s", ours, serf)["met"] is met


@pytest.mark.parametrize(
    ("ours", "met"),
    [([1.0, 2.0], True), ([2.0, 3.6], False), ([4.0, 4.0], False)],
    ids=["both", "worst", "median"],
)
def test_a_target_may_bound_the_worst_runs_too(ours: list[float], met: bool) -> None:
    assert measure("fail", "all failed, s", ours, [8.0, 10.0])["met"] is met


def test_a_ratio_over_zero_is_unknown_and_not_missed() -> None:
    assert measure("starve", "failed, running ones", [0.0], [0.0]) == {
        "medians": {"serf": 0.0, "swim": 0.0},
        "ratio": None,
        "p90_ratio": None,
        "p99_ratio": None,
        "worst_ratio": None,
        "met": True,
    }


def test_the_table_has_a_line_per_measure_with_its_verdict() -> None:
    lines = table("steady", {"serf": {"cpu per node, s/min": [0.1]}, "swim": {"cpu per node, s/min": [0.04]}})
    line = " ".join(lines.splitlines()[1].split())
    assert line == "cpu per node, s/min 0.1 (0.1-0.1) 0.04 (0.04-0.04) 0.40 0.40 ratio <= 0.5: met"


def test_the_table_has_the_tail_of_ten_values_and_more() -> None:
    serf = [8.0] * 89 + [9.0] * 10 + [12.0]
    ours = [7.0] * 89 + [8.0] * 10 + [9.5]
    lines = table(
        "host-gone", {"serf": {"all failed, s": serf}, "swim": {"all failed, s": ours}}
    ).splitlines()
    assert [" ".join(line.split()) for line in lines[1:]] == [
        "all failed, s 8 (8-12) 7 (7-9.5) 0.88 0.79 ratio <= 0.95 and p99 <= 0.75: MISSED",
        "p90 of 100 9 8 0.89",
        "p99 of 100 9.03 8.02 0.89",
    ]
    few = table("host-gone", {"serf": {"all failed, s": [9.0] * 9}, "swim": {"all failed, s": [6.0] * 9}})
    assert len(few.splitlines()) == 2
