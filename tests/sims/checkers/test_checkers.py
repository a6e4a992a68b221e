"""Planted bugs are caught, each by the checker that is there for it; the real core gives no cause."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from sims.checkers import (
    LIVENESS,
    SAFETY,
    Checker,
    NewsSpreads,
    TransmitsAreLimited,
    events,
    limits,
    liveness,
    liveness_checkers,
    safety_checkers,
    spread,
    suspicions,
    tables,
    unreadable,
)
from sims.checkers.hosts import Hosts
from sims.checkers.spread import transmit_limit
from sims.checkers.suspicions import shortest_suspicion
from sims.faults import Crash, Leave, Restart, SetTags
from sims.faults.schedule import Schedule
from sims.theory.bounds import convergence_bound
from sims.world import World
from swim.config import Config
from swim.inspection import Inspection
from tests.sims.checkers.planted import (
    in_claims,
    in_events,
    in_gossip,
    in_keys,
    in_messages,
    in_probing,
    in_queries,
    in_tables,
    scripts,
)
from tests.sims.checkers.planted.bug import BUGS, SEEDS, Bug, catch, quick

PLANTED = (in_claims, in_events, in_gossip, in_keys, in_messages, in_probing, in_queries, in_tables)
CHECKERS = [*SAFETY, *LIVENESS]


def is_caught(planted: Bug, seeds: Iterable[int]) -> None:
    violation = catch(planted, planted.catcher, seeds)
    assert violation is not None, f"not detected: {planted.sentence}"
    assert violation.checker == planted.catcher.__name__


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_caught_by_its_checker_alone(name: str) -> None:
    is_caught(BUGS[name], SEEDS)


@pytest.mark.slow
@pytest.mark.parametrize("name", scripts.ALL)
def test_the_real_core_gives_no_cause(name: str) -> None:
    for seed in SEEDS:
        scripts.ALL[name].play(seed, [*safety_checkers(), *liveness_checkers()])


@pytest.mark.slow
@pytest.mark.parametrize("checker", CHECKERS, ids=lambda kind: kind.__name__)
def test_a_silent_checker_is_noticed(checker: type[Checker], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each checker is the catcher of some planted bug, whose test fails when the checker says nothing."""
    planted = next(planted for planted in BUGS.values() if planted.catcher is checker)
    monkeypatch.setattr(checker, "violated", lambda *args: None)
    with pytest.raises(AssertionError, match="not detected"):
        is_caught(planted, SEEDS[:1])


WEAKENED: dict[str, tuple[str, object, str, object]] = {
    "five times the transmit limit": (
        "wrong-transmit-limit",
        spread,
        "transmit_limit",
        lambda config, n: 5 * transmit_limit(config, n),
    ),
    "intents are not counted": (
        "wrong-transmit-limit-of-intents",
        spread,
        "_intent",
        lambda node, body: None,
    ),
    "any accuser is taken for three": (
        "one-accuser-confirms-itself",
        suspicions,
        "shortest_suspicion",
        lambda config, n, confirmations: shortest_suspicion(config, n, confirmations + 2),
    ),
    "ten times the bound": (
        "never-refutes",
        liveness,
        "convergence_bound",
        lambda *args, **settings: 10 * convergence_bound(*args, **settings),
    ),
    "no process is ever known to be dead": (
        "equal-incarnation-revives-the-dead",
        Hosts,
        "died_at",
        lambda self, name: None,
    ),
    "every process runs": ("skips-one-member", Hosts, "died_at", lambda self, name: None),
    "any event is legal": ("equal-incarnation-clears", events, "problem_with", lambda event: ""),
    "any label is accepted": ("accepts-any-label", unreadable, "_understand", lambda receiver, sender: True),
    "keys do not matter": (
        "accepts-plain-packets",
        unreadable,
        "_understand",
        lambda receiver, sender: receiver.config.label == sender.config.label,
    ),
    "only broadcasts are counted": (
        "tombstones-have-no-end",
        Inspection,
        "sizes",
        lambda self, sizes=Inspection.sizes: (size for size in sizes(self) if size.what == "broadcasts"),
    ),
    "everything is queued": ("forgets-to-queue", spread, "is_queued", lambda *args, **settings: True),
    "tables always agree": ("roster-misses-failures", tables, "_agree", lambda record, entry: True),
    "nothing is ever due": ("never-reaps", limits, "_SLACK", 1000.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", WEAKENED)
def test_a_weakened_checker_is_noticed(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, owner, attribute, weaker = WEAKENED[how]
    monkeypatch.setattr(owner, attribute, weaker)
    with pytest.raises(AssertionError, match="not detected"):
        is_caught(BUGS[name], SEEDS[:1])


def test_there_are_enough_planted_bugs() -> None:
    assert len(BUGS) >= 24
    assert all(any(hasattr(module, name.replace("-", "_")) for module in PLANTED) for name in BUGS)


def test_checkers_watch_a_world_that_starts_converged() -> None:
    checkers = [*safety_checkers(), *liveness_checkers()]
    world = World(3, nodes=12, config=quick, start="converged", observers=checkers)
    Schedule([Crash(5.0, "n3"), Leave(8.0, "n4"), SetTags(9.0, "n5", {"a": "b"}), Restart(30.0, "n3")]).apply(
        world
    )
    world.run_for(60.0)
    for checker in checkers:
        checker.finish(world)
    assert world.converged


def test_checkers_may_come_late() -> None:
    world = World(3, nodes=5, config=quick)
    world.run_for(20.0)
    world.crash("n3")
    world.run_for(10.0)
    checkers = [*safety_checkers(), *liveness_checkers()]
    for checker in checkers:
        world.observe(checker)
    world.leave("n4")
    world.restart("n3")
    world.run_for(60.0)
    for checker in checkers:
        checker.finish(world)


def test_a_checker_that_collects_lets_the_run_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    planted = BUGS["tells-events-twice"]
    planted.plant(monkeypatch)
    checker = planted.catcher(collect=True)
    world = planted.script.play(0, [checker])
    assert len(checker.violations) > 1
    assert world.now == planted.script.seconds
    assert str(checker.violations[0]).startswith("EventsTellTheTable at ")


def test_what_is_sent_once_need_not_reach_half_of_the_others() -> None:
    config = Config.lan(name="any", retransmit_mult=1)
    world = World(0, nodes=9, config=config, observers=[NewsSpreads()])
    world.run_for(2.0)
    for node in world.running():
        node.set_tags({"role": "web"})
        world.run_for(3.0)


def test_the_answer_to_an_accusation_that_came_by_push_pull_is_not_counted() -> None:
    """A member that left is back; who does not know that it left hears so in a push/pull, and asks it."""
    config = Config.lan(name="any", retransmit_mult=1)
    world = World(0, nodes=6, config=config, observers=[TransmitsAreLimited()])
    world.settle()
    world.leave("n4", stop=False)
    world.run_for(3.0)
    world.crash("n1")  # the seed, or both would hear of the leave as they start
    asked, back = world.host("n2"), world.host("n4")
    for node in (asked, back):
        world.crash(node)
        world.restart(node, snapshot=False)
    asked.join([back])
    world.run_for(1.0)
    asked.join([world.host("n3")])
    world.run_for(5.0)
    assert asked.metrics.counters["swim.accusations-disproved"] == 1
