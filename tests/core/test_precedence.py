"""The merge rules as laws: they hold for every claim, whatever came before."""

from __future__ import annotations

import itertools
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from swim.core.precedence import (
    ABOUT_OTHERS,
    ABOUT_SELF,
    Claim,
    Stored,
    Verdict,
    decide,
    decide_self,
    table_markdown,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "precedence.md"
AFTER = {
    Verdict.JOIN: Stored.ALIVE,
    Verdict.REFRESH: Stored.ALIVE,
    Verdict.SUSPECT: Stored.SUSPECT,
    Verdict.DEAD: Stored.DEAD,
    Verdict.LEFT: Stored.LEFT,
}

incarnations = st.integers(0, 2**32 - 1)
claims = st.tuples(st.sampled_from(Claim), st.integers(1, 5))
listed = st.sampled_from([Stored.ALIVE, Stored.SUSPECT, Stored.DEAD, Stored.LEFT])
situations = st.tuples(listed, st.integers(1, 5))


def applied(situation: tuple[Stored, int], claim: tuple[Claim, int]) -> tuple[Stored, int]:
    stored, known = situation
    verdict = decide(*claim, stored, known)
    return (AFTER[verdict], claim[1]) if verdict in AFTER else situation


@given(st.sampled_from(Claim), incarnations, st.sampled_from(list(ABOUT_OTHERS)), incarnations)
def test_every_claim_about_others_has_a_verdict(
    claim: Claim, incarnation: int, stored: Stored, known: int
) -> None:
    assert decide(claim, incarnation, stored, known) in AFTER.keys() | {
        Verdict.IGNORE,
        Verdict.CONFIRM,
        Verdict.VERIFY,
    }


@given(st.sampled_from(Claim), incarnations, st.sampled_from(list(ABOUT_SELF)), incarnations)
def test_every_claim_about_self_has_a_verdict(
    claim: Claim, incarnation: int, stored: Stored, own: int
) -> None:
    verdict = decide_self(claim, incarnation, stored, own)
    assert verdict in {Verdict.IGNORE, Verdict.REFUTE, Verdict.COMPARE, Verdict.LEFT}
    if incarnation < own:
        assert verdict is Verdict.IGNORE


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
    settled = [*sequence, (Claim.ALIVE, 6)]
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
    after, _ = applied(situation, (Claim.ALIVE, incarnation))
    assert after is (Stored.ALIVE if incarnation > known else stored)


def test_the_document_shows_this_table() -> None:
    assert table_markdown() in DOCUMENT.read_text(encoding="utf-8")
