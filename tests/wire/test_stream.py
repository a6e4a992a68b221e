"""One message on a stream, from chunks of any size."""

from __future__ import annotations

import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.config import Config
from swim.errors import RemoteError
from swim.wire import lzw
from swim.wire.codec import encode, encode_user_stream
from swim.wire.go_msgpack import pack
from swim.wire.keyring import Keyring
from swim.wire.messages import Ack, ErrorReply, NodeRecord, Ping, PushPull, User
from swim.wire.stream import StreamCodec, StreamParser
from tests.vectors.differences import ON_THE_WIRE
from tests.vectors.of_memberlist import KEY, load, message, outcome, record, select, some
from tests.wire import strategies

NONCE = b"once and only"[:12]
RECORD = NodeRecord("n", b"\x7f\0\0\1", 7946, None, 1, 0, b"\1\5\2\2\5\5")


def codec(*, nonce=NONCE, **settings):
    config = Config(name="n", **({"enable_compression": True} | settings))
    return StreamCodec(config, Keyring(config.keys), lambda: nonce)


def parser(*, acceptor=True, **settings):
    return StreamParser(codec(**settings), acceptor=acceptor)


def on_stream(value):
    return encode_user_stream(value.body) if isinstance(value, User) else encode(value)


def _settings(data, fields):
    outgoing = fields.get("gossip_verify_outgoing", True)
    start = (2 + len(fields["label"]) if data[0] == 0xF4 else 0) + 6
    return {
        "nonce": data[start : start + 12],
        "label": fields["label"],
        "keys": (some(fields["key"]),) if fields["key"] else (),
        "gossip_verify_outgoing": outgoing,
        "gossip_verify_incoming": outgoing,
        "enable_compression": fields["compression"],
        "protocol_version": fields["protocol_version"],
        "accept_encryption_v0": True,
    }


def _expected(fields, acceptor):
    if "nodes" in fields:
        return PushPull(fields["join"], tuple(map(record, fields["nodes"])), some(fields["user_state"]))
    whole = some(fields["message"])
    return parser(acceptor=acceptor).feed(whole)


@pytest.mark.parametrize("vector", select(load("streams"), lambda v: "compression" in v["fields"]))
def test_exchanges_both_ways(vector):
    """The vectors of labelled clusters come without the dialling side's header, except for pings."""
    data, fields = bytes.fromhex(vector["hex"]), vector["fields"]
    settings = _settings(data, fields)
    labelled = data[0] == 0xF4
    acceptor = "reply" not in vector["name"]
    reader = parser(acceptor=acceptor, skip_inbound_label_check=not labelled, **settings)
    found = reader.feed(data)
    assert found == _expected(fields, acceptor)
    if f"streams/{vector['name']}" not in ON_THE_WIRE:
        assert codec(**settings).seal(on_stream(found), label_header=labelled) == data


def _error_vectors():
    return select(load("streams"), lambda v: v["name"].startswith("error-reply") and v["hex"])


@pytest.mark.parametrize("vector", _error_vectors())
def test_requests_that_memberlist_answers_with_an_error(vector):
    fields = vector["fields"]
    keys = (some(fields["server_key"]),) if fields["server_key"] else ()
    server = parser(keys=keys)
    with pytest.raises(RemoteError):
        server.feed(some(fields["request"]))
    assert server.error_reply
    reply = bytes.fromhex(vector["hex"])
    settings = {"keys": keys, "enable_compression": "compressing" in vector["name"], "nonce": reply[6:18]}
    client = parser(acceptor=False, **settings)
    assert isinstance(told := client.feed(reply), ErrorReply)
    assert codec(**settings).seal(encode(told), label_header=False) == reply


@pytest.mark.parametrize(
    "vector",
    select(
        load("streams"),
        lambda v: v["name"].startswith("error-reply") and v["fields"]["request"] and not v["hex"],
    ),
)
def test_requests_that_memberlist_does_not_answer(vector):
    fields = vector["fields"]
    reader = parser(keys=(some(fields["server_key"]),) if fields["server_key"] else ())
    if "unknown-type" in vector["name"]:
        with pytest.raises(RemoteError, match="unknown-type"):
            reader.feed(some(fields["request"]))
        assert not reader.error_reply
    else:
        found = reader.feed(some(fields["request"]))
        assert found is None or found.node == "other"


def test_the_acceptors_reply_to_a_join():
    [parameter] = select(load("streams"), lambda v: v["name"] == "push-pull-server-reply-to-join")
    vector = parameter.values[0]
    request = parser().feed(some(vector["fields"]["request"]))
    reply = parser(acceptor=False).feed(bytes.fromhex(vector["hex"]))
    assert request.join
    assert reply.join
    plain = codec(enable_compression=False)
    assert plain.seal(encode(reply), label_header=False) == bytes.fromhex(vector["hex"])


CAPTURES = ("live_serf_plain", "live_serf_encrypted", "live_head_label", "live_alertmanager")


@pytest.mark.parametrize("vector", select(load(*CAPTURES), lambda v: v["fields"]["transport"] == "tcp"))
def test_captured_streams_both_ways(vector):
    data, fields = bytes.fromhex(vector["hex"]), vector["fields"]
    acceptor = "dialler" in vector["name"]
    label = data[2 : 2 + data[1]].decode() if data[0] == 0xF4 else ""
    if not label and "label is in its AAD" in vector["notes"]:
        label = "dc1.prod"
    start = 6 + (2 + len(label) if data[0] == 0xF4 else 0)
    settings = {"nonce": data[start : start + 12], "label": label, "keys": tuple(map(some, fields["keys"]))}
    found = parser(acceptor=acceptor, **settings).feed(data)
    decoded = fields["decoded"]
    if decoded["type"] == "pushPull":
        nodes = tuple(map(record, decoded["nodes"]))
        assert found == PushPull(decoded["header"]["Join"], nodes, some(decoded["user_state"]))
    else:
        assert found == message(decoded["type"], decoded if "body" in decoded else decoded["header"])
    again = codec(**settings).seal(on_stream(found), label_header=acceptor)
    assert again == data


HOSTILE = {
    "stream-empty-compressed": ("empty", True),
    "stream-nodes-negative": ("msgpack", False),
    "stream-user-state-negative": ("msgpack", False),
    "stream-user-len-negative": ("msgpack", False),
}


@pytest.mark.parametrize("vector", select(load("malformed"), lambda v: v["name"] in HOSTILE))
def test_hostile_streams_are_refused(vector):
    reader = parser()
    with pytest.raises(RemoteError) as caught:
        reader.feed(bytes.fromhex(vector["hex"]))
    assert (caught.value.reason, reader.error_reply) == HOSTILE[vector["name"]]


def test_a_short_body_is_waited_for():
    [parameter] = select(load("malformed"), lambda v: v["name"] == "stream-user-len-short-body")
    reader = parser()
    assert reader.feed(bytes.fromhex(parameter.values[0]["hex"])) is None
    assert reader.feed(b"bcde") == User(b"abcde")


@pytest.mark.parametrize("vector", select(load("malformed"), lambda v: v["name"].startswith("stream-vsn-")))
def test_unusable_records_are_left_out_and_counted(vector):
    reader = parser()
    found = reader.feed(bytes.fromhex(vector["hex"]))
    assert found.records == ()
    assert reader.bad_records == 1


def test_a_bad_record_does_not_take_the_others_with_it():
    bad = [
        RECORD._replace(name=""),
        RECORD._replace(state=4),
        RECORD._replace(addr=b"\1"),
        RECORD._replace(vsn=b""),
    ]
    reader = parser()
    sent = encode(PushPull(True, (RECORD, *bad, RECORD), b"state"))
    assert reader.feed(sent) == PushPull(True, (RECORD, RECORD), b"state")
    assert reader.bad_records == 4


def test_a_record_that_is_no_record_refuses_the_push_pull():
    whole = encode(PushPull(True, (RECORD,)))
    with pytest.raises(RemoteError, match="msgpack"):
        parser().feed(whole.replace(b"\xa4Port", b"\xa4Port\xff")[:-1])


REFUSALS = [
    (b"\xf4\x01x\x00\x80", {}, "label", False),
    (b"\xf4\x00", {}, "label", False),
    (b"\x00\x80", {"label": "x"}, "label", False),
    (b"\xf4\x01x\x00\x80", {"label": "x", "skip_inbound_label_check": True}, "label", False),
    (b"\x00\x80", {"keys": (KEY,)}, "plaintext", True),
    (b"\x0a\0\0\0\x01\x01", {}, "decrypt", True),
    (b"\x0a\0\0\0\x00", {"keys": (KEY,)}, "empty", True),
    (b"\x0a\xff\xff\xff\xff", {"keys": (KEY,)}, "too-large", True),
    (b"\x09" + pack({"Algo": 1, "Buf": b""}), {}, "compress", True),
    (b"\x09\xc1", {}, "msgpack", True),
    (b"\x09" + pack({"Algo": 0, "Buf": lzw.compress(b"\x09\x80")}), {}, "unknown-type", False),
    (b"\x09" + pack({"Algo": 0, "Buf": lzw.compress(b"\x06\x81")}), {}, "truncated", False),
    (b"\x09" + pack({"Algo": 0, "Buf": lzw.compress(b"\x00")}), {}, "truncated", False),
    (b"\x02\x80", {}, "unknown-type", False),
    (b"\x07\x00", {}, "unknown-type", False),
    (b"\x06\xc3", {}, "msgpack", False),
    (b"\x06" + pack({"Nodes": 3}), {"max_push_pull_records": 2}, "too-many-records", False),
    (b"\x06" + pack({"UserStateLen": 2**40}), {}, "too-large", False),
    (b"\x08" + pack({"UserMsgLen": 2**40}), {}, "too-large", False),
]


@pytest.mark.parametrize(("data", "settings", "reason", "error_reply"), REFUSALS)
def test_refusals_and_whether_the_peer_is_told(data, settings, reason, error_reply):
    reader = parser(**settings)
    with pytest.raises(RemoteError) as caught:
        reader.feed(data)
    assert (caught.value.reason, reader.error_reply) == (reason, error_reply)
    assert reader.feed(b"more") is None


@pytest.mark.parametrize(("acceptor", "wanted"), [(True, {0, 6, 8}), (False, {2, 6, 13})])
def test_each_side_expects_its_own_types(acceptor, wanted):
    for kind in set(range(256)) - {9, 10, 0xF4}:
        _, reason = outcome(parser(acceptor=acceptor).feed, bytes((kind, 0x80)))
        assert reason == ("" if kind in wanted else "unknown-type")


def test_received_bytes_are_limited():
    reader = parser(max_stream_bytes=2000, max_push_pull_records=10_000)
    assert reader.feed(b"\x06" + pack({"Nodes": 9000})) is None
    assert reader.feed(b"\x80" * 1900) is None
    with pytest.raises(RemoteError, match="too-large"):
        reader.feed(b"\x80" * 100)
    exact = encode_user_stream(bytes(1900))
    assert parser(max_stream_bytes=len(exact)).feed(exact) == User(bytes(1900))
    with pytest.raises(RemoteError, match="too-large"):
        parser(max_stream_bytes=len(exact) - 1).feed(exact)


def test_decompressed_bytes_are_limited():
    sealed = codec().seal(encode_user_stream(bytes(5000)), label_header=False)
    reader = parser(max_decompressed_stream_bytes=4000)
    with pytest.raises(RemoteError, match="decompressed-too-large"):
        reader.feed(sealed)
    assert reader.error_reply


def test_a_reply_carries_no_label_header_but_is_bound_to_the_label():
    settings = {"label": "dc1", "keys": (KEY,)}
    reply = codec(**settings).seal(encode(Ack(7)), label_header=False)
    assert reply[0] == 0x0A
    assert parser(acceptor=False, **settings).feed(reply) == Ack(7)
    with pytest.raises(RemoteError, match="decrypt"):
        parser(acceptor=False, label="dc2", keys=(KEY,)).feed(reply)


layered = st.fixed_dictionaries(
    {
        "label": st.sampled_from(["", "dc1.prod"]),
        "keys": st.sampled_from([(), (KEY,)]),
        "enable_compression": st.booleans(),
        "protocol_version": st.sampled_from([1, 2]),
        "accept_encryption_v0": st.just(True),
    }
)
requests = st.one_of(
    strategies.push_pulls,
    st.builds(User, st.binary(max_size=300)),
    st.builds(Ping, strategies.u32, strategies.texts, *strategies.sources),
)
replies = st.one_of(
    strategies.push_pulls,
    st.builds(Ack, strategies.u32, st.none()),
    st.builds(ErrorReply, strategies.texts),
)


def _fed(reader, data, cuts):
    """Feeds ``data`` cut at ``cuts``; returns the message or the reason of the error."""
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    found = None
    try:
        for start, end in pairwise(edges):
            part = reader.feed(data[start:end])
            assert found is None or part is None
            found = found or part
    except RemoteError as error:
        return error.reason, reader.error_reply
    return found


@given(
    layered,
    st.one_of(st.tuples(st.just(True), requests), st.tuples(st.just(False), replies)),
    st.lists(st.integers(0, 4000)),
)
def test_round_trip_in_any_chunks(settings, side_and_value, cuts):
    acceptor, value = side_and_value
    sealed = codec(**settings).seal(on_stream(value), label_header=acceptor)
    assert parser(acceptor=acceptor, **settings).feed(sealed) == value
    assert _fed(parser(acceptor=acceptor, **settings), sealed + b"trailing", cuts) == value
    waiting = parser(acceptor=acceptor, **settings)
    assert [waiting.feed(sealed[i : i + 1]) for i in range(len(sealed) - 1)] == [None] * (len(sealed) - 1)


@given(
    st.one_of(
        st.binary(max_size=100),
        st.tuples(st.sampled_from([0, 2, 6, 8, 9, 10, 13]), st.binary(max_size=100)).map(
            lambda t: bytes((t[0],)) + t[1]
        ),
        st.tuples(requests.map(on_stream), st.integers(0, 300), st.integers(0, 255)).map(
            lambda t: t[0][: t[1]] + bytes((t[2],)) + t[0][t[1] + 1 :]
        ),
    ),
    st.booleans(),
    st.sampled_from([(), (KEY,)]),
    st.lists(st.integers(0, 400), max_size=5),
)
def test_any_bytes_give_one_outcome_however_they_are_cut(data, acceptor, keys, cuts):
    settings = {"acceptor": acceptor, "keys": keys, "gossip_verify_incoming": False, "max_stream_bytes": 1024}
    assert _fed(parser(**settings), data, cuts) == _fed(parser(**settings), data, [])


def _calls(records, keys):
    """Function calls it takes to read a push/pull of so many records in chunks of seven bytes."""
    sent = encode(PushPull(False, (RECORD,) * records, bytes(records)))
    sealed = codec(keys=keys, enable_compression=False).seal(sent, label_header=True)
    reader, count, found = parser(keys=keys), 0, None

    def counted(frame, event, argument):
        nonlocal count
        count += 1

    sys.setprofile(counted)
    try:
        for start in range(0, len(sealed), 7):
            found = reader.feed(sealed[start : start + 7]) or found
    finally:
        sys.setprofile(None)
    assert len(found.records) == records
    return count


@pytest.mark.parametrize("keys", [(), (KEY,)])
def test_small_chunks_do_not_start_over(keys):
    assert _calls(400, keys) < 2.2 * _calls(200, keys)
