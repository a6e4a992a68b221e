"""How answers go out: by a stream if no packet holds them, and to askers that no ack has proven."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sims import World
from sims.faults import SendQuery
from sims.faults.rules import Overrides
from swim import Config, events
from swim.commands import Respond
from swim.commands import SendQuery as AskAll
from swim.core.member import pack_address
from swim.core.output import StreamEnd
from swim.errors import ConfigError, DeliveryError, LocalError
from swim.events import QueryResponse
from swim.serf import messages
from swim.serf.answers import TAKES_STREAMS
from swim.serf.messages import decode_serf, encode_serf
from swim.serf.replies import REPLY_BYTES_MAX
from swim.wire.codec import encode_user_stream
from swim.wire.messages import Ack, Alive, Ping, User
from tests.one_node import SERF_VSN, Lone, home
from tests.serf.test_message_streams import end, outgoing
from tests.serf.test_queues import answers, query

LONG = bytes(range(256)) * 400
ASKER = home("x")


def knowing(**settings: Any) -> Lone:
    """A node among three others, whose addresses it may dial."""
    alone = Lone(**{"verify_second_hand": False} | settings)
    alone.meet("x", "y", "z")
    alone.settle()
    return alone


@pytest.fixture
def lone() -> Lone:
    return knowing()


def asked(lone: Lone, *, flags: int = TAKES_STREAMS, **changes: object) -> events.Query:
    changes = {"addr": pack_address(ASKER[0]), "port": ASKER[1], "source_node": "x"} | changes
    lone.say(query(flags=flags, **changes), source=ASKER)
    event = lone.events[-1]
    assert isinstance(event, events.Query)
    return event


def response(payload: bytes) -> messages.QueryResponse:
    return messages.QueryResponse(5, 77, "me", 0, payload)


def test_a_long_answer_goes_by_a_stream_and_is_done_when_the_asker_has_read_it(lone: Lone):
    ticket = lone.command(Respond(asked(lone, relay_factor=3), LONG))
    sent = outgoing(lone)
    assert isinstance(sent, User)
    assert decode_serf(sent.body) == response(LONG)
    assert not answers(lone)
    assert not lone.is_done(ticket)
    end(lone, StreamEnd.EOF)
    assert lone.result(ticket) is None
    with pytest.raises(LocalError, match="answered already"):
        lone.command(Respond(lone.events[0], b"short"))


def test_what_fits_a_packet_goes_in_one(lone: Lone):
    ticket = lone.command(Respond(asked(lone), b"short"))
    assert answers(lone) == [(ASKER, response(b"short"))]
    assert lone.result(ticket) is None


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (StreamEnd.REFUSED, "unreachable"),
        (StreamEnd.UNREACHABLE, "unreachable"),
        (StreamEnd.LOCAL, "unreachable"),
        (StreamEnd.RESET, "no-answer"),
        (StreamEnd.TIMEOUT, "no-answer"),
    ],
)
def test_a_stream_that_fails_is_reported(lone: Lone, how: StreamEnd, reason: str):
    ticket = lone.command(Respond(asked(lone), LONG))
    end(lone, how)
    failure = lone.result(ticket)
    assert isinstance(failure, DeliveryError)
    assert (failure.member, failure.reason) == ("x", reason)
    assert lone.node.metrics.counters["swim.dropped.answer-stream"] == 1


@pytest.mark.parametrize(
    ("flags", "settings", "setting", "limit"),
    [
        (0, {}, "query_response_size_limit", 1024),
        (0, {"query_response_size_limit": 2048}, "query_response_size_limit", 2048),
        (TAKES_STREAMS, {"query_response_stream_limit": 0}, "query_response_size_limit", 1024),
        (TAKES_STREAMS, {"query_response_stream_limit": 5000}, "query_response_stream_limit", 5000),
        (TAKES_STREAMS, {}, "query_response_stream_limit", 1024 * 1024),
    ],
)
def test_the_limit_that_counts_is_named_with_the_actual_size(
    flags: int, settings: Any, setting: str, limit: int
):
    lone = knowing(**settings)
    event = asked(lone, flags=flags)
    overhead = len(encode_serf(response(bytes(limit)))) - limit
    with pytest.raises(ConfigError, match=rf"^payload: .* takes {limit + 1} bytes .*{setting} \({limit}\)"):
        lone.command(Respond(event, bytes(limit + 1 - overhead)))
    assert not lone.streams
    if limit <= 1024 or setting == "query_response_stream_limit":
        lone.command(Respond(event, bytes(limit - overhead)))


def test_an_address_of_no_member_gets_no_stream(lone: Lone):
    event = asked(lone, addr=pack_address("127.0.0.60"))
    with pytest.raises(LocalError, match=re.escape("cannot be answered: the address to answer to is no")):
        lone.command(Respond(event, LONG))
    assert not lone.streams


def pings(lone: Lone) -> list[Ping]:
    return [message for to, message in lone.sent() if isinstance(message, Ping) and to == ASKER]


def test_an_asker_that_never_acked_a_ping_is_pinged_first():
    lone = knowing(verify_second_hand=True)
    ticket = lone.command(Respond(asked(lone), LONG))
    assert not lone.streams
    [ping] = pings(lone)
    lone.hear(Ack(ping.seq_no), source=ASKER)
    assert isinstance(outgoing(lone), User)
    end(lone, StreamEnd.EOF)
    assert lone.result(ticket) is None


def test_without_an_ack_there_is_no_stream():
    lone = knowing(verify_second_hand=True)
    ticket = lone.command(Respond(asked(lone), LONG))
    lone.advance(10.0)
    assert len(pings(lone)) == 3
    assert not lone.streams
    failure = lone.result(ticket)
    assert isinstance(failure, DeliveryError)
    assert failure.reason == "unreachable"


def test_long_answers_have_a_budget_of_bytes(lone: Lone):
    for number in range(4):
        lone.command(Respond(asked(lone, ltime=6 + number), bytes(1_040_000)))
        end(lone, StreamEnd.EOF)
    event = asked(lone, ltime=20)
    with pytest.raises(LocalError, match="too many answers lately"):
        lone.command(Respond(event, bytes(1_040_000)))
    lone.advance(0.5)
    lone.command(Respond(event, bytes(1_040_000)))


def test_it_answers_itself_at_length(lone: Lone):
    ticket = lone.command(AskAll("load", finish_early=True, nodes=["me"]))
    lone.command(Respond(lone.events[0], LONG))
    assert lone.replies[ticket] == [QueryResponse("me", LONG)]
    assert lone.is_done(ticket)


def test_a_member_known_from_others_only_is_answered_once_it_acked_a_ping():
    lone = Lone()
    lone.meet("x")
    far = ("127.0.0.80", 7946)
    lone.hear(Alive(1, "far", pack_address(far[0]), far[1], None, SERF_VSN), source=ASKER)
    lone.settle()
    lone.say(query(flags=1, addr=pack_address(far[0]), port=far[1], source_node="far"), source=ASKER)
    ticket = lone.command(Respond(lone.events[-1], b"short"))
    assert not lone.is_done(ticket)
    [(_, ping)] = [(to, message) for to, message in lone.sent() if to == far]
    assert isinstance(ping, Ping)
    lone.hear(Ack(ping.seq_no), source=far)
    assert answers(lone) == [
        (far, messages.QueryResponse(5, 77, "me", 1, None)),
        (far, response(b"short")),
    ]
    assert lone.result(ticket) is None


def test_right_after_all_have_joined_all_answer():
    world = World(2, nodes=16, config=Config.lan)
    world.settle()
    for name in ("n2", "n9", "n16"):
        SendQuery(0.0, name, ack=True, finish_early=True).begin(world, Overrides())
        ticket = list(world.nodes[name].tickets.values())[-1]
        assert world.run_until(lambda _, ticket=ticket: ticket.is_done, 4.0)
        assert len(ticket.replies) == 32


@pytest.mark.slow
def test_the_answers_to_one_query_have_a_limit_of_bytes():
    lone = knowing(query_response_stream_limit=1 << 30, max_inbound_bytes=1 << 30, max_stream_bytes=1 << 30)
    ticket = lone.command(AskAll("load", timeout=60.0))
    [sent] = {m for body in lone.bodies(0.3) if isinstance(m := decode_serf(body), messages.Query)}
    half = REPLY_BYTES_MAX // 2 - 1000
    for who, size in (("x", half), ("y", half + 4000)):
        reply = messages.QueryResponse(sent.ltime, sent.id, who, 0, bytes(size))
        lone.dialled(lone.stream_codec.seal(encode_user_stream(encode_serf(reply)), label_header=False))
        lone.advance(1.0)
    assert [reply.source for reply in lone.replies[ticket]] == ["x"]
    assert lone.node.metrics.counters["swim.dropped.response-overflow"] == 1


def test_a_longer_answer_than_this_node_takes_is_dropped(lone: Lone):
    lone.command(AskAll("load", timeout=60.0))
    [sent] = {m for body in lone.bodies(0.3) if isinstance(m := decode_serf(body), messages.Query)}
    reply = messages.QueryResponse(sent.ltime, sent.id, "x", 0, bytes(1024 * 1024 + 1))
    lone.dialled(lone.stream_codec.seal(encode_user_stream(encode_serf(reply)), label_header=False))
    lone.advance(1.0)
    assert lone.node.metrics.counters["swim.dropped.response-size"] == 1


@pytest.mark.parametrize("settings", [{}, {"keys": (b"0123456789abcdef",), "label": "blue"}])
def test_in_a_cluster_all_answer_at_length(settings: dict[str, object]):
    world = World(3, nodes=5, config=lambda **given: Config.local(**(settings | given)))
    world.settle()
    world.run_for(5.0)
    for number, node in enumerate(world.nodes.values(), 1):

        def answer(now: float, event: events.Event, node=node, number=number) -> None:
            if isinstance(event, events.Query):
                world.at(now, lambda: tickets.append(node.respond(event, LONG * number)))

        node.subscribe(answer)
    tickets: list = []
    ticket = world.nodes["n2"].query("dump", ack=True, timeout=20.0, finish_early=True)
    assert world.run_until(lambda _: ticket.is_done, 20.0)
    found = {one.source: one.payload for one in ticket.replies if isinstance(one, QueryResponse)}
    assert found == {f"n{number}": LONG * number for number in range(1, 6)}
    world.run_for(1.0)
    assert all(one.is_done and one.result is None for one in tickets)
