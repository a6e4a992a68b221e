"""Regular expressions: RE2's answers, in linear time, for any expression whatever."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swim.errors import RemoteError
from swim.serf.messages import SerfType
from swim.serf.query_filters import matches
from swim.serf.regex import STATES_MAX, Regex
from swim.wire.go_msgpack import pack

TEXTS = st.text(alphabet="aAbB0 _-\n", max_size=12)
ATOMS = st.sampled_from(
    [
        "a",
        "A",
        "b",
        "0",
        "_",
        " ",
        ".",
        r"\d",
        r"\w",
        r"\s",
        r"\D",
        r"\W",
        r"\S",
        r"\b",
        "^",
        r"\A",
        "[ab]",
        "[^a]",
        "[a-b0]",
        r"[\d_]",
        "[^ b-z]",
        r"\x61",
        r"\.",
        r"\-",
        r"\n",
    ]
)
COUNTS = st.sampled_from(["", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,1}", "{1,}", "{0}"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner, min_size=1, max_size=4).map("".join)
        | st.lists(inner, min_size=2, max_size=3).map("|".join).map("(?:{})".format)
        | st.tuples(inner.map("({})".format), COUNTS).map("".join)
    ),
    max_leaves=6,
)


@given(PATTERNS, TEXTS)
def test_simple_expressions_match_what_pythons_do(pattern: str, text: str):
    assert Regex(pattern).search(text) == bool(re.search(pattern, text, re.ASCII))


@settings(max_examples=50)
@given(PATTERNS, TEXTS, st.sampled_from(["i", "s", "m", "is"]))
def test_flags_mean_what_pythons_do(pattern: str, text: str, flags: str):
    pattern = f"(?{flags}){pattern}"
    assert Regex(pattern).search(text) == bool(re.search(pattern, text, re.ASCII))


@given(TEXTS, TEXTS)
def test_a_quoted_text_matches_itself(quoted: str, text: str):
    assert Regex(rf"\Q{quoted}\E").search(text) == (quoted in text)
    assert Regex(re.escape(quoted)).search(text) == (quoted in text)


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("a$", "a", "a\n"),
        (r"a\z", "ba", "a\n"),
        (r"a\Bb", "ab", "a b"),
        ("(?m)^a$", "b\na\nb", "ba"),
        (r"^\d$", "5", "\u0665"),
        (r"^\s$", "\t", "\v"),
        ("^[[:alpha:]]+$", "abC", "ab1"),
        ("^[[:^alpha:]0-3]$", "7", "x"),
        ("^[]a]+$", "]a", "b"),
        ("^[^]a]$", "b", "]"),
        ("^[a-]+$", "a-", "b"),
        ("^[[:x]+$", "[:x", "y"),
        ("a(?i)b", "aB", "AB"),
        ("(?i:a)b", "Ab", "AB"),
        ("(?i)(?-i)a", "a", "A"),
        ("(?i)[^k]", "x", "K"),
        ("^(?s).$", "\n", ""),
        ("^(?U)a+$", "aa", "b"),
        ("(?P<name>a)(?<other>b)", "ab", "ba"),
        ("^a{,2}$", "a{,2}", "aa"),
        ("^a{01}$", "a{01}", "a"),
        ("^x{2,}$", "xxx", "x"),
        (r"^\pL\p{Nd}\PL\p{^L}$", "é5--", "5555"),
        (r"^\123\x{263a}\07$", "S\u263a\x07", "s"),
        ("^(|a)+$", "aa", "b"),
        ("^(a?){3}$", "aaa", "aaaa"),
        ("^ab|cd$", "abx", "xab"),
        ("", "", None),
        ("(?i)ß", "ß", "s"),
    ],
)
def test_where_re2_differs_or_is_seldom_seen(pattern: str, matching: str, other: str | None):
    assert Regex(pattern).search(matching)
    assert other is None or not Regex(pattern).search(other)


@pytest.mark.parametrize(
    "pattern",
    [
        "(?=a)",
        "(?!a)",
        "(?<=a)b",
        "(?<!a)b",
        r"(a)\1",
        "(?>a)",
        "a++",
        "a**",
        "a{2}{3}",
        "*a",
        "(",
        ")",
        "[",
        "a)",
        "[b-a]",
        "[[:nope:]]",
        r"\p{Greek}",
        r"\pX",
        r"\8",
        r"\y",
        r"\Z",
        "\\",
        "a{3,2}",
        "a{1001}",
        "(?x)a",
        "(?",
        "(?P<a-b>c)",
        "(?P=a)",
        r"[\b]",
        r"\x{110000}",
        "a\udc80",
        "|*",
        "a{1,99999999999}",
        "(" * 60 + ")" * 60,
        "(a{1000}){1000}",
        "((((){1000}){1000}){1000}){1000}",
        "(?:a{50}){50}",
    ],
)
def test_what_go_refuses_or_nobody_needs_is_refused(pattern: str):
    with pytest.raises(RemoteError, match="regex"):
        Regex(pattern)


@given(st.text(max_size=40) | st.text(alphabet=r"ab()[]{}|*+?\^$.-:,012dwpQE", max_size=30), TEXTS)
def test_any_text_is_an_expression_or_refused(pattern: str, text: str):
    try:
        regex = Regex(pattern)
    except RemoteError:
        return
    assert regex.size <= STATES_MAX + 2
    regex.search(text)


@pytest.mark.parametrize(
    "pattern", ["(a*)*b", "(a|aa)+b", "(a|a)*b", "(.*)(.*)(.*)(.*)b", "(a+)+$b", "((a?)*)*b"]
)
def test_hostile_expressions_end(pattern: str):
    assert not Regex(pattern).search("a" * 400)


def tag_filter(expression: str) -> bytes:
    return b"\x01" + pack({"Expr": expression, "Tag": "role"})


def test_the_tag_filters_of_one_query_share_a_budget():
    cheap, dear = tag_filter("a"), tag_filter("(a?){200}a")
    value = {"role": "a" * 200}
    assert matches([dear], "me", value)
    assert not matches([dear, dear], "me", value)
    assert matches([cheap] * 50, "me", value)


@given(st.lists(st.binary(max_size=30)), st.text(), st.dictionaries(st.text(), st.text()))
def test_any_bytes_as_filters_raise_nothing(filters: list[bytes], name: str, tags: dict[str, str]):
    assert matches(filters, name, tags) or filters


@given(st.binary(max_size=30))
def test_any_bytes_as_a_filter_raise_nothing(rest: bytes):
    for kind in (b"\x00", b"\x01", bytes((SerfType.QUERY,))):
        assert not matches([kind + rest, b""], "me", {})
