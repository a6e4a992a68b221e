"""A death claim about a member that is not suspected is checked with a ping before it is believed."""

from __future__ import annotations

import pytest

from swim.core.member import pack_address
from swim.wire.codec import decode
from swim.wire.messages import Ack, Alive, Dead, Ping, Suspect
from tests.core.test_hostile import probing
from tests.one_node import PORT, VSN, Solo

HOME = ("127.0.0.2", PORT)
VERDICT = Dead(1, "node-b", "node-c")
REFUTATION = Alive(2, "node-b", pack_address(HOME[0]), PORT, b"m1", VSN)


def accused(**settings: object) -> Solo:
    """``node-a`` knows ``node-b`` and ``node-c`` first-hand, and node-c calls node-b dead."""
    solo = Solo(probe_interval=0, push_pull_interval=0, **settings)
    solo.meet("node-b", "node-c")
    solo.forget_outputs()
    solo.hear(VERDICT, source=("127.0.1.1", PORT))
    return solo


def pings(solo: Solo) -> list[Ping]:
    return [part for _, parts in solo.sent() for part in parts if isinstance(part, Ping)]


def test_the_accused_is_asked_and_told_before_anybody_else_is() -> None:
    solo = accused()
    [(to, [ping, told])] = solo.sent()
    assert (to, told) == (HOME, VERDICT)
    assert isinstance(ping, Ping)
    assert ping.node == "node-b"
    assert (solo.state("node-b"), solo.queued, solo.upstairs.events) == ("alive", [], [])


def test_an_ack_disproves_the_verdict() -> None:
    solo = accused()
    [ping] = pings(solo)
    solo.hear(Ack(ping.seq_no), source=HOME)
    solo.advance(5)
    assert (solo.state("node-b"), solo.queued, solo.upstairs.events) == ("alive", [], [])
    assert solo.metrics.counters["swim.accusations-disproved"] == 1


def test_without_an_ack_it_is_believed_and_passed_on() -> None:
    solo = accused()
    solo.advance(solo.config.probe_timeout)
    assert (solo.state("node-b"), solo.upstairs.events) == ("dead", ["leave:node-b"])
    assert [decode(message) for message in solo.queued] == [VERDICT]
    assert solo.upstairs.reasons[-1].cause == "unanswered"
    assert solo.upstairs.reasons[-1].accuser == "node-c"


def test_an_ack_of_another_ping_disproves_nothing() -> None:
    solo = accused()
    [ping] = pings(solo)
    solo.hear(Ack(ping.seq_no ^ 1), source=HOME)
    solo.advance(solo.config.probe_timeout)
    assert solo.state("node-b") == "dead"
    assert solo.metrics.counters["swim.dropped.unmatched-ack"] == 1


@pytest.mark.parametrize(("accuser", "state"), [("node-c", "alive"), ("", "left")])
def test_an_ack_of_the_probe_round_disproves_a_death_but_no_leave(accuser: str, state: str) -> None:
    solo, target, seq_no = probing(disable_tcp_pings=True)
    name = solo.name_at(target)
    solo.hear(Dead(1, name, accuser or name), source=("127.0.1.1", PORT))
    assert solo.state(name) == "alive"
    solo.hear(Ack(seq_no), source=target)
    solo.advance(0.9)
    assert solo.state(name) == state


def test_a_refutation_that_comes_first_outlives_the_verdict() -> None:
    solo = accused()
    solo.hear(REFUTATION, source=HOME)
    solo.advance(5)
    assert solo.state("node-b") == "alive"


def test_the_same_verdict_from_many_costs_one_ping() -> None:
    solo = accused()
    solo.hear(VERDICT, Dead(1, "node-b", "node-d"), source=("127.0.1.1", PORT))
    assert len(pings(solo)) == 1


def test_of_several_verdicts_the_newest_is_believed() -> None:
    solo = accused()
    solo.hear(Dead(5, "node-b", "node-d"), Dead(3, "node-b", "node-e"), source=("127.0.1.1", PORT))
    solo.advance(solo.config.probe_timeout)
    record = solo.record("node-b")
    assert record is not None
    assert (solo.state("node-b"), record.incarnation) == ("dead", 5)


@pytest.mark.parametrize(
    ("settings", "first", "verdict"),
    [
        pytest.param({}, Suspect(1, "node-b", "node-d"), VERDICT, id="suspected"),
        pytest.param({"verify_second_hand": False}, None, VERDICT, id="switched off"),
    ],
)
def test_believed_at_once(settings: dict[str, object], first: Suspect | None, verdict: Dead) -> None:
    solo = Solo(probe_interval=0, push_pull_interval=0, **settings)
    solo.meet("node-b", "node-c")
    if first is not None:
        solo.hear(first, source=("127.0.1.1", PORT))
    solo.hear(verdict, source=("127.0.1.1", PORT))
    assert solo.upstairs.events[-1] == "leave:node-b"


def test_of_many_verdicts_at_once_those_beyond_a_window_are_believed() -> None:
    solo = Solo(probe_interval=0, push_pull_interval=0)
    names = [f"node-{number}" for number in range(40)]
    solo.meet(*names)
    for name in names:
        solo.hear(Dead(1, name, "accuser"))
    assert {solo.state(name) for name in names[:16]} == {"alive"}
    assert {solo.state(name) for name in names[16:]} == {"dead"}
    assert solo.metrics.counters["swim.accusations-unchecked"] == 24
    solo.advance(solo.config.probe_timeout)
    assert {solo.state(name) for name in names} == {"dead"}


# -- leaves


LEAVE = Dead(1, "node-b", "node-b")
ACCUSER = ("127.0.1.1", PORT)


def said_to_have_left(**settings: object) -> Solo:
    """``node-c`` says that ``node-b`` left, which ``node-a`` knows first-hand."""
    solo = Solo(probe_interval=0, push_pull_interval=0, **settings)
    solo.meet("node-b", "node-c")
    solo.forget_outputs()
    solo.hear(LEAVE, source=ACCUSER)
    return solo


@pytest.mark.parametrize("suspected", [False, True])
def test_a_leave_told_by_another_is_believed_once_the_member_does_not_answer(suspected: bool) -> None:
    solo = Solo(probe_interval=0, push_pull_interval=0)
    solo.meet("node-b", "node-c")
    if suspected:
        solo.hear(Suspect(1, "node-b", "node-d"), source=ACCUSER)
    solo.forget_outputs()
    solo.hear(LEAVE, source=ACCUSER)
    [(to, [ping, told])] = solo.sent()
    assert (to, type(ping), told) == (HOME, Ping, LEAVE)
    assert solo.state("node-b") == ("suspect" if suspected else "alive")
    solo.advance(solo.config.probe_timeout)
    assert solo.state("node-b") == "left"


def test_a_member_that_refutes_its_leave_has_not_left_and_its_accuser_hears_so() -> None:
    solo = said_to_have_left()
    [ping] = pings(solo)
    solo.hear(Ack(ping.seq_no, None), REFUTATION, source=HOME)
    assert [claim for to, claim in solo.sent_of(Alive) if to == ACCUSER] == [REFUTATION]
    solo.advance(5)
    assert (solo.state("node-b"), solo.upstairs.events) == ("alive", [])


def test_a_refutation_may_come_with_the_second_answer() -> None:
    """A Go member acks first and refutes with its next packet."""
    solo = said_to_have_left()
    [ping] = pings(solo)
    solo.hear(Ack(ping.seq_no, None), source=HOME)
    solo.advance(solo.config.gossip_interval)
    [again] = pings(solo)
    solo.hear(Ack(again.seq_no, None), REFUTATION, source=HOME)
    solo.advance(5)
    assert (solo.state("node-b"), solo.upstairs.events) == ("alive", [])


def test_a_member_that_lingers_after_its_leave_answers_twice_and_does_not_refute() -> None:
    solo = said_to_have_left()
    for _ in range(2):
        [ping] = pings(solo)
        solo.hear(Ack(ping.seq_no, None), source=HOME)
        solo.advance(solo.config.gossip_interval)
    assert (solo.state("node-b"), solo.upstairs.events) == ("left", ["leave:node-b"])


def test_a_leave_from_the_member_itself_is_believed_at_once_and_it_hears_of_it() -> None:
    solo = Solo(probe_interval=0, push_pull_interval=0)
    solo.meet("node-b", "node-c")
    solo.forget_outputs()
    solo.hear(LEAVE, source=HOME)
    assert solo.state("node-b") == "left"
    assert solo.sent_of(Dead) == [(HOME, LEAVE)]


def test_a_member_that_is_said_to_have_left_hears_of_it_in_the_ack_of_its_ping() -> None:
    solo = Solo(probe_interval=0, push_pull_interval=0)
    solo.meet("node-b", "node-c")
    solo.hear(LEAVE, source=HOME)
    solo.advance(2)
    solo.sent()
    solo.hear(Ping(7, "node-a", pack_address(HOME[0]), PORT, "node-b"), source=HOME)
    assert solo.sent_of(Dead) == [(HOME, LEAVE)]
    solo.advance(solo.config.gossip_to_the_dead_time + 1)  # reaped by now
    solo.sent()
    solo.hear(Ping(8, "node-a", pack_address(HOME[0]), PORT, "node-b"), source=HOME)
    assert solo.sent_of(Dead) == [(HOME, LEAVE)]
