"""Lines come out the same however they are cut; and a type decides which documents fit."""

from __future__ import annotations

import contextlib
import itertools
import json
from typing import Any, NotRequired, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_api.client.fitting import decoded, fits
from agent_api.client.requests import LineReader

OBJECTS = st.lists(
    st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3), max_size=8
)


@given(OBJECTS, st.lists(st.integers(0, 400)), st.booleans())
def test_lines_are_the_same_however_they_are_cut(
    objects: list[dict[str, Any]], cuts: list[int], beats: bool
) -> None:
    whole = b"".join(json.dumps(item, ensure_ascii=False).encode() + b"\n" for item in objects)
    reader: LineReader[Any] = LineReader(beats=beats)
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    found = [item for start, end in itertools.pairwise(places) for item in reader.feed(whole[start:end])]
    assert found == [item for item in objects if item or beats]
    if objects:
        reader.finish()


@given(st.binary(max_size=60))
def test_any_bytes_are_items_or_a_refusal(received: bytes) -> None:
    reader: LineReader[Any] = LineReader()
    try:
        assert all(isinstance(item, dict) for item in list(reader.feed(received)))
        reader.finish()
    except ValueError:
        return
    assert received.endswith(b"\n")


def test_what_came_before_a_wrong_line_is_not_lost() -> None:
    items = LineReader[Any]().feed(b'{"a": 1}\n{"a": 2}\n[]\n{"a": 3}\n')
    assert (next(items), next(items)) == ({"a": 1}, {"a": 2})
    with pytest.raises(ValueError, match="no object"):
        next(items)


class Inner(TypedDict):
    name: str
    age: NotRequired[float | None]


class Whole(TypedDict, total=False):
    inner: list[Inner]
    tags: dict[str, int]


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        ({}, Whole, True),
        ({"inner": [], "more": 1}, Whole, True),
        ({"inner": [{"name": "a"}]}, Whole, True),
        ({"inner": [{"name": "a", "age": None}]}, Whole, True),
        ({"inner": [{"name": "a", "age": 1}]}, Whole, True),
        ({"inner": [{"name": "a", "age": "1"}]}, Whole, False),
        ({"inner": [{"age": 1.0}]}, Whole, False),
        ({"inner": {}}, Whole, False),
        ({"tags": {"a": True}}, Whole, False),
        ({"tags": None}, Whole, False),
        ([], Whole, False),
        (True, int, False),
        (True, bool, True),
        (1, float, True),
        (1.0, int, False),
        (None, object, True),
    ],
)
def test_what_fits(value: Any, kind: Any, expected: bool) -> None:
    assert fits(value, kind) is expected


@given(st.binary(max_size=20) | st.integers(1, 200_000).map(lambda depth: b"[" * depth))
def test_decoding_raises_nothing_else(text: bytes) -> None:
    with contextlib.suppress(ValueError):
        decoded(text)
