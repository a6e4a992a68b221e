"""What is remembered by its bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from swim.wire.codec import encode_record
from swim.wire.decode_cache import Known
from swim.wire.messages import NodeRecord
from swim.wire.node_records import read_records
from tests.wire.strategies import records


@given(st.lists(records, min_size=1, max_size=6))
def test_a_block_is_read_as_its_records_and_the_same_again(listed: list[NodeRecord]) -> None:
    block = b"".join(map(encode_record, listed))
    first = read_records(block, len(listed))
    assert first == tuple(listed)
    assert read_records(bytes(bytearray(block)), len(listed)) is first


@given(st.lists(records, min_size=1, max_size=4), st.integers(-2, 2), st.integers(-3, 3))
def test_a_block_of_another_number_or_length_is_not_taken(
    listed: list[NodeRecord], more: int, longer: int
) -> None:
    block = b"".join(map(encode_record, listed))
    cut = block[:longer] if longer < 0 else block + b"\xc1" * longer
    taken = read_records(cut, len(listed) + more)
    assert (taken is not None) == (more == longer == 0)


def test_a_record_that_is_unusable_spoils_the_block() -> None:
    good = NodeRecord("a", bytes(4), 1, None, 1, 0, bytes((1, 5, 2, 2, 5, 5)))
    block = encode_record(good) + encode_record(good._replace(addr=b"\x01"))
    assert read_records(block, 2) is None


def test_the_oldest_goes_and_what_is_too_large_is_not_kept() -> None:
    known: Known[int] = Known(size=2, largest=3)
    for value, data in enumerate((b"a", b"b", b"long", b"c")):
        assert known.keep(data, value) == value
    assert [known.get(data) for data in (b"a", b"b", b"long", b"c")] == [None, 1, None, 3]
    equal = bytes(bytearray(b"c"))
    assert known.shared(equal) is known.shared(b"c")
    assert known.shared(b"a") is None
