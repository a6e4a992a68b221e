"""What Serf gets wrong about members, and this node does not; refutation, restarts, reaping."""

from __future__ import annotations

import pytest

from swim.commands import ForceLeave, Leave
from swim.events import MemberReaped
from swim.serf.messages import JoinIntent, LeaveIntent, decode_serf, encode_serf
from swim.wire.messages import Suspect
from tests.one_node import Lone, alive_record, home, serf_state


def with_members(*names: str, **settings: object) -> Lone:
    lone = Lone(**settings)
    lone.meet(*names)
    lone.settle()
    return lone


# -- stuck in leaving


def test_a_stale_list_of_who_left_does_not_touch_a_member_that_answers():
    lone = with_members("x", "y")
    lone.pushed(serf_state(stamps={"x": 30}, left=["x"]), [alive_record("y")])
    assert (lone.status("x"), lone.stamp("x")) == ("alive", 0)


def test_a_member_that_still_answers_after_a_minute_of_leaving_is_alive_again():
    lone = with_members("x", "y")
    lone.say(LeaveIntent(5, "x"))
    lone.advance(40)
    lone.meet("x")
    lone.advance(19)
    assert lone.status("x") == "leaving"
    lone.advance(2)
    assert lone.status("x") == "alive"


def test_a_member_that_answers_only_while_it_has_time_to_leave_stays_leaving():
    lone = with_members("x", "y")
    lone.say(LeaveIntent(5, "x"))
    lone.advance(20)
    lone.meet("x")
    lone.advance(200)
    assert lone.status("x") == "leaving"


def test_the_minute_of_leaving_starts_anew_with_a_newer_leave():
    lone = with_members("x", "y")
    lone.say(LeaveIntent(5, "x"))
    lone.advance(50)
    lone.say(LeaveIntent(6, "x"))
    lone.advance(50)
    assert lone.status("x") == "leaving"
    lone.meet("x")
    lone.advance(20)
    assert lone.status("x") == "alive"


def test_a_member_suspect_when_its_minute_of_leaving_ends_gets_another_one():
    lone = with_members("x", "y", leaving_timeout=1.0, probe_interval=1000)
    lone.say(LeaveIntent(5, "x"))
    lone.hear(Suspect(1, "x", "y"))
    lone.advance(1.5)
    assert lone.status("x") == "leaving"
    lone.meet("x", incarnation=2)
    lone.advance(1.5)
    assert lone.status("x") == "alive"


def test_who_has_left_stays_so_when_the_minute_ends():
    lone = with_members("x", "y")
    lone.say(LeaveIntent(5, "x"))
    lone.fail("x")
    lone.advance(120)
    assert lone.status("x") == "left"


def test_stamps_of_members_that_left_do_not_rise_by_themselves():
    lone = with_members("x", "y")
    lone.say(LeaveIntent(5, "x"))
    lone.part("x")
    clock = lone.state().ltime
    for _ in range(10):
        lone.pushed(lone.state())
    assert (lone.stamp("x"), lone.state().ltime) == (5, clock)
    lone.pushed(serf_state(stamps={"x": 8}, left=["x"]))
    assert lone.stamp("x") == 8


def test_a_list_of_who_left_turns_a_failed_member_into_one_that_left():
    lone = with_members("x", "y")
    lone.say(JoinIntent(5, "x"))
    lone.fail("x")
    lone.pushed(serf_state(stamps={"x": 4}, left=["x"]))
    assert lone.status("x") == "failed"
    lone.pushed(serf_state(stamps={"x": 5}, left=["x"]))
    assert lone.status("x") == "left"


def test_what_a_push_pull_tells_is_not_passed_on():
    lone = with_members("x", "y")
    lone.pushed(serf_state(ltime=9, stamps={"x": 7, "y": 8, "z": 3}))
    assert (lone.stamp("x"), lone.stamp("y"), lone.bodies(2)) == (7, 8, [])
    assert lone.state().ltime == 9


# -- force-leave


@pytest.mark.parametrize(
    ("state", "prune", "outcome", "after"),
    [
        ("failed", False, "left", "left"),
        ("failed", True, "pruned", "unknown"),
        ("left", False, "already-left", "left"),
        ("left", True, "pruned", "unknown"),
        ("alive", False, "refuted", "leaving"),
        ("alive", True, "refuted", "leaving"),
        ("unknown", False, "unknown", "unknown"),
        ("unknown", True, "unknown", "unknown"),
    ],
)
def test_force_leave_says_which_case_applied(state: str, prune: bool, outcome: str, after: str):
    lone = with_members("y", "z")
    if state != "unknown":
        lone.meet("x")
    if state == "failed":
        lone.fail("x")
    if state == "left":
        lone.part("x")
    lone.settle()
    ticket = lone.command(ForceLeave("x", prune=prune))
    told = {decode_serf(body) for body in lone.bodies(6)}
    said = [] if state == "unknown" else [("x", prune and state != "alive")]
    assert [(m.node, m.prune) for m in told if isinstance(m, LeaveIntent)] == said
    assert (lone.result(ticket), lone.status("x")) == (outcome, after)


def test_a_member_forced_out_while_alive_is_back_as_soon_as_it_objects():
    lone = with_members("x", "y")
    lone.command(ForceLeave("x", prune=True))
    lone.say(JoinIntent(20, "x"))
    assert lone.status("x") == "alive"
    lone.fail("x")
    assert lone.status("x") == "failed"


def test_a_member_pruned_while_alive_stays_visible_until_it_is_gone():
    lone = with_members("x", "y")
    lone.say(LeaveIntent(5, "x"))
    lone.command(ForceLeave("x", prune=True))
    lone.advance(10)
    assert lone.status("x") == "leaving"
    lone.fail("x")
    assert lone.status("x") == "unknown"


def test_a_prune_is_told_to_others_once_its_member_is_gone():
    lone = with_members("x", "y")
    lone.command(ForceLeave("x", prune=True))
    told = {decode_serf(body) for body in lone.bodies(5)}
    assert [message.prune for message in told if isinstance(message, LeaveIntent)] == [False]
    lone.fail("x")
    told = {decode_serf(body) for body in lone.bodies(5)}
    assert [message.prune for message in told if isinstance(message, LeaveIntent)] == [True]
    assert lone.status("x") == "unknown"


def test_an_echo_of_an_older_intent_neither_replaces_a_prune_nor_colours_the_next_join():
    lone = with_members("y", "z")
    lone.meet("x")
    lone.fail("x")
    lone.say(LeaveIntent(1, "z"))
    lone.settle()
    lone.command(ForceLeave("x", prune=True))
    lone.say(LeaveIntent(1, "x"))
    told = {decode_serf(body) for body in lone.bodies(6)}
    assert [message.prune for message in told if isinstance(message, LeaveIntent)] == [True]
    lone.meet("x", incarnation=2)
    assert lone.status("x") == "alive"


def test_a_prune_told_by_others_is_not_told_again_when_its_member_is_gone():
    lone = with_members("x", "y")
    lone.say(LeaveIntent(5, "x", True))
    lone.bodies(5)
    lone.fail("x")
    assert not [m for m in map(decode_serf, lone.bodies(5)) if isinstance(m, LeaveIntent)]
    assert lone.status("x") == "unknown"


def test_a_force_leave_of_an_unknown_name_does_not_colour_its_first_join():
    lone = with_members("y", "z")
    ticket = lone.command(ForceLeave("x", prune=True))
    assert lone.result(ticket) == "unknown"
    assert not lone.bodies(5)
    lone.meet("x")
    assert (lone.status("x"), lone.kinds()) == ("alive", ["MemberJoined"])


def test_a_prune_that_its_member_outlived_is_forgotten():
    lone = with_members("x", "y")
    lone.command(ForceLeave("x", prune=True))
    lone.advance(40)
    lone.meet("x")
    lone.advance(30)
    assert lone.status("x") == "alive"
    lone.part("x")
    assert lone.status("x") == "left"


def test_force_leave_of_this_node_is_refuted_before_it_is_said():
    lone = with_members("x", "y")
    ticket = lone.command(ForceLeave("me", prune=True))
    assert {type(decode_serf(body)) for body in lone.bodies(2)} == {JoinIntent}
    assert (lone.result(ticket), lone.node.local.status) == ("refuted", "alive")


def test_nobody_prunes_this_node_after_its_leave():
    lone = with_members("x", "y")
    lone.command(Leave())
    lone.advance(20)
    lone.say(LeaveIntent(50, "me", True))
    assert lone.node.local.status == "left"


def test_a_pruned_member_does_not_come_back_by_a_stale_push_pull():
    lone = with_members("x", "y")
    lone.fail("x")
    lone.say(LeaveIntent(5, "x", True))
    lone.pushed(serf_state(), [alive_record("x"), alive_record("y")])
    lone.advance(5)
    assert lone.status("x") == "unknown"


def test_a_pruned_member_comes_back_when_it_tells_of_itself():
    lone = with_members("x", "y")
    lone.fail("x")
    lone.say(LeaveIntent(5, "x", True))
    lone.pushed(serf_state(), [alive_record("x")], host=home("x")[0])
    assert lone.status("x") == "alive"


@pytest.mark.parametrize(("leave", "listed"), [(None, []), (LeaveIntent(21, "x"), ["x"])])
def test_who_left_and_announced_its_return_is_not_listed_as_left(
    leave: LeaveIntent | None, listed: list[str]
):
    lone = with_members("x", "y")
    lone.say(LeaveIntent(5, "x"))
    lone.part("x")
    lone.say(JoinIntent(20, "x"), *([leave] if leave else []))
    assert (lone.status("x"), list(lone.state().left_members)) == ("left", listed)


def test_who_left_a_second_time_is_listed_again():
    lone = with_members("x", "y")
    lone.part("x")
    lone.say(JoinIntent(20, "x"))
    lone.meet("x", incarnation=2)
    lone.part("x", incarnation=2)
    assert list(lone.state().left_members) == ["x"]


# -- restarts


def restarted_kinds(*, intent_first: bool) -> list[str]:
    lone = with_members("y")
    lone.meet("x")
    lone.say(JoinIntent(3, "x"))
    lone.advance(60)
    lone.settle()
    if intent_first:
        lone.say(JoinIntent(9, "x"))
        lone.meet("x", incarnation=2)
    else:
        lone.meet("x", incarnation=2)
        lone.say(JoinIntent(9, "x"))
    return lone.kinds()


@pytest.mark.parametrize("intent_first", [True, False])
def test_a_new_join_with_a_higher_incarnation_is_a_restart(intent_first: bool):
    assert restarted_kinds(intent_first=intent_first)[-1] == "MemberRestarted"


def test_the_first_join_intent_of_a_member_known_for_long_is_a_restart_too():
    lone = with_members("x", "y")
    lone.advance(60)
    lone.meet("x", incarnation=2)
    lone.say(JoinIntent(9, "x"))
    assert lone.kinds()[-1] == "MemberRestarted"


def test_the_intent_of_the_first_join_is_no_restart():
    lone = with_members("y")
    lone.meet("x")
    lone.meet("x", incarnation=2, role="db")
    lone.say(JoinIntent(3, "x"))
    assert lone.kinds() == ["MemberJoined", "MemberUpdated"]


def test_a_member_whose_stamp_came_with_it_may_restart_right_after():
    """Nothing is left to come of the join that its peers heard before this node was there."""
    lone = with_members("y")
    lone.meet("x")
    lone.pushed(serf_state(ltime=5, stamps={"x": 3}), [alive_record("x"), alive_record("y")])
    lone.meet("x", incarnation=2)
    lone.say(JoinIntent(9, "x"))
    assert lone.kinds().count("MemberRestarted") == 1


def test_new_tags_are_an_update_and_no_restart():
    lone = with_members("x", "y")
    lone.meet("x", incarnation=2, role="db")
    assert lone.kinds() == ["MemberUpdated"]
    assert lone.node.member("x").tags == {"role": "db"}  # type: ignore[union-attr]


# -- reaping


@pytest.mark.parametrize(("leaves", "timeout"), [(False, "reconnect_timeout"), (True, "tombstone_timeout")])
def test_members_are_reaped_after_their_timeout(leaves: bool, timeout: str):
    timeouts = {"reconnect_timeout": 5000.0, "tombstone_timeout": 5000.0} | {timeout: 500.0}
    lone = with_members("x", "y", **timeouts)
    (lone.part if leaves else lone.fail)("x")
    lone.advance(499)
    assert lone.status("x") != "unknown"
    lone.advance(2)
    assert lone.status("x") == "unknown"
    assert isinstance(lone.events[-1], MemberReaped)


def test_a_full_table_forgets_who_has_been_gone_longest():
    lone = with_members(
        "x", "y", "z", max_members=4, max_new_members_per_packet=4, gossip_to_the_dead_time=1.0
    )
    lone.fail("y")
    lone.fail("x")
    lone.advance(2)
    lone.meet("w")
    assert [lone.status(name) for name in "xyzw"] == ["failed", "unknown", "alive", "alive"]
    lone.meet("x", incarnation=2)
    assert [member.name for member in lone.node.members()] == ["me", "x", "z", "w"]
    assert lone.node.metrics.counters["swim.dropped.member-limit"] == 1
    lone.meet("y", incarnation=2)
    assert lone.status("y") == "unknown"
    lone.fail("z")
    lone.advance(2)
    lone.meet("y", incarnation=2)
    assert [member.name for member in lone.node.members()] == ["me", "x", "w", "y"]


def test_a_member_that_came_back_is_not_reaped_for_its_past():
    lone = with_members("x", "y", reconnect_timeout=500.0)
    lone.fail("x")
    lone.advance(400)
    lone.meet("x", incarnation=2)
    lone.advance(1000)
    assert lone.status("x") == "alive"


def test_a_failed_member_forced_out_is_reaped_as_one_that_left_since_it_failed():
    lone = with_members("x", "y", reconnect_timeout=5000.0, tombstone_timeout=500.0)
    lone.fail("x")
    lone.advance(400)
    lone.say(LeaveIntent(5, "x"))
    lone.advance(600)
    assert lone.status("x") == "unknown"


def test_the_own_leave_is_announced_before_it_is_declared():
    lone = with_members("x", "y")
    lone.command(Leave())
    assert lone.node.local.status == "leaving"
    sent = [type(message).__name__ for _, message in lone.sent()]
    lone.advance(2)
    sent += [type(message).__name__ for _, message in lone.sent()]
    assert sent.index("User") < sent.index("Dead")
    assert lone.node.local.status == "left"


def test_the_state_told_lists_who_left():
    lone = with_members("x", "y", "z")
    lone.part("x")
    lone.fail("y")
    state = lone.state()
    assert state.left_members == ["x"]
    assert set(state.status_ltimes) == {"me", "x", "y", "z"}


def test_an_intent_goes_out_byte_for_byte_with_what_it_had_besides():
    lone = with_members("x", "y")
    body = encode_serf(JoinIntent(9, "x")).replace(b"\x01\x82", b"\x01\x83") + b"\xa3New\x01"
    lone.say(body, source=home("y"))
    assert set(lone.bodies(2)) == {body}
