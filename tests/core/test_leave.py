"""Leaving, coming back, and what members say of themselves meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from swim.commands import Join, Leave, Rejoin, SetTags
from swim.errors import ConfigError, LocalError
from swim.events import (
    MemberFailed,
    MemberJoined,
    MemberLeft,
    MemberRefuted,
    MemberRestarted,
    MemberSuspected,
    MemberUpdated,
)
from swim.wire.codec import encode
from swim.wire.messages import Alive, Dead, Suspect
from tests.core.views import agree, all_see, events_of
from tests.world import World

NewWorld = Callable[..., World]


@pytest.mark.parametrize("seed", range(5))
def test_a_leave_is_seen_by_all_and_is_no_failure(new_world: NewWorld, seed: int) -> None:
    world = new_world(seed)
    *rest, leaver = world.cluster(10)
    world.loss = 0.05
    ticket = world.command(leaver, Leave())
    assert leaver.node.status == "leaving"
    assert world.run(10, lambda: ticket in leaver.finished)
    assert leaver.node.status == "left"
    world.kill(leaver)
    world.run(60)
    assert all_see(rest, "n10", "left")
    assert not events_of(rest, MemberFailed)
    assert len(events_of(rest, MemberLeft, "n10")) == len(rest)


def test_a_leave_in_a_plain_pool(new_world: NewWorld) -> None:
    world = new_world()
    *rest, leaver = world.cluster(4, delegate_version=0)
    ticket = world.command(leaver, Leave())
    assert world.run(10, lambda: ticket in leaver.finished)
    world.kill(leaver)
    assert all_see(rest, "n4", "left")


def test_leaving_alone_is_over_at_once(new_world: NewWorld) -> None:
    world = new_world()
    alone = world.add("alone")
    ticket = world.command(alone, Leave())
    assert ticket in alone.finished
    assert (alone.node.status, alone.statuses()) == ("left", {"alone": "left"})


def test_leaving_twice_is_leaving_once(new_world: NewWorld) -> None:
    world = new_world()
    a, b = world.cluster(2)
    tickets = [world.command(a, Leave()), world.command(a, Leave())]
    world.run(10)
    assert set(tickets) <= set(a.finished)
    late = world.command(a, Leave())
    assert late in a.finished
    assert all_see([a, b], "n1", "left")


def test_a_leave_ends_though_nobody_answers(new_world: NewWorld) -> None:
    world = new_world()
    a, *rest = world.cluster(4)
    world.partition([a], rest)
    ticket = world.command(a, Leave())
    assert world.run(a.node.config.broadcast_timeout + 2, lambda: ticket in a.finished)


def test_a_leave_ends_though_a_peer_declares_it_first(new_world: NewWorld) -> None:
    world = new_world()
    a, b = world.cluster(2)
    ticket = world.command(a, Leave())
    world.inject(a, encode(Dead(a.node.local.incarnation, "n1", "n2")), b.endpoint)
    assert a.node.status == "left"
    assert world.run(10, lambda: ticket in a.finished)
    assert all_see([b], "n1", "left")


def test_nothing_but_rejoin_is_possible_after_a_leave(new_world: NewWorld) -> None:
    world = new_world()
    a = world.add("a")
    with pytest.raises(LocalError):
        a.node.do(world.now, Rejoin())
    world.command(a, Leave())
    for call in (lambda: a.node.do(world.now, Join(["x:1"])), lambda: a.node.do(world.now, SetTags({}))):
        with pytest.raises(LocalError):
            call()


@pytest.mark.parametrize("pause", [1.0, 45.0])
def test_who_left_may_come_back(new_world: NewWorld, pause: float) -> None:
    world = new_world()
    *rest, leaver = world.cluster(5)
    ticket = world.command(leaver, Leave())
    assert world.run(10, lambda: ticket in leaver.finished)
    world.run(pause)
    ticket = world.command(leaver, Rejoin())
    assert leaver.node.status == "running"
    world.run(3)
    assert world.joined(leaver, ticket).joined > 0
    assert agree([*rest, leaver])
    world.run(60)
    assert agree([*rest, leaver])


def test_a_join_that_ends_during_the_leave_does_not_take_it_back(new_world: NewWorld) -> None:
    world = new_world()
    *_, leaver = peers = world.cluster(3)
    joined = world.join(leaver, peers[0])
    world.command(leaver, Leave())
    assert world.run(0.1, lambda: joined in leaver.finished)
    assert leaver.node.status == "leaving"
    world.run(10)
    assert all_see(peers, "n3", "left")
    assert not events_of(peers, MemberRefuted, "n3")


def test_who_has_left_looks_for_nobody(new_world: NewWorld) -> None:
    world = new_world()
    alone = world.add("alone", seeds=("127.0.0.1:7999",), rejoin_interval_alone=1.0)
    world.command(alone, Leave())
    attempts = alone.node.metrics.counters["swim.rejoin.attempts"]
    world.run(30)
    assert alone.node.metrics.counters["swim.rejoin.attempts"] == attempts


def test_who_comes_back_to_nobody_keeps_looking(new_world: NewWorld) -> None:
    world = new_world()
    alone = world.add("alone", seeds=("127.0.0.1:7999",), rejoin_interval_alone=1.0)
    world.command(alone, Leave())
    world.run(30)
    world.command(alone, Rejoin())
    world.run(5)
    late = world.add("late", port=7999)
    assert world.run(10, lambda: agree([alone, late]))


def test_who_has_left_does_not_fight_for_its_name(new_world: NewWorld) -> None:
    world = new_world()
    *rest, leaver = world.cluster(3)
    ticket = world.command(leaver, Leave())
    world.run(10, lambda: ticket in leaver.finished)
    heir = world.add("n3", port=7777)
    world.join(heir, rest[0])
    world.run(20)
    assert agree([*rest, heir])
    assert (leaver.stop, leaver.node.metrics.counters["swim.conflicts"]) == ("", 0)


def test_tags_reach_everybody_and_the_caller_is_told(new_world: NewWorld) -> None:
    world = new_world()
    peers = world.cluster(5)
    ticket = world.command(peers[2], SetTags({"role": "db"}))
    assert world.run(3, lambda: ticket in peers[2].finished)
    assert world.run(1, lambda: all(peer.node.member("n3").tags == {"role": "db"} for peer in peers))
    assert len(events_of(peers, MemberUpdated, "n3")) == 5
    with pytest.raises(ConfigError, match="tags"):
        peers[2].node.do(world.now, SetTags({"k": "v" * 600}))
    assert peers[2].node.local.tags == {"role": "db"}


def test_an_accused_node_refutes(new_world: NewWorld) -> None:
    world = new_world()
    peers = world.cluster(5)
    accusation = encode(Suspect(1, "n1", "n9"))
    world.inject(peers[1], accusation, ("127.0.0.1", 9))
    world.run(3)
    assert not any(peer.node.member("n1").is_suspect for peer in peers)
    assert {peer.node.member("n1").incarnation for peer in peers} == {2}
    assert events_of(peers, MemberSuspected, "n1")
    assert events_of(peers, MemberRefuted, "n1")
    assert not events_of(peers, MemberFailed)


def test_a_false_death_is_undone(new_world: NewWorld) -> None:
    world = new_world()
    peers = world.cluster(5)
    for claim in (Suspect(1, "n1", "n9"), Dead(1, "n1", "n9")):
        world.inject(peers[1], encode(claim), ("127.0.0.1", 9))
    assert all_see([peers[1]], "n1", "failed")
    world.run(5)
    assert agree(peers)


def test_a_false_death_of_which_nobody_had_warned_is_not_believed(new_world: NewWorld) -> None:
    world = new_world()
    peers = world.cluster(5)
    world.inject(peers[1], encode(Dead(1, "n1", "n9")), ("127.0.0.1", 9))
    world.run(5)
    assert agree(peers)
    assert not events_of(peers, MemberFailed)
    assert {peer.node.member("n1").incarnation for peer in peers} == {2}


def test_a_node_that_restarts_at_once_is_known_again(new_world: NewWorld) -> None:
    world = new_world()
    *rest, victim = world.cluster(4)
    snapshot = victim.node.snapshot()
    world.kill(victim)
    world.run(0.5)
    again = world.add("n4", port=victim.endpoint[1], snapshot=snapshot)
    world.run(8)
    assert agree([*rest, again])
    assert not events_of(rest, MemberFailed)
    assert len(events_of(rest, MemberRestarted, "n4")) == 3


def test_a_node_that_restarts_without_memory_is_back_too(new_world: NewWorld) -> None:
    world = new_world()
    *rest, victim = world.cluster(4)
    world.kill(victim)
    assert world.run(40, lambda: all_see(rest, "n4", "failed"))
    again = world.add("n4", port=victim.endpoint[1])
    world.join(again, rest[0])
    world.run(5)
    assert agree([*rest, again])
    assert again.node.local.incarnation > 1


def test_a_name_is_free_for_another_address_after_a_leave(new_world: NewWorld) -> None:
    world = new_world()
    *rest, leaver = world.cluster(4)
    ticket = world.command(leaver, Leave())
    world.run(10, lambda: ticket in leaver.finished)
    world.kill(leaver)
    heir = world.add("n4", port=7777)
    world.join(heir, rest[0])
    world.run(5)
    assert agree([*rest, heir])
    assert {peer.node.member("n4").port for peer in rest} == {7777}


def test_a_name_in_use_is_a_conflict_that_the_newcomer_loses(new_world: NewWorld) -> None:
    world = new_world()
    peers = world.cluster(4)
    thief = world.add("n4", port=7777)
    world.join(thief, peers[0])
    world.run(20)
    assert "n4" in thief.stop
    assert not any(peer.stop for peer in peers)
    assert {peer.node.member("n4").port for peer in peers} == {peers[3].endpoint[1]}
    assert not events_of(peers, MemberFailed)
    assert len(events_of(peers[:3], MemberJoined, "n4")) == 3


def test_a_dead_members_name_goes_to_who_answers_at_the_new_address(new_world: NewWorld) -> None:
    world = new_world()
    peers = world.cluster(4)
    world.kill(peers[3])
    assert world.run(20, lambda: all(peer.statuses()["n4"] == "failed" for peer in peers[:3]))
    back = world.add("n4", port=7777)
    world.join(back, peers[0])
    assert world.run(1, lambda: all(peer.statuses()["n4"] == "alive" for peer in (*peers[:3], back)))
    assert {peer.node.member("n4").port for peer in peers[:3]} == {7777}
    assert not back.stop


def test_a_node_replaced_before_its_failure_is_noticed_is_back_right_after_that(new_world: NewWorld) -> None:
    world = new_world()
    peers = world.cluster(4)
    world.kill(peers[3])
    back = world.add("n4", port=7777)
    world.join(back, peers[0])
    assert world.run(20, lambda: all(peer.statuses()["n4"] == "failed" for peer in peers[:3]))
    assert world.run(2, lambda: all(peer.statuses()["n4"] == "alive" for peer in (*peers[:3], back)))
    assert {peer.node.member("n4").port for peer in peers[:3]} == {7777}
    assert not back.stop


def test_a_dead_members_name_is_not_taken_by_word_alone(new_world: NewWorld) -> None:
    world = new_world()
    peers = world.cluster(3)
    world.kill(peers[2])
    assert world.run(20, lambda: all(peer.statuses()["n3"] == "failed" for peer in peers[:2]))
    claim = Alive(9, "n3", bytes((127, 0, 0, 1)), 7777, None, bytes((1, 5, 2, 2, 5, 5)))
    world.inject(peers[0], encode(claim), peers[1].endpoint)
    world.run(5)
    assert {peer.statuses()["n3"] for peer in peers[:2]} == {"failed"}
