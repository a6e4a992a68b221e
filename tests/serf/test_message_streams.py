"""Messages to one member, stream by stream: one node, whose peers are played."""

from __future__ import annotations

import pytest

from swim import DeliveryError, LocalError, SendMessage
from swim.commands import MESSAGE_BYTES_MAX
from swim.core.output import Dial, Send, StreamEnd
from swim.core.user_messages import BYTES_PER_SECOND
from swim.wire.codec import encode, encode_user_stream
from swim.wire.messages import Ack, Delivery, ErrorReply, Inquiry, Message
from swim.wire.stream import StreamParser
from swim.wire.user_messages import (
    AnswerKind,
    encode_answer,
    encode_delivery,
    encode_inquiry,
)
from tests.one_node import SERF_VSN, VSN, Lone, alive_record

LIFE = b"a life 8"


def outgoing(lone: Lone) -> Message:
    """The request of the stream dialled last."""
    dial = next(action for action in reversed(lone.streams) if isinstance(action, Dial))
    message = StreamParser(lone.stream_codec, acceptor=True).feed(dial.data)
    assert message is not None
    return message


def answer(lone: Lone, message: Message) -> None:
    dial = lone._dials.pop()
    data = lone.stream_codec.seal(encode(message), label_header=False)
    lone.core.receive_stream(lone.now, dial.stream_id, data)
    lone.collect()


def end(lone: Lone, how: StreamEnd) -> None:
    lone.core.stream_ended(lone.now, lone._dials.pop().stream_id, how, "")
    lone.collect()


def sending(pool: int = 5, payload: bytes = b"hello", **settings: object) -> Lone:
    """A node that has just begun to write to ``x``, whose address it knows."""
    lone = Lone(delegate_version=pool, verify_second_hand=False, **settings)
    lone.meet("x", vsn=SERF_VSN if pool else VSN)
    lone.command(SendMessage(lone.node.member("x"), payload))  # type: ignore[arg-type]
    return lone


def reason(lone: Lone) -> str:
    [done] = lone.finished
    return done.result.reason if isinstance(done.result, DeliveryError) else ""


def test_a_program_of_another_kind_receives_nothing_but_a_ping():
    lone = sending()
    inquiry = outgoing(lone)
    assert isinstance(inquiry, Inquiry)
    answer(lone, Ack(inquiry.seq_no))
    assert reason(lone) == "unsupported"
    assert [type(action) for action in lone.streams].count(Dial) == 1


def test_in_a_plain_pool_another_program_receives_a_user_message():
    lone = sending(0)
    inquiry = outgoing(lone)
    assert isinstance(inquiry, Inquiry)
    answer(lone, Ack(inquiry.seq_no))
    dial = next(action for action in reversed(lone.streams) if isinstance(action, Dial))
    assert dial.data.endswith(encode_user_stream(b"hello")[-5:])
    assert b"\xaaUserMsgLen\x05hello" in dial.data
    end(lone, StreamEnd.EOF)
    assert reason(lone) == ""


@pytest.mark.parametrize("how", StreamEnd)
def test_before_the_message_was_sent_it_is_certain_that_it_did_not_arrive(how: StreamEnd):
    lone = sending()
    end(lone, how)
    assert reason(lone) == "unreachable"


@pytest.mark.parametrize("pool", [5, 0])
@pytest.mark.parametrize(
    ("how", "why"),
    [
        (StreamEnd.REFUSED, "unreachable"), (StreamEnd.UNREACHABLE, "unreachable"),
        (StreamEnd.EOF, "no-answer"), (StreamEnd.TIMEOUT, "no-answer"), (StreamEnd.RESET, "no-answer"),
    ],
)  # fmt: skip
def test_afterwards_it_may_have_arrived(how: StreamEnd, why: str, pool: int):
    lone = sending(pool)
    inquiry = outgoing(lone)
    assert isinstance(inquiry, Inquiry)
    answer(lone, Ack(inquiry.seq_no, encode_answer(AnswerKind.READY, LIFE)))
    assert isinstance(outgoing(lone), Delivery)
    end(lone, how)
    assert reason(lone) == why


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (encode_answer(AnswerKind.RESTARTED), "restarted"), (encode_answer(AnswerKind.LEFT), "left"),
        (encode_answer(AnswerKind.REFUSED), "refused"), (encode_answer(AnswerKind.DELIVERED), "unreachable"),
        (b"\xff", "unreachable"), (encode_answer(AnswerKind.READY, b"short"), "unreachable"),
    ],
)  # fmt: skip
def test_answers_to_the_question(payload: bytes, why: str):
    lone = sending()
    inquiry = outgoing(lone)
    assert isinstance(inquiry, Inquiry)
    answer(lone, Ack(inquiry.seq_no, payload))
    assert reason(lone) == why


def test_an_answer_to_another_question_does_not_count():
    lone = sending()
    inquiry = outgoing(lone)
    assert isinstance(inquiry, Inquiry)
    answer(lone, Ack(inquiry.seq_no ^ 1, encode_answer(AnswerKind.READY, LIFE)))
    assert reason(lone) == "unreachable"


def test_an_error_reply_is_a_failure_with_its_text():
    lone = sending()
    answer(lone, ErrorReply("no room"))
    [done] = lone.finished
    assert "no room" in str(done.result)


def test_a_known_life_is_not_asked_for_again():
    lone = sending()
    inquiry = outgoing(lone)
    assert isinstance(inquiry, Inquiry)
    answer(lone, Ack(inquiry.seq_no, encode_answer(AnswerKind.READY, LIFE)))
    first = outgoing(lone)
    assert isinstance(first, Delivery)
    answer(lone, Ack(int.from_bytes(first.id[:4], "big"), encode_answer(AnswerKind.DELIVERED)))
    lone.command(SendMessage(lone.node.member("x"), b"2"))  # type: ignore[arg-type]
    again = outgoing(lone)
    assert isinstance(again, Delivery)
    assert (again.life, again.body) == (LIFE, b"2")
    assert again.id != first.id


def test_half_of_the_streams_are_kept_for_the_protocol():
    lone = sending(max_streams=4)
    member = lone.node.member("x")
    assert member is not None
    lone.command(SendMessage(member, b"2"))
    with pytest.raises(LocalError, match="2 messages are under way"):
        lone.command(SendMessage(member, b"3"))


def test_an_address_that_never_acks_is_given_up():
    lone = Lone()
    lone.meet("x")
    member = lone.node.member("x")
    assert member is not None
    lone.streams.clear()
    lone.command(SendMessage(member, b"x"))
    lone.advance(5.0)
    assert (reason(lone), [s for s in lone.streams if isinstance(s, Dial)]) == ("unreachable", [])


# -- received


def told(lone: Lone, data: bytes) -> AnswerKind | None:
    lone.streams.clear()
    lone.dialled(data)
    sent = [action.data for action in lone.streams if isinstance(action, Send)]
    if not sent:
        return None
    reply = StreamParser(lone.stream_codec, acceptor=False).feed(sent[0])
    assert isinstance(reply, Ack)
    assert reply.payload
    if reply.payload[0] == AnswerKind.READY and isinstance(lone, Receiver):
        lone.life = reply.payload[1:]
    return AnswerKind(reply.payload[0])


class Receiver(Lone):
    """Remembers the life that it last named."""

    life = b""


def receiver(**settings: object) -> Receiver:
    """A node that peers know, and that was asked for its life."""
    lone = Receiver(**settings)
    lone.pushed(records=[alive_record("x")])
    assert told(lone, encode_inquiry(Inquiry(1, "me", "x", 1))) is AnswerKind.READY
    lone.events.clear()
    return lone


def delivery(lone: Receiver, body: bytes, id: bytes = b"id" * 6, target: str = "me") -> bytes:
    return encode_delivery(Delivery("x", target, lone.life, id, body), for_memberlist=False)


@pytest.mark.parametrize("incarnation", [0, 2, 2**32 - 1])
def test_another_incarnation_is_another_life(incarnation: int):
    lone = receiver()
    assert told(lone, encode_inquiry(Inquiry(1, "me", "x", incarnation))) is AnswerKind.RESTARTED
    assert told(lone, encode_inquiry(Inquiry(1, "you", "x", 1))) is AnswerKind.RESTARTED


def test_what_no_peer_knows_of_is_meant_by_no_peer():
    lone = Lone()
    assert told(lone, encode_inquiry(Inquiry(1, "me", "x", 1))) is AnswerKind.RESTARTED
    lone.pushed()  # an observer reads the table
    assert told(lone, encode_inquiry(Inquiry(1, "me", "x", 1))) is AnswerKind.RESTARTED


def test_a_copy_is_acked_and_not_handed_out_again():
    lone = receiver()
    for _ in range(2):
        assert told(lone, delivery(lone, b"hello")) is AnswerKind.DELIVERED
    assert [(e.source, e.payload) for e in lone.events] == [("x", b"hello")]
    assert lone.node.metrics.counters["swim.dropped.replayed"] == 1


def test_another_life_or_name_is_refused():
    lone = receiver()
    assert told(lone, delivery(lone, b"1", target="you")) is AnswerKind.RESTARTED
    lone.life = bytes(8)
    assert told(lone, delivery(lone, b"2")) is AnswerKind.RESTARTED
    assert lone.events == []


def test_a_host_that_sends_too_much_is_refused_and_later_heard_again():
    lone = receiver()
    most = BYTES_PER_SECOND // MESSAGE_BYTES_MAX
    answers = [told(lone, delivery(lone, bytes(MESSAGE_BYTES_MAX), bytes([n]) * 12)) for n in range(most + 2)]
    assert answers == [AnswerKind.DELIVERED] * most + [AnswerKind.REFUSED] * 2
    assert lone.node.metrics.counters["swim.dropped.message-budget"] == 2
    lone.advance(2.0)
    assert told(lone, delivery(lone, b"x", b"y" * 12)) is AnswerKind.DELIVERED


def test_a_message_too_large_is_refused():
    lone = receiver()
    assert told(lone, delivery(lone, bytes(MESSAGE_BYTES_MAX + 1))) is AnswerKind.REFUSED
    assert lone.events == []
