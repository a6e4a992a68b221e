"""docs/precedence.md: the tables of claims and of statuses as Markdown, written and read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from swim.core.member import State
from swim.core.precedence import LISTED, NO_INCARNATION, RULES, Claim, Decision, Row, Verdict
from swim.wire.messages import Alive, Dead, Suspect

__all__ = ["DOCUMENT", "between", "claims_markdown", "read_table", "rewrite"]

DOCUMENT = Path(__file__).parents[2] / "docs" / "precedence.md"
ALIVE_CLAIMS = [claim for claim in Claim if claim <= Claim.MOVED_HEARD]
ACCUSATIONS = [claim for claim in Claim if claim > Claim.MOVED_HEARD]


def claims_markdown() -> str:
    """The core's tables."""
    return _joined(_claim_table(ALIVE_CLAIMS), _claim_table(ACCUSATIONS), _listed(), _differences())


def word(decision: Decision) -> str:
    """What a cell says of one decision: the verdict, or in italics why the claim is ignored."""
    return f"*{decision.why}*" if decision.verdict is Verdict.IGNORE else decision.verdict.value


def read_table(heading: str) -> Iterator[tuple[str, str, list[str]]]:
    """Row heading, column heading and words of every cell of the table whose first heading is ``heading``."""
    columns: list[str] = []
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split("|")] if line.startswith("|") else []
        if not cells:
            columns = []
        elif cells[0] == heading:
            columns = cells
        elif columns and set(line) - set("|-"):
            for column, cell in zip(columns[1:], cells[1:], strict=False):
                if cell:
                    yield cells[0], column, cell.split(" / ")


def between(marker: str) -> str:
    """The part of the document between two comments that name it."""
    found = _part(marker).search(DOCUMENT.read_text(encoding="utf-8"))
    assert found is not None
    return found.group(2)


def rewrite(marker: str, part: str) -> None:
    """Replaces that part."""
    text = DOCUMENT.read_text(encoding="utf-8")
    text = _part(marker).sub(lambda found: found.group(1) + part + found.group(3), text)
    DOCUMENT.write_text(text, encoding="utf-8")


def _part(marker: str) -> re.Pattern[str]:
    return re.compile(f"(<!-- {marker} -->\n)(.*)(<!-- end of {marker} -->)", re.DOTALL)


def table(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    rows = [f"| {' | '.join(line)} |" for line in lines]
    return [f"| {' | '.join(headings)} |", "|---" * len(headings) + "|", *rows]


def _joined(*tables: list[str]) -> str:
    return "\n\n".join("\n".join(lines) for lines in tables) + "\n"


def _claim_table(columns: list[Claim]) -> list[str]:
    lines = []
    for stored, row in RULES.items():
        cells = [_cell(row[claim]) if claim in row else "" for claim in columns]
        if any(cells):
            lines.append([stored.words, *cells])
    return table(["stored", *(claim.words for claim in columns)], lines)


def _cell(row: Row) -> str:
    words = [word(decision) for decision in row]
    return words[0] if len(set(words)) == 1 else " / ".join(words)


def _listed() -> list[str]:
    words = {Alive: "alive", Suspect: "suspect", Dead: "leave"}
    lines = [(state.name.lower(), words[LISTED[state]]) for state in State]
    return table(["listed in a push/pull as", "counts as"], lines)


def _differences() -> list[str]:
    """Every difference from memberlist once, with the rows and columns where it stands."""
    places: dict[Decision, tuple[dict[str, None], dict[str, None]]] = {}
    for stored, row in RULES.items():
        for claim, cell in row.items():
            for decision in cell:
                if decision.memberlist:
                    rows, columns = places.setdefault(decision, ({}, {}))
                    rows[stored.words], columns[claim.words] = None, None
    lines = [
        (", ".join(rows), ", ".join(columns), word(decision), decision.memberlist, _setting(decision))
        for decision, (rows, columns) in places.items()
    ]
    lines.append(("any", "alive, with incarnation 0", word(NO_INCARNATION), NO_INCARNATION.memberlist, ""))
    return table(["where stored", "claim", "here", "memberlist", "turned off by"], lines)


def _setting(decision: Decision) -> str:
    return f"`{decision.setting}`" if decision.setting else ""
