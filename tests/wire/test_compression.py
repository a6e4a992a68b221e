"""LZW and its message layer."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swim.errors import RemoteError
from swim.wire import lzw
from swim.wire.codec import encode
from swim.wire.compression import compress_message, decompress_message, shrink_message
from tests.vectors.differences import ON_THE_WIRE
from tests.vectors.of_memberlist import load, outcome, select, some
from tests.wire import strategies

LIMIT = 1 << 20


def _generated(length, seed, alphabet):
    x, out = seed, bytearray()
    for _ in range(length):
        x = (x * 1664525 + 1013904223) % 2**32
        out.append((x >> 16) % alphabet)
    return bytes(out)


def _payload(fields):
    return (
        _generated(**fields["payload_generator"])
        if "payload_generator" in fields
        else some(fields["payload"])
    )


@pytest.mark.parametrize("vector", select(load("compress"), lambda v: "payload_len" in v["fields"]))
def test_vectors_both_ways(vector):
    data, fields = bytes.fromhex(vector["hex"]), vector["fields"]
    payload = _payload(fields)
    assert f"{zlib.crc32(payload):08x}" == fields["crc32"]
    assert compress_message(payload) == data
    if f"compress/{vector['name']}" in ON_THE_WIRE:
        with pytest.raises(RemoteError, match="empty"):
            decompress_message(data, LIMIT)
    else:
        assert decompress_message(data, LIMIT) == payload


def test_bytes_after_the_end_code_are_ignored():
    [parameter] = select(load("compress"), lambda v: v["name"] == "lzw-trailing-garbage")
    vector = parameter.values[0]
    assert decompress_message(bytes.fromhex(vector["hex"]), LIMIT) == some(vector["fields"]["payload"])


@pytest.mark.parametrize("vector", select(load("compress"), lambda v: v["fields"].get("error")))
def test_broken_vectors_are_refused(vector):
    with pytest.raises(RemoteError, match="compress"):
        decompress_message(bytes.fromhex(vector["hex"]), LIMIT)


@pytest.mark.parametrize("limit", [0, 1, 99, 99_999])
def test_output_stops_at_the_limit(limit):
    data = lzw.compress(bytes(100_000))
    with pytest.raises(RemoteError, match="decompressed-too-large"):
        lzw.decompress(data, limit)
    assert lzw.decompress(data, 100_000) == bytes(100_000)


def test_a_full_table_stays_usable_until_it_is_cleared():
    """A decoder must live with an encoder that goes on past 4096 codes without clearing."""
    packed, bits, table_size = 256, 9, 257
    for code in [*([65] * 3839), 258, 4000, 257]:
        packed |= code << bits
        bits += min(table_size.bit_length(), 12)
        table_size = min(table_size + 1, 4096)
    data = packed.to_bytes((bits + 7) // 8, "little")
    assert lzw.decompress(data, LIMIT) == b"A" * 3839 + b"AA" + b"AA"


@given(st.binary(max_size=3000))
@example(bytes(9000))
@example(_generated(9000, 1, 256))
def test_round_trip(data):
    assert lzw.decompress(lzw.compress(data), len(data)) == data


@given(st.integers(0, 2**32), st.integers(1, 256), st.integers(0, 12_000))
def test_round_trip_of_long_inputs(seed, alphabet, length):
    data = _generated(length, seed, alphabet)
    assert lzw.decompress(lzw.compress(data), length) == data


@given(st.binary(max_size=300), st.integers(0, 2000))
def test_any_bytes_decompress_within_the_limit_or_are_refused(data, limit):
    result, reason = outcome(lzw.decompress, data, limit)
    assert reason in ("", "compress", "decompressed-too-large")
    assert result is None or len(result) <= limit


@given(
    st.one_of(
        st.binary(max_size=200), strategies.messages.map(encode), st.text("ab", max_size=90).map(str.encode)
    )
)
def test_a_message_is_wrapped_exactly_when_that_is_strictly_shorter(message):
    wrapped = compress_message(message)
    assert shrink_message(message) == (wrapped if len(wrapped) < len(message) else message)


def test_the_border_between_wrapped_and_bare():
    gains = set()
    for length in range(20, 60):
        for alphabet in range(1, 9):
            message = _generated(length, length, alphabet)
            wrapped = compress_message(message)
            gain = len(message) - len(wrapped)
            gains.add(gain)
            assert shrink_message(message) == (wrapped if gain > 0 else message)
    assert {-1, 0, 1} < gains
