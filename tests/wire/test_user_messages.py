"""What swim adds to memberlist's messages: read back, and invisible to a decoder that does not know it."""

from __future__ import annotations

from contextlib import suppress
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.config import Config
from swim.errors import RemoteError
from swim.wire.codec import decode
from swim.wire.go_msgpack import unpack
from swim.wire.keyring import Keyring
from swim.wire.messages import BroadcastHeader, Delivery, Inquiry, User
from swim.wire.packet import PacketCodec
from swim.wire.stream import StreamCodec, StreamParser
from swim.wire.user_messages import (
    ID_BYTES,
    LIFE_BYTES,
    Answer,
    AnswerKind,
    encode_answer,
    encode_broadcast,
    encode_delivery,
    encode_inquiry,
    read_answer,
)
from tests.wire.strategies import names

CODEC = StreamCodec(Config.lan(name="n1"), Keyring(()), lambda: bytes(12))
PACKETS = PacketCodec(Config.lan(name="n1"), Keyring(()), lambda: bytes(12))
IDS, LIVES = (
    st.binary(min_size=ID_BYTES, max_size=ID_BYTES),
    st.binary(min_size=LIFE_BYTES, max_size=LIFE_BYTES),
)
U32 = st.integers(0, 2**32 - 1)


def parsed(data: bytes, *, acceptor: bool = True) -> object:
    return StreamParser(CODEC, acceptor=acceptor).feed(data)


@given(st.builds(Inquiry, U32, names, names, U32))
def test_an_inquiry_is_a_ping_with_a_question(inquiry: Inquiry):
    data = encode_inquiry(inquiry)
    assert parsed(data) == inquiry
    fields = unpack(data[1:])
    assert isinstance(fields, dict)
    node = inquiry.node.encode("utf-8", "surrogateescape")
    assert (data[0], fields[b"SeqNo"], fields[b"Node"]) == (0, inquiry.seq_no, node)


@given(st.builds(Delivery, names, names, LIVES, IDS, st.binary(max_size=300)), st.booleans())
def test_a_delivery_is_a_user_message_with_or_without_a_body(delivery: Delivery, for_memberlist: bool):
    data = encode_delivery(delivery, for_memberlist=for_memberlist)
    assert parsed(data) == delivery
    fields = unpack(data[1:])
    assert isinstance(fields, dict)
    length = fields[b"UserMsgLen"]
    assert length == (len(delivery.body) if for_memberlist else 0)
    assert data.endswith(delivery.body)


@given(IDS, names, st.binary(min_size=1, max_size=300))
def test_a_broadcast_is_a_user_message_after_a_nack_of_no_ping(id: bytes, source: str, payload: bytes):
    header, user = PACKETS.open(encode_broadcast(id, source, payload))
    assert decode(header) == BroadcastHeader(crc32(payload), source, id)
    assert decode(user) == User(payload)
    fields = unpack(header[1:])
    assert isinstance(fields, dict)
    assert (header[0], fields[b"SeqNo"]) == (11, 0)


@pytest.mark.parametrize("kind", AnswerKind)
def test_an_answer_names_the_life_of_a_node_that_is_ready(kind: AnswerKind):
    life = bytes(range(LIFE_BYTES)) if kind is AnswerKind.READY else b""
    assert read_answer(encode_answer(kind, life)) == Answer(kind, life)
    with pytest.raises(RemoteError):
        read_answer(encode_answer(kind, b"x"))


def test_other_programs_answer_with_nothing():
    assert read_answer(None) is None
    assert read_answer(b"") is None


@given(st.binary(max_size=200), st.sampled_from([0, 8]))
def test_whatever_the_addition_is_the_stream_is_read_or_refused(noise: bytes, kind: int):
    for data in (b"\x81\xa4Swim" + noise, b"\x82\xa4Swim" + noise + b"\xaaUserMsgLen\x00"):
        with suppress(RemoteError):
            parsed(bytes((kind,)) + data)
