"""Network coordinates converge to the latencies of simulated networks, and a wrong rule is noticed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sims.errors import UsageError
from sims.scenarios.registry import run_scenario
from swim.serf import coordinates


def measured(layout: str, **options: Any) -> tuple[Mapping[str, float], tuple[str, ...]]:
    result = run_scenario("coordinates", 1, {"layout": layout, **options})
    return result.measures, result.violations


@pytest.mark.slow
@pytest.mark.parametrize(("layout", "median"), [("ring", 0.11), ("star", 0.08), ("centres", 0.04)])
def test_sixty_nodes_estimate_the_distances_of_all_pairs(layout: str, median: float) -> None:
    measures, violations = measured(layout)
    assert violations == ()
    assert measures["median_error"] < median


@pytest.mark.slow
def test_a_force_of_the_wrong_sign_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coordinates, "_STEP", -coordinates._STEP)
    _, violations = measured("centres", nodes=20, seconds=60.0)
    assert violations


def test_a_layout_that_there_is_not() -> None:
    with pytest.raises(UsageError, match=r"^option layout: 'torus' is none of ring, star, centres"):
        measured("torus")
