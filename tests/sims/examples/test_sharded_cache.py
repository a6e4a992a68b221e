"""A user's program on simulated nodes: the toy cache's bug is found, its fix passes, the README is true."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest
from hypothesis import given

from sims.errors import ViolationError
from sims.examples.sharded_cache import KEYS, LeasedCache, ShardedCache, one_owner
from sims.faults import Crash, Pause, Restart, Split
from sims.faults.schedule import Schedule
from sims.testing.applications import Applications
from sims.testing.machine import membership_machine
from sims.testing.strategies import fault_schedules
from sims.world import World
from swim.config import Config
from tests.sims.settings import examples
from tests.source import ROOT

HOSTS = ["n1", "n2", "n3", "n4", "n5"]


def play(cache: Any, schedule: Schedule) -> Applications:
    caches = Applications(cache, invariants=[one_owner])
    world = World(nodes=5, config=Config.local)
    world.settle()
    world.observe(caches)
    world.run_for(40.0)
    schedule.apply(world)
    world.run_for(max(60.0, schedule.seconds + 40.0))
    return caches


@pytest.mark.slow
def test_the_bug_is_found_and_shrinks_to_few_faults() -> None:
    @examples(100, report_multiple_bugs=False)
    @given(fault_schedules(HOSTS, 30, kinds=[Split, Pause, Crash, Restart]))
    def one_owner_whatever_happens(schedule: Schedule) -> None:
        played.append(schedule)
        play(ShardedCache, schedule)

    played: list[Schedule] = []
    with pytest.raises(ViolationError, match="is owned by"):
        one_owner_whatever_happens()
    assert len(played[-1]) <= 2  # Hypothesis plays the smallest one last: one fault, or a local minimum


@pytest.mark.slow
@examples(5)
@given(fault_schedules(HOSTS, 30, kinds=[Split, Pause, Crash, Restart]))
def test_the_cure_passes_the_same_test(schedule: Schedule) -> None:
    play(LeasedCache, schedule)


class Timeless(LeasedCache):
    """Does not notice that it stood still."""

    TICK_SECONDS = 1e6


LONG_SPLIT = Schedule([Split(0.0, (("n1", "n2"), ("n3", "n4", "n5")), 90.0)])
LONG_PAUSES = Schedule([Pause(0.0, host, 60.0) for host in HOSTS[:2]])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cache", "schedule"),
    [
        (partial(LeasedCache, expected=1), LONG_SPLIT),
        (partial(LeasedCache, grace=0.0), LONG_SPLIT),
        (Timeless, LONG_PAUSES),
    ],
)
def test_each_part_of_the_cure_is_needed(cache: Any, schedule: Schedule) -> None:
    play(LeasedCache, schedule)
    with pytest.raises(ViolationError, match="is owned by"):
        play(cache, schedule)


Leased = membership_machine(
    nodes=5, application=partial(LeasedCache, expected=5), invariants=[one_owner], name="Leased"
)
Leased.TestCase.settings = examples(15, parent=Leased.TestCase.settings, stateful_step_count=15)
TestLeasedCache = pytest.mark.slow(Leased.TestCase)


@pytest.mark.parametrize("cache", [ShardedCache, LeasedCache])
def test_at_rest_every_key_has_an_owner_that_takes_writes(cache: type[ShardedCache]) -> None:
    caches = play(cache, Schedule())
    for key in KEYS:
        assert [one.put(key, "ripe") for one in caches.running().values()].count(True) == 1


@pytest.mark.slow
def test_keys_move_on_when_their_owner_dies() -> None:
    before = [host for host, cache in play(LeasedCache, Schedule()).running().items() if cache.owns("apple")]
    after = play(LeasedCache, Schedule([Crash(1.0, before[0])])).running()
    assert sum(cache.owns("apple") for cache in after.values()) == 1


def snippets(page: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    blocks = re.findall(r"(?:^(?: {4}.*)?\n)+", text, re.MULTILINE)
    return [re.sub(r"^ {4}", "", block, flags=re.MULTILINE) for block in blocks if "sims." in block]


@pytest.mark.slow
def test_the_snippet_of_the_readme_finds_two_owners() -> None:
    [snippet] = [block for block in snippets("README.md") if "fault_schedules" in block]
    names: dict[str, Any] = {"__name__": "readme"}
    exec(snippet, names)
    with pytest.raises(ViolationError, match=r"apple is owned by n\d and n\d"):
        names["test_one_owner"]()


@pytest.mark.slow
def test_the_snippets_of_the_page_about_simulating_run() -> None:
    blocks = [block for block in snippets("docs/simulating.md") if "import" in block]
    assert len(blocks) >= 3
    for block in blocks:
        exec(block, {"__name__": "page"})
