"""The file of tokens: what is accepted, and what is named when it is not."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_api.access.rules import CAPABILITIES, TOKENS_MAX, AccessRules, Token, hash_of, includes
from swim import ConfigError

GOOD = {"accessor": "0123456789abcdef", "name": "ci", "policies": ["ops"], "hash": hash_of("s"),
        "created": "2026-01-01T00:00:00Z", "expires": ""}  # fmt: skip
POLICIES = {"ops": ["agent:write"]}


def test_the_document_is_read_back_as_it_was_written() -> None:
    rules = AccessRules.of_document({"tokens": [GOOD], "policies": POLICIES})
    assert AccessRules.of_document(json.loads(json.dumps(rules.document()))) == rules
    (token,) = rules.tokens
    assert rules.find("s") is token
    assert rules.find("S") is None
    assert rules.granted(token) == {"agent:write"}
    assert rules.granted(None) == frozenset()
    assert AccessRules.of_document({}) == AccessRules()


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ([], "acl: must be an object with tokens and policies"),
        ({"token": []}, "acl: has no 'token', only tokens and policies"),
        ({"tokens": {}}, "tokens: must be a list"),
        ({"tokens": [7]}, "tokens: number 1 must be an object"),
        ({"policies": {"a": "node:read"}}, "policies: must be lists of capabilities by name"),
        ({"policies": {"a": ["node:reed"]}}, "policies: a: 'node:reed' is none of node:read, node:write,"),
        ({"policies": {"node:read": []}}, "policies: 'node:read' is the name of a capability"),
        ({"tokens": [GOOD]}, "tokens: ci: there is no policy 'ops'"),
        ({"tokens": [GOOD, GOOD]}, "tokens: two tokens have the same accessor"),
        ({"tokens": [GOOD, GOOD | {"accessor": "0" * 8}]}, "tokens: two tokens have the same hash"),
        ({"tokens": [GOOD | {"secret": "x"}]}, "tokens: number 1 has no 'secret', only accessor"),
        ({"tokens": [GOOD | {"hash": "x"}]}, "tokens: number 1: hash: must match [0-9a-f]{64}"),
        (
            {"tokens": [GOOD | {"accessor": "X"}]},
            "tokens: number 1: accessor: must match [0-9a-f-]{8,64}, not",
        ),
        ({"tokens": [GOOD | {"name": ""}]}, "tokens: number 1: name: must match"),
        ({"tokens": [GOOD | {"name": 7}]}, "tokens: number 1: name has the wrong type"),
        ({"tokens": [GOOD | {"policies": []}]}, "tokens: number 1: policies: must name at least one"),
        ({"tokens": [GOOD | {"policies": [7]}]}, "tokens: number 1: policies must be a list of strings"),
        ({"tokens": [GOOD | {"expires": "soon"}]}, "tokens: number 1: expires: 'soon' is not a time such as"),
        ({"tokens": [GOOD | {"expires": "2026-01-01T00:00:00"}]}, "tokens: number 1: expires: '2026-01-01T"),
    ],
)
def test_what_is_wrong_is_named(document: Any, text: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        AccessRules.of_document(document)
    assert str(refusal.value).startswith(text)
    assert GOOD["hash"] not in str(refusal.value)


def test_there_is_a_limit_of_tokens() -> None:
    tokens = [GOOD | {"accessor": f"{n:08x}", "hash": hash_of(str(n))} for n in range(TOKENS_MAX + 1)]
    assert len(AccessRules.of_document({"tokens": tokens[:-1], "policies": POLICIES}).tokens) == TOKENS_MAX
    with pytest.raises(ConfigError, match="1001 tokens, more than 1000"):
        AccessRules.of_document({"tokens": tokens, "policies": POLICIES})


def test_a_token_expires_at_its_moment() -> None:
    token = Token("0" * 8, "a", ("node:read",), hash_of("a"), expires="2026-01-01T01:00:00+01:00")
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    assert not token.is_expired(moment - timedelta(seconds=1))
    assert token.is_expired(moment)


@given(st.sets(st.sampled_from(CAPABILITIES)), st.sampled_from(CAPABILITIES))
def test_a_write_includes_its_read_management_everything_and_nothing_else_overlaps(
    granted: set[str], wanted: str
) -> None:
    expected = (
        wanted in granted
        or "management" in granted
        or (wanted == "node:read" and "node:write" in granted)
        or (wanted == "agent:read" and "agent:write" in granted)
    )
    assert includes(frozenset(granted), wanted) == expected
    assert includes(frozenset(granted), "none")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner)
                    | st.dictionaries(st.sampled_from(["tokens", "policies", *GOOD]), inner)))  # fmt: skip
def test_any_document_is_read_or_refused_with_a_name(document: Any) -> None:
    with suppress(ConfigError):
        assert isinstance(AccessRules.of_document(document), AccessRules)
