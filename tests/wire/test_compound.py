"""Several messages in one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.errors import LocalError, RemoteError
from swim.wire.compound import MAX_PARTS, pack, split
from tests.vectors.differences import ON_THE_WIRE
from tests.vectors.of_memberlist import load, outcome, some


@pytest.mark.parametrize("vector", load("compound"))
def test_vectors(vector):
    data, fields = bytes.fromhex(vector["hex"]), vector["fields"]
    if "parts" not in fields:
        with pytest.raises(RemoteError, match="truncated"):
            split(data)
        return
    parts = [some(part) for part in fields["parts"]]
    assert split(data) == (parts, fields.get("truncated", 0))
    if f"compound/{vector['name']}" in ON_THE_WIRE:
        with pytest.raises(LocalError):
            pack(parts)
    elif not vector["name"].startswith("decode-"):
        assert pack(parts) == data


@pytest.mark.parametrize("parts", [[], [b"a"] * (MAX_PARTS + 1), [b"a", b""], [bytes(65536)]], ids=len)
def test_what_old_peers_crash_on_is_not_written(parts):
    with pytest.raises(LocalError):
        pack(parts)


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=MAX_PARTS), st.binary(max_size=9))
def test_round_trip(parts, trailing):
    assert split(pack(parts) + trailing) == (parts, 0)


@given(st.binary(max_size=200))
def test_any_bytes_split_or_are_refused(body):
    data = b"\x07" + body
    result, reason = outcome(split, data)
    if result is None:
        assert reason == "truncated"
        return
    parts, missing = result
    assert len(parts) + missing == data[1]
    assert b"".join(parts) in data
