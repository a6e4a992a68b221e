"""Serf states of members that agree: the same bytes, and nothing is learnt from them twice."""

from __future__ import annotations

from swim.serf.messages import JoinIntent, LeaveIntent, UserEvent
from tests.one_node import Lone, serf_state


def test_equal_states_are_equal_bytes_in_whatever_order_things_happened() -> None:
    states = []
    for order in ("xyz", "zyx", "yzx"):
        lone = Lone()
        for name in order:
            lone.meet(name)
        for name in reversed(order):
            lone.say(JoinIntent("xyz".index(name) + 3, name))
        for name in order.replace("y", ""):
            lone.part(name)
        states.append(lone.pushed().user_state)
    assert states[0] == states[1] == states[2]


def test_what_is_told_follows_every_change() -> None:
    """The answer is kept while it holds; each of these must end that."""
    lone = Lone()
    lone.meet("x", "y")
    for change in (
        lambda: lone.say(JoinIntent(9, "x")),
        lambda: lone.say(UserEvent(1, "deploy", b"", False)),
        lambda: lone.say(UserEvent(1, "another", b"", False)),
        lambda: lone.say(LeaveIntent(10, "x")),
        lambda: lone.part("x"),
        lambda: lone.pushed(serf_state(ltime=50)),
    ):
        told = lone.pushed().user_state
        lone.pushed(told)
        lone.pushed(told)  # now all nodes send the same, and one copy is kept
        change()
        assert lone.pushed().user_state != told


def test_an_equal_state_teaches_nothing() -> None:
    lone = Lone()
    lone.meet("x", "y")
    lone.say(JoinIntent(9, "x"))
    lone.fail("y")
    lone.settle()
    told = lone.pushed().user_state
    for _ in range(3):
        assert lone.pushed(told).user_state == told
    assert (lone.kinds(), lone.bodies(5)) == ([], [])
