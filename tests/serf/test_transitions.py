"""Serf's transition table, cell by cell: what a cause makes of a member in each status."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from swim.serf.messages import JoinIntent, LeaveIntent, SerfMessage, encode_serf
from tests.one_node import Lone

STAMP = 10
"""Stamp of the newest intent about ``x`` before the cause."""


class Cell(NamedTuple):
    status: str
    events: tuple[str, ...] = ()
    stamp: int | None = STAMP
    passed_on: bool = False


CAUSES = ("alive", "changed", "dead", "left", "join", "old join", "leave", "old leave", "prune")
INTENTS: dict[str, SerfMessage] = {
    "join": JoinIntent(STAMP + 1, "x"),
    "old join": JoinIntent(STAMP, "x"),
    "leave": LeaveIntent(STAMP + 1, "x"),
    "old leave": LeaveIntent(STAMP, "x"),
    "prune": LeaveIntent(STAMP + 1, "x", True),
}

NEWER = STAMP + 1
SAME = {state: Cell(state) for state in ("alive", "leaving", "left", "failed")}
KNOWN: dict[str, dict[str, Cell]] = {
    "alive": {
        "alive": Cell("alive", ("MemberRefuted",)),
        "changed": Cell("alive", ("MemberUpdated",)),
        "dead": Cell("failed", ("MemberSuspected", "MemberFailed")),
        "left": Cell("left", ("MemberLeft",)),
        "join": Cell("alive", (), NEWER, True),
        "leave": Cell("leaving", ("MemberLeaving",), NEWER, True),
        "prune": Cell("leaving", ("MemberLeaving",), NEWER, True),
    },
    "leaving": {
        "alive": Cell("leaving", ("MemberRefuted",)),
        "changed": Cell("leaving", ("MemberUpdated",)),
        "dead": Cell("left", ("MemberSuspected", "MemberLeft")),
        "left": Cell("left", ("MemberLeft",)),
        "join": Cell("alive", ("MemberRefuted",), NEWER, True),
        "leave": Cell("leaving", (), NEWER, True),
        "prune": Cell("leaving", (), NEWER, True),
    },
    "left": {
        "alive": Cell("alive", ("MemberJoined",)),
        "changed": Cell("alive", ("MemberJoined",)),
        "dead": Cell("left"),
        "left": Cell("left"),
        "join": Cell("left", (), NEWER, True),
        "leave": Cell("left", (), NEWER, True),
        "prune": Cell("unknown", ("MemberReaped",), None, True),
    },
    "failed": {
        "alive": Cell("alive", ("MemberJoined",)),
        "changed": Cell("alive", ("MemberJoined",)),
        "dead": Cell("failed"),
        "left": Cell("left", ("MemberLeft",)),
        "join": Cell("failed", (), NEWER, True),
        "leave": Cell("left", ("MemberLeft",), NEWER, True),
        "prune": Cell("unknown", ("MemberLeft", "MemberReaped"), None, True),
    },
}
UNKNOWN = {
    "alive": Cell("alive", ("MemberJoined",), 0),
    "changed": Cell("alive", ("MemberJoined",), 0),
    "dead": Cell("unknown", (), None),
    "left": Cell("unknown", (), None),
    "join": Cell("unknown", (), None, True),
    "leave": Cell("unknown", (), None, True),
    "old join": Cell("unknown", (), None, True),
    "old leave": Cell("unknown", (), None, True),
    "prune": Cell("unknown", (), None, True),
}


def prepared(state: str) -> Lone:
    """A node that knows two other members and has ``x`` in ``state``, with nothing left to send."""
    lone = Lone()
    lone.meet("y", "z")
    if state != "unknown":
        lone.meet("x")
        lone.say(LeaveIntent(STAMP, "x") if state in ("leaving", "left") else JoinIntent(STAMP, "x"))
    if state in ("left", "failed"):
        lone.fail("x")
    assert lone.status("x") == state
    lone.settle()
    return lone


def bring_about(lone: Lone, cause: str) -> None:
    match cause:
        case "alive":
            lone.meet("x", incarnation=2)
        case "changed":
            lone.meet("x", incarnation=2, role="db")
        case "dead":
            lone.fail("x")
        case "left":
            lone.part("x")
        case _:
            lone.say(INTENTS[cause])


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("state", ["unknown", *KNOWN])
def test_cell(state: str, cause: str):
    expected = UNKNOWN[cause] if state == "unknown" else KNOWN[state].get(cause, SAME.get(state))
    lone = prepared(state)
    bring_about(lone, cause)
    status, events, stamp = lone.status("x"), tuple(lone.kinds()), lone.stamp("x")
    told = {body[0] for body in lone.bodies(2)}
    assert Cell(status, events, stamp, bool(told)) == expected


@pytest.mark.parametrize("state", ["leaving", "left"])
def test_an_intent_older_than_the_status_changes_nothing(state: str):
    lone = prepared(state)
    lone.say(JoinIntent(3, "x"), LeaveIntent(3, "x"), LeaveIntent(STAMP, "x", True))
    assert (lone.status("x"), lone.kinds(), lone.bodies(2)) == (state, [], [])


def test_a_join_intent_that_came_first_gives_the_new_member_its_stamp():
    lone = Lone()
    lone.say(JoinIntent(7, "x"))
    lone.meet("x")
    assert (lone.status("x"), lone.stamp("x")) == ("alive", 7)


def test_a_leave_intent_that_came_first_makes_the_new_member_leaving():
    lone = Lone()
    lone.say(LeaveIntent(7, "x"))
    lone.meet("x")
    assert (lone.status("x"), lone.stamp("x")) == ("leaving", 7)
    lone.fail("x")
    assert lone.status("x") == "left"


def test_the_newest_of_several_early_intents_counts():
    lone = Lone()
    lone.say(LeaveIntent(7, "x"), JoinIntent(9, "x"), LeaveIntent(8, "x"))
    lone.meet("x")
    assert (lone.status("x"), lone.stamp("x")) == ("alive", 9)


def test_early_intents_are_kept_for_a_while_only():
    lone = Lone(recent_intent_timeout=60)
    lone.say(LeaveIntent(7, "x"))
    lone.advance(61)
    lone.meet("x")
    assert lone.status("x") == "alive"


def test_early_intents_are_bounded_the_oldest_goes_first():
    lone = Lone(max_intents=2)
    lone.say(LeaveIntent(7, "x"), LeaveIntent(7, "y"), LeaveIntent(7, "z"))
    lone.meet("x", "y", "z")
    assert [lone.status(name) for name in "xyz"] == ["alive", "leaving", "leaving"]


def test_without_a_buffer_intents_about_strangers_end_here():
    lone = Lone(max_intents=0)
    lone.meet("y")
    lone.settle()
    lone.say(LeaveIntent(7, "x"), LeaveIntent(7, "x"))
    assert not lone.bodies(2)


def test_one_intent_per_member_is_queued_the_newest():
    lone = Lone()
    lone.meet("x", "y")
    lone.settle()
    lone.say(*(JoinIntent(stamp, "x") for stamp in range(20, 30)))
    assert lone.node.stats().intent_queue == 1
    newest = LeaveIntent(31, "x")
    lone.say(newest)
    assert set(lone.bodies(2)) == {encode_serf(newest)}
