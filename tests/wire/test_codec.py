"""Messages to bytes and back, against memberlist's own bytes and against anything else."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.errors import LocalError, RemoteError
from swim.wire.codec import (
    PACKET_TYPES,
    decode,
    encode,
    encode_user_stream,
    push_pull_header_from,
    record_from,
)
from swim.wire.go_msgpack import unpack
from swim.wire.messages import (
    Ack,
    Alive,
    Dead,
    ErrorReply,
    IndirectPing,
    Nack,
    NodeRecord,
    Ping,
    PushPull,
    Suspect,
    User,
)
from swim.wire.user_messages import user_header_from
from tests.vectors.differences import ON_THE_WIRE
from tests.vectors.of_memberlist import KINDS, load, message, outcome, record, select
from tests.wire import strategies

ALIVE = Alive(1, "n", b"\x7f\0\0\1", 7946, None, b"\1\5\2\2\5\5")


def _in_packets(vector):
    return vector["fields"].get("type") in KINDS and "UserMsgLen" not in vector["fields"]


@pytest.mark.parametrize("vector", select(load("messages"), _in_packets))
def test_message_vectors_both_ways(vector):
    data, fields = bytes.fromhex(vector["hex"]), vector["fields"]
    if f"messages/{vector['name']}" in ON_THE_WIRE:
        with pytest.raises(RemoteError, match="bad-alive"):
            decode(data)
        return
    expected = message(KINDS[fields["type"]], fields)
    assert encode(expected) == data
    if data[0] in PACKET_TYPES:
        assert decode(data) == expected
    else:
        assert isinstance(expected, ErrorReply)


@pytest.mark.parametrize("vector", select(load("messages"), lambda v: "State" in v["fields"]))
def test_record_vectors_both_ways(vector):
    data, expected = bytes.fromhex(vector["hex"]), record(vector["fields"])
    assert record_from(unpack(data)) == expected
    assert encode(PushPull(False, (expected,))).endswith(data)


@pytest.mark.parametrize("vector", select(load("messages"), lambda v: "Nodes" in v["fields"]))
def test_push_pull_header_vectors(vector):
    data, fields = bytes.fromhex(vector["hex"]), vector["fields"]
    header = (fields["Nodes"], fields["UserStateLen"], fields["Join"])
    assert push_pull_header_from(unpack(data[1:])) == header
    if f"messages/{vector['name']}" not in ON_THE_WIRE:
        blank = ALIVE  # the header counts records, whatever they hold
        records = (NodeRecord(blank.node, blank.addr, 1, None, 1, 0, blank.vsn),) * fields["Nodes"]
        assert encode(PushPull(fields["Join"], records, bytes(fields["UserStateLen"]))).startswith(data)


@pytest.mark.parametrize("vector", select(load("messages"), lambda v: "UserMsgLen" in v["fields"]))
def test_user_stream_header_vectors(vector):
    data, size = bytes.fromhex(vector["hex"]), vector["fields"]["UserMsgLen"]
    assert user_header_from(unpack(data[1:])) == (User(b""), size)
    if f"messages/{vector['name']}" not in ON_THE_WIRE:
        assert encode_user_stream(bytes(size)) == data + bytes(size)


@pytest.mark.parametrize("vector", load("decoder_compat"))
def test_odd_encodings_are_read_as_memberlist_reads_them(vector):
    data, name = bytes.fromhex(vector["hex"]), f"decoder_compat/{vector['name']}"
    kind = 1 if vector["name"].startswith("ping") else 4
    reason = ON_THE_WIRE.get(name, "")
    if reason.startswith("bad-alive"):
        with pytest.raises(RemoteError, match="bad-alive"):
            decode(bytes((kind,)) + data)
    elif "error" in vector["fields"] and not reason:
        with pytest.raises(RemoteError):
            decode(bytes((kind,)) + data)
    elif kind == 4:
        fields = vector["fields"].get("decoded") or _as_head(name)
        assert decode(b"\4" + data) == message("alive", fields)
    else:
        got = decode(b"\1" + data)
        assert (got.seq_no, got.node, got.nack) == (7, "node-c", True)


def _as_head(name):
    head = name.replace("@0.2.2", "@head")
    [found] = select(load("decoder_compat"), lambda v: f"decoder_compat/{v['name']}" == head)
    return found.values[0]["fields"]["decoded"]


@pytest.mark.parametrize("vector", select(load("malformed"), lambda v: v["name"].startswith("alive-")))
def test_members_that_no_peer_could_use_are_refused(vector):
    data = bytes.fromhex(vector["hex"])
    if f"malformed/{vector['name']}" in ON_THE_WIRE:
        with pytest.raises(RemoteError, match="bad-alive"):
            decode(data)
    else:
        assert isinstance(decode(data), Alive)


@pytest.mark.parametrize(
    "change",
    [
        {"node": ""},
        {"node": "n" * 256},
        {"node": "ü" * 128},
        {"addr": b""},
        {"addr": b"\1" * 5},
        {"meta": b"m" * 513},
        {"vsn": b""},
        {"vsn": b"\1\5\2\0\0"},
        {"vsn": b"\0\5\2\0\0\0"},
        {"vsn": b"\1\5\6\0\0\0"},
        {"vsn": b"\3\5\2\0\0\0"},
        {"vsn": b"\5\1\2\0\0\0"},
    ],
    ids=repr,
)
def test_each_rule_for_members(change):
    assert decode(encode(ALIVE)) == ALIVE
    with pytest.raises(RemoteError, match="bad-alive"):
        decode(encode(ALIVE._replace(**change)))


def test_version_bytes_beyond_the_sixth_are_cut():
    assert decode(encode(ALIVE._replace(vsn=b"\1\5\2\2\5\5\7\7"))) == ALIVE
    array = ["n", b"\x7f\0\0\1", 1, b"m", 9, 2, b"\1\5\2\2\5\5\7\7"]
    assert record_from(unpack(msgpack.packb(array))) == NodeRecord(
        "n", b"\x7f\0\0\1", 1, b"m", 9, 2, b"\1\5\2\2\5\5"
    )


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        ([1, "n", b"\1\2\3\4", 2, "s"], Ping(1, "n", b"\1\2\3\4", 2, "s")),
        (
            [1, b"\1\2\3\4", 2, "n", True, b"\5\6\7\1", 3, "s"],
            IndirectPing(1, b"\1\2\3\4", 2, "n", True, b"\5\6\7\1", 3, "s"),
        ),
        ([1, b"p"], Ack(1, b"p")),
        ([1], Nack(1)),
        ([1, "n", "f"], Suspect(1, "n", "f")),
        ([1, "n", "f"], Dead(1, "n", "f")),
        ([1, "n", ALIVE.addr, 7946, None, ALIVE.vsn, "a field of the future"], ALIVE),
    ],
)
def test_a_struct_may_be_an_array_in_declaration_order(array, expected):
    assert decode(encode(expected)[:1] + msgpack.packb(array)) == expected


@pytest.mark.parametrize("nack", [2, -1, 0.0, b"\1"])
def test_what_is_not_a_bool(nack):
    with pytest.raises(RemoteError, match="msgpack"):
        decode(b"\1" + msgpack.packb({"Nack": nack}))


@pytest.mark.parametrize("kind", sorted(set(range(256)) - PACKET_TYPES))
def test_other_types_are_not_messages(kind):
    with pytest.raises(RemoteError, match="unknown-type"):
        decode(bytes((kind, 0x80)))


def test_nothing_is_not_a_message():
    with pytest.raises(RemoteError, match="empty"):
        decode(b"")


def test_text_that_is_no_text_is_the_callers_fault():
    with pytest.raises(LocalError, match="text"):
        encode(Ping(1, "\ud800"))
    assert decode(encode(Ping(1, "fine"))) == Ping(1, "fine")


@pytest.mark.parametrize("depth", [10, 100, 400, 5000])
def test_nested_arrays_cannot_exhaust_memory(depth):
    with pytest.raises(RemoteError, match=r"msgpack|elements"):
        decode(b"\0" + b"\xdc\xff\xff" * depth)


@pytest.mark.parametrize(("size", "reason"), [(1024, ""), (1025, "msgpack")])
def test_arrays_are_capped_before_they_are_allocated(size, reason):
    assert outcome(decode, b"\0" + msgpack.packb({"New": [None] * size}))[1] == reason


def test_unknown_fields_of_any_shape_are_ignored():
    body = msgpack.packb(
        {"SeqNo": 1, "Node": "n", "New": {7: [1, {"x": b"y"}], b"\xff": msgpack.Timestamp(5)}}
    )
    assert decode(b"\0" + body) == Ping(1, "n")


@given(strategies.messages)
def test_round_trip(value):
    assert decode(encode(value)) == value


@given(strategies.messages, st.binary(max_size=20))
def test_trailing_bytes_are_ignored(value, trailing):
    if not isinstance(value, User):
        assert decode(encode(value) + trailing) == value


@given(st.sampled_from(sorted(PACKET_TYPES)), st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_remote_error(kind, body):
    _message_or_remote_error(bytes((kind,)) + body)


_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(),
        st.binary(max_size=20),
        st.text(),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=8), st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)
_field_names = st.sampled_from(
    ["SeqNo", "Node", "SourceAddr", "SourcePort", "Target", "Port", "Nack", "Payload", "From", "Addr", "Vsn"]
)


@given(
    st.sampled_from(sorted(PACKET_TYPES)),
    st.one_of(_values, st.dictionaries(_field_names, _values, max_size=6)),
    st.booleans(),
)
def test_any_msgpack_value_is_a_message_or_a_remote_error(kind, value, use_bin):
    _message_or_remote_error(bytes((kind,)) + msgpack.packb(value, use_bin_type=use_bin))


def _message_or_remote_error(data):
    value, _ = outcome(decode, data)
    assert value is None or decode(encode(value)) == value
