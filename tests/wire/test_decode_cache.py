"""What is remembered by its bytes: the same value again, within a budget of bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from swim.config import Config
from swim.wire.codec import encode
from swim.wire.decode_cache import DecodeCache
from swim.wire.keyring import Keyring
from swim.wire.messages import NodeRecord, PushPull
from swim.wire.stream import StreamCodec, StreamParser
from tests.wire.strategies import records


def read(message: PushPull) -> PushPull:
    config = Config(name="n")
    parser = StreamParser(StreamCodec(config, Keyring(()), lambda: bytes(12)), acceptor=True)
    found = parser.feed(encode(message))
    assert isinstance(found, PushPull)
    return found


@given(st.lists(records, min_size=1, max_size=6), st.binary(max_size=9), st.booleans())
def test_the_same_table_is_the_same_tuple(listed: list[NodeRecord], state: bytes, join: bool) -> None:
    first = read(PushPull(join, tuple(listed), state))
    again = read(PushPull(not join, tuple(listed), state * 2))
    assert first == PushPull(join, tuple(listed), state)
    assert again == PushPull(not join, tuple(listed), state * 2)
    assert again.records is first.records


def test_a_record_that_is_unusable_is_left_out_each_time() -> None:
    good = NodeRecord("a", bytes(4), 1, None, 1, 0, bytes((1, 5, 2, 2, 5, 5)))
    for _ in range(2):
        assert read(PushPull(False, (good, good._replace(addr=b"\x01")))).records == (good,)


@given(st.lists(st.tuples(st.binary(max_size=30), st.integers(0, 60)), max_size=40))
def test_what_is_kept_stays_within_the_budget(entries: list[tuple[bytes, int]]) -> None:
    cache: DecodeCache[int] = DecodeCache(budget=100)
    for data, weight in entries:
        assert cache.keep(data, weight, weight) == weight
        assert cache.weight <= 100
        assert cache.get(data) is not None or weight + len(data) > 50


def test_the_oldest_goes_and_equal_bytes_are_shared() -> None:
    cache: DecodeCache[int] = DecodeCache(budget=40)
    for value, data in enumerate((b"a", b"b", b"c")):
        cache.keep(data, value, 15)
    assert [cache.get(data) for data in (b"a", b"b", b"c")] == [None, 1, 2]
    equal = bytes(bytearray(b"c"))
    assert cache.shared(equal) is cache.shared(b"c")
    assert cache.shared(b"a") is None
