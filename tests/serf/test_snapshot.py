"""The snapshot as text: read from any prefix and any garbage, and appended to when something changes only."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims.world import World
from swim import Config
from swim.commands import SetTags
from swim.core.rng import Rng
from swim.node import Node
from swim.serf.snapshot import Snapshot

BYTES = st.binary(max_size=9).map(lambda data: data.decode(errors="surrogateescape"))
ADDRESSES = ["10.0.0.1:7946", "[::1]:1", "0.0.0.0:0", "0.0.0.0:9", "255.255.255.255:9", "224.0.0.1:9"]
LINES = st.one_of(
    st.builds(
        "{}{} {}".format,
        st.sampled_from(["alive: ", "# failed: "]),
        st.one_of(st.text(max_size=9), BYTES),
        st.sampled_from([*ADDRESSES, "10.0.0.1", "1.2.3.4:99999", ""]),
    ),
    st.builds(
        "{}{}".format,
        st.sampled_from(
            ["# incarnation: ", "clock: ", "event-clock: ", "query-clock: ", "not-alive: ", "# not-failed: "]
        ),
        st.one_of(st.integers(-2, 1 << 70), st.text(max_size=9)),
    ),
    st.sampled_from(["leave", "", "# comment", "coordinate: x"]),
    st.text(),
)


def start(text: str) -> Node:
    """A node with that past."""
    config = Config.lan(name="n1", bind="10.0.0.7:7946")
    node = Node(
        config, advertise=("10.0.0.7", 7946), bind_port=7946, rng=Rng(random.Random(1)), snapshot=text
    )
    node.start(0.0)
    return node


def lived(world: World, name: str) -> tuple[str, Snapshot]:
    """What a node wrote down so far, and what it would write now."""
    node = world.host(name)
    return node.written(), Snapshot.replay(node.node.snapshot())


@pytest.mark.slow
@given(st.lists(LINES), st.text())
def test_a_node_starts_from_any_text(lines: list[str], end: str) -> None:
    text = "".join(f"{line}\n" for line in lines) + end
    past = {
        name: at for name, at in Snapshot.replay(text).alive.items() if name != "n1" and name.isprintable()
    }
    node = start(text)
    node.do(1.0, SetTags({"a": "b"}))
    node.handle_timeout(1.0)
    written = Snapshot.replay(node.snapshot())
    assert written.alive == past | {"n1": ("10.0.0.7", 7946)}
    assert 0 < written.incarnation < 1 << 32
    assert max(written.clock, written.event_clock, written.query_clock) < 1 << 63
    assert Snapshot.replay(written.encode()) == written


@pytest.fixture(scope="module")
def eventful() -> World:
    """A failure, a leave, a return at another address, a partition, and a member with a strange name."""
    world = World(3, nodes=5)
    world.settle()
    world.crash("n3")
    world.leave("n4")
    world.run_for(30.0)
    world.restart("n3", endpoint=world.fresh_endpoint())
    world.add("with space ", seeds=["10.0.0.1:7946"])
    world.add("li\nne", seeds=["10.0.0.1:7946"])
    world.host("n2").set_tags({"role": "db"})
    world.run_for(30.0)
    world.crash("n5")
    world.run_for(60.0)
    return world


@pytest.mark.parametrize("name", ["n1", "n2", "n3", "with space "])
def test_what_was_appended_reads_back_as_the_whole(eventful: World, name: str) -> None:
    written, whole = lived(eventful, name)
    assert Snapshot.replay(written) == whole
    assert "not-alive: " in written
    assert "n5" in whole.failed
    assert "with space " in whole.alive
    assert "li\nne" not in whole.alive


def test_every_prefix_is_an_earlier_state_and_starts(eventful: World) -> None:
    written, _ = lived(eventful, "n1")
    for end in range(len(written)):
        cut = Snapshot.replay(written[:end])
        assert cut == Snapshot.replay(written[: written.rfind("\n", 0, end) + 1])
        if written[end - 1] == "\n":
            assert start(written[:end] + "alive: n9 10.0.").local.incarnation == cut.incarnation + 1


def test_a_quiet_cluster_writes_nothing() -> None:
    world = World(1, nodes=4)
    world.settle()
    world.run_for(5.0)
    before = {name: list(node.records) for name, node in world.nodes.items()}
    world.run_for(600.0)
    assert before == {name: node.records for name, node in world.nodes.items()}


def test_stamps_are_written_in_batches() -> None:
    world = World(1, nodes=3)
    world.settle()
    world.run_for(5.0)
    nodes, before = world.nodes.values(), len(world.host("n1").records)
    for number in range(40):
        world.host("n2").force_leave("n2")  # refuted at once: two stamps, no event
        world.run_for(0.05)
        assert all(node.state == "running" for node in nodes), number
    world.run_for(5.0)
    lines = world.host("n1").records[before:]
    assert all(line.startswith("clock: ") for line in lines)
    assert 1 <= len(lines) <= 7
    written, whole = lived(world, "n1")
    assert Snapshot.replay(written) == whole


def test_a_leave_clears_what_was_written_and_a_return_writes_it_anew() -> None:
    world = World(1, nodes=3)
    world.settle()
    node = world.host("n2")
    world.leave(node, stop=False)
    world.run_for(30.0)
    left = Snapshot.replay(node.written())
    assert (left.alive, left.failed, left.clock, left.left) == ({}, {}, 0, True)
    assert left.incarnation == node.node.local.incarnation
    world.crash("n3")
    world.run_for(30.0)
    assert Snapshot.replay(node.written()) == left
    node.rejoin()
    world.run_for(30.0)
    written, whole = lived(world, "n2")
    assert Snapshot.replay(written) == whole
    assert not whole.left
    assert {"n1", "n2"} <= whole.alive.keys()


@pytest.mark.parametrize("how", ["crash", "leave"])
def test_a_simulated_restart_reads_what_was_appended(how: str) -> None:
    world = World(1, nodes=3)
    world.settle()
    before = world.host("n2").node.local.incarnation
    getattr(world, how)("n2")
    world.run_for(20.0)
    kept: Any = Snapshot.replay(world.host("n2").snapshot)
    assert kept.left == (how == "leave")
    assert kept.alive.keys() == (set() if how == "leave" else {"n1", "n2", "n3"})
    world.restart("n2")
    assert world.host("n2").node.local.incarnation > before


def ghosts(count: int) -> str:
    return "".join(f"alive: ghost-{number} 10.9.0.{number}:7946\n" for number in range(1, count + 1))


@pytest.mark.parametrize("seed", range(4))
def test_a_node_that_starts_asks_all_of_its_last_run_until_one_answers(seed: int) -> None:
    world = World(seed, nodes=3, config=Config.lan)
    world.settle()
    node = world.host("n2")
    world.crash(node)
    node.snapshot += ghosts(60)
    world.restart("n2", config=node.config.with_changes(seeds=()))
    world.run_for(62 / 3 * node.config.probe_timeout + 1.0)
    assert {"n1", "n3"} <= {member.name for member in node.members() if member.status == "alive"}


def test_a_node_whose_first_question_is_answered_asks_no_more() -> None:
    world = World(1, nodes=5, config=Config.lan)
    world.settle()
    node = world.host("n2")
    world.crash(node)
    world.restart("n2", config=node.config.with_changes(seeds=()))
    world.run_for(1.0)
    assert {member.status for member in node.members()} == {"alive"}
    assert node.metrics.counters["swim.rejoin.attempts"] <= 6


def test_members_of_the_last_run_stay_alive_in_the_snapshot_until_something_is_known() -> None:
    """Serf, which may read the file next, dials no others."""
    world = World(1, nodes=3)
    world.settle()
    node = world.host("n2")
    world.crash(node)
    node.snapshot += "alive: ghost 10.9.0.1:7946\n"
    world.network.partition(["n1", "n3"], ["n2"])
    world.restart("n2", config=node.config.with_changes(seeds=()))
    world.run_for(5.0)
    _, whole = lived(world, "n2")
    assert whole.alive.keys() == {"n1", "n2", "n3", "ghost"}
    assert whole.failed == {}
    world.network.heal()
    world.run_for(30.0)
    world.crash("n3")
    world.run_for(60.0)
    written, whole = lived(world, "n2")
    assert Snapshot.replay(written) == whole
    assert (whole.alive.keys(), whole.failed.keys()) == ({"n1", "n2", "ghost"}, {"n3"})


@pytest.mark.parametrize("rejoins", [False, True])
def test_a_node_that_left_joins_again_only_if_it_is_set_to(rejoins: bool) -> None:
    world = World(1, nodes=3, config=lambda **given: Config.local(**given, rejoin_after_leave=rejoins))
    world.settle()
    world.host("n1").user_event("before")
    world.run_for(5.0)
    node = world.host("n2")
    world.leave(node)
    world.run_for(10.0)
    world.host("n1").user_event("meanwhile")
    world.restart("n2", config=node.config.with_changes(seeds=()))
    world.run_for(20.0)
    assert (len(node.members()) == 3) == rejoins
    assert [event.name for event in node.user_events()].count("before") == 0


DAMAGE = ["\0", "\udcff", "\n", "\r", "9", " ", "x", ""]
"""What one character of a file turns into; the last one is lost."""


def damaged(text: str) -> Iterator[tuple[str, str]]:
    """A text with every kind of damage at every place, and the lines touched, before and after it."""
    for place in range(len(text)):
        first, last = text.rfind("\n", 0, place) + 1, text.find("\n", place) + 1 or len(text)
        rest = text.find("\n", last) + 1 or len(text)  # a line feed that is gone joins two lines
        for other in DAMAGE:
            lines = text[first:rest] + text[first:place] + other + text[place + 1 : rest]
            yield text[:place] + other + text[place + 1 :], lines


def facts(text: str) -> dict[str, object]:
    """Everything that a text says, one by one: each name's address, and each number."""
    read = Snapshot.replay(text)
    numbers = {"incarnation": read.incarnation, "clock": read.clock, "event-clock": read.event_clock}
    members = {f"alive: {name} ": at for name, at in read.alive.items()}
    lost = {f"# failed: {name} ": at for name, at in read.failed.items()}
    return {**numbers, "query-clock": read.query_clock, **members, **lost}


@pytest.mark.slow
def test_damage_costs_no_more_than_the_lines_it_touches(eventful: World) -> None:
    written, _ = lived(eventful, "n1")
    whole = facts(written)
    assert "leave" not in written
    for text, lines in damaged(written):
        for fact, value in facts(text).items() ^ whole.items():
            name = fact.removeprefix("# failed: ").removeprefix("alive: ").strip()
            assert name in lines, (fact, value, lines)


@pytest.mark.slow
def test_a_node_that_left_stays_so_whatever_befalls_its_file(eventful: World) -> None:
    node = eventful.host("n2")
    eventful.leave(node)
    eventful.run_for(30.0)
    assert node.snapshot.endswith("leave\n")
    for text, _ in damaged(node.snapshot):
        read = Snapshot.replay(text)
        assert (read.alive, read.failed) == ({}, {})
        start(text)
