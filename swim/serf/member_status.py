"""How a member's status changes: Serf's rules, as one table.

``decide`` is the only place that decides; ``members`` carries a decision out. A cell that differs from Serf
says what Serf does. The simulator's checkers read from the same table which events are legal, and
``docs/precedence.md`` shows it.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final, NamedTuple

from swim.events import (
    MemberAccused,
    MemberEvent,
    MemberFailed,
    MemberJoined,
    MemberLeaving,
    MemberLeft,
    MemberReaped,
    MemberRefuted,
    MemberRestarted,
    MemberStatus,
    MemberSuspected,
    MemberUpdated,
)

__all__ = ["RULES", "Cause", "Change", "Effect", "Entered", "decide", "is_legal", "row_of"]


class Cause(Enum):
    """The columns: what happened to a member, or what a message says about it."""

    JOINED = "joined"
    RAISED = "raised its incarnation"
    SUSPECTED = "suspected"
    DIED = "died"
    LEFT = "left"
    ANSWERS = "answers after `leaving_timeout`"
    AGED = "gone for its timeout"
    JOIN = "join intent"
    LEAVE = "leave intent"
    PRUNE = "leave intent, prune"
    STAMPED = "stamp in a push/pull"
    LISTED_LEFT = "left in a push/pull"


class Entered(Enum):
    """The rows: how the member is listed; the last three are the statuses of the local node."""

    UNKNOWN = "unknown"
    ANNOUNCED = "unknown, leave intent kept"
    ALIVE = "alive"
    LEAVING = "leaving"
    LEFT = "left"
    FAILED = "failed"
    RUNNING = "this node, running"
    DEPARTING = "this node, leaving"
    DEPARTED = "this node, left"


class Effect(Enum):
    """What is done."""

    IGNORE = "ignore"
    KEEP = "kept for later"
    STAMP = "stamp"
    NOTE = "stamp, maybe restarted"
    JOIN = "→ alive, joined"
    JOIN_LEAVING = "→ leaving, joined"
    RAISE = "updated, refuted or restarted"
    SUSPECT = "suspected"
    FAIL = "→ failed"
    LEAVE = "→ leaving"
    PRUNE_LATER = "→ leaving, pruned when gone"
    RETURN = "→ alive"
    EXPECT = "stamp, expected back"
    LEFT = "→ left"
    PRUNE = "→ left, pruned"
    ERASE = "reaped"
    REFUTE = "refute"


class Change(NamedTuple):
    """What is done about a cause, and why.

    Attributes:
        effect: what to do.
        why: for a cause that changes nothing, the reason.
        serf: what Serf does instead, if it differs.
        setting: the one that turns the difference off.
    """

    effect: Effect
    why: str = ""
    serf: str = ""
    setting: str = ""


Cell = tuple[Change, Change, Change]
"""For a stamp older than the stored one, the same, or newer; causes without a stamp count as newer."""

_KEEP, _STAMP, _NOTE, _JOIN = map(Change, (Effect.KEEP, Effect.STAMP, Effect.NOTE, Effect.JOIN))
_JOIN_LEAVING, _RAISE = Change(Effect.JOIN_LEAVING), Change(Effect.RAISE)
_SUSPECT, _FAIL, _LEAVE = Change(Effect.SUSPECT), Change(Effect.FAIL), Change(Effect.LEAVE)
_LEFT, _RETURN, _ERASE = Change(Effect.LEFT), Change(Effect.RETURN), Change(Effect.ERASE)
_REFUTE, _PRUNE = Change(Effect.REFUTE), Change(Effect.PRUNE)
_REFUTE_SAME = Change(Effect.REFUTE, serf="ignore")
_REFUTE_STAMP = Change(Effect.REFUTE, serf="stamp")
_NO_RETURN = Change(Effect.STAMP, serf="→ alive")
_PRUNE_LATER = Change(Effect.PRUNE_LATER, serf="hidden after 6 s")
_EXPECT = Change(Effect.EXPECT, serf="stamp, still listed as left")
_BACK = Change(Effect.EXPECT)
_LEFT_UNSAID = Change(Effect.LEFT, serf="→ failed without an intent")
_LATE = Change(Effect.LEFT, serf="ignore")
_STUCK = Change(Effect.RETURN, serf="stays leaving", setting="leaving_timeout")
_LISTED = Change(Effect.LEFT, serf="with a stamp one higher")
_SAME_LISTED = Change(Effect.STAMP, serf="with a stamp one higher")

_UNKNOWN = Change(Effect.IGNORE, "unknown-member")
_HAS_LEFT = Change(Effect.IGNORE, "already-left")
_OLD = Change(Effect.IGNORE, "old-stamp")
_OWN = Change(Effect.IGNORE, "own-member")
_HERE = Change(Effect.IGNORE, "still-here", "→ leaving or stamp")


def _plain(change: Change) -> Cell:
    return change, change, change


def _newer(change: Change) -> Cell:
    return _OLD, _OLD, change


RULES: dict[Entered, dict[Cause, Cell]] = {
    Entered.UNKNOWN: {
        Cause.JOINED: _plain(_JOIN),
        Cause.LEFT: _plain(_UNKNOWN),
        Cause.JOIN: _plain(_KEEP),
        Cause.LEAVE: _plain(_KEEP),
        Cause.PRUNE: _plain(_KEEP),
        Cause.STAMPED: _plain(_KEEP),
        Cause.LISTED_LEFT: _plain(_KEEP),
    },
    Entered.ANNOUNCED: {Cause.JOINED: _plain(_JOIN_LEAVING)},
    Entered.ALIVE: {
        Cause.RAISED: _plain(_RAISE),
        Cause.SUSPECTED: _plain(_SUSPECT),
        Cause.DIED: _plain(_FAIL),
        Cause.LEFT: _plain(_LEFT_UNSAID),
        Cause.JOIN: _newer(_NOTE),
        Cause.LEAVE: _newer(_LEAVE),
        Cause.PRUNE: _newer(_PRUNE_LATER),
        Cause.STAMPED: _newer(_NOTE),
        Cause.LISTED_LEFT: _plain(_HERE),
    },
    Entered.LEAVING: {
        Cause.RAISED: _plain(_RAISE),
        Cause.SUSPECTED: _plain(_SUSPECT),
        Cause.DIED: _plain(_LEFT),
        Cause.LEFT: _plain(_LEFT),
        Cause.ANSWERS: _plain(_STUCK),
        Cause.JOIN: _newer(_RETURN),
        Cause.LEAVE: _newer(_LEAVE),
        Cause.PRUNE: _newer(_PRUNE_LATER),
        Cause.STAMPED: _newer(_RETURN),
        Cause.LISTED_LEFT: _plain(_HERE),
    },
    Entered.LEFT: {
        Cause.JOINED: _plain(_JOIN),
        Cause.LEFT: _plain(_HAS_LEFT),
        Cause.AGED: _plain(_ERASE),
        Cause.JOIN: _newer(_EXPECT),
        Cause.LEAVE: _newer(_STAMP),
        Cause.PRUNE: _newer(_ERASE),
        Cause.STAMPED: _newer(_EXPECT),
        Cause.LISTED_LEFT: (_OLD, _OLD, _SAME_LISTED),
    },
    Entered.FAILED: {
        Cause.JOINED: _plain(_JOIN),
        Cause.LEFT: _plain(_LATE),
        Cause.AGED: _plain(_ERASE),
        Cause.JOIN: _newer(_BACK),
        Cause.LEAVE: _newer(_LEFT),
        Cause.PRUNE: _newer(_PRUNE),
        Cause.STAMPED: _newer(_BACK),
        Cause.LISTED_LEFT: (_OLD, _LISTED, _LISTED),
    },
    Entered.RUNNING: {
        Cause.JOINED: _plain(_JOIN),
        Cause.RAISED: _plain(_RAISE),
        Cause.JOIN: _newer(_STAMP),
        Cause.LEAVE: (_OLD, _REFUTE_SAME, _REFUTE),
        Cause.PRUNE: (_OLD, _REFUTE_SAME, _REFUTE),
        Cause.STAMPED: _newer(_REFUTE_STAMP),
        Cause.LISTED_LEFT: (_OLD, _REFUTE, _REFUTE),
    },
    Entered.DEPARTING: {
        Cause.LEFT: _plain(_LEFT),
        Cause.JOIN: _newer(_NO_RETURN),
        Cause.LEAVE: _newer(_LEAVE),
        Cause.PRUNE: _newer(_STAMP),
        Cause.STAMPED: _plain(_OWN),
        Cause.LISTED_LEFT: _plain(_OWN),
    },
    Entered.DEPARTED: {
        Cause.JOIN: _newer(_STAMP),
        Cause.LEAVE: _newer(_STAMP),
        Cause.PRUNE: _newer(_STAMP),
        Cause.STAMPED: _plain(_OWN),
        Cause.LISTED_LEFT: _plain(_OWN),
    },
}
"""The table. A combination that is not listed does not arise."""

_NEVER = Change(Effect.IGNORE, "not-possible")
_RAISED = (MemberUpdated, MemberRefuted, MemberRestarted)
_ALIVE, _LEAVING = MemberStatus.ALIVE, MemberStatus.LEAVING
_GONE_LEFT, _FAILED = MemberStatus.LEFT, MemberStatus.FAILED
_ROWS = {
    _ALIVE: Entered.ALIVE,
    _LEAVING: Entered.LEAVING,
    _GONE_LEFT: Entered.LEFT,
    _FAILED: Entered.FAILED,
}
_STATUSES: dict[Entered, tuple[MemberStatus | None, ...]] = {
    Entered.UNKNOWN: (None,),
    Entered.ANNOUNCED: (None,),
    Entered.ALIVE: (_ALIVE,),
    Entered.LEAVING: (_LEAVING,),
    Entered.LEFT: (_GONE_LEFT,),
    Entered.FAILED: (_FAILED,),
    Entered.RUNNING: (_ALIVE,),
    Entered.DEPARTING: (_ALIVE, _LEAVING),
    Entered.DEPARTED: (_GONE_LEFT,),
}
_Step = tuple[tuple[type[MemberEvent], ...], MemberStatus | str | None]
_SAME = "same"
_STEPS: dict[Effect, tuple[_Step, ...]] = {
    Effect.JOIN: (((MemberJoined,), _ALIVE),),
    Effect.JOIN_LEAVING: (((MemberJoined,), _LEAVING),),
    Effect.RAISE: ((_RAISED, _SAME),),
    Effect.NOTE: (((MemberRestarted,), _SAME),),
    Effect.SUSPECT: (((MemberSuspected, MemberAccused), _SAME),),
    Effect.FAIL: (((MemberFailed,), _FAILED),),
    Effect.LEAVE: (((MemberLeaving,), _LEAVING),),
    Effect.PRUNE_LATER: (((MemberLeaving,), _LEAVING),),
    Effect.RETURN: (((MemberRefuted,), _ALIVE),),
    Effect.LEFT: (((MemberLeft,), _GONE_LEFT),),
    Effect.PRUNE: (((MemberLeft,), _GONE_LEFT), ((MemberReaped,), None)),
    Effect.ERASE: (((MemberReaped,), None),),
}
"""The events that an effect causes, in order, and the status after each."""


def row_of(status: MemberStatus | None, own: str = "", *, announced: bool = False) -> Entered:
    """The row of a member.

    Args:
        status: as it is listed; None if it is not.
        own: the local node's status (``running``, ``leaving``, ``left``), if it is the member.
        announced: a leave intent about an unlisted member is buffered.
    """
    if status is None:
        return Entered.ANNOUNCED if announced else Entered.UNKNOWN
    if own == "running":
        return Entered.RUNNING
    if own:
        return Entered.DEPARTED if status is _GONE_LEFT else Entered.DEPARTING
    return _ROWS[status]


def decide(cause: Cause, row: Entered, ltime: int = 1, known: int = 0) -> Change:
    """Decides what ``cause`` changes.

    Args:
        cause: what happened.
        row: how the member is listed, see ``row_of``.
        ltime: the stamp of an intent or a listing.
        known: the stamp of the newest intent about the member.
    """
    if row is Entered.RUNNING and cause is Cause.LISTED_LEFT:
        ltime += 1  # as Serf peers stamp it
    cells = RULES[row].get(cause)
    return _NEVER if cells is None else cells[0 if ltime < known else 1 if ltime == known else 2]


def is_legal(event: MemberEvent) -> bool:
    """Whether any cell of the table allows an event, by the statuses before and after it."""
    before = event.previous.status if event.previous is not None else None
    after = None if isinstance(event, MemberReaped) else event.member.status
    return (type(event), before, after) in _LEGAL


def _legal() -> set[tuple[type[MemberEvent], MemberStatus | None, MemberStatus | None]]:
    found: set[Any] = set()
    for row, cells in RULES.items():
        for status in _STATUSES[row]:
            for change in {change for cell in cells.values() for change in cell}:
                before = status
                for kinds, reached in _STEPS.get(change.effect, ()):
                    after = before if reached is _SAME else reached
                    found |= {(kind, before, after) for kind in kinds}
                    before = after  # type: ignore[assignment]
    return found - {(MemberLeaving, _LEAVING, _LEAVING)}


_LEGAL: Final = _legal()
