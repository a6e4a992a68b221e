"""The table of statuses: the document shows it, every cell of it holds at a node, and no cell is idle."""

from __future__ import annotations

import pytest

from swim.serf.member_status import RULES, Cause, Change, Effect, Entered
from tests.rules import document, statuses
from tests.rules.statuses import Cell, has_stamp


def documented() -> dict[Cell, str]:
    """What the document says of each cell. Of an unlisted member no stamp is known."""
    cells = {}
    for row, column, words in document.read_table("listed as"):
        entered, cause = Entered(row), Cause(column)
        staged = has_stamp(cause) and entered is not Entered.UNKNOWN
        for age in (0, 1, 2) if staged else (2,):
            cells[Cell(entered, cause, age)] = words[age if len(words) > 1 else 0]
    return cells


CELLS = documented()


def test_the_document_shows_the_table(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--rewrite"):
        document.rewrite("statuses", document.statuses_markdown())
    assert document.between("statuses") == document.statuses_markdown()


def test_the_document_has_every_cell() -> None:
    assert {(c.row, c.cause) for c in CELLS} == {(r, c) for r, cells in RULES.items() for c in cells}


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_every_cell_holds(cell: Cell) -> None:
    assert statuses.outcome(cell) == CELLS[cell]


@pytest.mark.slow
@pytest.mark.parametrize("row", RULES, ids=lambda row: row.name.lower())
def test_a_changed_cell_is_noticed(row: Entered, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test of the test above: with any other effect in its place, no cell holds."""
    for cell in [cell for cell in CELLS if cell.row is row]:
        kept = RULES[row][cell.cause]
        for effect in _others(cell, kept[cell.age].effect):
            with monkeypatch.context() as patch:
                changed = Change(effect, "changed")
                patch.setitem(RULES[row], cell.cause, (*kept[: cell.age], changed, *kept[cell.age + 1 :]))
                assert not _holds(cell), f"{cell} holds though its effect is {effect.name}"


def _others(cell: Cell, effect: Effect) -> list[Effect]:
    """Effects to put in a cell's place: none, and what such a cause may have elsewhere in the table."""
    of_column = dict.fromkeys(c.effect for cells in RULES.values() for c in cells.get(cell.cause, ()))
    return [
        other
        for other in [Effect.IGNORE, *of_column]
        if other is not effect and (effect, other) not in SAME_THERE[cell.row]
    ]


_S, _EXPECT = Effect.STAMP, (Effect.STAMP, Effect.EXPECT)
_JOINS = {(Effect.JOIN, Effect.JOIN_LEAVING)}
_NOTES = {(_S, Effect.NOTE), _EXPECT}
SAME_THERE: dict[Entered, set[tuple[Effect, Effect]]] = {
    Entered.UNKNOWN: set(),
    Entered.ANNOUNCED: set(),
    Entered.ALIVE: {(_S, Effect.RETURN), _EXPECT},
    Entered.LEAVING: _NOTES,
    Entered.LEFT: _JOINS | {(_S, Effect.NOTE), (_S, Effect.LEFT), (Effect.ERASE, Effect.PRUNE)},
    Entered.FAILED: _JOINS,
    Entered.RUNNING: _JOINS | _NOTES | {(_S, Effect.RETURN)},
    Entered.DEPARTING: _NOTES | {(_S, Effect.LEAVE), (_S, Effect.ERASE), (_S, Effect.PRUNE_LATER)},
    Entered.DEPARTED: _NOTES | {(_S, Effect.LEFT), (_S, Effect.ERASE), (_S, Effect.PRUNE)},
}
"""Effects that come to the same for a member listed so: it is already what they would make of it."""


def _holds(cell: Cell) -> bool:
    try:
        return statuses.outcome(cell) == CELLS[cell]
    except Exception:  # an effect that cannot be carried out there, or has no expected event
        return False
