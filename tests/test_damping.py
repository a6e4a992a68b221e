"""Damped events: what passes, what is held back, and that folding them ends at the same members."""

from __future__ import annotations

import itertools
import random

import pytest

from sims import Applications, World, every, run_swarm
from sims.faults import Pause, Schedule
from sims.world.host import SimNode
from swim import Config
from swim.events import (
    Event,
    EventsLost,
    Member,
    MemberEvent,
    MemberFailed,
    MemberJoined,
    MemberReaped,
    MemberRefuted,
    MemberRestarted,
    MemberSuspected,
    MemberUpdated,
    Reason,
    UserEvent,
)
from swim.policies import Damper
from tests.members import member

ALIVE, SUSPECT, FAILED = member("a"), member("a", suspect=True), member("a", "failed")
numbers = itertools.count(1)


def event(kind: type[MemberEvent], after: Member, before: Member | None) -> MemberEvent:
    return kind(after, before, Reason("claim", detail="x"), next(numbers))


def flap(incarnation: int = 1) -> list[MemberEvent]:
    """A suspicion and its refutation."""
    before, after = member("a", incarnation=incarnation), member("a", incarnation=incarnation + 1)
    suspect = member("a", suspect=True, incarnation=incarnation)
    return [event(MemberSuspected, suspect, before), event(MemberRefuted, after, suspect)]


def flapping(damper: Damper) -> list[MemberEvent]:
    """Feeds flaps at 0, 1, 2, ... until the first event is held back; returns those that passed."""
    passed: list[MemberEvent] = []
    for second in range(20):
        for one in flap(second + 1):
            found = damper.feed(float(second), one)
            if not found:
                return passed
            assert found == (one,)
            passed.append(one)
    raise AssertionError("nothing was held back")


def test_a_member_that_does_not_flap_is_reported_at_once() -> None:
    damper = Damper()
    once = [
        event(MemberJoined, ALIVE, None),
        event(MemberSuspected, SUSPECT, ALIVE),
        event(MemberFailed, FAILED, SUSPECT),
    ]
    for now, one in enumerate(once):
        assert damper.feed(float(now), one) == (one,)
    for second in range(40):  # changes of tags are no flaps
        updated = event(MemberUpdated, member("a", "failed", v=str(second)), FAILED)
        assert damper.feed(3.0, updated) == (updated,)
    assert damper.deadline == float("inf")


def test_a_member_that_flaps_is_held_back_until_it_settles() -> None:
    damper = Damper(flaps=4, within=60.0, settle=30.0)
    assert len(flapping(damper)) == 3
    assert (damper.held, damper.deadline) == (("a",), 31.0)
    for second in range(2, 9):
        for one in flap(second + 1):
            assert damper.feed(float(second), one) == ()
    assert damper.deadline == 38.0
    assert damper.feed(37.9) == ()
    [settled] = damper.feed(38.0)
    assert isinstance(settled, MemberRefuted)
    assert settled.member == member("a", incarnation=10)
    assert settled.previous == member("a", suspect=True, incarnation=2), "as it was last reported"
    assert settled.reason.detail == "x, settled after 15 events"
    assert damper.deadline == float("inf")
    [suspected, refuted] = flap(10)
    assert damper.feed(39.0, suspected) == (suspected,)
    assert damper.feed(39.0, refuted) == (refuted,)


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        (member("a", "failed", incarnation=3), MemberFailed),
        (member("a", suspect=True, incarnation=9), MemberSuspected),
        (member("a", incarnation=9), MemberRefuted),
        (member("a", suspect=True, incarnation=2), None),
    ],
)
def test_one_event_leads_from_what_was_reported_to_what_is(last: Member, kind: type | None) -> None:
    damper = Damper()
    flapping(damper)
    for number in range(5):
        damper.feed(5.0, event(MemberUpdated, member("a", n=str(number)), ALIVE))
    damper.feed(5.0, event(MemberFailed, last, ALIVE))
    found = damper.feed(99.0)
    assert [(type(one), one.member) for one in found if isinstance(one, MemberEvent)] == (
        [(kind, last)] if kind else []
    )


def test_a_member_that_failed_before_it_was_held_back_joins_again() -> None:
    damper = Damper(flaps=2)
    assert damper.feed(0.0, event(MemberFailed, FAILED, ALIVE))
    assert not damper.feed(1.0, event(MemberJoined, member("a", incarnation=2), FAILED))
    assert not damper.feed(2.0, event(MemberSuspected, member("a", suspect=True, incarnation=2), ALIVE))
    back = event(MemberRefuted, member("a", incarnation=3), SUSPECT)
    assert not damper.feed(3.0, back)
    [settled] = damper.feed(33.0)
    assert isinstance(settled, MemberJoined)
    assert (settled.member, settled.previous, settled.sequence) == (back.member, FAILED, back.sequence)


def test_a_member_that_restarts_all_the_time_flaps() -> None:
    damper = Damper(flaps=3)
    found = [
        damper.feed(
            float(n), event(MemberRestarted, member("a", incarnation=n + 1), member("a", incarnation=n))
        )
        for n in range(1, 9)
    ]
    assert [len(one) for one in found] == [1, 1, 0, 0, 0, 0, 0, 0]
    [settled] = damper.feed(99.0)
    assert isinstance(settled, MemberRestarted)
    assert settled.member.incarnation == 9


def test_changes_count_for_a_while_only() -> None:
    damper = Damper(flaps=4, within=10.0, settle=30.0)
    for number in range(20):
        for one in flap(number + 1):
            assert damper.feed(number * 11.0, one) == (one,)


def test_other_members_and_other_events_pass() -> None:
    damper = Damper()
    flapping(damper)
    joined, user = event(MemberJoined, member("b"), None), UserEvent("deploy")
    assert damper.feed(5.0, joined) == (joined,)
    assert damper.feed(5.0, user) == (user,)
    assert damper.held == ("a",)


def test_a_reap_is_reported_at_once() -> None:
    damper = Damper()
    reported = flapping(damper)[-1].member
    [reaped] = damper.feed(5.0, event(MemberReaped, FAILED, FAILED))
    assert (type(reaped), reaped.previous) == (MemberReaped, reported)  # type: ignore[union-attr]
    assert damper.feed(99.0) == ()


def test_lost_events_start_anew() -> None:
    damper = Damper()
    flapping(damper)
    assert damper.feed(5.0, EventsLost(3)) == (EventsLost(3),)
    assert (damper.held, damper.feed(99.0)) == ((), ())


def test_quiet_members_are_forgotten() -> None:
    damper = Damper(within=10.0)
    for number in range(1000):
        damper.feed(float(number), event(MemberJoined, member(f"n{number}"), None))
    assert len(damper._recent) <= 12


class Reader:
    """Folds the damped events of one node, and counts them next to all of its events."""

    def __init__(self, world: World, node: SimNode) -> None:
        self.node, self.damper = node, Damper(settle=20.0)
        self.fold = {one.name: one for one in node.members()}
        self.plain = self.damped = 0
        every(world, node, 1.0, lambda: self.take(self.damper.feed(world.now)))

    def on_event(self, now: float, event: Event) -> None:
        self.plain += isinstance(event, MemberEvent)
        self.take(self.damper.feed(now, event))

    def take(self, events: tuple[Event, ...]) -> None:
        for one in events:
            if not isinstance(one, MemberEvent):
                continue
            self.damped += 1
            assert one.previous == self.fold.get(one.member.name) or isinstance(one, MemberJoined)
            if isinstance(one, MemberReaped):
                del self.fold[one.member.name]
            else:
                self.fold[one.member.name] = one.member


def test_a_flapping_host_disturbs_its_readers_a_few_times_only() -> None:
    readers = Applications(Reader)
    world = World(1, nodes=5, config=Config.local)
    world.settle()
    world.observe(readers)
    Schedule([Pause(10.0 + 10.0 * number, "n5", 6.0) for number in range(15)]).apply(world)
    world.run_for(160.0)
    during = [(one.plain, one.damped) for host, one in readers.running().items() if host != "n5"]
    assert all(plain >= 20 and damped <= 8 for plain, damped in during), during
    world.run_for(60.0)
    for one in readers.running().values():
        assert one.fold == {member.name: member for member in one.node.members()}
        assert one.damper.held == ()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_the_fold_of_damped_events_becomes_the_snapshot(seed: int) -> None:
    """Whatever happened before: at the end of a swarm's run every held member is let go, and all is equal."""
    readers = Applications(Reader)
    assert run_swarm(seed, observers=[readers]).outcome == "ok"
    running = readers.running().values()
    assert running
    for one in running:
        for settled in (one.damper.feed(1e9),):
            one.take(settled)
        assert one.fold == {member.name: member for member in one.node.members()}


def test_any_order_of_any_events_folds_to_the_last_values() -> None:
    choose = random.Random(1)
    damper, fold, truth, now = Damper(flaps=3, within=5.0, settle=4.0), {}, {}, 0.0
    states = [("alive", False), ("alive", True), ("leaving", False), ("left", False), ("failed", False)]
    for _ in range(3000):
        now += choose.choice([0.0, 0.1, 2.0, 6.0])
        name = choose.choice("abcd")
        status, suspect = choose.choice(states)
        after = member(name, status, suspect=suspect, incarnation=choose.randrange(1, 5))
        kind = choose.choice([MemberUpdated, MemberRestarted, MemberUpdated, MemberReaped])
        before = truth.pop(name, None)
        if kind is MemberReaped and before is not None:
            found = damper.feed(now, event(MemberReaped, before, before))
        else:
            truth[name] = after
            found = damper.feed(now, event(MemberUpdated if kind is MemberReaped else kind, after, before))
        for one in found:
            assert isinstance(one, MemberEvent)
            fold.pop(one.member.name, None)
            if not isinstance(one, MemberReaped):
                fold[one.member.name] = one.member
        for name in truth.keys() | fold.keys():
            assert name in damper.held or fold.get(name) == truth.get(name)
