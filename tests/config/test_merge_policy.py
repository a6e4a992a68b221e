"""A merge policy as a value: what it admits, the words of a refusal, and what is no policy."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from swim import Config, ConfigError, MergePolicy

BLUE = MergePolicy(
    tags={"cluster": "blue", "build": "1.4.*"}, names=["web-*", "db-?"], delegate_versions=[4, 5]
)
FITS: dict[str, Any] = {
    "name": "web-1",
    "tags": {"cluster": "blue", "build": "1.4.2", "more": "x"},
    "protocol": 2,
    "delegate": 5,
}


def test_a_member_that_meets_all_conditions_may_join() -> None:
    assert BLUE.objection(**FITS) == ""
    assert MergePolicy().objection("x", {}, 0, 0) == ""


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"name": "cache-1"}, "member cache-1 may not join: its name must match web-* or db-?"),
        ({"name": "Web-1"}, "member Web-1 may not join: its name must match web-* or db-?"),
        (
            {"tags": {"cluster": "red"}},
            "member web-1 may not join: its tag cluster is red, and must match blue",
        ),
        ({"tags": {}}, "member web-1 may not join: its tag cluster is missing, and must match blue"),
        (
            {"tags": {"cluster": "blue", "build": "1.40"}},
            "member web-1 may not join: its tag build is 1.40, and must match 1.4.*",
        ),
        (
            {"delegate": 0},
            "member web-1 may not join: it speaks Serf's protocol 0, and must speak 4 or 5",
        ),
    ],
)
def test_a_refusal_says_which_condition_is_not_met(changed: dict[str, Any], why: str) -> None:
    assert BLUE.objection(**FITS | changed) == why


def test_the_protocol_of_memberlist_is_a_condition() -> None:
    policy = MergePolicy(protocol_versions={2})
    assert policy.objection("n", {}, 2, 0) == ""
    assert "it speaks memberlist's protocol 1, and must speak 2" in policy.objection("n", {}, 1, 0)


def test_what_a_peer_chose_cannot_forge_a_line_of_a_log() -> None:
    why = MergePolicy(tags={"a": "b"}).objection("x\ny", {"a": "\x1b[2J\n" * 500}, 2, 5)
    assert why.isprintable()
    assert len(why) < 600


def test_a_policy_is_a_value() -> None:
    assert eval(repr(BLUE), {"MergePolicy": MergePolicy}) == BLUE
    assert hash(eval(repr(BLUE), {"MergePolicy": MergePolicy})) == hash(BLUE)
    assert pickle.loads(pickle.dumps(BLUE)) == BLUE
    config = Config.lan(name="n1", tags={"a": "b"}, merge_policy=MergePolicy(tags={"a": "b"}))
    assert eval(repr(config), {"Config": Config, "MergePolicy": MergePolicy}) == config
    assert config.with_changes(merge_policy=None) != config
    hash(config)


@pytest.mark.parametrize(
    "settings",
    [
        {"tags": {"cluster": "red"}},
        {},
        {"tags": {"cluster": "blue"}, "delegate_version": 0},  # which sends no tags
    ],
)
def test_a_policy_that_refuses_its_own_node_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^merge_policy: refuses this node itself: member n1 may not join"):
        Config.lan(name="n1", merge_policy=MergePolicy(tags={"cluster": "blue"}), **settings)
