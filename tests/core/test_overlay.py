"""An overlay over a shared base is what a store of its own would be, and never changes the base."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from swim.core.member import Record, State
from swim.core.rng import Rng
from swim.core.table import Table, TableBase
from swim.events import Member, MemberJoined, MemberStatus, Reason
from swim.serf.member_list import Roster, RosterBase
from swim.wire.messages import Alive
from tests.one_node import VSN

NAMES = [f"m{number}" for number in range(6)]
changes = st.lists(
    st.tuples(st.sampled_from(["add", "change", "remove"]), st.sampled_from(NAMES)), max_size=30
)


def record(name: str, incarnation: int = 1) -> Record:
    claim = Alive(incarnation, name, b"\x7f\x00\x00\x01", 7000 + NAMES.index(name), None, VSN)
    return Record(claim, State.ALIVE, 0.0, verified=True)


def rosters(base: list[str]) -> tuple[Roster, Roster, RosterBase]:
    """One that starts from the base, and one to which the same members were added."""
    shared, own = (Roster(history_size=4, speaks_serf=False) for _ in range(2))
    members = [own.describe(record(name), MemberStatus.ALIVE) for name in base]
    view = RosterBase(members, 0)
    shared.start_from(view)
    for member in members:
        own.add(0.0, member, MemberJoined, Reason("claim"))
    return shared, own, view


def follow(roster: Roster, what: str, name: str, step: int) -> None:
    entry = roster.get(name)
    if what == "add" and entry is None:
        member = roster.describe(record(name, step), MemberStatus.ALIVE)
        roster.add(step, member, MemberJoined, Reason("claim"))
    elif what == "change" and entry is not None:
        roster.set_status(
            step, roster.own(entry), MemberStatus.FAILED, MemberJoined, Reason("claim"), port=step
        )
    elif what == "remove" and entry is not None:
        roster.erase(step, entry, Reason("operator"))


@given(st.lists(st.sampled_from(NAMES), unique=True), changes)
def test_a_roster_over_a_base_lists_what_one_without_lists(
    base: list[str], steps: list[tuple[str, str]]
) -> None:
    shared, own, view = rosters(base)
    before = {name: entry.member for name, entry in view.entries.items()}
    for step, (what, name) in enumerate(steps):
        for roster in (shared, own):
            follow(roster, what, name, step)
        assert by_name(shared) == by_name(own)
        assert {n: e.member for n in NAMES if (e := shared.get(n)) is not None} == by_name(shared)
        assert set(shared.members()) == set(own.members())
    assert {name: entry.member for name, entry in view.entries.items()} == before


def by_name(roster: Roster) -> dict[str, Member]:
    entries = list(roster)
    assert len(entries) == len({entry.member.name for entry in entries})
    return {entry.member.name: entry.member for entry in entries}


@given(st.lists(st.sampled_from(NAMES[1:]), unique=True), changes)
def test_a_table_over_a_base_lists_what_one_without_lists(
    base: list[str], steps: list[tuple[str, str]]
) -> None:
    local, *others = [record(name) for name in [NAMES[0], *base]]
    view = TableBase([local, *others])
    shared, own = (Table(Rng(random.Random(1)), local, max_tombstones=3) for _ in range(2))
    shared.start_from(view)
    for one in (local, *others):
        own.add(one)
    for step, (what, name) in enumerate(steps):
        changed = record(name, step)
        for table in (shared, own) if name != local.name else ():
            known = table.get(name)
            if what == "add" and known is None:
                table.add(changed)
            elif what == "change" and known is not None:
                table.put(changed)
            elif what == "remove" and known is not None:
                table.bury(known, 10.0)
        assert list(shared) == list(own) == sorted(shared, key=lambda one: one.name)
        assert [shared.get(n) for n in NAMES] == [own.get(n) for n in NAMES]
        assert [shared.at(record(n).endpoint) for n in NAMES] == [own.at(record(n).endpoint) for n in NAMES]
        assert (len(shared), shared.live) == (len(own), own.live)
    assert list(view.records.values()) == [local, *others]
