"""The merge rules as laws: they hold for every claim about another member, whatever came before."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from swim.core.precedence import RULES, Claim, Stored, Verdict

AFTER = {
    Verdict.JOIN: Stored.ALIVE,
    Verdict.ADMIT: Stored.ALIVE,
    Verdict.REFRESH: Stored.ALIVE,
    Verdict.SUSPECT: Stored.SUSPECT,
    Verdict.DEAD: Stored.DEAD,
    Verdict.ASK: Stored.DEAD,  # if no node answers
    Verdict.LEFT: Stored.LEFT,
}

at_home = [claim for claim in Claim if claim in RULES[Stored.DEAD] and "MOVED" not in claim.name]
claims = st.tuples(st.sampled_from(at_home), st.integers(1, 5))
listed = st.sampled_from([Stored.ALIVE, Stored.UNSEEN, Stored.SUSPECT, Stored.DEAD, Stored.LEFT])
situations = st.tuples(listed, st.integers(1, 5))


def applied(situation: tuple[Stored, int], claim: tuple[Claim, int]) -> tuple[Stored, int]:
    (stored, known), (column, incarnation) = situation, claim
    age = 0 if incarnation < known else 1 if incarnation == known else 2
    verdict = RULES[stored][column][age].verdict
    return (AFTER[verdict], incarnation) if verdict in AFTER else situation


@given(situations, claims)
def test_a_claim_applied_twice_is_applied_once(
    situation: tuple[Stored, int], claim: tuple[Claim, int]
) -> None:
    once = applied(situation, claim)
    assert applied(once, claim) == once


@given(situations, st.lists(claims, max_size=12))
def test_an_incarnation_never_falls(situation: tuple[Stored, int], sequence: list[tuple[Claim, int]]) -> None:
    for claim in sequence:
        after = applied(situation, claim)
        assert after[1] >= situation[1]
        situation = after


@given(situations, st.lists(claims, max_size=4))
def test_the_order_of_claims_decides_neither_life_nor_incarnation(
    situation: tuple[Stored, int], sequence: list[tuple[Claim, int]]
) -> None:
    """Two members that heard the same news agree once the highest alive claim is above every accusation."""
    settled = [*sequence, (Claim.ALIVE_HEARD, 6)]
    outcomes = set()
    for order in itertools.permutations(settled):
        end = situation
        for claim in order:
            end = applied(end, claim)
        outcomes.add(end)
    assert outcomes == {(Stored.ALIVE, 6)}


@given(situations, st.integers(1, 5))
def test_only_a_higher_incarnation_revives(situation: tuple[Stored, int], incarnation: int) -> None:
    stored, known = situation
    after, _ = applied(situation, (Claim.ALIVE_HEARD, incarnation))
    assert after is (Stored.ALIVE if incarnation > known else stored)
