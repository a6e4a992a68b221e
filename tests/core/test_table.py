"""The member table under arbitrary comings and goings."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.core.member import Record, State
from swim.core.rng import Rng
from swim.core.table import Table, TableBase
from swim.wire.messages import Alive
from tests.one_node import VSN

ADD, GONE, BURY, BACK, PROBE = range(5)
steps = st.lists(
    st.tuples(st.sampled_from([ADD, ADD, GONE, BURY, BACK, PROBE, PROBE]), st.integers(0, 30)), max_size=80
)


def record(name: str, port: int, state: State = State.ALIVE) -> Record:
    return Record(Alive(1, name, b"\x7f\x00\x00\x01", port, None, VSN), state, 0.0)


def table_of(count: int, seed: int, *, max_tombstones: int = 10) -> tuple[Table, list[Record]]:
    """A table of the local node and ``count`` others."""
    records = [record(f"m{number}", 7000 + number) for number in range(count + 1)]
    table = Table(Rng(random.Random(seed)), records[0], max_tombstones=max_tombstones)
    for one in records:
        table.add(one)
    return table, records


def step_of(table: Table, action: int, number: int) -> None:
    name = f"m{number + 1}"
    known = table.get(name)
    if action == ADD and known is None:
        table.add(record(name, 7001 + number))
    elif action == GONE and known is not None:
        table.put(known.turned(State.DEAD, 1.0, 1))
    elif action == BURY and known is not None:
        table.bury(known, 10.0)
    elif action == BACK and known is not None:
        table.put(known.turned(State.ALIVE, 1.0, 1))


@given(steps, st.integers(0, 2**32))
def test_counts_and_lookups_follow(sequence: list[tuple[int, int]], seed: int) -> None:
    table, _ = table_of(0, seed)
    for action, number in sequence:
        step_of(table, action, number)
        if action == PROBE:
            target = table.next_target()
            assert (target is None) == (table.live == 1)
        everyone = list(table)
        assert len(everyone) == len(table) == len({one.name for one in everyone})
        assert table.live == sum(one.is_live for one in everyone)
        for one in everyone:
            assert table.get(one.name) is one
            assert table.at(one.endpoint) is one


@given(st.integers(1, 12), steps, st.integers(0, 2**32))
def test_whoever_stays_is_probed_within_two_cycles(
    count: int, sequence: list[tuple[int, int]], seed: int
) -> None:
    """A member that stays live waits for at most 2m - 1 picks, m being the most that were live meanwhile."""
    table, [local, *_] = table_of(count, seed)
    waited: dict[str, int] = {}
    most: dict[str, int] = {}
    for action, number in sequence:
        step_of(table, action, number)
        live = {one.name for one in table if one.is_live and one is not local}
        waited = {name: waited.get(name, 0) for name in live}
        most = {name: max(most.get(name, 0), len(live)) for name in live}
        if action != PROBE:
            continue
        target = table.next_target()
        if target is None:
            continue
        for name in live:
            waited[name] += 1
        assert waited[target.name] <= 2 * most[target.name] - 1
        waited[target.name], most[target.name] = 0, len(live)
    for _ in range(2 * max(most.values(), default=1)):
        if (target := table.next_target()) is not None:
            waited.pop(target.name, None)
    assert not waited


@given(st.integers(1, 60), st.integers(1, 6), st.integers(0, 2**32), st.sets(st.integers(0, 60)))
def test_a_pick_is_eligible_distinct_and_complete(count: int, wanted: int, seed: int, out: set[int]) -> None:
    table, records = table_of(count, seed)
    barred = {one.name for number, one in enumerate(records) if number in out}
    picked = table.pick(wanted, lambda one: one.name not in barred)
    assert len(picked) == len({one.name for one in picked}) <= wanted
    assert not {one.name for one in picked} & barred
    if len(table) < 3 * wanted:
        assert len(picked) == min(wanted, len(records) - len(barred))


def test_picks_are_spread_over_everybody() -> None:
    table, records = table_of(20, seed=1)
    chosen = {one.name for _ in range(200) for one in table.pick(3, lambda one: True)}
    assert chosen == {one.name for one in records}


def test_a_tombstone_keeps_the_incarnation_until_it_expires() -> None:
    table, records = table_of(1, seed=1)
    table.bury(records[1], 10.0)
    stone = table.tombstone("m1", 9.9)
    assert stone is not None
    assert stone.incarnation == 1
    assert table.tombstone("m1", 10.0) is None
    assert table.tombstone("m1", 9.9) is None


def test_tombstones_are_bounded_and_the_oldest_go() -> None:
    table, records = table_of(4, seed=1, max_tombstones=2)
    for one in records[1:]:
        table.bury(one, 10.0)
    assert [name for name in ("m1", "m2", "m3", "m4") if table.tombstone(name, 0.0)] == ["m3", "m4"]


def test_who_comes_back_has_no_tombstone() -> None:
    table, records = table_of(1, seed=1)
    table.bury(records[1], 10.0)
    table.add(records[1])
    assert table.tombstone("m1", 0.0) is None


def test_an_endpoint_taken_over_stays_with_its_new_owner() -> None:
    table, records = table_of(2, seed=1)
    first, second = records[1], records[2]
    before = second.endpoint
    second = table.put(second.under(Alive(2, second.name, second.addr, first.port, None, VSN)))
    assert table.at(before) is None
    assert table.at(first.endpoint) is second
    table.bury(first, 10.0)
    assert table.at(second.endpoint) is second


def test_whoever_is_reaped_wherever_the_cycle_stands_the_others_are_probed_once_a_cycle() -> None:
    for probed in range(12):
        for gone in range(1, 6):
            table, records = table_of(5, seed=probed)
            others = {one.name for one in records[1:]}
            turns = [target.name for _ in range(probed) if (target := table.next_target())]
            table.bury(records[gone], 10.0)
            others.discard(f"m{gone}")
            turns = turns[len(turns) // 5 * 5 :]
            turns += [target.name for _ in range(8) if (target := table.next_target())]
            seen = [name for name in turns if name in others]
            assert set(seen[:4]) == set(seen[4:8]) == others


@given(st.integers(1, 8), st.lists(st.tuples(st.integers(1, 8), st.booleans(), st.booleans()), max_size=40))
def test_nobody_is_in_a_cycle_twice_however_often_it_is_reaped_and_back(
    count: int, sequence: list[tuple[int, bool, bool]]
) -> None:
    table, records = table_of(count, seed=count)
    for number, picks, probes in sequence:
        if number <= count:
            table.bury(records[number], 0.0)
            if picks:
                table.pick(1, lambda one: True)
            table.add(records[number])
        if probes:
            table.next_target()
    turns = Counter(target.name for _ in range(9 * count) if (target := table.next_target()))
    assert turns.keys() == {one.name for one in records[1:]}
    assert all(8 <= times <= 10 for times in turns.values())


def test_every_order_of_a_cycle_comes_up_about_as_often() -> None:
    table, _ = table_of(3, seed=5)
    orders = Counter(
        tuple(target.name for _ in range(3) if (target := table.next_target())) for _ in range(3000)
    )
    assert len(orders) == 6
    assert all(400 <= times <= 600 for times in orders.values())


# -- several names at one endpoint

RANKED = st.sampled_from(
    [
        (State.ALIVE, True),
        (State.SUSPECT, True),
        (State.ALIVE, False),
        (State.DEAD, True),
        (State.LEFT, False),
    ]
)
moves = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2), RANKED, st.booleans()), max_size=60)


def rank(one: Record) -> int:
    return 2 if not one.is_live else 0 if one.verified else 1


@given(moves, st.booleans())
def test_the_live_one_of_several_names_at_an_endpoint_is_found(
    steps: list[tuple[int, int, tuple[State, bool], bool]], is_based: bool
) -> None:
    """Whatever joins, leaves, moves or dies at an endpoint: a name that is gone never hides a live one."""
    local = record("m0", 6999)
    table = Table(Rng(random.Random(1)), local, max_tombstones=10)
    if is_based:
        table.start_from(TableBase([local, record("m1", 7000), record("m3", 7001)]))
    else:
        table.add(local)
    for number, port, (state, verified), is_buried in steps:
        name = f"m{number}"
        known = table.get(name)
        claim = Alive(1, name, b"\x7f\x00\x00\x01", 7000 + port, None, VSN)
        new = Record(claim, state, 0.0, verified=verified)
        if known is None:
            table.add(new)
        elif is_buried:
            table.bury(known, 10.0)
        else:
            table.put(new)
        for place in (6999, 7000, 7001, 7002):
            there = [one for one in table if one.port == place]
            found = table.at(("127.0.0.1", place))
            assert (found is None) == (not there)
            assert found is None or (found in there and rank(found) == min(map(rank, there)))
            ranks = sorted(map(rank, there))
            assert table.is_ambiguous(("127.0.0.1", place)) == (ranks[:2] == [1, 1])


def test_of_two_names_alive_at_an_endpoint_the_later_one_is_found() -> None:
    """A node that restarts under another name is the one who answers there."""
    table, _ = table_of(0, 1)
    for name in ("old", "new"):
        table.add(Record(record(name, 7100).alive_claim(), State.ALIVE, 0.0, verified=True))
    old = table.get("old")
    assert old is not None
    table.put(old.under(old.alive_claim()._replace(incarnation=5)))
    found = table.at(("127.0.0.1", 7100))
    assert found is not None
    assert found.name == "new"


@pytest.mark.parametrize("state", [State.LEFT, State.DEAD])
def test_a_draw_costs_the_same_however_many_are_gone(state: State) -> None:
    table, _ = table_of(20, seed=3)
    gone = [record(f"gone-{number}", 9000 + number, state) for number in range(5000)]
    for one in gone:
        table.add(one)
    asked = 0

    def eligible(one: Record) -> bool:
        nonlocal asked
        asked += 1
        return True

    for _ in range(100):
        assert len(table.pick(3, eligible)) == 3
        assert table.next_target() is not None
    assert asked <= 100 * 2 * 3


@pytest.mark.parametrize("verified", [False, True])
def test_nobody_is_probed_when_all_are_gone_the_local_node_included(verified: bool) -> None:
    table, (local, other) = table_of(1, 0)
    local = table.put(local.witnessed())  # as every node is
    other = table.put(other.witnessed()) if verified else other
    assert table.next_target() is other
    for one in (local, other):
        table.put(one.turned(State.LEFT, 1.0, 1))
    assert table.next_target() is None
