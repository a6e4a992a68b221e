"""Whole packets: every layer at once."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.config import Config
from swim.errors import LocalError, RemoteError
from swim.metrics import Metrics
from swim.wire.codec import decode, encode
from swim.wire.compound import pack
from swim.wire.compression import compress_message
from swim.wire.keyring import Keyring
from swim.wire.packet import CRC_BYTES, PacketCodec
from tests.vectors.of_memberlist import KEY, leaves, load, outcome, select, some
from tests.wire import strategies

NONCE = b"once and only"[:12]
HELLO = b"\x08hello"


def codec(*, nonce=NONCE, **settings):
    config = Config(name="n", **({"enable_compression": True} | settings))
    return PacketCodec(config, Keyring(config.keys), lambda: nonce)


def opened(data, **settings):
    """The messages, and the reasons counted for the parts left out."""
    metrics = Metrics()
    messages = codec(**settings).open(data, metrics)
    return messages, {name.removeprefix("swim.dropped."): n for name, n in metrics.counters.items()}


def nonce_of(data, label):
    start = 1 + (2 + len(label.encode()) if label else 0)
    return data[start : start + 12]


@pytest.mark.parametrize("vector", load("packets"))
def test_datagrams_both_ways(vector):
    data, fields = bytes.fromhex(vector["hex"]), vector["fields"]
    outgoing = fields["gossip_verify_outgoing"]
    box = codec(
        nonce=nonce_of(data, fields["label"]),
        label=fields["label"],
        keys=(some(fields["key"]),) if fields["key"] else (),
        gossip_verify_outgoing=outgoing,
        gossip_verify_incoming=outgoing,
        enable_compression=fields["compression"],
        protocol_version=fields["protocol_version"],
        accept_encryption_v0=True,
    )
    messages, crc = box.open(data), fields["peer_pmax"] >= 5
    whole = some(fields["message"])
    assert messages == [whole] or pack(messages) == whole
    assert box.seal(messages, crc=crc) == data
    assert len(data) <= len(whole) + box.overhead + CRC_BYTES * crc


CAPTURES = ("live_serf_plain", "live_serf_encrypted", "live_head_label", "live_alertmanager")


@pytest.mark.parametrize("vector", select(load(*CAPTURES), lambda v: v["fields"]["transport"] == "udp"))
def test_captured_datagrams_both_ways(vector):
    data, fields = bytes.fromhex(vector["hex"]), vector["fields"]
    layers = dict((*layer, None)[:2] for layer in fields["layers"])
    label = layers.get("label") or ""
    keys = tuple(map(some, fields["keys"]))
    box = codec(nonce=nonce_of(data, label), label=label, keys=keys)
    messages = box.open(data)
    assert [decode(message) for message in messages] == leaves(fields["decoded"])
    assert [encode(decode(message)) for message in messages] == messages
    assert box.seal(messages, crc="crc" in layers) == data


@pytest.mark.parametrize("vector", load("crc"))
def test_crc_vectors(vector):
    data, fields = bytes.fromhex(vector["hex"]), vector["fields"]
    reasons = {"crc-bad": "crc", "crc-short": "unknown-type", "crc-empty-payload": "empty"}
    reasons["crc-nested"] = "unknown-type"
    if vector["name"] in reasons:
        with pytest.raises(RemoteError) as caught:
            codec().open(data)
        assert caught.value.reason == reasons[vector["name"]]
    else:
        payload = some(fields["payload"])
        assert codec().open(data) == [payload]
        assert codec().seal([payload], crc="crc32" in fields) == data


MALFORMED = {
    "packet-empty-compressed": "empty",
    "packet-empty-crc-body": "empty",
    "packet-compound-128-no-lengths": "truncated",
    "packet-push-pull-type": "unknown-type",
    "packet-error-type": "unknown-type",
    "packet-encrypt-type": "unknown-type",
    "packet-type-99": "unknown-type",
    "packet-only-type-ping": "msgpack",
    "packet-ping-array-bomb": "msgpack",
    "packet-plain-to-encrypted": "version",
    "packet-encrypted-empty": "empty",
}


@pytest.mark.parametrize("vector", select(load("malformed"), lambda v: v["name"] in MALFORMED))
def test_hostile_datagrams_are_refused(vector):
    keys = (KEY,) if "encrypted" in vector["name"] else ()
    messages, reason = outcome(codec(keys=keys).open, bytes.fromhex(vector["hex"]))
    if messages:
        _, reason = outcome(decode, *messages)
    assert reason == MALFORMED[vector["name"]]


def test_plaintext_passes_an_encrypted_node_that_does_not_insist():
    settings = {"keys": (KEY,), "gossip_verify_incoming": False}
    assert codec(**settings).open(b"\x08hi") == [b"\x08hi"]
    assert codec(**settings).open(codec(keys=(KEY,)).seal([HELLO], crc=True)) == [HELLO]


def test_broken_parts_are_counted_and_the_rest_is_returned():
    compound = pack([HELLO, b"\x06\x80", b"\x09\x80", b"\x07", b"\x63", HELLO])
    messages, dropped = opened(compound)
    assert messages == [HELLO, HELLO]
    assert dropped == {"unknown-type": 2, "compress": 1, "truncated": 1}


@pytest.mark.parametrize(
    ("data", "messages"), [("0703000300000003086869086869", 2), ("07020002000508aa08bb", 1)]
)
def test_empty_and_missing_parts_are_counted(data, messages):
    found, dropped = opened(bytes.fromhex(data))
    assert len(found) == messages
    assert sum(dropped.values()) == 1


def test_nesting_is_bounded():
    data = HELLO
    for _ in range(3):
        data = pack([data])
    data = compress_message(data)
    assert codec(max_layers=4).open(data) == [HELLO]
    assert opened(data, max_layers=3) == ([], {"nesting": 1})
    with pytest.raises(RemoteError, match="nesting"):
        codec(max_layers=1).open(compress_message(pack([HELLO])))


def test_compression_inside_compression_is_refused_at_any_depth():
    with pytest.raises(RemoteError, match="nesting"):
        codec().open(compress_message(compress_message(HELLO)))
    assert opened(compress_message(pack([HELLO, compress_message(HELLO)]))) == ([HELLO], {"nesting": 1})
    assert codec().open(pack([compress_message(HELLO), compress_message(HELLO)])) == [HELLO, HELLO]


def test_a_long_compression_layer_is_refused_unread():
    assert len(codec().open(compress_message(b"\x08" + bytes(60_000)))[0]) == 60_001
    with pytest.raises(RemoteError, match="too-large"):
        codec().open(b"\x09" + bytes(16_384))


def test_one_packet_brings_so_many_messages_and_no_more():
    full = pack([HELLO] * 127)
    assert len(codec().open(full)) == 127
    for data in (pack([full] * 10), compress_message(pack([full] * 10)), pack([pack([full] * 3)] * 5)):
        messages, dropped = opened(data, max_messages_per_packet=200)
        assert len(messages) < 200
        assert dropped["messages-per-packet"] > 0
    empty = b"\x07\xff" + bytes(2 * 255)
    messages, dropped = opened(pack([empty] * 100), max_messages_per_packet=255)
    assert dropped["empty"] <= 255


def test_the_output_of_all_layers_together_is_bounded():
    part = compress_message(b"\x08" + bytes(999))
    assert opened(pack([part] * 4), max_packet_bytes=3000) == (
        [b"\x08" + bytes(999)] * 3,
        {"decompressed-too-large": 1},
    )
    with pytest.raises(RemoteError, match="decompressed-too-large"):
        codec().open(compress_message(b"\x08" + bytes(65_536)))


def test_an_overlong_packet_is_refused_unseen():
    with pytest.raises(RemoteError, match="too-large"):
        codec(max_packet_bytes=1024, udp_buffer_size=1024).open(b"\x08" + bytes(1024))


def test_nothing_and_too_much_cannot_be_sealed():
    with pytest.raises(LocalError):
        codec().seal([], crc=False)
    with pytest.raises(LocalError):
        codec().seal([HELLO] * 128, crc=False)


def test_key_changes_take_effect_with_the_next_packet():
    config = Config(name="n", label="dc1")
    ring = Keyring()
    box = PacketCodec(config, ring, lambda: NONCE)
    assert box.overhead == 5
    plain = box.seal([HELLO], crc=False)
    ring.add(KEY)
    assert box.overhead == 34
    sealed = box.seal([HELLO], crc=False)
    assert len(sealed) == len(plain) + 29
    assert box.open(sealed) == [HELLO]
    with pytest.raises(RemoteError):
        box.open(plain)


settings = st.fixed_dictionaries(
    {
        "label": st.sampled_from(["", "dc1.prod"]),
        "keys": st.sampled_from([(), (KEY,), (bytes(32), KEY)]),
        "enable_compression": st.booleans(),
        "protocol_version": st.sampled_from([1, 2, 5]),
        "accept_encryption_v0": st.just(True),
    }
)


@given(settings, st.lists(strategies.messages.map(encode), min_size=1, max_size=6), st.booleans())
def test_round_trip(chosen, messages, crc):
    box = codec(**chosen)
    sealed = box.seal(messages, crc=crc)
    assert box.open(sealed) == messages
    plain = len(messages[0]) if len(messages) == 1 else len(pack(messages))
    assert len(sealed) <= plain + box.overhead + CRC_BYTES * crc


@given(st.binary(max_size=200), st.sampled_from(["", "x"]), st.booleans())
def test_any_bytes_open_or_are_refused(data, label, insist):
    keys = () if insist else (KEY,)
    try:
        messages, _ = opened(data, label=label, keys=keys, gossip_verify_incoming=insist)
    except RemoteError:
        return
    assert all(messages)
    assert sum(map(len, messages)) <= 65_536


_layers = st.recursive(
    st.one_of(st.binary(max_size=30), strategies.messages.map(encode)),
    lambda inner: st.one_of(
        inner.map(compress_message),
        st.lists(inner.filter(bool), min_size=1, max_size=4).map(pack),
        inner.map(lambda data: b"\x0c" + zlib.crc32(data).to_bytes(4, "big") + data),
        st.tuples(inner, st.integers(0, 40)).map(lambda cut: cut[0][: cut[1]]),
    ),
    max_leaves=12,
)


@given(_layers, st.integers(1, 4))
def test_any_layers_open_or_are_refused(data, max_layers):
    try:
        messages, _ = opened(data, max_layers=max_layers, max_packet_bytes=1400)
    except RemoteError:
        return
    assert all(messages)
    assert sum(map(len, messages)) <= 2800
