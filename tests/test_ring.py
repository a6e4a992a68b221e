"""Ownership: what every ring must satisfy, on snapshots of any members, and in simulated clusters."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from textwrap import dedent
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

import swim
from sims import Applications, World, run_swarm
from sims.faults import Crash, Schedule, Split
from sims.world.host import SimNode
from swim.events import Event, Member, MemberEvent, MemberJoined, MemberStatus
from swim.ring import WEIGHT_MAX, EmptyRingError, Hashing, LiveRing, Move, Ring, fence, moved
from swim.where import Where
from tests.members import member
from tests.sims.settings import examples
from tests.source import ROOT

HASHINGS: tuple[Hashing, ...] = ("rendezvous", "consistent")
KEYS = [f"key-{number}" for number in range(200)]
BY_TAGS: dict[str, Any] = {"weight_tag": "weight", "zone_tag": "zone"}


def shares(ring: Ring, keys: int = 20_000) -> Counter[str]:
    return Counter(ring.owner(f"k{number}").name for number in range(keys))


tags = st.fixed_dictionaries(
    {}, optional={"zone": st.sampled_from("abc"), "weight": st.sampled_from(["0", "0.5", "1", "3", "x"])}
)
snapshots = st.dictionaries(
    st.text(min_size=1, max_size=8),
    st.tuples(st.sampled_from([*MemberStatus]), st.booleans(), tags),
    min_size=1,
    max_size=8,
).map(
    lambda drawn: [
        member(name, status, suspect=suspect, **tags) for name, (status, suspect, tags) in drawn.items()
    ]
)
hashings = st.sampled_from(HASHINGS)


@examples(100)
@given(snapshots, st.randoms(use_true_random=False), hashings)
def test_equal_views_agree_in_any_order(members: list[Member], random: Any, hashing: Hashing) -> None:
    other = random.sample(members, len(members))
    one, two = Ring(members, hashing=hashing, **BY_TAGS), Ring(other, hashing=hashing, **BY_TAGS)
    assert one.members == two.members
    assert one.fence == two.fence
    if one.members:
        for key in KEYS[:20]:
            assert one.owner(key) is two.owner(key)
            assert one.owners(key, 4) == two.owners(key, 4)


@examples(100)
@given(snapshots, hashings, st.integers(1, 4))
def test_only_what_a_member_owns_moves_when_it_goes(
    members: list[Member], hashing: Hashing, count: int
) -> None:
    """The same law, read backwards, is the one for a member that comes."""
    before = Ring(members, hashing=hashing, **BY_TAGS)
    for gone in before.members:
        after = before.over([one for one in members if one is not gone])
        for key in KEYS[:20] if after.members else ():
            assert before.owner(key) is gone or before.owner(key) is after.owner(key)
            old, new = set(before.owners(key, count)), set(after.owners(key, count))
            assert old - {gone} <= new
            assert gone in old or old == new


@examples(100)
@given(snapshots, hashings)
def test_only_keys_of_a_member_that_changed_its_weight_move(members: list[Member], hashing: Hashing) -> None:
    before = Ring(members, hashing=hashing, **BY_TAGS)
    for changed in before.members:
        heavier = [member(one.name, weight="9") if one is changed else one for one in members]
        for key in KEYS[:20]:
            names = before.owner(key).name, before.over(heavier).owner(key).name
            assert names[0] == names[1] or names[1] == changed.name


@examples(100)
@given(snapshots, hashings, st.integers(1, 9))
def test_owners_are_in_distinct_zones_while_there_are_enough(
    members: list[Member], hashing: Hashing, count: int
) -> None:
    ring = Ring(members, hashing=hashing, **BY_TAGS)
    sizes = Counter(one.tags.get("zone", "") for one in ring.members)
    for key in KEYS[:20] if ring.members else ():
        owners = ring.owners(key, count)
        assert len(owners) == len(set(owners)) == min(count, len(ring))
        assert owners[0] is ring.owner(key)
        used = Counter(one.tags.get("zone", "") for one in owners)
        for zone, taken in used.items():
            assert all(used[other] >= min(taken - 1, size) for other, size in sizes.items()), zone


@pytest.mark.parametrize("hashing", HASHINGS)
def test_shares_are_proportional_to_weights(hashing: Hashing) -> None:
    members = [member(f"n{number}", weight=str(number % 3 + 1)) for number in range(12)]
    found = shares(Ring(members, hashing=hashing, weight_tag="weight"))
    for one in members:
        expected = 20_000 * int(one.tags["weight"]) / 24
        assert abs(found[one.name] / expected - 1) < (0.12 if hashing == "rendezvous" else 0.35)


@pytest.mark.parametrize("hashing", HASHINGS)
def test_the_keys_of_a_member_that_goes_are_spread_over_the_others(hashing: Hashing) -> None:
    before = Ring([member(f"n{number}") for number in range(6)], hashing=hashing)
    after = before.over([one for one in before.members if one.name != "n0"])
    moves = moved([f"k{number}" for number in range(20_000)], before, after)
    assert {move.source.name for move in moves if move.source} == {"n0"}
    found = Counter(move.target.name for move in moves if move.target)
    assert len(found) == 5
    assert all(0.5 < count / (len(moves) / 5) < 1.6 for count in found.values())


GOLDEN = {
    "rendezvous": "3436583171334015687605899586995573441919",
    "consistent": "8153040153534132006982074033601212890976",
}
"""Owners of k0 to k39 among n0 to n9: of one version of this library, all nodes must agree."""

PRINTED = """
from tests.test_ring import HASHINGS, owners_of_forty
print(*map(owners_of_forty, HASHINGS))
"""


def owners_of_forty(hashing: Hashing) -> str:
    ring = Ring([member(f"n{number}", weight=str(1 + number % 2)) for number in range(10)], hashing=hashing)
    return "".join(ring.owner(f"k{number}").name[1:] for number in range(40))


@pytest.mark.parametrize("hashing", HASHINGS)
def test_owners_are_the_same_in_every_version_of_this_library(hashing: Hashing) -> None:
    assert owners_of_forty(hashing) == GOLDEN[hashing]


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["0", "4711"])
def test_owners_are_the_same_in_every_process(seed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRINTED],
        env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed},
        capture_output=True,
        check=True,
        text=True,
    )
    assert done.stdout.split() == [*map(owners_of_forty, HASHINGS)]


def test_a_string_is_the_same_key_as_its_bytes() -> None:
    ring = Ring([member(f"n{number}") for number in range(9)])
    assert all(ring.owner(key) is ring.owner(key.encode()) for key in ["é", "", "日本", "a" * 999])


@pytest.mark.parametrize("hashing", HASHINGS)
def test_suspects_keep_what_they_have_but_get_no_new_work(hashing: Hashing) -> None:
    calm = Ring([member(f"n{number}") for number in range(5)], hashing=hashing)
    shaken = calm.over([member(one.name, suspect=one.name == "n2") for one in calm.members])
    assert moved(KEYS, calm, shaken) == ()
    survivors = calm.over([one for one in calm.members if one.name != "n2"])
    for key in KEYS:
        assert shaken.owner(key, new_work=True).name == survivors.owner(key).name
        taken = shaken.owners(key, 3, new_work=True)
        assert [one.name for one in taken] == [one.name for one in survivors.owners(key, 3)]


def alpha(one: Member) -> bool:
    return one.name.startswith("a")


@pytest.mark.parametrize(
    ("where", "named"), [({"role": "db"}, "{'role': 'db'}"), (alpha, "alpha"), (lambda _: False, "<lambda>")]
)
def test_a_ring_without_members_names_the_filter(where: Where, named: str) -> None:
    for ring in (Ring([member("n1", role="web")], where=where), Ring([], where=where)):
        for ask in (partial(ring.owner, "k"), partial(ring.owners, "k", 2)):
            with pytest.raises(EmptyRingError, match="no alive member") as caught:
                ask()
            assert named in str(caught.value)
            assert isinstance(caught.value, swim.LocalError)


def test_a_ring_of_suspects_has_no_owner_for_new_work() -> None:
    ring = Ring([member("n1", suspect=True)])
    assert ring.owner("k").name == "n1"
    with pytest.raises(EmptyRingError, match="not suspect"):
        ring.owner("k", new_work=True)
    with pytest.raises(EmptyRingError, match="not suspect"):
        ring.owners("k", 1, new_work=True)


@pytest.mark.parametrize("status", ["leaving", "left", "failed"])
def test_only_alive_members_that_pass_the_filter_own_keys(status: str) -> None:
    members = [
        member("n1", role="web"),
        member("n2", role="db"),
        member("n3", status, role="web"),
        member("n4"),
    ]
    assert shares(Ring(members, where={"role": "web"}), 50) == {"n1": 50}
    assert set(shares(Ring(members, where=lambda one: "role" in one.tags), 50)) == {"n1", "n2"}


@pytest.mark.parametrize("text", ["", "x", "-1", "nan", "inf", "1e999", "٣x"])
def test_a_weight_that_is_none_counts_as_one(text: str) -> None:
    ring = Ring([member("n1", weight=text), member("n2"), member("n3", weight="0")], weight_tag="weight")
    assert moved(KEYS, ring, Ring([member("n1"), member("n2")])) == ()


def test_a_weight_has_a_maximum() -> None:
    huge = Ring([member("n1", weight="1e300"), member("n2", weight=f"{WEIGHT_MAX:g}")], weight_tag="weight")
    assert moved(KEYS, huge, Ring([member("n1"), member("n2")])) == ()


def test_moves_say_from_whom_to_whom() -> None:
    nobody, one = Ring([]), Ring([member("n1")])
    assert [(move.source, move.target) for move in moved(["a"], nobody, one)] == [(None, member("n1"))]
    assert [(move.source, move.target) for move in moved(["a"], one, nobody)] == [(member("n1"), None)]
    assert moved(["a"], one, one.over([member("n1", incarnation=7, role="new")])) == ()


# -- fencing numbers


progress = st.tuples(st.integers(1, 9), st.sampled_from(["alive", "leaving", "failed"]))
"""How far one member has come; tuples compare as SWIM orders claims."""


@examples(200)
@given(
    st.dictionaries(st.sampled_from("abcdef"), st.tuples(progress, progress), min_size=1), st.integers(0, 9)
)
def test_who_knows_more_has_the_larger_number(known: dict[str, Any], clock: int) -> None:
    order = ["alive", "leaving", "failed"]

    def view(pick: Callable[..., tuple[int, str]]) -> list[Member]:
        chosen = {
            name: pick(pair, key=lambda one: (one[0], order.index(one[1]))) for name, pair in known.items()
        }
        return [
            member(name, status, incarnation=incarnation) for name, (incarnation, status) in chosen.items()
        ]

    less, more = view(min), view(max)
    assert (fence(less, clock=clock) < fence(more, clock=clock)) == (less != more)
    assert fence(more, clock=clock) < fence(less, clock=clock + 1)


class Owner:
    """Follows the ring of its node, and fails if a key moves without a larger number."""

    def __init__(self, world: World, node: SimNode) -> None:
        self.ring = LiveRing(node)
        self.highest = self.ring.fence
        self.moves = 0

    def on_event(self, now: float, event: Event) -> None:
        number, moves = self.ring.fence, self.ring.changes(KEYS[:16])
        assert number > self.highest if moves else number >= self.highest
        self.highest = number
        self.moves += len(moves)
        if isinstance(event, MemberEvent) and (before := event.previous) is not None:
            returned = isinstance(event, MemberJoined) and event.member.incarnation <= before.incarnation
            falls = fence([event.member]) < fence([before])
            assert not falls or returned or before.status is MemberStatus.LEAVING, event


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_a_later_owner_has_a_larger_number_in_every_view(seed: int) -> None:
    """Whatever happens. Without stamps the number falls only as the docstring of ``fence`` says."""
    started: list[Owner] = []

    def start(world: World, node: SimNode) -> Owner:
        started.append(Owner(world, node))
        return started[-1]

    assert run_swarm(seed, observers=[Applications(start)]).outcome == "ok"
    assert sum(one.moves for one in started) > 20


HALVES = Schedule([Split(10.0, (("n1", "n2"), ("n3", "n4", "n5")), seconds=60.0)])


@pytest.mark.parametrize("seed", range(1, 6))
def test_a_partition_has_two_owners_and_healing_orders_them(seed: int) -> None:
    """The run that docs/ring.md shows is seed 2."""
    world = World(seed, nodes=5, config=swim.Config.local)
    world.settle()
    HALVES.apply(world)
    world.run_for(50.0)
    rings = {name: LiveRing(world.host(name)) for name in ("n1", "n2", "n3", "n4", "n5")}
    sides = {name: ring.owner("nightly-report").name for name, ring in rings.items()}
    assert len(set(sides.values())) == 2
    during = {name: ring.fence for name, ring in rings.items()}
    world.run_for(20.0)
    world.settle()
    [owner] = {ring.owner("nightly-report").name for ring in rings.values()}
    assert min(ring.fence for ring in rings.values()) > max(during.values())
    assert owner in sides.values()


@pytest.mark.parametrize("seed", range(1, 6))
def test_a_crash_moves_the_keys_of_the_dead_only(seed: int) -> None:
    world = World(seed, nodes=6, config=swim.Config.local)
    world.settle()
    ring = LiveRing(world.host("n1"))
    before, number = ring.ring, ring.fence
    assert ring.changes(KEYS) == ()
    Schedule([Crash(1.0, "n3")]).apply(world)
    world.run_for(30.0)
    moves = ring.changes(KEYS)
    assert {move.source.name for move in moves if move.source} == {"n3"}
    assert {move.key for move in moves} == {key for key in KEYS if before.owner(key).name == "n3"}
    assert ring.changes(KEYS) == ()
    assert ring.fence > number
    assert [ring.owns(key) for key in KEYS] == [ring.owner(key).name == "n1" for key in KEYS]


class Meanwhile:
    """A cluster; something happens while its members are read."""

    def __init__(self) -> None:
        self.names = "a"
        self.happens: Callable[[], object] = lambda: None

    def members(self) -> tuple[Member, ...]:
        happens, self.happens = self.happens, lambda: None
        happens()
        return tuple(map(member, self.names))


def test_each_move_is_returned_to_one_of_two_threads() -> None:
    cluster = Meanwhile()
    ring = LiveRing(cast(Any, cluster))
    moves: list[Move] = []
    other = threading.Thread(target=lambda: moves.extend(ring.changes(KEYS)))

    def let_the_other_look() -> None:
        other.start()
        other.join(0.1)

    cluster.names, cluster.happens = "abc", let_the_other_look
    moves += ring.changes(KEYS)
    other.join()
    counts = Counter(move.key for move in moves)
    assert set(counts.values()) == {1}
    assert set(counts) == {key for key in KEYS if ring.owner(key).name != "a"}


def test_wrong_keys_lose_no_move() -> None:
    world = World(1, nodes=3, config=swim.Config.local)
    world.settle()
    ring = LiveRing(world.host("n1"))
    world.crash("n3")
    world.settle()
    with pytest.raises(swim.ConfigError, match="keys"):
        ring.changes("key-1")
    assert ring.changes(KEYS)


def test_a_reap_does_not_lower_the_number_of_a_live_ring() -> None:
    world = World(
        1, nodes=3, config=swim.Config.local(name="n", reconnect_timeout=60.0, tombstone_timeout=60.0)
    )
    world.settle()
    ring = LiveRing(world.host("n1"))
    world.crash("n3")
    world.settle()
    number, members = ring.fence, world.host("n1").members()
    world.run_for(120.0)
    assert world.host("n1").member("n3") is None
    assert fence(world.host("n1").members()) < fence(members)
    assert ring.fence == number
    world.crash("n2")
    world.settle()
    assert ring.fence > number


def test_the_page_about_rings_shows_what_its_program_prints(capsys: pytest.CaptureFixture[str]) -> None:
    page = (ROOT / "docs/ring.md").read_text(encoding="utf-8")
    _, program, printed = re.split(r"takes over its keys:\n|\nprints\n", page)
    exec(dedent(program), {})
    assert capsys.readouterr().out == dedent(printed.partition("\nAfter 50 s")[0]).strip("\n") + "\n"
