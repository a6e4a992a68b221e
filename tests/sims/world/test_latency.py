"""Distributions that could give a negative or endless delay are refused when they are made."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import inf, nan

import pytest

from sims.errors import UsageError
from sims.faults.schedule import Schedule
from sims.world.latency import Constant, Empirical, Exponential, Latency, Uniform
from swim.errors import ConfigError

BAD: list[tuple[Callable[..., Latency], tuple[object, ...], str]] = [
    (Constant, (-5.0,), "seconds"),
    (Constant, (nan,), "seconds"),
    (Constant, (inf,), "seconds"),
    (Uniform, (2.0, -1.0), "high"),
    (Uniform, (-1.0, 2.0), "low"),
    (Uniform, (nan, 2.0), "low"),
    (Uniform, (0.0, nan), "high"),
    (Exponential, (-1.0,), "mean"),
    (Exponential, (1.0, -0.1), "floor"),
    (Exponential, (inf,), "mean"),
    (Empirical, ((),), "quantiles"),
    (Empirical, ((-0.1, 0.2),), "quantiles"),
    (Empirical, ((0.1, nan),), "quantiles"),
    (Empirical, ((0.2, 0.1),), "quantiles"),
]


@pytest.mark.parametrize(("kind", "values", "field"), BAD)
def test_a_bad_distribution_names_its_field(
    kind: Callable[..., Latency], values: tuple[object, ...], field: str
) -> None:
    with pytest.raises(ConfigError, match=f"^{field}: must be at least") as refusal:
        kind(*values)
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("latency", "problem"),
    [
        ({"type": "Constant", "seconds": -5}, "seconds must be at least 0 s and finite, not -5.0"),
        ({"type": "Uniform", "low": 2, "high": -1}, "high must be at least 2 s and finite, not -1.0"),
        ({"type": "Exponential", "mean": -1}, "mean must be at least 0 s and finite, not -1.0"),
        ({"type": "Empirical", "quantiles": []}, "quantiles must be at least one number of seconds"),
        ({"type": "Constant", "seconds": nan}, "seconds must be finite, not nan"),
    ],
)
def test_a_script_with_a_bad_distribution_is_one_clear_line(latency: dict[str, object], problem: str) -> None:
    fault = {"type": "SlowReader", "at": 0.0, "node": "n1", "latency": latency}
    with pytest.raises(UsageError) as refusal:
        Schedule.from_json(json.dumps({"version": 1, "faults": [fault]}))
    said = str(refusal.value)
    assert said.startswith("fault 0 (SlowReader): latency")
    assert said.endswith(problem)
    assert "\n" not in said
