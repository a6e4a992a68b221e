"""The table of claims: the document shows it, every cell of it holds at a node, and no cell is idle."""

from __future__ import annotations

import pytest

from swim.core.precedence import RULES, Claim, Decision, Stored, Verdict
from tests.rules import claims, document
from tests.rules.claims import Cell

_ROWS = {stored.value: stored for stored in Stored}
NEVER_LISTED = (Stored.ABSENT, Stored.NEW_HERE, Stored.CROWDED)
_COLUMNS = {claim.value: claim for claim in Claim}


def documented() -> dict[Cell, str]:
    """What the document says of each cell. Of an unknown member no incarnation is known."""
    cells = {}
    for row, column, words in document.read_table("stored"):
        if row in _ROWS and column in _COLUMNS:
            stored, claim = _ROWS[row], _COLUMNS[column]
            for age in (2,) if stored in NEVER_LISTED else (0, 1, 2):
                cells[Cell(stored, claim, age)] = words[age if len(words) > 1 else 0]
    return cells


CELLS = documented()


def test_the_document_shows_the_table(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--rewrite"):
        document.rewrite("claims", document.claims_markdown())
    assert document.between("claims") == document.claims_markdown()


def test_the_document_has_every_cell() -> None:
    assert {(c.stored, c.claim) for c in CELLS} == {(s, c) for s, row in RULES.items() for c in row}


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_every_cell_holds(cell: Cell) -> None:
    assert claims.outcome(cell) == CELLS[cell]


SETTINGS = [cell for cell in CELLS if RULES[cell.stored][cell.claim][cell.age].otherwise is not None]


@pytest.mark.parametrize("cell", SETTINGS, ids=str)
def test_a_setting_turns_a_difference_from_memberlist_off(cell: Cell) -> None:
    decision = RULES[cell.stored][cell.claim][cell.age]
    assert decision.otherwise is not None
    assert claims.outcome(cell, **{decision.setting: False}) == document.word(decision.otherwise)


@pytest.mark.slow
@pytest.mark.parametrize("stored", RULES, ids=lambda stored: stored.name.lower())
def test_a_changed_cell_is_noticed(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test of the test above: with any other verdict in its place, no cell holds."""
    for cell in [cell for cell in CELLS if cell.stored is stored]:
        row = RULES[stored][cell.claim]
        for verdict in _others(row[cell.age].verdict, cell.claim):
            with monkeypatch.context() as patch:
                changed = Decision(verdict, "changed", counter="swim.ignored.changed")
                patch.setitem(RULES[stored], cell.claim, (*row[: cell.age], changed, *row[cell.age + 1 :]))
                assert not _holds(cell), f"{cell} holds though its verdict is {verdict.name}"


def _others(verdict: Verdict, claim: Claim) -> list[Verdict]:
    """Verdicts to put into a cell: none, and those that such a claim has elsewhere in the table."""
    of_column = dict.fromkeys(d.verdict for row in RULES.values() for d in row.get(claim, ()))
    return [other for other in of_column if other is not verdict]


def _holds(cell: Cell) -> bool:
    try:
        return claims.outcome(cell) == CELLS[cell]
    except Exception:  # a verdict that cannot be carried out there
        return False
