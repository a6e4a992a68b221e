"""Claims about this node: forged leaves, stamps of an earlier run, and how real Serf handles both."""

from __future__ import annotations

import random

import pytest

from swim.commands import ForceLeave
from swim.serf.messages import JoinIntent, LeaveIntent, decode_serf
from swim.serf.push_pull import PushPullState
from tests.one_node import Lone, serf_state


@pytest.fixture
def lone() -> Lone:
    alone = Lone()
    alone.meet("x", "y")
    alone.settle()
    return alone


@pytest.mark.parametrize("extra", [0, 1, 5])
def test_a_leave_of_this_node_is_refuted_by_a_newer_join_and_not_passed_on(lone: Lone, extra: int):
    lone.say(LeaveIntent((lone.stamp("me") or 0) + extra, "me"))
    messages = {decode_serf(body) for body in lone.bodies(2)}
    assert messages == {JoinIntent(lone.stamp("me") or 0, "me")}
    assert lone.node.local.status == "alive"
    assert (lone.stamp("me") or 0) > extra


def test_a_leave_older_than_the_own_join_needs_no_refutation(lone: Lone):
    lone.say(LeaveIntent(7, "me"))
    lone.settle()
    lone.say(LeaveIntent(3, "me"))
    assert not lone.bodies(2)


@pytest.mark.parametrize("left", [["me"], []])
def test_a_push_pull_with_a_higher_stamp_of_this_node_is_refuted(lone: Lone, left: list[str]):
    lone.pushed(serf_state(stamps={"me": 40}, left=left))
    [message] = {decode_serf(body) for body in lone.bodies(2)}
    assert isinstance(message, JoinIntent)
    assert message.node == "me"
    assert message.ltime > 40
    assert lone.node.local.status == "alive"


@pytest.mark.parametrize("older", [0, 1])
def test_being_listed_as_left_under_the_own_stamp_is_refuted(lone: Lone, older: int):
    lone.pushed(serf_state(stamps={"me": 40}, left=["me"]))
    lone.settle()
    own = lone.stamp("me") or 0
    lone.pushed(serf_state(stamps={"me": own - older}, left=["me"]))
    [message] = {decode_serf(body) for body in lone.bodies(2)}
    assert message == JoinIntent(lone.stamp("me") or 0, "me")
    assert message.ltime > own + 1


def test_being_listed_as_left_by_a_former_life_is_no_news(lone: Lone):
    lone.pushed(serf_state(stamps={"me": 40}, left=["me"]))
    lone.settle()
    lone.pushed(serf_state(stamps={"me": 40}, left=["me"]))
    assert not lone.bodies(2)


class SerfView:
    """What a real Serf peer that has us alive in memberlist, or not yet, makes of intents."""

    def __init__(self, status: str, ltime: int) -> None:
        self.status = status
        self.ltime = ltime

    def join(self, ltime: int) -> None:
        if ltime > self.ltime:
            self.ltime = ltime
            self.status = "alive" if self.status == "leaving" else self.status

    def leave(self, ltime: int) -> None:
        if ltime > self.ltime:
            self.ltime = ltime
            self.status = "leaving" if self.status == "alive" else self.status

    def told(self) -> PushPullState:
        return serf_state(stamps={"me": self.ltime}, left=["me"] if self.status == "left" else [])

    def merge(self, state: PushPullState) -> None:
        if "me" in state.left_members:
            self.leave(state.status_ltimes["me"] + 1)
        else:
            self.join(state.status_ltimes["me"])


@pytest.mark.parametrize("ratchets", range(1, 9))
def test_no_peer_shows_this_node_as_leaving_for_good_after_a_restart(lone: Lone, ratchets: int):
    lone.pushed(serf_state(stamps={"me": 9}, left=["me"]))
    behind, misled = SerfView("left", 9), SerfView("alive", 9)
    behind.join(lone.stamp("me") or 0)
    for _ in range(ratchets - 1):
        behind.leave(behind.ltime + 1)
    lone.command(ForceLeave("me"))  # joins once more, as at the end of a join by several seeds
    misled.merge(behind.told())
    assert misled.status == "leaving"
    for _ in range(2):
        misled.merge(lone.state())
        lone.pushed(misled.told())
    misled.merge(lone.state())
    assert misled.status == "alive"


@pytest.mark.parametrize("seed", range(60))
def test_real_peers_end_up_showing_this_node_as_alive_whatever_they_missed(lone: Lone, seed: int):
    """Five that had it left under several stamps meet in random order; each intent reaches half of them."""
    choices = random.Random(seed)
    views = [SerfView("left", 5 + choices.randrange(4)) for _ in range(5)]

    def meet(view: SerfView) -> None:
        mine, theirs = lone.state(), view.told()
        lone.pushed(theirs)
        view.merge(mine)
        for message in dict.fromkeys(map(decode_serf, lone.bodies(0.5))):
            assert isinstance(message, JoinIntent)
            for hearer in views:
                if choices.random() < 0.5:
                    hearer.join(message.ltime)

    for _ in range(60):
        one, other = choices.sample(views, 2)
        if one.status == "left" and choices.random() < 0.35:
            one.status = "alive"  # memberlist's alive claim arrives
        if choices.random() < 0.3:
            meet(one)
        else:
            before = one.told()
            one.merge(other.told())
            other.merge(before)
    for view in views:
        view.status = "alive" if view.status == "left" else view.status
    for view in views * 6:
        meet(view)
    assert {view.status for view in views} == {"alive"}


def test_a_push_pull_with_the_own_stamp_is_no_news(lone: Lone):
    lone.pushed(serf_state(stamps={"me": lone.stamp("me") or 0}))
    assert not lone.bodies(2)


@pytest.mark.parametrize("stamp", [2**63, 2**64 - 1, 2**40])
def test_absurd_stamps_are_ignored_and_counted(lone: Lone, stamp: int):
    clock = lone.state().ltime
    lone.say(JoinIntent(stamp, "x"), LeaveIntent(stamp, "x"), LeaveIntent(stamp, "me"))
    lone.pushed(serf_state(ltime=stamp, stamps={"y": stamp, "x": stamp, "me": stamp}, left=["x"]))
    assert (lone.status("x"), lone.stamp("x"), lone.stamp("y"), lone.bodies(2)) == ("alive", 0, 0, [])
    assert lone.state().ltime == clock
    assert lone.node.metrics.counters["swim.dropped.absurd-ltime"] == 3
