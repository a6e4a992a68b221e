"""Queries of this node: what is sent, whose replies count, when it ends; and the application's answers."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swim import events
from swim.commands import Leave, Respond, SendQuery
from swim.core.member import pack_address
from swim.errors import ConfigError, LocalError
from swim.events import QueryAck, QueryResponse
from swim.serf import messages
from swim.serf.answers import TAKES_STREAMS
from swim.serf.messages import decode_serf, encode_serf
from swim.wire.codec import encode_user_stream
from swim.wire.messages import User
from tests.one_node import PORT, Lone, home
from tests.serf.test_queues import ASKER, answers, query


@pytest.fixture
def lone() -> Lone:
    alone = Lone(tags={"role": "web1"})
    alone.meet("x", "y", "z")
    alone.settle()
    return alone


def ask(lone: Lone, name: str = "load", payload: bytes = b"?", **settings: Any) -> tuple[int, messages.Query]:
    """Gives the command; returns the ticket and the query that goes out."""
    ticket = lone.command(SendQuery(name, payload, **settings))
    [sent] = {
        message for body in lone.bodies(0.3) if isinstance(message := decode_serf(body), messages.Query)
    }
    return ticket, sent


def reply(
    lone: Lone, asked: messages.Query, who: str, payload: bytes | None = b"", *, flags: int = 0, by: str = ""
) -> None:
    response = messages.QueryResponse(asked.ltime, asked.id, who, flags, payload)
    lone.say(response, source=home(by or who))


# -- sent


def test_a_query_goes_out_as_serf_writes_it_but_for_the_flag_of_streams(lone: Lone):
    _, asked = ask(lone, nodes=["x", "y"], tags={"role": "^web"}, ack=True, relay_factor=2, timeout=2.5)
    assert asked._replace(id=0) == messages.Query(
        ltime=1,
        id=0,
        addr=pack_address("127.0.0.1"),
        port=PORT,
        source_node="me",
        filters=(b"\x00\x92\xa1x\xa1y", b"\x01\x82\xa4Expr\xa4^web\xa3Tag\xa4role"),
        flags=1 | TAKES_STREAMS,
        relay_factor=2,
        timeout=2_500_000_000,
        name="load",
        payload=b"?",
    )
    assert asked.id < 2**31


def test_an_empty_payload_is_none_on_the_wire(lone: Lone):
    _, asked = ask(lone, payload=b"")
    assert (asked.payload, asked.filters, asked.flags) == (None, (), TAKES_STREAMS)


def test_the_default_time_is_serfs():
    lone = Lone()
    lone.meet("x")
    lone.settle()
    _, asked = ask(lone)
    assert asked.timeout == 3_200_000_000  # 16 gossip intervals of 200 ms, for up to 9 members


def test_each_member_replies_once_until_the_deadline(lone: Lone):
    ticket, asked = ask(lone, ack=True, timeout=2.0)
    reply(lone, asked, "x", b"1")
    reply(lone, asked, "x", b"again")
    reply(lone, asked, "x", None, flags=1)
    reply(lone, asked, "x", None, flags=1, by="z")
    reply(lone, asked, "y", b"2", by="z")
    assert lone.replies[ticket] == [
        QueryAck("me"), QueryResponse("x", b"1"), QueryAck("x"), QueryResponse("y", b"2")
    ]  # fmt: skip
    assert not lone.is_done(ticket)
    lone.advance(2.0)
    assert lone.result(ticket) is None
    reply(lone, asked, "z", b"late")
    assert len(lone.replies[ticket]) == 4
    assert lone.node.metrics.counters["swim.late-responses"] == 1
    assert not lone.node.metrics.drops


def test_a_name_is_as_long_as_the_limit_allows(lone: Lone):
    name = "q" * 900
    ask(lone, name)
    with pytest.raises(ConfigError, match=r"^payload: .*query_size_limit"):
        lone.command(SendQuery("q" * 1000))
    lone.say(query(ltime=9, name=name))
    assert [event.name for event in lone.events if isinstance(event, events.Query)] == [name] * 2


def test_two_queries_at_a_time_have_their_own_replies(lone: Lone):
    first, one = ask(lone)
    second, two = ask(lone)
    reply(lone, two, "x", b"to the second")
    reply(lone, one, "x", b"to the first")
    assert lone.replies[first] == [QueryResponse("x", b"to the first")]
    assert lone.replies[second] == [QueryResponse("x", b"to the second")]
    reply(lone, one._replace(id=two.id + 1), "y", b"to none")
    assert lone.node.metrics.counters["swim.dropped.unexpected-response"] == 1


def test_no_more_members_reply_than_there_are(lone: Lone):
    ticket, asked = ask(lone)
    for number in range(10):
        response = messages.QueryResponse(asked.ltime, asked.id, f"forged-{number}", 0, b"")
        lone.say(response, source=ASKER)
    assert len(lone.replies[ticket]) == 4
    assert lone.node.metrics.counters["swim.dropped.response-overflow"] == 6


def test_forged_replies_do_not_make_the_own_answer_an_error(lone: Lone):
    ticket, asked = ask(lone)
    for number in range(4):
        lone.say(messages.QueryResponse(asked.ltime, asked.id, f"forged-{number}", 0, b""), source=ASKER)
    lone.command(Respond(lone.events[0], b"mine"))
    assert len(lone.replies[ticket]) == 4
    assert lone.node.metrics.counters["swim.dropped.response-overflow"] == 1


def test_it_finishes_early_once_all_have_answered(lone: Lone):
    ticket, asked = ask(lone, ack=True, timeout=60.0, finish_early=True)
    lone.command(Respond(lone.events[0], b"mine"))
    for who in "xyz":
        reply(lone, asked, who, b"1")
        reply(lone, asked, who, b"again", by="x")
        assert not lone.is_done(ticket)
    for who in "xyz":
        assert not lone.is_done(ticket)
        reply(lone, asked, who, None, flags=1)
    assert lone.result(ticket) is None
    assert len(lone.replies[ticket]) == 8
    reply(lone, asked, "x", b"late")
    assert lone.node.metrics.counters["swim.late-responses"] == 1
    lone.advance(120)
    assert [done.ticket for done in lone.finished].count(ticket) == 1


@settings(max_examples=40)
@given(
    nodes=st.lists(st.sampled_from([*"xyzw", "me", "nobody"]), max_size=3),
    role=st.sampled_from(["", "web", "db"]),
    ack=st.booleans(),
    gone=st.sets(st.sampled_from("xyzw"), max_size=2),
    is_ping=st.booleans(),
    order=st.randoms(use_true_random=False),
)
def test_early_means_at_the_last_reply_of_those_asked(
    nodes: list[str], role: str, ack: bool, gone: set[str], is_ping: bool, order: random.Random
):
    lone = Lone(tags={"role": "web1"})
    roles = {"x": "web2", "y": "db1", "z": "web-db", "w": "", "me": "web1"}
    for name in "xyzw":
        lone.meet(name, role=roles[name])
    for name in gone:
        lone.fail(name)
    lone.settle()
    lone.events.clear()
    ticket, sent = ask(
        lone,
        "_serf_ping" if is_ping else "load",
        b"",
        nodes=nodes,
        tags={"role": role} if role else {},
        ack=ack,
        timeout=60.0,
        finish_early=True,
    )
    asked = {one for one in roles if one not in gone and role in roles[one] and (not nodes or one in nodes)}
    wanted = {(one, kind) for one in asked for kind in [1] * ack + [0] * (not is_ping)}
    assert ("me" in asked) == any(query.name == "load" for query in lone.events) or is_ping
    wanted.discard(("me", 1))
    coming = sorted(wanted)
    order.shuffle(coming)
    for who, kind in coming:
        assert not lone.is_done(ticket)
        if who == "me":
            lone.command(Respond(lone.events[0], b""))
        else:
            reply(lone, sent, who, b"" if not kind else None, flags=kind)
    assert lone.is_done(ticket)


def test_an_abandoned_query_finishes_and_takes_no_more_replies(lone: Lone):
    ticket, asked = ask(lone)
    lone.abandon(ticket)
    assert lone.result(ticket) is None
    reply(lone, asked, "x", b"1")
    lone.advance(10)
    assert ticket not in lone.replies
    lone.abandon(ticket)
    lone.abandon(999)


def test_the_own_application_is_asked_too_and_nothing_goes_to_ourselves(lone: Lone):
    ticket, asked = ask(lone, ack=True)
    [event] = lone.events
    assert (event.name, event.payload, event.source, event.id) == ("load", b"?", "me", asked.id)
    lone.command(Respond(event, b"mine"))
    assert lone.replies[ticket] == [QueryAck("me"), QueryResponse("me", b"mine")]
    assert not answers(lone)


@pytest.mark.parametrize(
    ("filters", "asked"),
    [
        ({"nodes": ["me"]}, True),
        ({"nodes": ["x"]}, False),
        ({"tags": {"role": "^web"}}, True),
        ({"tags": {"role": "^db"}}, False),
        ({"nodes": ["me"], "tags": {"role": "^db"}}, False),
    ],
)
def test_filters_hold_for_this_node_as_well(lone: Lone, filters: Any, asked: bool):
    ticket, _ = ask(lone, ack=True, **filters)
    assert (ticket in lone.replies, bool(lone.events)) == (asked, asked)


def test_a_ping_is_the_internal_query_that_may_be_sent(lone: Lone):
    ticket, asked = ask(lone, name="_serf_ping", payload=b"", ack=True)
    assert (asked.name, asked.payload) == ("_serf_ping", None)
    assert lone.replies[ticket] == [QueryAck("me")]
    assert not lone.events


@pytest.mark.parametrize(
    "name", ["_serf_conflict", "_serf_list-keys", "_serf_", "_serf_tomorrow", "_serf_ping"]
)
def test_what_could_crash_real_agents_is_never_sent(name: str):
    with pytest.raises(ConfigError, match=r"^name: .*_serf_"):
        SendQuery(name, b"payload" if name == "_serf_ping" else b"")


def test_too_large_a_query_is_refused_with_both_sizes(lone: Lone):
    largest = 1024 - len(encode_serf(ask(lone, payload=bytes(900))[1])) + 900
    ask(lone, payload=bytes(largest))
    with pytest.raises(ConfigError, match=r"^payload: .*1025 bytes.*query_size_limit \(1024\)"):
        lone.command(SendQuery("load", bytes(largest + 1)))


@pytest.mark.skipif(not __import__("importlib.util").util.find_spec("re2"), reason="needs google-re2")
def test_an_expression_that_nobody_could_read_is_refused(lone: Lone):
    with pytest.raises(ConfigError, match=r"^tags: '\(\?=a\)' is no regular expression: [^b]"):
        lone.command(SendQuery("load", tags={"role": "(?=a)"}))


def test_a_plain_pool_and_a_node_that_left_send_none(lone: Lone):
    plain = Lone(delegate_version=0)
    with pytest.raises(LocalError, match="plain memberlist"):
        plain.command(SendQuery("load"))
    lone.command(Leave())
    with pytest.raises(LocalError, match="after leaving"):
        lone.command(SendQuery("load"))


@pytest.mark.parametrize("version", [2, 3])
def test_protocols_without_queries_send_none(version: int):
    old = Lone(delegate_version=version)
    with pytest.raises(LocalError, match=f"queries need delegate_version 4, not {version}"):
        old.command(SendQuery("load"))


def test_members_that_know_no_queries_are_not_waited_for(lone: Lone):
    lone.meet("w", vsn=bytes((1, 5, 2, 2, 3, 3)))
    lone.settle()
    ticket, asked = ask(lone, nodes=["w", "x"], timeout=60.0, finish_early=True)
    assert not lone.is_done(ticket)
    reply(lone, asked, "x")
    assert lone.is_done(ticket)


# -- answers of the application


def received(lone: Lone, **changes: Any) -> events.Query:
    lone.say(query(**changes), source=ASKER)
    [event] = lone.events
    return event


def test_an_answer_goes_to_the_address_in_the_query_and_by_relays(lone: Lone):
    event = received(lone, relay_factor=2)
    lone.command(Respond(event, b"0.7"))
    response = messages.QueryResponse(5, 77, "me", 0, b"0.7")
    relayed = messages.Relayed(pack_address(ASKER[0]), ASKER[1], "asker", encode_serf(response))
    [first, *others] = answers(lone)
    assert first == (ASKER, response)
    assert [message for _, message in others] == [relayed, relayed]


def test_a_query_is_answered_once_and_in_time(lone: Lone):
    event = received(lone)
    lone.command(Respond(event, b"0.7"))
    with pytest.raises(LocalError, match="answered already"):
        lone.command(Respond(event, b"0.8"))
    lone.events.clear()
    late = received(lone, id=78)
    lone.advance(1.001)
    with pytest.raises(LocalError, match="past its deadline"):
        lone.command(Respond(late, b"0.7"))
    with pytest.raises(LocalError, match="not received"):
        lone.command(Respond(events.Query("load", id=79), b"0.7"))


def test_too_large_an_answer_is_refused_with_both_sizes_and_may_be_sent_smaller(lone: Lone):
    event = received(lone)
    overhead = len(encode_serf(messages.QueryResponse(5, 77, "me", 0, bytes(900)))) - 900
    with pytest.raises(ConfigError, match=r"^payload: .*1025 bytes.*query_response_size_limit \(1024\)"):
        lone.command(Respond(event, bytes(1025 - overhead)))
    lone.command(Respond(event, bytes(1024 - overhead)))
    assert len(answers(lone)) == 1


def test_a_relayed_answer_that_would_be_too_large_goes_straight_only(lone: Lone):
    event = received(lone, relay_factor=2)
    lone.command(Respond(event, bytes(980)))
    assert [to for to, _ in answers(lone)] == [ASKER]


@pytest.mark.parametrize("addr", [pack_address("127.0.0.200"), b"", b"7 bytes"])
def test_an_answer_that_may_not_be_sent_is_an_error(lone: Lone, addr: bytes):
    lone.say(query(addr=addr, flags=1), source=ASKER)
    [event] = lone.events
    with pytest.raises(
        LocalError, match=re.escape("cannot be answered: the address to answer to is no member's")
    ):
        lone.command(Respond(event, b"0.7"))


def test_only_the_latest_queries_can_be_answered(lone: Lone):
    first = received(lone)
    for number in range(1024):
        lone.say(query(ltime=6, id=number), source=ASKER)
    with pytest.raises(LocalError, match="too long ago"):
        lone.command(Respond(first, b"0.7"))
    lone.command(Respond(lone.events[-1], b"0.7"))
    assert lone.node.metrics.counters["swim.dropped.unanswered-query"] == 1


# -- internal queries


def test_an_unknown_internal_query_is_acked_and_counted(lone: Lone):
    lone.say(query(flags=1, name="_serf_tomorrow"), source=ASKER)
    assert [message.flags for _, message in answers(lone)] == [1]
    assert lone.node.metrics.counters["swim.dropped.internal-query"] == 1


def test_a_query_of_a_stream_larger_than_any_packet_ends_here(lone: Lone):
    accepted = lone.node.accept_stream(lone.now, ASKER)
    assert accepted is not None
    data = encode_user_stream(encode_serf(query(payload=bytes(65_536))))
    lone.node.receive_stream(lone.now, accepted.stream_id, data)
    lone.advance(0.1)
    assert not lone.events
    assert not [message for _, message in lone.sent() if isinstance(message, User)]
    assert lone.node.metrics.counters["swim.dropped.query-size"] == 1


def test_an_application_has_so_many_queries_open_at_a_time(lone: Lone):
    for _ in range(1024):
        lone.command(SendQuery("load", timeout=60.0))
    with pytest.raises(LocalError, match="too many queries"):
        lone.command(SendQuery("load"))
    lone.advance(60.0)
    lone.command(SendQuery("load"))
