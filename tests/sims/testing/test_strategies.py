"""Strategies: what they draw works, stays within what was asked for, and shrinks to small and plain."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import find, given
from hypothesis import strategies as st

import sims.faults
import sims.world.latency
import sims.world.network
from sims.faults import Add, Crash, ForceLeave, Join, SetLink, Split
from sims.faults.schedule import Schedule
from sims.testing.strategies import (
    DEFAULT_KINDS,
    Cluster,
    clusters,
    configs,
    durations,
    fault_schedules,
    links,
    networks,
    packets,
    splits,
)
from sims.world import World
from sims.world.latency import Constant
from sims.world.network import Link
from swim.config import Config
from swim.errors import ConfigError, RemoteError
from swim.wire.codec import decode
from swim.wire.keyring import Keyring
from swim.wire.messages import Ping
from swim.wire.packet import PacketCodec
from tests.sims.settings import examples

HOSTS = ["n1", "n2", "n3"]
KEYED = Config.lan(name="n1", label="blue", keys=(b"0123456789abcdef",))
NAMES: dict[str, Any] = {
    name: value
    for module in (sims.faults, sims.world.latency, sims.world.network)
    for name, value in vars(module).items()
    if not name.startswith("_")
} | {"Schedule": Schedule, "Config": Config}


def plainest(strategy: st.SearchStrategy[Any]) -> Any:
    return find(strategy, lambda value: True)


def test_they_shrink_to_small_and_plain() -> None:
    assert plainest(configs()) == Config.local(name="n1")
    assert plainest(clusters()) == Cluster((Config.local(name="n1"), Config.local(name="n2")))
    assert plainest(links()) == Link(latency=Constant(0.001))
    assert plainest(networks()).default == Link(latency=Constant(0.001))
    assert plainest(fault_schedules(HOSTS, 60)) == Schedule()
    assert isinstance(decode(plainest(packets())), Ping)
    assert plainest(durations(0.5)) == 0.5


def is_off_grid(seconds: float) -> bool:
    """A bug that needs two things within a tenth of a second never shows on a grid of quarters."""
    return seconds % 0.25 != 0


@pytest.mark.parametrize("kind", sorted(DEFAULT_KINDS, key=lambda kind: kind.__name__))
def test_schedules_are_drawn_off_the_grid_of_quarter_seconds(kind: type[sims.faults.Fault]) -> None:
    one_kind = fault_schedules(HOSTS, 60, kinds=[kind])
    found = find(one_kind, lambda drawn: any(is_off_grid(fault.at) for fault in drawn))
    if hasattr(found[0], "seconds"):
        find(one_kind, lambda drawn: any(is_off_grid(fault.seconds) for fault in drawn))


def test_times_are_off_the_grid_as_often_as_on_it() -> None:
    drawn: list[float] = []

    @given(durations(0.0, 60.0))
    def draw(seconds: float) -> None:
        drawn.append(seconds)

    draw()
    assert sum(map(is_off_grid, drawn)) > len(drawn) / 4
    assert all(0 <= seconds <= 60 and round(seconds, 3) == seconds for seconds in drawn)


def test_a_found_fault_stands_alone() -> None:
    found = find(fault_schedules(HOSTS, 60), lambda drawn: any(fault.kind == "split" for fault in drawn))
    assert len(found) == 1
    assert (found[0].at, found[0].seconds) == (0.0, 0.25)


@pytest.mark.slow
@examples(15)
@given(clusters(max_nodes=4), st.integers(0, 99))
def test_mixed_clusters_come_together(cluster: Cluster, seed: int) -> None:
    world = cluster.world(seed)
    assert world.settle(200.0) >= 0.0
    for node, config in zip(world.nodes.values(), cluster.configs, strict=True):
        if config.delegate_version > 2:
            assert node.node.local.tags == config.tags


@given(clusters(min_nodes=3, max_nodes=3, profiles=[Config.wan], label="mine"))
def test_a_cluster_is_what_was_asked_for(cluster: Cluster) -> None:
    assert [config.name for config in cluster.configs] == ["n1", "n2", "n3"]
    assert {(config.label, config.probe_interval) for config in cluster.configs} == {("mine", 5.0)}
    assert len({(config.keys, config.delegate_version == 0) for config in cluster.configs}) == 1


@pytest.mark.slow
@examples(50)
@given(fault_schedules(HOSTS, 40, kinds=[*DEFAULT_KINDS, Join, ForceLeave]))
def test_schedules_fit_the_hosts_and_the_time_and_can_be_pasted(schedule: Schedule) -> None:
    schedule.check(HOSTS)
    assert schedule.seconds <= 40.25
    assert list(schedule) == sorted(schedule, key=lambda fault: fault.at)
    assert eval(repr(schedule), NAMES) == schedule
    assert Schedule.from_json(schedule.to_json()) == schedule


@given(fault_schedules(HOSTS, 5, kinds=[Crash, SetLink], max_faults=3))
def test_kinds_and_number_are_kept(schedule: Schedule) -> None:
    assert len(schedule) <= 3
    assert {type(fault) for fault in schedule} <= {Crash, SetLink}


@given(fault_schedules(["n1"], 5))
def test_one_host_is_not_split(schedule: Schedule) -> None:
    assert not any(isinstance(fault, Split) for fault in schedule)


def test_mistakes_are_told() -> None:
    with pytest.raises(ConfigError, match="nodes: is empty"):
        fault_schedules([], 5)
    with pytest.raises(ConfigError, match=r"kinds: .*cannot draw Add"):
        fault_schedules(HOSTS, 5, kinds=[Add])


@given(splits(HOSTS))
def test_a_split_holds_everybody(groups: tuple[tuple[str, ...], ...]) -> None:
    assert all(groups)
    assert sorted(groups[0] + groups[1]) == HOSTS


@given(links(worst=0.2))
def test_links_corrupt_only_when_asked(link: Link) -> None:
    assert link.corrupt == 0.0
    assert link.loss <= 0.2


@pytest.mark.slow
@examples(60)
@given(st.lists(packets() | packets(KEYED), max_size=20), st.booleans())
def test_no_packet_makes_a_node_raise(drawn: list[bytes], keyed: bool) -> None:
    world = World(nodes=2, config=KEYED if keyed else Config.lan(name="any"))
    world.run_for(1.0)
    for data in drawn:
        world.inject("n1", data, world.host("n2").endpoint)
        world.run_for(0.1)
    world.run_for(10.0)
    assert world.host("n1").member("n1") is not None


def test_packets_reach_a_node_of_those_settings() -> None:
    codec = PacketCodec(KEYED, Keyring(KEYED.keys), lambda: bytes(12))

    def is_understood(data: bytes) -> bool:
        try:
            return len(codec.open(data)) > 1
        except RemoteError:
            return False

    assert find(packets(KEYED), is_understood)
    assert find(packets(KEYED), lambda data: bool(data) and not is_understood(data))
