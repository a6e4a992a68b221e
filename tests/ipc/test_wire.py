"""Objects and requests from any bytes: read, or refused with one reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.errors import RemoteError
from swim.ipc.requests import BODIES, body_of, header_of
from swim.ipc.wire import ObjectReader, encode

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | st.binary(), inner, max_size=4),
    max_leaves=12,
)


def read(pieces: Sequence[bytes], **limits: int) -> tuple[list[Any], str]:
    """The objects in a stream that comes in pieces, and why it was refused, or ""."""
    reader = ObjectReader(**({"max_bytes": 1000, "max_items": 100} | limits))
    found: list[Any] = []
    try:
        for piece in pieces:
            reader.feed(piece)
            while (one := reader.next()) is not None:
                found += one
    except RemoteError as error:
        return found, error.reason
    return found, ""


@given(st.binary(max_size=200), st.integers(1, 50))
def test_any_bytes_are_read_or_refused_however_they_are_cut(data: bytes, size: int) -> None:
    whole = read([data])
    assert repr(read([data[at : at + size] for at in range(0, len(data), size)])) == repr(whole)
    assert whole[1] in ("", "ipc-malformed", "ipc-too-large")


@given(st.lists(VALUES, max_size=4))
def test_objects_come_as_they_were_written(values: list[Any]) -> None:
    data = encode(*values)
    assert repr(read([data], max_bytes=10_000)) == repr((values, ""))


@given(st.binary(max_size=40))
def test_strings_that_are_no_utf_8_come_back_unchanged(data: bytes) -> None:
    old = msgpack.packb(data, use_bin_type=False)
    (text,), _ = read([old])
    assert text.encode("utf-8", "surrogateescape") == data
    assert encode(text) == encode(data.decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xc1", "ipc-malformed"),
        (b"\xdb\xff\xff\xff\xff" + b"x" * 2000, "ipc-too-large"),
        (b"\xdd\xff\xff\xff\xff" * 190, ""),
        (b"\xdd\xff\xff\xff\xff" * 300, "ipc-too-large"),
        (b"\x91" * 900, ""),
        (b"\x91" * 900 + b"\xc0", ""),
        (b"\x91" * 3000, "ipc-malformed"),
        (b"\xdc\x00\x65" + b"\xc0" * 101, "ipc-malformed"),
        (b"\xdc\x00\x64" + b"\xc0" * 100, ""),
        (b"\x81\x01\x02", "ipc-malformed"),
        (b"\xc6\x00\x00\x07\xd0" + b"x" * 2000, "ipc-too-large"),
    ],
)
def test_limits(data: bytes, reason: str) -> None:
    assert read([data])[1] == reason
    in_bytes = read([data[at : at + 1] for at in range(len(data))])[1]
    assert bool(in_bytes) == bool(reason)


def test_a_length_allocates_nothing() -> None:
    """Each header says that four billion items follow, and each of them again."""
    import tracemalloc

    reader = ObjectReader(max_bytes=65_536, max_items=4096)
    tracemalloc.start()
    try:
        reader.feed(b"\xdd\xff\xff\xff\xff" * 500)
        assert reader.next() is None
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@given(VALUES | st.dictionaries(st.sampled_from(["Command", "Seq"]), VALUES))
def test_any_object_as_a_header(value: Any) -> None:
    with refused_at_most():
        command, seq = header_of(value)
        assert isinstance(command, str)
        assert 0 <= seq < 2**64


@given(st.sampled_from(sorted(BODIES)), st.data())
def test_any_object_as_a_body(command: str, data: st.DataObject) -> None:
    value = data.draw(VALUES | st.dictionaries(st.sampled_from(sorted(BODIES[command])), VALUES))
    with refused_at_most():
        fields = body_of(command, value)
        assert fields.keys() == BODIES[command].keys()
        assert None not in fields.values()


@contextmanager
def refused_at_most() -> Iterator[None]:
    """Nothing but a refusal may be raised."""
    try:
        yield
    except RemoteError as error:
        if error.reason != "ipc-malformed":
            raise


@pytest.mark.parametrize("command", BODIES)
def test_missing_nil_and_unknown_fields(command: str) -> None:
    empty = body_of(command, {})
    assert body_of(command, dict.fromkeys(BODIES[command])) == empty
    assert body_of(command, {"Other": [{}]}) == empty
    assert not any(empty.values())
