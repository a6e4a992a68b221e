"""Every cell of the table of statuses, brought about at a node by its public inputs, and what came of it."""

from __future__ import annotations

from typing import NamedTuple

from swim.commands import Leave, Rejoin
from swim.events import (
    MemberEvent,
    MemberFailed,
    MemberJoined,
    MemberLeaving,
    MemberLeft,
    MemberReaped,
    MemberRefuted,
    MemberRestarted,
    MemberSuspected,
    MemberUpdated,
)
from swim.serf.member_status import Cause, Effect, Entered
from swim.serf.messages import JoinIntent, LeaveIntent, decode_serf, encode_serf
from swim.wire.messages import Dead, Suspect
from tests.one_node import Lone, home, serf_state

__all__ = ["Cell", "has_stamp", "outcome"]

STAMP = 10
OWN_ROWS = (Entered.RUNNING, Entered.DEPARTING, Entered.DEPARTED)
INTENTS = (Cause.JOIN, Cause.LEAVE, Cause.PRUNE)
LISTINGS = (Cause.STAMPED, Cause.LISTED_LEFT)
GONE_SECONDS = 100.0


class Cell(NamedTuple):
    """One cell: the row, the column, and for a stamp which of older (0), same (1) and newer (2)."""

    row: Entered
    cause: Cause
    age: int

    def __str__(self) -> str:
        return f"{self.row.name}-{self.cause.name}-{('older', 'same', 'newer')[self.age]}".lower()

    @property
    def subject(self) -> str:
        """Whom it is about."""
        return "me" if self.row in OWN_ROWS else "x"


def has_stamp(cause: Cause) -> bool:
    """Whether a cause comes with a stamp."""
    return cause in INTENTS or cause in LISTINGS


def outcome(cell: Cell) -> str:
    """What becomes of the cause, in the words of the document."""
    lone = _prepared(cell)
    known = lone.stamp(cell.subject)
    ltime = _ltime(cell, known or STAMP)
    lone.bodies()
    lone.events.clear()
    counters, status = lone.node.metrics.counters.copy(), lone.status(cell.subject)
    _bring_about(lone, cell, ltime)
    events = [event for event in lone.events if event.member.name == cell.subject]
    if cell.cause is Cause.DIED:  # no member dies without a suspicion
        events = [event for event in events if not isinstance(event, MemberSuspected)]
    passed_on = lone.bodies(0.05)
    reasons = [
        name.rpartition(".")[2]
        for name in lone.node.metrics.counters - counters
        if name.startswith("swim.ignored.status.")
    ]
    found = _effect(lone, cell, events, known=known, ltime=ltime, status=status)
    if cell.cause in INTENTS and cell.row is not Entered.DEPARTING:
        wanted = found not in (Effect.IGNORE, Effect.REFUTE)
        assert (encode_serf(_intent(cell, ltime)) in passed_on) is wanted, f"passed on: {not wanted}"
    if found is Effect.REFUTE:
        joins = [m for m in map(decode_serf, passed_on) if isinstance(m, JoinIntent) and m.node == "me"]
        assert joins
        assert all(join.ltime > ltime for join in joins)
    return f"*{' and '.join(reasons)}*" if found is Effect.IGNORE else found.value


def _ltime(cell: Cell, known: int) -> int:
    """The stamp to say; about this node, one listed as left counts as one higher."""
    early = cell.row is Entered.RUNNING and cell.cause is Cause.LISTED_LEFT
    return known - 1 + cell.age - early


def _intent(cell: Cell, ltime: int) -> JoinIntent | LeaveIntent:
    if cell.cause is Cause.JOIN:
        return JoinIntent(ltime, cell.subject)
    return LeaveIntent(ltime, cell.subject, cell.cause is Cause.PRUNE)


def _prepared(cell: Cell) -> Lone:
    """A node that lists the member as the row says."""
    short = cell.row is Entered.UNKNOWN and cell.cause is Cause.LEFT
    seconds = 1.0 if short else GONE_SECONDS
    lone = Lone(reconnect_timeout=seconds, tombstone_timeout=seconds)
    lone.meet("y", "z")
    if cell.subject == "me":
        _prepare_self(lone, cell)
        return lone
    if cell.row is Entered.ANNOUNCED:
        lone.say(LeaveIntent(STAMP, "x"))
    elif cell.row is not Entered.UNKNOWN or short:
        lone.meet("x")
        leaves = cell.row is Entered.LEAVING or (cell.row is Entered.LEFT and cell.cause is not Cause.LEFT)
        lone.say(LeaveIntent(STAMP, "x") if leaves else JoinIntent(STAMP, "x"))
    if cell.row in (Entered.LEFT, Entered.FAILED) or short:
        lone.fail("x")
    if cell.row is Entered.LEFT and cell.cause is Cause.LEFT:
        lone.say(LeaveIntent(STAMP + 1, "x"))  # memberlist holds it dead
    lone.bodies(12)
    return lone


def _prepare_self(lone: Lone, cell: Cell) -> None:
    lone.say(LeaveIntent(STAMP, "me"))
    lone.settle()
    if cell.row is Entered.DEPARTING and (cell.cause, cell.age) == (Cause.LEAVE, 2):
        return  # it is its own leave
    if cell.row is not Entered.RUNNING or cell.cause is Cause.JOINED:
        lone.command(Leave())
    if cell.row is Entered.DEPARTED or cell.cause is Cause.JOINED:
        lone.advance(20)


def _bring_about(lone: Lone, cell: Cell, ltime: int) -> None:
    match cell.cause:
        case Cause.JOINED if cell.subject == "me":
            lone.command(Rejoin())
        case Cause.RAISED if cell.subject == "me":
            lone.hear(Suspect(lone.node.local.incarnation, "me", "y"))
        case Cause.LEFT if cell.subject == "me":
            lone.advance(1)
        case Cause.JOINED | Cause.RAISED:
            lone.meet("x", incarnation=2)
        case Cause.SUSPECTED:
            lone.hear(Suspect(1, "x", "y"))
        case Cause.DIED:
            lone.fail("x")
        case Cause.LEFT:
            lone.hear(Dead(1, "x", "x"), source=home("x"))
        case Cause.ANSWERS:
            _answer_late(lone)
        case Cause.AGED:
            lone.advance(GONE_SECONDS)
        case Cause.STAMPED:
            lone.pushed(serf_state(stamps={cell.subject: ltime}))
        case Cause.LISTED_LEFT:
            lone.pushed(serf_state(stamps={cell.subject: ltime}, left=[cell.subject]))
        case Cause.LEAVE if cell.row is Entered.DEPARTING and cell.age == 2:
            lone.command(Leave())
        case _:
            lone.say(_intent(cell, ltime))


def _answer_late(lone: Lone) -> None:
    """The member is heard of in the second half of the time that leaving may take."""
    lone.advance(lone.config.leaving_timeout / 2)
    lone.say(JoinIntent(1, "y"), source=home("x"))
    lone.advance(lone.config.leaving_timeout / 2)


def _effect(
    lone: Lone, cell: Cell, events: list[MemberEvent], *, known: int | None, ltime: int, status: str
) -> Effect:
    after, stamp = lone.status(cell.subject), lone.stamp(cell.subject)
    match [type(event) for event in events]:
        case []:
            assert after == status
            if cell.row is Entered.UNKNOWN:
                lone.meet("x")
                return Effect.KEEP if lone.stamp("x") == ltime else Effect.IGNORE
            if cell.subject == "me" and stamp not in (known, ltime):
                return Effect.REFUTE
            return Effect.IGNORE if stamp == known else _kind_of_stamp(lone, cell, ltime)
        case [kind] if kind is MemberJoined:
            return Effect.JOIN if after == "alive" else Effect.JOIN_LEAVING
        case [kind] if kind is MemberRefuted and (status, after) == ("leaving", "alive"):
            return Effect.RETURN
        case [kind] if kind in (MemberRefuted, MemberUpdated, MemberRestarted):
            return Effect.RAISE
        case [kind] if kind is MemberSuspected:
            return Effect.SUSPECT
        case [kind] if kind is MemberFailed:
            return Effect.FAIL
        case [kind] if kind is MemberLeft:
            return Effect.LEFT
        case [first, second] if (first, second) == (MemberLeft, MemberReaped):
            return Effect.PRUNE
        case [kind] if kind is MemberReaped:
            return Effect.ERASE
        case [kind] if kind is MemberLeaving:
            return Effect.LEAVE if cell.subject == "me" else _kind_of_leaving(lone)
    raise AssertionError(f"unexpected events: {events}")


def _kind_of_leaving(lone: Lone) -> Effect:
    """Whether the member is forgotten as soon as it is gone."""
    lone.part("x")
    return Effect.LEAVE if lone.status("x") == "left" else Effect.PRUNE_LATER


def _kind_of_return(lone: Lone, ltime: int) -> Effect:
    """Whether a stamp after the member's return is that of the return, or of a restart right after it."""
    lone.meet("x", incarnation=2)
    lone.meet("x", incarnation=3)
    lone.events.clear()
    lone.say(JoinIntent(ltime + 1, "x"))
    return Effect.EXPECT if lone.kinds() == ["MemberRestarted"] else Effect.STAMP


def _kind_of_stamp(lone: Lone, cell: Cell, ltime: int) -> Effect:
    """What a newer stamp means beyond itself, which shows only later."""
    match cell.row:
        case Entered.ALIVE:
            lone.events.clear()
            lone.meet("x", incarnation=2)
            return Effect.NOTE if isinstance(lone.events[0], MemberRestarted) else Effect.STAMP
        case Entered.LEFT:
            return Effect.STAMP if "x" in lone.state().left_members else Effect.EXPECT
        case Entered.FAILED:
            return _kind_of_return(lone, ltime)
        case Entered.LEAVING:
            twin = _prepared(cell)
            _bring_about(twin, cell, ltime)
            _answer_late(twin)
            return _kind_of_leaving(lone) if twin.status("x") == "alive" else Effect.STAMP
    return Effect.STAMP
