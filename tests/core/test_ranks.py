"""Interleaved probes: once in every period, at moments of the period that are spread evenly."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from swim.core.ranks import Ranks, in_order

NAMES = [f"m{number}" for number in range(9)]
OWN = "m0"
changes = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "next", "next"]), st.integers(1, 8)), max_size=120
)


def of(own: str, names: list[str]) -> Ranks:
    return Ranks(own, in_order(names))


@given(st.integers(2, 24), st.integers(0, 2**40), st.integers(1, 50))
def test_with_equal_views_each_is_probed_once_in_every_period(count: int, first: int, periods: int) -> None:
    names = [f"member-{number}" for number in range(count)]
    views = {name: of(name, names) for name in names}
    for period in range(first, first + periods):
        assert sorted(view.next(period) for view in views.values()) == sorted(names)


@given(st.integers(2, 24), st.integers(0, 2**40))
def test_it_is_probed_at_the_same_moment_of_each_by_another_one(count: int, first: int) -> None:
    names = [f"member-{number}" for number in range(count)]
    views = {name: of(name, names) for name in names}
    moments: dict[str, set[float]] = {name: set() for name in names}
    probers: list[str] = []
    for period in range(first, first + count - 1):
        for name, view in views.items():
            phase, target = view.phase(period), view.next(period)
            moments[target].add(phase)
            if target == names[0]:
                probers.append(name)
    assert sorted(probers) == sorted(names[1:])
    assert all(len(each) == 1 for each in moments.values())
    assert sorted(min(each) for each in moments.values()) == [rank / count for rank in range(count)]


@given(changes, st.booleans(), st.data())
def test_a_member_that_stays_waits_for_less_than_two_rounds(
    taken: list[tuple[str, int]], starts_full: bool, data: st.DataObject
) -> None:
    """However others come and go, whatever the period: 2m turns, m being the most others meanwhile."""
    others = set(NAMES[1:]) if starts_full else set[str]()
    ranks = of(OWN, [OWN, *others]) if starts_full else Ranks(OWN, [])
    if not starts_full:
        ranks.add(OWN)
    waited = dict.fromkeys(others, 0)
    most = dict.fromkeys(others, len(others))
    for what, number in taken:
        name = NAMES[number]
        if what == "add" and name not in others:
            ranks.add(name)
            others.add(name)
            waited[name] = most[name] = 0
        elif what == "remove" and name in others:
            ranks.remove(name)
            others.discard(name)
            del waited[name], most[name]
        for one in others:
            most[one] = max(most[one], len(others))
        if what == "next":
            drawn = ranks.next(data.draw(st.integers(0, 2**40)))
            assert drawn in others if others else not drawn
            for one in others:
                waited[one] += 1
                assert waited[one] <= 2 * most[one]
            if drawn:
                waited[drawn], most[drawn] = 0, len(others)
        assert list(ranks) == in_order([OWN, *others])
        assert len(ranks) == len(others) + 1


def test_after_a_change_probes_are_interleaved_again_at_once() -> None:
    names = [f"member-{number}" for number in range(30)]
    views = {name: of(name, names) for name in names}
    for period in range(1000, 1045):
        for view in views.values():
            view.next(period)
    gone = names[7]
    del views[gone]
    for view in views.values():
        view.remove(gone)
    for period in range(1045, 1200):
        assert sorted(view.next(period) for view in views.values()) == sorted(views)


@given(st.integers(2, 8), st.lists(changes, min_size=8, max_size=8), st.integers(0, 2**40))
def test_whatever_was_probed_before_probes_are_interleaved_once_views_have_been_equal_for_long(
    count: int, histories: list[list[tuple[str, int]]], first: int
) -> None:
    names = [f"m{number}" for number in range(count)]
    views = {name: of(name, names) for name in names}
    for (own, view), history in zip(views.items(), histories, strict=False):
        out: set[str] = set()
        for what, number in history:
            other = names[number % count]
            if what == "next":
                view.next(number * 7919)
            elif other != own and (other in out) == (what == "add"):
                (view.add if what == "add" else view.remove)(other)
                out ^= {other}
        for other in out:
            view.add(other)
    for period in range(first, first + 4 * count):
        for view in views.values():
            view.next(period)
    for period in range(first + 4 * count, first + 5 * count):
        assert sorted(view.next(period) for view in views.values()) == names


def test_the_order_of_the_start_is_shared_until_it_changes() -> None:
    order = in_order(NAMES)
    one, other = Ranks("m0", order), Ranks("m1", order)
    assert one.order is other.order
    one.remove("m5")
    assert "m5" in other.order
    assert "m5" not in one.order


def test_a_member_that_is_not_listed_itself_still_probes_all_others() -> None:
    ranks = of(OWN, NAMES)
    ranks.remove(OWN)
    assert sorted(ranks.next(period) for period in range(8)) == NAMES[1:]
    ranks.add(OWN)
    assert OWN not in [ranks.next(period) for period in range(30)]
