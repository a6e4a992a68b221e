"""Which claim wins: one table, one pure function.

memberlist's merge rules (aliveNode, suspectNode, deadNode), with two local differences: a leave about a dead
member is believed (quietly), and a reaped member's tombstone makes stale alive claims prove themselves by an
ack. ``python -m swim.core.precedence`` prints the table that stands in the documentation.
"""

from __future__ import annotations

from enum import Enum

__all__ = [
    "ABOUT_OTHERS",
    "ABOUT_SELF",
    "Claim",
    "Stored",
    "Verdict",
    "age",
    "decide",
    "decide_self",
    "table_markdown",
    "verdicts",
]


class Claim(Enum):
    """What a message says of a member."""

    ALIVE = "alive"
    SUSPECT = "suspect"
    DEAD = "dead"
    LEAVE = "leave"


class Stored(Enum):
    """What the table holds for that name; the last three are the local node's own conditions."""

    ABSENT = "absent"
    TOMBSTONE = "tombstone"
    ALIVE = "alive"
    SUSPECT = "suspect"
    DEAD = "dead"
    LEFT = "left"
    RUNNING = "self, running"
    LEAVING = "self, leaving"
    GONE = "self, left"


class Verdict(Enum):
    """What becomes of the claim."""

    IGNORE = "ignore"
    JOIN = "→ alive, joined"
    REFRESH = "→ alive"
    VERIFY = "hold, ping it"
    SUSPECT = "→ suspect"
    CONFIRM = "confirm"
    DEAD = "→ dead"
    LEFT = "→ left"
    REFUTE = "refute"
    COMPARE = "refute if different"


_I, _J, _R, _V = Verdict.IGNORE, Verdict.JOIN, Verdict.REFRESH, Verdict.VERIFY
_S, _C, _D, _L, _X = Verdict.SUSPECT, Verdict.CONFIRM, Verdict.DEAD, Verdict.LEFT, Verdict.REFUTE
_NEVER = (_I, _I, _I)

# Each triple: the claim's incarnation is older than, equal to, newer than the stored one.
ABOUT_OTHERS: dict[Stored, dict[Claim, tuple[Verdict, Verdict, Verdict]]] = {
    Stored.ABSENT: {
        Claim.ALIVE: (_J, _J, _J),
        Claim.SUSPECT: _NEVER,
        Claim.DEAD: _NEVER,
        Claim.LEAVE: _NEVER,
    },
    Stored.TOMBSTONE: {
        Claim.ALIVE: (_V, _V, _J),
        Claim.SUSPECT: _NEVER,
        Claim.DEAD: _NEVER,
        Claim.LEAVE: _NEVER,
    },
    Stored.ALIVE: {
        Claim.ALIVE: (_I, _I, _R),
        Claim.SUSPECT: (_I, _S, _S),
        Claim.DEAD: (_I, _D, _D),
        Claim.LEAVE: (_I, _L, _L),
    },
    Stored.SUSPECT: {
        Claim.ALIVE: (_I, _I, _R),
        Claim.SUSPECT: (_I, _C, _C),
        Claim.DEAD: (_I, _D, _D),
        Claim.LEAVE: (_I, _L, _L),
    },
    Stored.DEAD: {
        Claim.ALIVE: (_I, _I, _J),
        Claim.SUSPECT: _NEVER,
        Claim.DEAD: _NEVER,
        Claim.LEAVE: (_I, _L, _L),
    },
    Stored.LEFT: {Claim.ALIVE: (_I, _I, _J), Claim.SUSPECT: _NEVER, Claim.DEAD: _NEVER, Claim.LEAVE: _NEVER},
}

ABOUT_SELF: dict[Stored, dict[Claim, tuple[Verdict, Verdict, Verdict]]] = {
    Stored.RUNNING: {
        Claim.ALIVE: (_I, Verdict.COMPARE, _X),
        Claim.SUSPECT: (_I, _X, _X),
        Claim.DEAD: (_I, _X, _X),
        Claim.LEAVE: (_I, _X, _X),
    },
    Stored.LEAVING: {
        Claim.ALIVE: _NEVER,
        Claim.SUSPECT: _NEVER,
        Claim.DEAD: (_I, _L, _L),
        Claim.LEAVE: (_I, _L, _L),
    },
    Stored.GONE: {Claim.ALIVE: _NEVER, Claim.SUSPECT: _NEVER, Claim.DEAD: _NEVER, Claim.LEAVE: _NEVER},
}


def age(incarnation: int, known: int) -> int:
    """Which of a row's verdicts counts: 0 for an older incarnation than the known one, 1 same, 2 newer."""
    return 0 if incarnation < known else 1 if incarnation == known else 2


def verdicts(claim: Claim) -> tuple[tuple[Verdict, Verdict, Verdict], ...]:
    """``ABOUT_OTHERS`` for one kind of claim: a row for each state, numbered as in push/pull records."""
    listed = (Stored.ALIVE, Stored.SUSPECT, Stored.DEAD, Stored.LEFT)
    return tuple(ABOUT_OTHERS[stored][claim] for stored in listed)


def decide(claim: Claim, incarnation: int, stored: Stored, known: int) -> Verdict:
    """The verdict on a claim about another member whose stored incarnation is ``known``."""
    return ABOUT_OTHERS[stored][claim][age(incarnation, known)]


def decide_self(claim: Claim, incarnation: int, stored: Stored, own: int) -> Verdict:
    """The verdict on a claim about the local node."""
    return ABOUT_SELF[stored][claim][age(incarnation, own)]


def table_markdown() -> str:
    """The two tables as Markdown: one row per stored state, ``older / same / newer`` incarnation per cell."""
    lines = ["| stored | " + " | ".join(c.value for c in Claim) + " |", "|---" * (len(Claim) + 1) + "|"]
    for stored, row in (ABOUT_OTHERS | ABOUT_SELF).items():
        cells = []
        for claim in Claim:
            words = [verdict.value for verdict in row[claim]]
            cells.append(words[0] if len(set(words)) == 1 else " / ".join(words))
        lines.append(f"| {stored.value} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(table_markdown(), end="")
