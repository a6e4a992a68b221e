"""Two nodes of one name: who asks, who votes, who stops."""

from __future__ import annotations

import pytest

from swim.core.member import pack_address
from swim.serf.messages import (
    Query,
    QueryResponse,
    decode_conflict_response,
    decode_serf,
    encode_conflict_response,
)
from swim.wire.messages import Ack, Alive, Ping, User
from tests.one_node import PORT, SERF_VSN, Lone, home
from tests.serf.test_queues import ASKER, query

RIVAL = ("127.0.0.66", 7946)


def impostor(name: str = "me", incarnation: int = 5) -> Alive:
    return Alive(incarnation, name, pack_address(RIVAL[0]), RIVAL[1], b"\xff\x80", SERF_VSN)


@pytest.fixture
def lone() -> Lone:
    alone = Lone()
    alone.meet("x", "y", "z")
    alone.settle()
    return alone


def rival_appears(lone: Lone, incarnation: int = 5) -> None:
    """A claim to the own name from an address where a node answers the ping that checks it."""
    lone.sent()
    lone.hear(impostor(incarnation=incarnation))
    [ping] = [m for to, m in lone.sent() if isinstance(m, Ping) and (to, m.node) == (RIVAL, "me")]
    lone.hear(Ack(ping.seq_no), source=RIVAL)


def asked(lone: Lone) -> Query:
    """The one conflict query this node has under way."""
    [question] = {decode_serf(body) for body in lone.bodies(1)}
    assert isinstance(question, Query)
    assert (question.name, question.payload) == ("_serf_conflict", b"me")
    return question


def vote(lone: Lone, question: Query, voter: str, endpoint: tuple[str, int] | None) -> None:
    member = None
    if endpoint is not None:
        member = {"Addr": pack_address(endpoint[0]), "Name": "me", "Port": endpoint[1]}
    answer = encode_conflict_response(member)
    lone.say(QueryResponse(question.ltime, question.id, voter, 0, answer), source=home(voter))


OURS = ("127.0.0.1", PORT)


@pytest.mark.parametrize(
    ("votes", "stops"),
    [
        ([], False),
        ([OURS, OURS, RIVAL], False),
        ([OURS, RIVAL, RIVAL], True),
        ([OURS, RIVAL], True),
        ([RIVAL], True),
        ([None, None, None], False),
        ([None, None, RIVAL], True),
        ([OURS, None, None], False),
    ],
)
def test_the_votes_decide(lone: Lone, votes: list[tuple[str, int] | None], stops: bool):
    rival_appears(lone)
    question = asked(lone)
    for voter, endpoint in zip("xyz", votes, strict=False):
        vote(lone, question, voter, endpoint)
    lone.advance(10)
    assert bool(lone.stop) == stops
    assert lone.node.local.status == "alive"


def test_a_node_that_lost_says_who_won(lone: Lone):
    rival_appears(lone)
    vote(lone, asked(lone), "x", RIVAL)
    lone.advance(10)
    assert "127.0.0.66:7946" in lone.stop


def test_a_member_votes_once(lone: Lone):
    rival_appears(lone)
    question = asked(lone)
    for endpoint in (OURS, RIVAL, RIVAL):
        vote(lone, question, "x", endpoint)
    lone.advance(10)
    assert not lone.stop


def test_votes_after_the_deadline_count_for_nothing(lone: Lone):
    rival_appears(lone)
    question = asked(lone)
    lone.advance(10)
    vote(lone, question, "x", RIVAL)
    lone.advance(10)
    assert not lone.stop


def test_one_conflict_is_resolved_at_a_time(lone: Lone):
    rival_appears(lone)
    rival_appears(lone, incarnation=6)
    asked(lone)
    lone.advance(10)
    rival_appears(lone, incarnation=7)
    asked(lone)


def test_the_own_question_is_not_news(lone: Lone):
    rival_appears(lone)
    question = asked(lone)
    lone.bodies(5)
    lone.say(question)
    assert not lone.bodies(5)


def test_a_claim_from_where_nobody_answers_is_a_former_life(lone: Lone):
    lone.hear(impostor())
    assert not lone.bodies(10)
    rival_appears(lone, incarnation=6)
    asked(lone)


def test_a_conflict_about_another_name_asks_nobody(lone: Lone):
    lone.hear(impostor("x"))
    assert not lone.bodies(2)
    assert lone.node.member("x").address == home("x")[0]  # type: ignore[union-attr]


def test_resolution_can_be_off():
    alone = Lone(enable_name_conflict_resolution=False)
    alone.meet("x", "y")
    alone.settle()
    rival_appears(alone)
    assert not alone.bodies(2)


# -- asked by others


def answer_about(lone: Lone, name: bytes) -> bytes | None:
    lone.say(query(name="_serf_conflict", payload=name, flags=2), source=ASKER)
    messages = [(to, decode_serf(m.body)) for to, m in lone.sent() if isinstance(m, User)]
    if not messages:
        return None
    [(to, response)] = messages
    assert isinstance(response, QueryResponse)
    assert (to, response.node, response.flags) == (ASKER, "me", 0)
    return response.payload


def test_a_question_about_a_member_is_answered_with_its_address(lone: Lone):
    answer = answer_about(lone, b"x")
    assert decode_conflict_response(answer) == (pack_address(home("x")[0]), PORT)


def test_a_member_that_failed_long_ago_is_still_told(lone: Lone):
    lone.fail("x")
    lone.advance(600)
    lone.sent()
    assert decode_conflict_response(answer_about(lone, b"x")).port == PORT


def test_a_question_about_nobody_is_answered_with_nil(lone: Lone):
    assert answer_about(lone, b"nobody") == b"\x06\xc0"


def test_a_node_asked_about_its_own_name_stays_silent(lone: Lone):
    assert answer_about(lone, b"me") is None


def test_only_a_conflict_that_lasts_is_logged_and_rarely(lone: Lone, caplog: pytest.LogCaptureFixture):
    def logged() -> int:
        return caplog.text.count("name conflict: x is at 127.0.0.2:7946 and at 127.0.0.66:7946")

    for _ in range(5):  # as while a member moves
        lone.hear(impostor("x", 9))
        lone.advance(10.0)
    assert logged() == 0
    lone.advance(300.0)
    lone.hear(impostor("x", 9))  # long after: another move
    assert logged() == 0
    for _ in range(12):
        lone.advance(50.0)
        lone.hear(impostor("x", 9))
    assert logged() == 1
    for _ in range(2):
        lone.advance(50.0)
        lone.hear(impostor("x", 9))
    assert logged() == 2


@pytest.mark.parametrize(
    ("voter", "source"),
    [
        pytest.param("nobody", ("127.0.0.99", PORT), id="of a non-member"),
        pytest.param("x", ("127.0.0.99", PORT), id="from another address"),
        pytest.param("x", ("127.0.0.2", 9999), id="from another port"),
        pytest.param("x", home("y"), id="by another member"),
        pytest.param("w", home("w"), id="of a member that failed"),
    ],
)
def test_votes_that_no_live_member_cast_do_not_count(lone: Lone, voter: str, source: tuple[str, int]):
    lone.meet("w")
    lone.fail("w")
    lone.settle()
    rival_appears(lone)
    question = asked(lone)
    answer = encode_conflict_response({"Addr": pack_address(RIVAL[0]), "Name": "me", "Port": RIVAL[1]})
    for _ in range(3):
        lone.say(QueryResponse(question.ltime, question.id, voter, 0, answer), source=source)
    lone.advance(10)
    assert not lone.stop
    assert lone.node.metrics.counters["swim.dropped.vote-of-non-member"] == 3


def test_a_member_has_one_vote(lone: Lone):
    rival_appears(lone)
    question = asked(lone)
    for voter, endpoint in (("x", RIVAL), ("x", RIVAL), ("x", RIVAL), ("y", OURS), ("z", OURS)):
        vote(lone, question, voter, endpoint)
    lone.advance(10)
    assert not lone.stop


def test_a_protocol_without_queries_only_logs_a_conflict():
    old = Lone(delegate_version=3)
    old.meet("x")
    old.settle()
    rival_appears(old)
    assert not [body for body in old.bodies(10) if isinstance(decode_serf(body), Query)]
    assert not old.stop
