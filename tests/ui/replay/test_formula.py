"""The page *Explain*: its formula is that of ``sims.theory``, its figures those of this version."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims.theory import formulas, page
from swim.config import Config
from swim.config.profiles import PROFILES
from tests.sims.settings import examples
from tests.ui.javascript import Program

PLACE = Path(__file__).parents[3] / "agent_api" / "ui" / "static" / "explain" / "tables.json"


@pytest.fixture(scope="module")
def kept() -> dict[str, Any]:
    tables: dict[str, Any] = json.loads(PLACE.read_text())
    return tables


@given(
    st.sampled_from(sorted(PROFILES)),
    st.integers(2, 10_000),
    st.floats(0, 0.95),
    st.floats(0, 0.95),
    st.integers(0, 6),
    st.sampled_from([-1.0, 0.0, 0.003, 0.05]),
)
@examples(100)
def test_the_curve_is_that_of_the_theory(
    js: Program, profile: str, nodes: int, loss: float, failed: float, fanout: int, eager: float
) -> None:
    config = Config.profile(profile, name="n1", gossip_nodes=fanout, eager_gossip_delay=eager)
    settings = {name: getattr(config, name) for name in page.settings(profile)}
    curve, limit, missed = js.call("curve", settings, nodes, loss, failed)
    wanted = formulas.informed_curve(config, nodes, loss=loss, failed=failed)
    assert [at for at, _ in curve] == pytest.approx([at for at, _ in wanted])
    assert [share for _, share in curve] == pytest.approx([share for _, share in wanted], abs=1e-9)
    assert limit == formulas.transmit_limit(config, nodes)
    assert missed == pytest.approx(formulas.missed_by_gossip(config, nodes))


def test_the_settings_and_the_times_of_a_crash_are_current(kept: dict[str, Any]) -> None:
    """If they are to change: ``python -m sims.theory.page``."""
    assert kept["profiles"] == {profile: page.settings(profile) for profile in PROFILES}
    assert kept["crash"] == {profile: [page.crash(profile, n) for n in page.NODES] for profile in PROFILES}
    for name, values in (("nodes", page.NODES), ("losses", page.LOSSES), ("failed", page.FAILED)):
        assert kept[name] == list(values)


@pytest.mark.deep
def test_simulated_figures_are_current(kept: dict[str, Any]) -> None:
    """A few small cells are simulated again: the same seeds give the same medians."""
    for source, measure in (("model", page.model), ("world", page.world)):
        cells = [row for row in kept[source]["local"] if row[0] == 10]
        for n, loss, failed, times in random.Random(1).sample(cells, 2):
            again = measure("local", n, loss, failed)
            assert again is not None
            known = [at for at in again if math.isfinite(at)]
            assert [at for at in times if at is not None] == pytest.approx(known, abs=2e-5)
            assert len(times) == len(again)


def test_formula_model_and_code_agree_where_nothing_is_lost(kept: dict[str, Any]) -> None:
    for profile in PROFILES:
        config = Config.profile(profile, name="n1")
        for source in ("model", "world"):
            for n, loss, failed, times in kept[source][profile]:
                if loss or failed or n < 30:
                    continue
                curve = formulas.informed_curve(config, n)
                half = next(at for at, share in curve if share >= 0.5)
                assert times[0] == pytest.approx(half, rel=0.5), (source, profile, n)
