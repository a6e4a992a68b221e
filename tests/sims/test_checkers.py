"""Planted bugs are caught, each by the checker that is there for it; the real core gives no cause."""

from __future__ import annotations

import pytest

from sims.checkers import LIVENESS, SAFETY, Checker, liveness_checkers, safety_checkers
from tests.sims.planted import in_claims, in_gossip, in_tables, scripts
from tests.sims.planted.bug import BUGS, SEEDS, catch

PLANTED = (in_claims, in_gossip, in_tables)
CHECKERS = [*SAFETY, *LIVENESS]


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_caught_by_its_checker_alone(name: str) -> None:
    planted = BUGS[name]
    violation = catch(planted, planted.catcher)
    assert violation is not None, f"nobody noticed: {planted.sentence}"
    assert violation.checker == planted.catcher.__name__


@pytest.mark.slow
@pytest.mark.parametrize("name", scripts.ALL)
def test_the_real_core_gives_no_cause(name: str) -> None:
    for seed in SEEDS:
        scripts.ALL[name].play(seed, [*safety_checkers(), *liveness_checkers()])


@pytest.mark.parametrize("checker", CHECKERS, ids=lambda kind: kind.__name__)
def test_a_weakened_checker_is_noticed(checker: type[Checker]) -> None:
    """Some planted bug needs this checker: its test above fails once the checker says nothing."""
    watched = [planted for planted in BUGS.values() if planted.catcher is checker]
    assert watched


def test_there_are_enough_planted_bugs() -> None:
    assert len(BUGS) >= 24
    assert all(any(hasattr(module, name.replace("-", "_")) for module in PLANTED) for name in BUGS)
