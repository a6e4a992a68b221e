"""Go's parsers, as far as query parameters need them."""

from __future__ import annotations

import pytest

from agent_api.parameters import Query, is_duration, parse_boolean


@pytest.mark.parametrize(
    "text", ["10s", "1m30s", "250ms", "0", "-0", "+1.5h", ".5s", "1.s", "1µs", "1μs", "-2h45m"]
)
def test_durations_go_reads(text: str) -> None:
    assert is_duration(text)


@pytest.mark.parametrize(
    "text",
    ["10", "", "s", ".s", "1 s", "1d", "--1s", "+", "1s1", "3000000h", "\u0661s", "1S", "9" * 400 + "h"],
)
def test_durations_go_refuses(text: str) -> None:
    assert not is_duration(text)


def test_booleans() -> None:
    assert [parse_boolean(text) for text in ("1", "t", "T", "true", "TRUE", "True")] == [True] * 6
    assert [parse_boolean(text) for text in ("0", "f", "F", "false", "FALSE", "False")] == [False] * 6
    assert [parse_boolean(text) for text in ("yes", "on", "no", "tRUE", "")] == [None] * 5


def test_first_value_counts_and_case_matters() -> None:
    query = Query(b"a=1&a=2&A=3&b&c=%C3%A4+x&d=a,b;c")
    assert query.first("a") == "1"
    assert query.all("a") == ["1", "2"]
    assert query.first("b") == ""
    assert query.first("c") == "ä x"
    assert query.first("d") == "a,b;c"
    assert query.first("e") is None


def test_region_is_the_first_that_is_not_blank() -> None:
    assert Query(b"region=&region=eu&region=us").region("global") == "eu"
    assert Query(b"region=").region("global") == "global"
