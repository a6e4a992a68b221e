"""Coalesced events: what a burst comes to, and when; and that folding the reports gives the members."""

from __future__ import annotations

from itertools import count
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sims import Applications, World, every
from sims.world.host import SimNode
from swim import Config
from swim.coalescing import HELD_MAX
from swim.events import (
    Event,
    EventsLost,
    Member,
    MemberEvent,
    MemberFailed,
    MemberJoined,
    MemberReaped,
    MemberRestarted,
    MemberUpdated,
    Query,
    Reason,
    UserEvent,
)
from swim.policies import Coalescer
from tests.members import member

ALIVE, FAILED = member("a"), member("a", "failed")
numbers = count(1)


def event(kind: type[MemberEvent], after: Member, before: Member | None) -> MemberEvent:
    return kind(after, before, Reason("claim"), next(numbers))


def deploy(ltime: int, payload: bytes = b"", name: str = "deploy") -> UserEvent:
    return UserEvent(name, payload, ltime, True)


def test_a_burst_is_over_once_it_is_quiet() -> None:
    coalescer = Coalescer()
    joined = event(MemberJoined, ALIVE, None)
    assert coalescer.deadline == inf
    assert coalescer.feed(10.0, joined) == ()
    assert coalescer.deadline == 11.0
    assert coalescer.feed(10.9) == ()
    assert coalescer.feed(11.0) == (joined,)
    assert (coalescer.deadline, coalescer.held, coalescer.feed(99.0)) == (inf, 0, ())


def test_a_burst_without_pauses_ends_after_its_period() -> None:
    coalescer, found = Coalescer(), {}
    for tenth in range(100):
        for one in coalescer.feed(tenth / 10, deploy(tenth)):
            assert isinstance(one, UserEvent)
            found[tenth / 10] = one.ltime
    assert found == {3.0: 29, 6.0: 59, 9.0: 89}


def test_the_periods_of_members_and_user_events_are_their_own() -> None:
    coalescer, joined = Coalescer(), event(MemberJoined, ALIVE, None)
    coalescer.feed(0.0, joined)
    coalescer.feed(0.5, deploy(1))
    assert coalescer.feed(1.0) == (joined,)
    assert coalescer.feed(1.5) == (deploy(1),)


def test_an_update_is_reported_once_and_not_with_later_bursts() -> None:
    """serf#555: Serf's coalescer keeps its table when it reports."""
    coalescer = Coalescer()
    coalescer.feed(0.0, updated := event(MemberUpdated, member("a", v=2), ALIVE))
    assert coalescer.feed(1.0) == (updated,)
    for second in range(2, 9):
        other = event(MemberJoined, member(f"n{second}"), None)
        coalescer.feed(float(second), other)
        assert coalescer.feed(second + 1.0) == (other,)


def test_a_join_with_an_update_after_it_is_still_a_join() -> None:
    coalescer = Coalescer()
    coalescer.feed(0.0, event(MemberJoined, ALIVE, None))
    coalescer.feed(0.1, event(MemberUpdated, member("a", v=2), ALIVE))
    [joined] = coalescer.feed(2.0)
    assert isinstance(joined, MemberJoined)
    assert (joined.member, joined.previous) == (member("a", v=2), None)


def test_a_failure_that_is_over_is_not_reported() -> None:
    coalescer = Coalescer()
    coalescer.feed(0.0, event(MemberFailed, FAILED, ALIVE))
    coalescer.feed(0.1, event(MemberJoined, ALIVE, FAILED))
    assert coalescer.feed(2.0) == ()


def test_a_member_that_came_and_went_is_not_reported() -> None:
    coalescer = Coalescer()
    coalescer.feed(0.0, event(MemberJoined, ALIVE, None))
    coalescer.feed(0.1, event(MemberFailed, FAILED, ALIVE))
    coalescer.feed(0.2, event(MemberReaped, FAILED, FAILED))
    assert coalescer.feed(2.0) == ()


def test_a_restart_is_reported_even_if_nothing_else_changed() -> None:
    coalescer = Coalescer()
    coalescer.feed(0.0, event(MemberFailed, FAILED, ALIVE))
    coalescer.feed(0.1, event(MemberRestarted, ALIVE, FAILED))
    assert [type(one) for one in coalescer.feed(2.0)] == [MemberRestarted]


def test_of_user_events_the_newest_of_each_name_remain() -> None:
    coalescer = Coalescer()
    for one in (deploy(3, b"a"), deploy(2), deploy(3, b"b"), deploy(9, name="x"), deploy(4), deploy(4, b"2")):
        assert coalescer.feed(0.0, one) == ()
    assert coalescer.held == 3
    assert coalescer.feed(1.0) == (deploy(9, name="x"), deploy(4), deploy(4, b"2"))


def test_other_events_pass_at_once() -> None:
    coalescer = Coalescer()
    coalescer.feed(0.0, deploy(1))
    for one in (UserEvent("deploy", b"", 2), Query("load")):
        assert coalescer.feed(0.1, one) == (one,)
    assert Coalescer(MemberEvent).feed(0.0, deploy(1)) == (deploy(1),)
    joined = event(MemberJoined, ALIVE, None)
    assert Coalescer([UserEvent]).feed(0.0, joined) == (joined,)


def test_lost_events_start_anew_after_the_user_events_held_back() -> None:
    coalescer = Coalescer()
    coalescer.feed(0.0, event(MemberJoined, ALIVE, None))
    coalescer.feed(0.0, deploy(1))
    assert coalescer.feed(0.1, EventsLost(3)) == (deploy(1), EventsLost(3))
    assert (coalescer.deadline, coalescer.feed(99.0)) == (inf, ())


@pytest.mark.parametrize("is_user", [True, False])
def test_a_burst_of_more_than_is_held_is_reported_early_and_whole(is_user: bool) -> None:
    coalescer, found = Coalescer(), 0
    for number in range(2 * HELD_MAX):
        name = f"n{number}"
        one = deploy(number, name=name) if is_user else event(MemberJoined, member(name), None)
        found += len(coalescer.feed(0.0, one))
        assert coalescer.held < HELD_MAX
    assert found == 2 * HELD_MAX


# -- next to a model that knows all events beforehand


class Steps:
    """A history of one cluster: pauses and events of three members and two names."""

    PAUSES = st.sampled_from([0.0, 0.25, 0.5, 1.0, 1.5, 4.0])
    MEMBERS = st.tuples(
        st.sampled_from("abc"), st.sampled_from(["alive", "failed", "left", "reaped"]), st.integers(1, 2)
    )
    USER_EVENTS = st.builds(
        UserEvent,
        st.sampled_from("xy"),
        st.just(b""),
        st.integers(1, 9),
        st.sampled_from([True, True, False]),
    )


@settings(max_examples=300)
@given(st.lists(st.tuples(Steps.PAUSES, Steps.MEMBERS | Steps.USER_EVENTS), max_size=30))
def test_it_reports_what_a_model_reports(
    history: list[tuple[float, tuple[str, str, int] | UserEvent]],
) -> None:
    truth: dict[str, Member] = {}
    now, fed = 0.0, list[tuple[float, Event]]()
    for pause, step in history:
        now += pause
        if isinstance(step, UserEvent):
            fed.append((now, step))
            continue
        name, status, version = step
        before = truth.pop(name, None)
        if status == "reaped":
            if before is not None:
                fed.append((now, event(MemberReaped, before, before)))
            continue
        truth[name] = member(name, status, v=version)
        if truth[name] != before:
            fed.append((now, event(MemberUpdated, truth[name], before)))

    coalescer, found = Coalescer(), list[tuple[float, Event]]()
    for at, one in fed:
        while coalescer.deadline <= at:
            end = coalescer.deadline
            found += [(end, report) for report in coalescer.feed(end)]
        found += [(at, report) for report in coalescer.feed(at, one)]
    while coalescer.deadline < inf:
        end = coalescer.deadline
        found += [(end, report) for report in coalescer.feed(end)]

    kept = [(at, one) for at, one in fed if isinstance(one, UserEvent) and one.coalesce]
    expected = [
        (end, one)
        for end, burst in _bursts(kept)
        for one in burst
        if isinstance(one, UserEvent)
        and one.ltime == max(o.ltime for o in burst if isinstance(o, UserEvent) and o.name == one.name)
    ]
    reported = [(at, one) for at, one in found if isinstance(one, UserEvent)]
    assert [(at, one) for at, one in reported if not one.coalesce] == [
        (at, one) for at, one in fed if isinstance(one, UserEvent) and not one.coalesce
    ]
    key = repr
    assert sorted([one for one in reported if one[1].coalesce], key=key) == sorted(expected, key=key)

    ends = [(at, one) for at, one in found if isinstance(one, MemberEvent)]
    fold: dict[str, Member] = {}
    real: dict[str, Member] = {}
    for end, burst in _bursts([(at, one) for at, one in fed if isinstance(one, MemberEvent)]):
        reports = [one for at, one in ends if at == end]
        assert len({one.member.name for one in reports}) == len(reports), "one event for each member"
        for one in reports:
            assert one.previous == fold.get(one.member.name)
        fold, real = _folded(fold, reports), _folded(real, burst)
        assert fold == real
        ends = [(at, one) for at, one in ends if at != end]
    assert not ends


def _bursts(events: list[tuple[float, Event]]) -> list[tuple[float, list[Event]]]:
    """When each burst is over, and what belongs to it."""
    found: list[tuple[float, list[Event]]] = []
    first = 0.0
    for at, one in events:
        if not found or found[-1][0] <= at:
            first = at
            found.append((at + 1.0, [one]))
        else:
            found[-1] = (min(first + 3.0, at + 1.0), [*found[-1][1], one])
    return found


def _folded(members: dict[str, Member], events: list[Event] | list[MemberEvent]) -> dict[str, Member]:
    members = dict(members)
    for one in events:
        assert isinstance(one, MemberEvent)
        members.pop(one.member.name, None)
        if not isinstance(one, MemberReaped):
            members[one.member.name] = one.member
    return members


# -- in a cluster


class Reader:
    """Folds the coalesced events of one node, and counts them."""

    def __init__(self, world: World, node: SimNode) -> None:
        self.coalescer, self.reported, self.fold = Coalescer(), 0, {one.name: one for one in node.members()}
        self.deploys: list[UserEvent] = []
        every(world, node, 0.1, lambda: self.take(self.coalescer.feed(world.now)))

    def on_event(self, now: float, event: Event) -> None:
        self.take(self.coalescer.feed(now, event))

    def take(self, events: tuple[Event, ...]) -> None:
        self.deploys += [one for one in events if isinstance(one, UserEvent)]
        found = [one for one in events if isinstance(one, MemberEvent)]
        self.reported += len(found)
        self.fold = _folded(self.fold, found)


def test_changes_of_tags_and_events_one_after_another_are_reported_as_one() -> None:
    readers = Applications(Reader)
    world = World(1, nodes=4, config=Config.local)
    world.settle()
    world.run_for(15.0)  # past the push/pulls of the join, which don't carry the flag
    world.observe(readers)
    node = world.nodes["n1"]
    for number in range(8):
        node.set_tags({"v": str(number)})
        node.user_event("deploy", str(number).encode(), coalesce=True)
        world.run_for(0.2)
    world.run_for(5.0)
    for one in readers.running().values():
        assert one.fold["n1"].tags == {"v": "7"}
        assert one.reported == 1
        assert [deploy.payload for deploy in one.deploys] == [b"7"]
