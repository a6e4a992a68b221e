"""What is expected of a cluster: theory and simulations say the same."""

from __future__ import annotations

import json

import pytest

from sims.errors import UsageError
from sims.theory.explain import Explanation, Row, explain
from swim.config import Config

LAN = Config.lan(name="n1")


def row(explanation: Explanation, name: str) -> Row:
    return next(each for each in explanation.rows if each.name == name)


@pytest.mark.slow
def test_a_small_cluster_by_theory_by_model_and_by_the_protocol_itself() -> None:
    told: list[float] = []
    found = explain(LAN, 20, runs=100, progress=lambda share, word: told.append(share))
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)
    assert (found.nodes, found.model_runs, found.world_runs) == (20, 100, 5)
    first = row(found, "failed_first")
    assert first.model == pytest.approx(first.formula, rel=0.1)
    assert first.world == pytest.approx(first.formula, rel=0.3)
    for name in ("suspicion_refused", "spread_half", "spread_p99", "packets", "packet_bytes"):
        each = row(found, name)
        assert each.world == pytest.approx(each.formula, rel=0.4, abs=0.005), name
    assert row(found, "push_pull_period").world is None
    document = found.document()
    assert json.loads(json.dumps(document)) == document
    assert [each["name"] for each in document["expectations"]] == [each.name for each in found.rows]


@pytest.mark.slow
def test_the_same_seed_explains_the_same() -> None:
    assert explain(LAN, 4, runs=2, seed=3) == explain(LAN, 4, runs=2, seed=3)


@pytest.mark.deep
def test_a_large_cluster_is_left_to_the_model() -> None:
    found = explain(LAN.with_changes(indirect_checks=0), 700, runs=2)
    assert (found.model_runs, found.world_runs) == (2, 0)
    assert all(each.world is None for each in found.rows)
    assert row(found, "failed_first_p99").model is None
    rare, frequent = (row(found, f"false_suspicions_{loss}") for loss in ("0.05", "0.2"))
    assert frequent.model == pytest.approx(frequent.formula, rel=0.3)
    assert rare.formula is not None


@pytest.mark.parametrize(
    ("config", "nodes", "runs", "message"),
    [
        (LAN, 1, 1, "at least 2 nodes"),
        (LAN, 5, 0, "at least 1 run"),
        (LAN.with_changes(probe_interval=0, probe_timeout=0), 5, 1, "probe_interval"),
    ],
)
def test_what_cannot_be_explained(config: Config, nodes: int, runs: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        explain(config, nodes, runs=runs)


def test_what_is_infinite_or_unknown_is_null_in_json() -> None:
    document = Explanation(2, 1, 0, (Row("a", "A", "s", float("inf"), None, 0.5),)).document()
    assert document["expectations"] == [
        {"name": "a", "text": "A", "unit": "s", "formula": None, "model": None, "world": 0.5}
    ]
