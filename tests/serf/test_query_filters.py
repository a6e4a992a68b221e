"""Which queries a node takes for itself, and what finding out may cost."""

from __future__ import annotations

import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim import expressions
from swim.metrics import Metrics
from swim.serf.messages import SerfType
from swim.serf.query_filters import QueryFilters
from swim.wire.go_msgpack import pack


def tag_filter(expression: str) -> bytes:
    return b"\x01" + pack({"Expr": expression, "Tag": "role"})


def matches(expression: str, value: str, metrics: Metrics | None = None) -> bool:
    return QueryFilters(metrics or Metrics()).match(0.0, [tag_filter(expression)], "me", {"role": value})


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("^web", "web-1", "a web"),
        ("a$", "a", "a\n"),
        (r"a\z", "ba", "a\n"),
        (r"^\d$", "5", "\u0665"),
        ("^[[:alpha:]]+$", "abC", "ab1"),
        ("a(?i)b", "aB", "AB"),
        ("^(?U)a+$", "aa", "b"),
        ("(?P<name>a)(?<other>b)", "ab", "ba"),
        (r"^\pL\p{Nd}\PL\p{^L}$", "é5--", "5555"),
        (r"\p{Greek}", "λ", "l"),
        ("^.$", "\udcff", ""),
        ("^(a?){3}$", "aaa", "aaaa"),
        ("", "", None),
    ],
)
def test_tag_filters_speak_res_two(pattern: str, matching: str, other: str | None) -> None:
    assert matches(pattern, matching)
    assert other is None or not matches(pattern, other)


@pytest.mark.parametrize("pattern", ["(?=a)", r"(a)\1", "a**", "(", "[b-a]", "a\udc80", r"\8", "a{3,2}"])
def test_what_go_refuses_lets_nobody_in(pattern: str) -> None:
    assert not matches(pattern, "a")


@pytest.mark.parametrize(
    "pattern",
    [
        "(a*)*b",
        "(a|aa)+b",
        "(.*)(.*)(.*)(.*)b",
        "((a?)*)*b",
        "(a{30}){30}",
        "(a{1000}){1000}",
        r"\pL" * 170,
        r"(?i)\pL{500}",
        "[^a]{1000}",
        "(x?){500}x{500}",
        "(" * 200 + ")" * 200,
        "." * 512,
        "x" * 100_000,
        r"\pL|" * 100,
    ],
)
def test_hostile_expressions_are_cheap_or_refused(pattern: str) -> None:
    """What is let through is small: so many instructions of a program at most, and so much memory."""
    metrics = Metrics()
    assert not matches(pattern, "a" * 400, metrics) or len(pattern) < 600
    if not metrics.drops:
        import re2

        options = re2.Options()
        options.max_mem = 1024 * 1024
        assert re2.compile(pattern, options).programsize < 5_000


def test_the_tag_filters_of_one_query_share_a_budget() -> None:
    metrics = Metrics()
    filters = QueryFilters(metrics)
    cheap, dear = tag_filter("a"), tag_filter("(a?){140}a")
    tags = {"role": "a"}
    assert filters.match(0.0, [dear], "me", tags)
    assert not filters.match(0.0, [dear, dear], "me", tags)
    assert filters.match(0.0, [cheap] * 30, "me", tags)
    assert not filters.match(0.0, [cheap] * 33, "me", tags)
    assert metrics.counters["swim.dropped.filters-costly"] == 2


def test_all_queries_share_a_budget_that_time_refills() -> None:
    metrics = Metrics()
    filters = QueryFilters(metrics)
    dear, tags = tag_filter("(a?){140}a"), {"role": "a"}
    answered = [filters.match(0.0, [dear], "me", tags) for _ in range(180)]
    assert answered.index(False) < 10
    assert not any(answered[10:])
    assert metrics.counters["swim.dropped.filter-budget"] > 170
    assert filters.match(0.0, [b"\x00\x91\xa2me"], "me", tags), "names cost nothing"
    assert filters.match(1.0, [dear], "me", tags)


def test_without_google_re2_queries_with_tag_filters_are_counted_and_reported_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)
    expressions.re2_engine.cache_clear()
    metrics = Metrics()
    filters = QueryFilters(metrics)
    with caplog.at_level(logging.WARNING, "swim.serf"):
        for _ in range(3):
            assert not filters.match(0.0, [tag_filter("a")], "me", {"role": "a"})
    expressions.re2_engine.cache_clear()
    assert filters.match(0.0, [b"\x00\x91\xa2me"], "me", {})
    assert metrics.counters["swim.dropped.no-google-re2"] == 3
    assert len(caplog.records) == 1


@given(st.lists(st.binary(max_size=30)), st.text(), st.dictionaries(st.text(), st.text()))
def test_any_bytes_as_filters_raise_nothing(filters: list[bytes], name: str, tags: dict[str, str]) -> None:
    assert QueryFilters(Metrics()).match(0.0, filters, name, tags) or filters


@given(st.text(max_size=40) | st.text(alphabet=r"ab()[]{}|*+?\^$.-:,012dwpQE", max_size=30), st.text())
def test_any_text_is_an_expression_or_lets_nobody_in(pattern: str, value: str) -> None:
    assert matches(pattern, value) in (True, False)


@given(st.binary(max_size=30))
def test_any_bytes_as_a_filter_raise_nothing(rest: bytes) -> None:
    for kind in (b"\x00", b"\x01", bytes((SerfType.QUERY,))):
        assert not QueryFilters(Metrics()).match(0.0, [kind + rest, b""], "me", {})
