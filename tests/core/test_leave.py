"""Leaving, coming back, and what members say of themselves meanwhile."""

from __future__ import annotations

import pytest

from swim.commands import Join, Leave, Rejoin, SetTags
from swim.core.member import pack_address
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
from tests.clusters import ELSEWHERE, add, agree, all_see, cluster, events_of, lose, split, world_of


@pytest.mark.parametrize("seed", range(5))
def test_a_leave_is_seen_by_all_and_is_no_failure(seed: int) -> None:
    world, (*rest, leaver) = cluster(10, seed)
    lose(world, 0.05)
    ticket = leaver.do(Leave())
    assert leaver.node.status == "leaving"
    assert world.run_until(lambda _: ticket.is_done, 10)
    assert leaver.node.status == "left"
    world.crash(leaver)
    world.run_for(60)
    assert all_see(rest, "n10", "left")
    assert not events_of(rest, MemberFailed)
    assert len(events_of(rest, MemberLeft, "n10")) == len(rest)


def test_a_leave_in_a_plain_pool() -> None:
    world, (*rest, leaver) = cluster(4, delegate_version=0)
    ticket = leaver.do(Leave())
    assert world.run_until(lambda _: ticket.is_done, 10)
    world.crash(leaver)
    assert all_see(rest, "n4", "left")


def test_leaving_alone_is_over_at_once() -> None:
    world = world_of()
    alone = world.add("alone")
    ticket = alone.do(Leave())
    assert ticket.is_done
    assert (alone.node.status, alone.statuses()) == ("left", {"alone": "left"})


def test_leaving_twice_is_leaving_once() -> None:
    world, (a, b) = cluster(2)
    tickets = [a.do(Leave()), a.do(Leave())]
    world.run_for(10)
    assert all(ticket.is_done for ticket in tickets)
    late = a.do(Leave())
    assert late.is_done
    assert all_see([a, b], "n1", "left")


def test_a_leave_ends_though_nobody_answers() -> None:
    world, (a, *rest) = cluster(4)
    split(world, [a], rest)
    ticket = a.do(Leave())
    assert world.run_until(lambda _: ticket.is_done, a.config.broadcast_timeout + 2)


def test_a_leave_ends_though_a_peer_declares_it_first() -> None:
    world, (a, b) = cluster(2)
    ticket = a.do(Leave())
    world.inject(a, encode(Dead(a.node.local.incarnation, "n1", "n2")), b.endpoint)
    assert a.node.status == "left"
    assert world.run_until(lambda _: ticket.is_done, 10)
    assert all_see([b], "n1", "left")


def test_nothing_but_rejoin_is_possible_after_a_leave() -> None:
    world = world_of()
    a = world.add("a")
    with pytest.raises(LocalError):
        a.do(Rejoin())
    a.do(Leave())
    for call in (lambda: a.do(Join(["x:1"])), lambda: a.do(SetTags({}))):
        with pytest.raises(LocalError):
            call()


@pytest.mark.parametrize("pause", [1.0, 45.0])
def test_who_left_may_come_back(pause: float) -> None:
    world, (*rest, leaver) = cluster(5)
    ticket = leaver.do(Leave())
    assert world.run_until(lambda _: ticket.is_done, 10)
    world.run_for(pause)
    ticket = leaver.do(Rejoin())
    assert leaver.node.status == "running"
    world.run_for(3)
    assert ticket.result.joined > 0
    assert agree([*rest, leaver])
    world.run_for(60)
    assert agree([*rest, leaver])


def test_a_join_that_ends_during_the_leave_does_not_take_it_back() -> None:
    world, peers = cluster(3)
    leaver = peers[-1]
    joined = leaver.join([peers[0]])
    leaver.do(Leave())
    assert world.run_until(lambda _: joined.is_done, 0.1)
    assert leaver.node.status == "leaving"
    world.run_for(10)
    assert all_see(peers, "n3", "left")
    assert not events_of(peers, MemberRefuted, "n3")


def test_who_has_left_looks_for_nobody() -> None:
    world = world_of()
    alone = add(world, "alone", seeds=["10.0.9.9:7777"], rejoin_interval_alone=1.0)
    alone.do(Leave())
    attempts = alone.metrics.counters["swim.rejoin.attempts"]
    world.run_for(30)
    assert alone.metrics.counters["swim.rejoin.attempts"] == attempts


def test_who_comes_back_to_nobody_keeps_looking() -> None:
    world = world_of()
    alone = add(world, "alone", seeds=["10.0.9.9:7777"], rejoin_interval_alone=1.0)
    alone.do(Leave())
    world.run_for(30)
    alone.do(Rejoin())
    world.run_for(5)
    late = add(world, "late", endpoint=ELSEWHERE)
    assert world.run_until(lambda _: agree([alone, late]), 10)


def test_who_has_left_does_not_fight_for_its_name() -> None:
    world, (*rest, leaver) = cluster(3)
    ticket = leaver.do(Leave())
    world.run_until(lambda _: ticket.is_done, 10)
    heir = world.add("n3", id="other", endpoint=ELSEWHERE)
    heir.join([rest[0]])
    world.run_for(20)
    assert agree([*rest, heir])
    assert (leaver.stopped_because, leaver.metrics.counters["swim.conflicts"]) == ("", 0)


def test_tags_reach_everybody_and_the_caller_is_told() -> None:
    world, peers = cluster(5)
    ticket = peers[2].do(SetTags({"role": "db"}))
    assert world.run_until(lambda _: ticket.is_done, 3)
    assert world.run_until(lambda _: all(peer.member("n3").tags == {"role": "db"} for peer in peers), 1)
    assert len(events_of(peers, MemberUpdated, "n3")) == 5
    with pytest.raises(ConfigError, match="tags"):
        peers[2].do(SetTags({"k": "v" * 600}))
    assert peers[2].node.local.tags == {"role": "db"}


def test_an_accused_node_refutes() -> None:
    world, peers = cluster(5)
    accusation = encode(Suspect(1, "n1", "n9"))
    world.inject(peers[1], accusation, ELSEWHERE)
    world.run_for(3)
    assert not any(peer.member("n1").is_suspect for peer in peers)
    assert {peer.member("n1").incarnation for peer in peers} == {2}
    assert events_of(peers, MemberSuspected, "n1")
    assert events_of(peers, MemberRefuted, "n1")
    assert not events_of(peers, MemberFailed)


def test_a_false_death_is_undone() -> None:
    world, peers = cluster(5)
    for claim in (Suspect(1, "n1", "n9"), Dead(1, "n1", "n9")):
        world.inject(peers[1], encode(claim), ELSEWHERE)
    assert all_see([peers[1]], "n1", "failed")
    world.run_for(5)
    assert agree(peers)


def test_a_false_death_of_which_nobody_had_warned_is_not_believed() -> None:
    world, peers = cluster(5)
    world.inject(peers[1], encode(Dead(1, "n1", "n9")), ELSEWHERE)
    world.run_for(5)
    assert agree(peers)
    assert not events_of(peers, MemberFailed)
    assert {peer.member("n1").incarnation for peer in peers} == {2}


def test_a_node_that_restarts_at_once_is_known_again() -> None:
    world, (*rest, victim) = cluster(4)
    world.crash(victim)
    world.run_for(0.5)
    world.restart(victim)
    world.run_for(8)
    assert agree([*rest, victim])
    assert not events_of(rest, MemberFailed)
    assert len(events_of(rest, MemberRestarted, "n4")) == 3


def test_a_node_that_restarts_without_memory_is_back_too() -> None:
    world, (*rest, victim) = cluster(4)
    world.crash(victim)
    assert world.run_until(lambda _: all_see(rest, "n4", "failed"), 40)
    world.restart(victim, snapshot=False)
    victim.join([rest[0]])
    world.run_for(5)
    assert agree([*rest, victim])
    assert victim.node.local.incarnation > 1


def test_a_name_is_free_for_another_address_after_a_leave() -> None:
    world, (*rest, leaver) = cluster(4)
    ticket = leaver.do(Leave())
    world.run_until(lambda _: ticket.is_done, 10)
    world.crash(leaver)
    heir = world.add("n4", id="other", endpoint=ELSEWHERE)
    heir.join([rest[0]])
    world.run_for(5)
    assert agree([*rest, heir])
    assert {peer.member("n4").port for peer in rest} == {7777}


def test_a_name_in_use_is_a_conflict_that_the_newcomer_loses() -> None:
    world, peers = cluster(4)
    thief = world.add("n4", id="other", endpoint=ELSEWHERE)
    thief.join([peers[0]])
    world.run_for(20)
    assert "n4" in thief.stopped_because
    assert not any(peer.stopped_because for peer in peers)
    assert {peer.member("n4").port for peer in peers} == {peers[3].endpoint[1]}
    assert not events_of(peers, MemberFailed)
    assert len(events_of(peers[:3], MemberJoined, "n4")) == 3


def test_a_dead_members_name_goes_to_who_answers_at_the_new_address() -> None:
    world, peers = cluster(4)
    world.crash(peers[3])
    assert world.run_until(lambda _: all(peer.statuses()["n4"] == "failed" for peer in peers[:3]), 20)
    back = world.add("n4", id="other", endpoint=ELSEWHERE)
    back.join([peers[0]])
    assert world.run_until(lambda _: all(peer.statuses()["n4"] == "alive" for peer in (*peers[:3], back)), 1)
    assert {peer.member("n4").port for peer in peers[:3]} == {7777}
    assert not back.stopped_because


def test_a_node_replaced_before_its_failure_is_noticed_is_back_right_after_that() -> None:
    world, peers = cluster(4)
    world.crash(peers[3])
    back = world.add("n4", id="other", endpoint=ELSEWHERE)
    back.join([peers[0]])
    assert world.run_until(lambda _: all(peer.statuses()["n4"] == "failed" for peer in peers[:3]), 20)
    assert world.run_until(lambda _: all(peer.statuses()["n4"] == "alive" for peer in (*peers[:3], back)), 2)
    assert {peer.member("n4").port for peer in peers[:3]} == {7777}
    assert not back.stopped_because


def test_a_dead_members_name_is_not_taken_by_word_alone() -> None:
    world, peers = cluster(3)
    world.crash(peers[2])
    assert world.run_until(lambda _: all(peer.statuses()["n3"] == "failed" for peer in peers[:2]), 20)
    claim = Alive(9, "n3", pack_address(ELSEWHERE[0]), ELSEWHERE[1], None, bytes((1, 5, 2, 2, 5, 5)))
    world.inject(peers[0], encode(claim), peers[1].endpoint)
    world.run_for(5)
    assert {peer.statuses()["n3"] for peer in peers[:2]} == {"failed"}
