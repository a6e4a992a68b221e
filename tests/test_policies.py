"""Policies: what each must satisfy on any snapshots, and on the two sides of a partition."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import swim
from sims import World
from sims.faults import Schedule, Split
from swim.events import Member, MemberStatus
from swim.policies import majority_of, oldest, quorum_of
from tests.members import member
from tests.sims.settings import examples

names = st.sampled_from([f"n{number}" for number in range(9)])
tags = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["db", "web"]),
        "since": st.sampled_from(["1", "2.5", "3e9", "x", "nan"]),
    },
)
snapshots = st.dictionaries(names, st.tuples(st.sampled_from([*MemberStatus]), st.booleans(), tags)).map(
    lambda drawn: [
        member(name, status, suspect=suspect, **tags) for name, (status, suspect, tags) in drawn.items()
    ]
)


@examples(200)
@given(snapshots, st.randoms(use_true_random=False), st.integers(1, 9))
def test_equal_views_agree_in_any_order(members: list[Member], random: Any, expected: int) -> None:
    other = random.sample(members, len(members))
    for policy in (
        majority_of(expected),
        majority_of(expected, where={"role": "db"}),
        quorum_of("db"),
        oldest,
    ):
        assert policy(members) == policy(other)


@examples(200)
@given(st.sets(names), st.sets(names), st.integers(1, 9))
def test_two_views_without_a_common_member_never_both_have_a_majority(
    ours: set[str], theirs: set[str], expected: int
) -> None:
    may_act = majority_of(max(expected, len(ours | theirs)))
    both = may_act([member(name) for name in ours]) and may_act([member(name) for name in theirs - ours])
    assert not both


@pytest.mark.parametrize(("alive", "passes"), [(0, False), (2, False), (3, True), (5, True), (7, True)])
def test_a_majority_is_more_than_half_of_the_expected_members(alive: int, passes: bool) -> None:
    members = [member(f"n{number}") for number in range(alive)]
    assert majority_of(5)(members) is passes
    assert majority_of(4)(members) is passes
    others = [member("s", suspect=True), member("f", "failed"), member("l", "left"), member("g", "leaving")]
    assert majority_of(5)([*members, *others]) is passes
    assert majority_of(5, where=lambda one: one.name != "n0")(members) is (alive - 1 >= 3)


@pytest.mark.parametrize(
    ("statuses", "passes"),
    [
        ("", False),
        ("alive", True),
        ("alive failed", False),
        ("alive alive failed", True),
        ("alive suspect failed", False),
        ("alive left left left", True),
        ("alive leaving", False),
        ("alive alive leaving", True),
    ],
)
def test_a_quorum_counts_the_listed_members_of_a_role(statuses: str, passes: bool) -> None:
    members = [
        member(f"n{number}", "alive" if word == "suspect" else word, suspect=word == "suspect", kind="db")
        for number, word in enumerate(statuses.split())
    ]
    others = [member(f"web{number}", "failed", kind="web") for number in range(9)]
    assert quorum_of("db", tag="kind")([*members, *others, member("untagged", "failed")]) is passes


@examples(200)
@given(snapshots, names)
def test_the_oldest_changes_only_if_it_goes_or_an_older_one_comes(members: list[Member], gone: str) -> None:
    before = oldest(members)
    after = oldest([one for one in members if one.name != gone])
    assert before is after or before is None or before.name == gone


def test_the_oldest_started_first_by_its_own_word() -> None:
    young, old, broken = member("a", since="20"), member("z", since="3"), member("0", since="x")
    assert oldest([young, broken, old]) is old
    assert oldest([young, broken, member("z", "failed", since="3")]) is young
    assert oldest([young, broken, member("z", suspect=True, since="3")]) == member(
        "z", suspect=True, since="3"
    )
    assert oldest([member("b"), member("a")]) == member("a")
    assert oldest([old, member("y", boot="1"), member("x", boot="2")], since_tag="boot") == member(
        "y", boot="1"
    )
    assert oldest([young, old], where=lambda one: one.name < "m") is young
    assert oldest([member("a", "left")]) is None


HALVES = (("n1", "n2"), ("n3", "n4", "n5"))


@pytest.mark.parametrize("seed", range(1, 6))
def test_who_may_act_in_a_partition(seed: int) -> None:
    """As docs/policies.md says: the first two stop the smaller side, ``oldest`` gives each side a leader."""

    def tagged(**settings: Any) -> swim.Config:
        return swim.Config.local(**settings, tags={"role": "db", "since": settings["name"][1:]})

    world = World(seed, nodes=5, config=tagged)
    world.settle()
    views = {name: world.host(name).members for name in world.nodes}
    Schedule([Split(10.0, HALVES, seconds=60.0)]).apply(world)

    def acting(policy: Any) -> set[str]:
        return {name for name, view in views.items() if policy(view())}

    policies = {"majority": majority_of(5), "quorum": quorum_of("db")}
    for policy in policies.values():
        assert acting(policy) == set(views)
    world.run_for(60.0)
    for policy in policies.values():
        assert acting(policy) == set(HALVES[1])
    assert {name: found.name for name, view in views.items() if (found := oldest(view()))} == {
        **dict.fromkeys(HALVES[0], "n1"),
        **dict.fromkeys(HALVES[1], "n3"),
    }
    world.run_for(20.0)
    world.settle()
    for policy in policies.values():
        assert acting(policy) == set(views)
    # Views may settle before each has heard of the incarnation with which n1 came back.
    assert world.run_until(lambda w: len({oldest(view()) for view in views.values()}) == 1, 10.0)
    assert {oldest(view()) for view in views.values()} == {world.host("n1").member("n1")}
