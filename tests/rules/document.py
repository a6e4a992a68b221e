"""docs/precedence.md: the tables of claims and of statuses as Markdown, written and read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from swim.core.member import State
from swim.core.precedence import (
    LEAP,
    LEAP_OF_NON_MEMBER,
    LEAPS,
    LISTED,
    NO_INCARNATION,
    RULES,
    Claim,
    Decision,
    Verdict,
)
from swim.serf import member_status as statuses
from swim.serf.member_status import Cause, Change, Effect
from swim.wire.messages import Alive, Dead, Suspect

__all__ = ["DOCUMENT", "between", "claims_markdown", "read_table", "rewrite", "statuses_markdown"]

DOCUMENT = Path(__file__).parents[2] / "docs" / "precedence.md"
ALIVE_CLAIMS = [claim for claim in Claim if claim.startswith("alive")]
SAID = [Cause.JOIN, Cause.LEAVE, Cause.PRUNE, Cause.STAMPED, Cause.LISTED_LEFT]
EVENTS = [cause for cause in Cause if cause not in SAID]
ACCUSATIONS = [claim for claim in Claim if claim not in ALIVE_CLAIMS]


def claims_markdown() -> str:
    """The core's tables."""
    return _joined(_claim_table(ALIVE_CLAIMS), _claim_table(ACCUSATIONS), _listed(), _differences())


def statuses_markdown() -> str:
    """Serf's tables."""
    return _joined(_status_table(EVENTS), _status_table(SAID), _status_differences())


def word(decision: Decision) -> str:
    """The text of one decision in a cell: the verdict, or in italics why the claim is ignored."""
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
        cells = [_alternatives(map(word, row[claim])) if claim in row else "" for claim in columns]
        if any(cells):
            lines.append([stored.value, *cells])
    return table(["stored", *(claim.value for claim in columns)], lines)


def _alternatives(words: Iterable[str]) -> str:
    listed = list(words)
    return listed[0] if len(set(listed)) == 1 else " / ".join(listed)


def effect(change: Change) -> str:
    """What a cell says of one change: its effect, or in italics why it is ignored."""
    return f"*{change.why}*" if change.effect is Effect.IGNORE else change.effect.value


def _status_table(causes: list[Cause]) -> list[str]:
    lines = []
    for row, cells in statuses.RULES.items():
        words = [_alternatives(map(effect, cells[cause])) if cause in cells else "" for cause in causes]
        if any(words):
            lines.append([row.value, *words])
    return table(["listed as", *(cause.value for cause in causes)], lines)


def _status_differences() -> list[str]:
    """Every difference from Serf once, with the rows and columns where it stands."""
    places: dict[Change, tuple[dict[str, None], dict[str, None]]] = {}
    for row, cells in statuses.RULES.items():
        for cause, cell in cells.items():
            for change in cell:
                if change.serf:
                    rows, causes = places.setdefault(change, ({}, {}))
                    rows[row.value], causes[cause.value] = None, None
    lines = [
        (", ".join(rows), ", ".join(causes), effect(change), change.serf, _setting(change.setting))
        for change, (rows, causes) in places.items()
    ]
    return table(["where listed", "cause", "here", "Serf", "turned off by"], lines)


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
                    rows[stored.value], columns[claim.value] = None, None
    lines = [
        (", ".join(rows), ", ".join(columns), word(decision), decision.memberlist, _setting(decision.setting))
        for decision, (rows, columns) in places.items()
    ]
    lines += [
        ("any", "alive, with incarnation 0", word(NO_INCARNATION), NO_INCARNATION.memberlist, ""),
        ("any listed", f"any, newer by more than {LEAP:,}", word(LEAPS), LEAPS.memberlist, ""),
        (
            "this node",
            f"by a non-member, newer by more than {LEAP:,}",
            word(LEAP_OF_NON_MEMBER),
            LEAP_OF_NON_MEMBER.memberlist,
            "",
        ),
    ]
    return table(["where stored", "claim", "here", "memberlist", "turned off by"], lines)


def _setting(name: str) -> str:
    return f"`{name}`" if name else ""
