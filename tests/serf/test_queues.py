"""User events, queries and relayed answers of others: taken once, passed on as they came, answered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from swim import events
from swim.core.member import pack_address
from swim.serf.messages import (
    JoinIntent,
    LeaveIntent,
    Query,
    QueryResponse,
    Relayed,
    UserEvent,
    decode_serf,
    encode_serf,
)
from swim.serf.push_pull import RecentEvents
from swim.wire.messages import Alive, User
from tests.one_node import NON_MEMBER, PORT, SERF_VSN, Lone, home, serf_state

ASKER = ("127.0.0.50", 7000)
OLD_VSN = bytes((1, 4, 2, 2, 5, 5))


def query(**changes: Any) -> Query:
    asked = Query(
        ltime=5,
        id=77,
        addr=pack_address(ASKER[0]),
        port=ASKER[1],
        source_node="asker",
        filters=(),
        flags=0,
        relay_factor=0,
        timeout=10**9,
        name="load",
        payload=b"?",
    )
    return asked._replace(**changes)


@pytest.fixture
def lone() -> Lone:
    alone = Lone(tags={"role": "web1"})
    alone.meet("x", "y", "z")
    alone.settle()
    return alone


def answers(lone: Lone) -> list[tuple[Any, Any]]:
    """Serf messages sent so far directly to one member."""
    return [(to, decode_serf(m.body)) for to, m in lone.sent() if isinstance(m, User)]


# -- once, byte for byte


@pytest.mark.parametrize("message", [UserEvent(5, "deploy", b"v1", True), query()])
def test_a_message_is_passed_on_byte_for_byte_unknown_fields_and_all(lone: Lone, message: Any):
    plain = encode_serf(message)
    body = plain[:1] + bytes((plain[1] + 1,)) + plain[2:] + b"\xa3New\xa4more"
    lone.say(body)
    assert set(lone.bodies(2)) == {body}


@pytest.mark.parametrize("message", [UserEvent(5, "deploy", b"v1"), query()])
def test_a_duplicate_is_not_passed_on_again(lone: Lone, message: Any):
    lone.say(message)
    lone.settle()
    lone.say(message)
    assert not lone.bodies(2)


def test_nil_and_empty_payload_are_the_same_event(lone: Lone):
    lone.say(UserEvent(5, "deploy", None))
    lone.settle()
    lone.say(UserEvent(5, "deploy", b""))
    assert not lone.bodies(2)


@pytest.mark.parametrize(
    "other", [UserEvent(6, "deploy", b"v1"), UserEvent(5, "deploy", b"v2"), UserEvent(5, "undo", b"v1")]
)
def test_another_stamp_name_or_payload_is_another_event(lone: Lone, other: UserEvent):
    lone.say(UserEvent(5, "deploy", b"v1"))
    lone.settle()
    lone.say(other)
    assert set(lone.bodies(2)) == {encode_serf(other)}


@pytest.mark.parametrize(("stamp", "passes"), [(4488, False), (4489, True)])
def test_old_events_and_queries_are_dropped(lone: Lone, stamp: int, passes: bool):
    lone.say(UserEvent(5000, "new", None), query(ltime=5000))
    lone.settle()
    lone.say(UserEvent(stamp, "old", None), query(ltime=stamp, id=78))
    assert len(set(lone.bodies(2))) == (2 if passes else 0)


def test_events_of_a_push_pull_are_known_and_told_on_but_not_gossiped(lone: Lone):
    events = [RecentEvents(7, [("deploy", b"v1")])]
    lone.pushed(serf_state(event_ltime=8, events=events))
    assert not lone.bodies(2)
    lone.say(UserEvent(7, "deploy", b"v1"))
    assert not lone.bodies(2)
    assert (lone.state().event_ltime, lone.state().events) == (8, events)


def test_events_larger_than_any_agent_sends_end_here(lone: Lone):
    huge = b"h" * 9216
    lone.say(UserEvent(5, "e", huge))
    lone.pushed(serf_state(event_ltime=8, events=[RecentEvents(7, [("e", huge), ("e", huge[1:])])]))
    assert not lone.bodies(2)
    assert lone.state().events == [RecentEvents(7, [("e", huge[1:])])]
    assert lone.node.metrics.counters["swim.dropped.event-size"] == 2


def test_absurd_events_and_queries_end_here(lone: Lone):
    lone.say(UserEvent(2**63, "e", None), query(ltime=2**64 - 1))
    assert (lone.bodies(2), lone.state().event_ltime, lone.state().query_ltime) == ([], 1, 1)


def test_queues_go_out_intents_first_then_queries_then_events():
    alone = Lone(gossip_nodes=1)
    alone.meet("x")
    alone.settle()
    alone.say(UserEvent(5, "e", None), query(), JoinIntent(9, "x"))
    first = [decode_serf(body) for body in alone.bodies(0.1)]
    assert [type(message).__name__ for message in first] == ["JoinIntent", "Query", "UserEvent"]


def test_nothing_is_queued_while_nobody_is_there():
    alone = Lone()
    alone.say(UserEvent(5, "e", None), query(), JoinIntent(9, "x"))
    assert alone.node.stats()[7:10] == (0, 0, 0)


# -- queries


def test_a_query_is_acked_to_the_address_in_it(lone: Lone):
    lone.say(query(flags=1), source=ASKER)
    assert answers(lone) == [(ASKER, QueryResponse(5, 77, "me", 1, None))]


def test_a_query_in_sixteen_byte_form_is_acked_over_ipv4(lone: Lone):
    lone.say(query(flags=1, addr=bytes(10) + b"\xff\xff" + pack_address(ASKER[0])), source=ASKER)
    assert [to for to, _ in answers(lone)] == [ASKER]


def test_internal_queries_are_acked_whether_known_or_not(lone: Lone):
    lone.say(
        query(flags=1, name="_serf_ping", payload=None),
        query(flags=1, id=78, name="_serf_tomorrow"),
        source=ASKER,
    )
    assert [message.id for _, message in answers(lone)] == [77, 78]


def test_no_ack_unless_asked_for(lone: Lone):
    lone.say(query(), source=ASKER)
    assert not answers(lone)


def test_a_query_of_flag_2_is_acked_and_not_passed_on(lone: Lone):
    lone.say(query(flags=3), source=ASKER)
    assert [to for to, _ in answers(lone)] == [ASKER]
    assert not lone.bodies(2)


@pytest.mark.parametrize(
    ("filters", "meant"),
    [
        ((b"\x00\x92\xa2me\xa1x",), True),
        ((b"\x00\x91\xa1x",), False),
        ((b"\x01\x82\xa3Tag\xa4role\xa4Expr\xa4^web",), True),
        ((b"\x01\x82\xa3Tag\xa4role\xa4Expr\xa3^db",), False),
        ((b"\x00\x91\xa2me", b"\x01\x82\xa3Tag\xa4role\xa4Expr\xa3^db"), False),
        ((b"\x07\x80",), False),
    ],
)
def test_filters_decide_who_answers_but_not_who_hears(lone: Lone, filters: tuple[bytes, ...], meant: bool):
    lone.say(query(flags=1, filters=filters), source=ASKER)
    assert bool(answers(lone)) == meant
    assert set(lone.bodies(2)) == {encode_serf(query(flags=1, filters=filters))}


def test_a_fresh_query_or_event_is_passed_on_again_after_half_an_interval(lone: Lone):
    for message in (query(), UserEvent(5, "deploy", b"v1", False)):
        lone.say(message)
        sent = [len(lone.bodies(0.1)) for _ in range(20)]
        assert all(sent[:2]), sent
        assert not any(sent[8:]), sent


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, True),
        ({"payload": None}, True),
        ({"filters": (b"\x00\x92\xa2me\xa1x",)}, True),
        ({"filters": (b"\x00\x91\xa1x",)}, False),
        ({"flags": 3}, True),
        ({"name": "_serf_ping"}, False),
        ({"name": "_serf_conflict"}, False),
        ({"name": "_serf_tomorrow"}, False),
        ({"ltime": 2**63}, False),
    ],
)
def test_the_application_sees_the_queries_that_are_meant_for_it_once(
    lone: Lone, changes: dict[str, Any], shown: bool
):
    asked = query(**changes)
    for _ in range(2):
        lone.say(asked, source=ASKER)
    lone.say(asked, source=home("x"))
    seen = [events.Query("load", asked.payload or b"", "asker", 5, 77, lone.now + 1.0)] if shown else []
    assert [replace(event, sequence=0) for event in lone.events] == seen


def test_a_plain_pool_has_no_queries():
    alone = Lone(delegate_version=0)
    alone.meet("x")
    alone.settle()
    alone.say(query(flags=1), source=ASKER)
    assert [type(event).__name__ for event in alone.events] == ["UserMessage"]
    assert answers(alone) == []


def test_an_ack_goes_by_relays_too(lone: Lone):
    lone.say(query(flags=1, relay_factor=2), source=ASKER)
    ack = encode_serf(QueryResponse(5, 77, "me", 1, None))
    sent = answers(lone)
    assert sent[0] == (ASKER, decode_serf(ack))
    relayed = Relayed(pack_address(ASKER[0]), ASKER[1], "asker", ack)
    assert [message for _, message in sent[1:]] == [relayed, relayed]
    relays = {to for to, _ in sent[1:]}
    assert len(relays) == 2
    assert relays <= {home(name) for name in "xyz"}


def test_only_alive_members_that_know_relays_are_asked_to(lone: Lone):
    lone.fail("x")
    lone.meet("y", incarnation=2, vsn=OLD_VSN)
    lone.sent()
    lone.say(query(flags=1, relay_factor=3), source=ASKER)
    assert [to for to, _ in answers(lone)] == [ASKER, home("z")]


def test_too_few_members_for_relays_are_not_asked(lone: Lone):
    lone.say(query(flags=1, relay_factor=4), source=ASKER)
    assert [to for to, _ in answers(lone)] == [ASKER]


# -- relaying


def test_a_relayed_message_goes_to_its_member_verbatim(lone: Lone):
    host, port = home("y")
    inner = b"\x05anything at all"
    lone.say(Relayed(pack_address(host), port, "y", inner))
    assert [(to, m) for to, m in lone.sent() if isinstance(m, User)] == [((host, port), User(inner))]


@pytest.mark.parametrize("target", [NON_MEMBER, ("127.0.0.2", PORT + 1), ("192.0.2.1", PORT)])
def test_nobody_but_members_gets_a_relayed_message(lone: Lone, target: tuple[str, int]):
    lone.say(Relayed(pack_address(target[0]), target[1], "y", b"\x05"))
    assert not lone.sent()
    assert lone.node.metrics.counters["swim.dropped.relay-refused"] == 1


@pytest.mark.parametrize(
    "inner",
    [
        b"",
        encode_serf(JoinIntent(9, "y")),
        encode_serf(LeaveIntent(9, "y")),
        encode_serf(UserEvent(9, "e", b"")),
        encode_serf(query(flags=1)),
        encode_serf(Relayed(pack_address(home("x")[0]), PORT, "x", b"\x05anything")),
        b"\x07key request",
    ],
)
def test_nothing_but_answers_to_queries_is_relayed(lone: Lone, inner: bytes):
    """A relayed message inside a relayed one would travel on and on."""
    host, port = home("y")
    lone.say(Relayed(pack_address(host), port, "y", inner))
    assert not lone.sent()
    assert lone.node.metrics.counters["swim.dropped.relay-refused"] == 1


def test_answers_go_to_members_or_where_the_query_came_from_and_to_nobody_else(lone: Lone):
    for number, claimed in enumerate([NON_MEMBER, ("192.0.2.1", PORT), (home("x")[0], PORT + 1)]):
        aimed = query(id=number, flags=1, relay_factor=3, addr=pack_address(claimed[0]), port=claimed[1])
        lone.say(aimed, source=ASKER)
    assert not [to for to, message in lone.sent() if to not in map(home, "xyz")]
    assert lone.node.metrics.counters["swim.dropped.answer-refused"] == 3
    host, port = home("x")
    lone.say(query(id=9, flags=1, addr=pack_address(host), port=port), source=ASKER)
    assert [to for to, _ in answers(lone)] == [home("x")]


def test_a_flood_of_queries_is_answered_within_a_budget(lone: Lone):
    sent = 0
    for number in range(2000):
        lone.say(query(ltime=number + 10, id=number, flags=1, relay_factor=255), source=ASKER)
        sent += len(answers(lone))
    assert 0 < sent <= 500 * 1.2
    assert lone.node.metrics.counters["swim.dropped.answer-budget"] > 1000


def test_an_answer_to_nothing_is_counted(lone: Lone):
    lone.say(QueryResponse(5, 77, "x", 0, b"!"))
    assert lone.node.metrics.counters["swim.dropped.unexpected-response"] == 1


def test_neither_answers_nor_relayed_messages_go_to_a_member_that_nobody_saw(lone: Lone):
    """Its address may belong to any service: a claim only named it as a member's."""
    ghost = ("127.0.0.80", 25)
    claim = Alive(1, "ghost", pack_address(ghost[0]), ghost[1], None, SERF_VSN)
    lone.hear(claim, source=home("x"))
    lone.sent()
    assert lone.status("ghost") == "alive"
    asked = query(flags=1, addr=pack_address(ghost[0]), port=ghost[1])
    lone.say(asked, source=home("x"))
    lone.say(Relayed(pack_address(ghost[0]), ghost[1], "ghost", b"\x05anything"), source=home("x"))
    lone.advance(10.0)  # it is pinged, and acks nothing
    received = {message.body for to, message in lone.sent() if to == ghost and isinstance(message, User)}
    assert received <= {encode_serf(asked)}, "the query itself is passed on to all"
    assert lone.node.metrics.counters["swim.dropped.answer-refused"] == 1
    assert lone.node.metrics.counters["swim.dropped.relay-refused"] == 1
