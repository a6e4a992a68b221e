"""Decoding costs what its input is worth: elements, depth and memory have bounds of their own."""

from __future__ import annotations

import gc
import tracemalloc
from contextlib import suppress

import msgpack  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.config import Config
from swim.errors import RemoteError
from swim.wire.codec import decode, encode, encode_user_stream
from swim.wire.compression import compress_message
from swim.wire.go_msgpack import DEPTH_MAX, ELEMENTS_MAX, ElementBudget, pack, unpack
from swim.wire.keyring import Keyring
from swim.wire.messages import NodeRecord, Ping, PushPull
from swim.wire.steps import Pause
from swim.wire.stream import StreamCodec, StreamParser
from tests.vectors.of_memberlist import KEY

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.binary(max_size=300)
    | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=40)),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.binary(max_size=9), inner, max_size=20),
    max_leaves=60,
)


def shape(value: object) -> tuple[int, int]:
    """Elements and depth of the containers of a value."""
    if isinstance(value, dict):
        inner = [shape(one) for pair in value.items() for one in pair]
    elif isinstance(value, (list, tuple)) and not isinstance(value, msgpack.ExtType):
        inner = [shape(one) for one in value]
    else:
        return 0, 0
    return len(inner) + sum(size for size, _ in inner), 1 + max((depth for _, depth in inner), default=0)


@given(VALUES, st.booleans(), st.binary(max_size=20))
def test_what_is_within_the_limits_is_read_as_msgpack_reads_it(value, new_types, more):
    data = msgpack.packb(value, use_bin_type=new_types)
    if shape(value)[1] < DEPTH_MAX:
        assert unpack(data + more) == msgpack.unpackb(data, raw=True, use_list=False, strict_map_key=False)


@pytest.mark.parametrize(
    "unit",
    [b"\xdc\x04\x00", b"\xdc\x00\x80", b"\xdd\x00\x00\x00\xff", b"\xde\x01\x00", b"\x9f", b"\x8f", b"\x91"],
)
@pytest.mark.parametrize("between", [b"", b"\xc0", b"\xc0" * 20, b"\xa1x" * 7])
@pytest.mark.parametrize("size", [100, 160, 855, 60_000])
def test_headers_of_lists_and_maps_build_nothing_by_themselves(unit, between, size):
    body = ((unit + between) * size)[:size]
    gc.collect()
    tracemalloc.start()
    try:
        with suppress(RemoteError):
            decode(b"\0" + body)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000 + 3 * size


@given(
    st.binary(max_size=2000)
    | st.lists(st.sampled_from([b"\xdc\1\0", b"\x9f", b"\x81", b"\xc0"])).map(b"".join)
)
def test_no_value_has_more_elements_or_levels_than_its_budget(data):
    budget = ElementBudget(500)
    try:
        value = unpack(data, budget)
    except RemoteError:
        return
    elements, depth = shape(value)
    assert elements <= max(ELEMENTS_MAX, 160)
    assert depth <= max(DEPTH_MAX, 160)
    assert budget.left >= 0


def test_the_values_of_one_packet_share_a_budget():
    budget = ElementBudget(1000)
    body = pack({"New": [[]] * 300, "Node": "n", "SeqNo": 1})
    assert [decode(b"\0" + body, budget) for _ in range(3)] == [Ping(1, "n")] * 3
    with pytest.raises(RemoteError, match="elements"):
        decode(b"\0" + body, budget)


# -- streams

RECORD = NodeRecord("n", b"\x7f\0\0\1", 7946, None, 1, 0, b"\1\5\2\2\5\5")


def codec(**settings):
    config = Config(name="n", **settings)
    return StreamCodec(config, Keyring(config.keys), lambda: bytes(12))


COPIES = 10


def many_records(count: int, **changes) -> bytes:
    return encode(
        PushPull(False, tuple(RECORD._replace(name=f"{n}", **changes) for n in range(count)), b"s" * 999)
    )


LAYERS = {
    "plain": ({}, many_records(2000)),
    "encrypted": ({"keys": (KEY,)}, many_records(2000)),
    "compressed": ({"enable_compression": True}, many_records(2000)),
    "both": ({"enable_compression": True, "keys": (KEY,)}, many_records(2000)),
    "metadata": ({}, many_records(1000, meta=bytes(500))),
    "user": ({}, encode_user_stream(bytes(500_000))),
    "state": ({}, encode(PushPull(True, (RECORD,), bytes(500_000)))),
    "bomb": ({}, compress_message(encode_user_stream(bytes(1_000_000)))),
    "encrypted, in steps": ({"keys": (KEY,)}, encode_user_stream(bytes(3_000_000))),
    "bad records": ({}, many_records(2000, vsn=b"")),
}


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("name", LAYERS)
def test_an_abandoned_parser_frees_all_and_said_how_much_it_kept(name, share):
    """Without the collector: what ten parsers keep is what they say, and nothing when they are let go."""
    settings, message = LAYERS[name]
    data = codec(**settings).seal(message, label_header=True)
    part = data[: int(len(data) * share)]
    StreamParser(codec(**settings), acceptor=True).feed(data)
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        parsers = [StreamParser(codec(**settings), acceptor=True) for _ in range(COPIES)]
        for parser in parsers:
            for start in range(0, len(part), 65_536):
                assert parser.feed(part[start : start + 65_536]) is None
        held = tracemalloc.get_traced_memory()[0] - before
        told = sum(parser.memory for parser in parsers)
        parsers.clear()
        del parser
        left = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()
    assert 0.6 * held - COPIES * 3_000 < told
    assert left < 30_000


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_a_parser_in_the_middle_of_its_work_says_what_it_keeps_and_frees_it(name):
    settings, message = LAYERS[name]
    data = codec(**settings).seal(message, label_header=True)
    StreamParser(codec(), acceptor=True).feed(message[:-1])  # single records stay known
    for turns in (1, 3, 10):
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            parser = StreamParser(codec(**settings), acceptor=True)
            parser.push(data)
            pauses = [next(parser.steps, None) for _ in range(turns)]
            held = tracemalloc.get_traced_memory()[0] - before
            told = parser.memory
            del parser
            left = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
            gc.enable()
        if pauses[-1] is Pause.TURN:
            assert 0.6 * held - 12_000 < told
            assert left < 30_000


@pytest.mark.parametrize(
    "body", [b"\xdc\x04\x00" * 3000, b"\x9f" * 9000, b"\xdb\x00\xff\xff\xff" + bytes(9000)]
)
@pytest.mark.parametrize("kind", [b"\x00", b"\x06", b"\x08", b"\x06" + pack({"Nodes": 5})])
def test_a_value_of_a_stream_is_built_only_if_it_is_small(kind, body):
    parser = StreamParser(codec(), acceptor=True)
    tracemalloc.start()
    try:
        with suppress(RemoteError):
            for start in range(0, len(body), 1000):
                assert parser.feed(kind * (not start) + body[start : start + 1000]) is None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 300_000


def test_long_streams_are_read_in_turns_and_short_ones_at_once():
    for count, least in ((100, 0), (4000, 5)):
        for number, settings in enumerate(({}, {"enable_compression": True})):
            records = many_records(count, meta=bytes((number,)))  # no node knows them yet
            data = codec(**settings).seal(records, label_header=True)
            parser = StreamParser(codec(**settings), acceptor=True)
            parser.push(data)
            turns = 0
            while next(parser.steps, None) is Pause.TURN:
                turns += 1
            assert least <= turns <= len(data)
            assert bool(turns) == bool(least)
