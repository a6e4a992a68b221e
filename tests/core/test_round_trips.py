"""Waits that follow measured round trips: relays are asked sooner, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sims.world import World
from sims.world.host import SimNode
from sims.world.latency import Constant, Latency, Uniform
from sims.world.network import Link
from swim.addresses import Endpoint
from swim.config import Config
from swim.core.round_trips import RoundTrips
from swim.errors import ConfigError
from swim.events import MemberFailed, MemberSuspected
from swim.wire.messages import Ack, IndirectPing, Nack, Ping, Suspect
from tests.clusters import all_see, cluster, events_of, lose
from tests.one_node import PORT, Solo

SHORTEST, LONGEST, INTERVAL = 0.1, 0.5, 1.0
TARGET: Endpoint = ("127.0.0.2", PORT)
RELAY: Endpoint = ("127.0.1.0", PORT)
TICK = 0.005


class Prober(Solo):
    """A node that probes node-b and the relay, which acks at once."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            **{"measured_timeouts": True, "gossip_interval": 0, "push_pull_interval": 0, **settings}
        )
        self.meet("node-b")
        self.meet("relay")
        self.forget_outputs()

    def round(self, rtt: float | None, *, source: Endpoint = TARGET) -> float:
        """Probes node-b, which acks after ``rtt`` seconds; how long the node waited for it, seconds."""
        while not (seq_no := self.asked()):
            self.advance(TICK)
        started, waited = self.now, float("inf")
        if rtt is None:  # a relay reports it, so node-b is not suspected
            rtt, source = LONGEST + TICK, RELAY
        while self.now < started + rtt - TICK / 2:
            self.advance(TICK)
            if self.sent_of(IndirectPing):
                waited = self.now - started
        self.hear(Ack(seq_no), source=source)
        return waited

    def asked(self) -> int:
        """The number of the ping that node-b was just sent, or 0; another member acks its own."""
        number = 0
        for to, ping in self.sent_of(Ping):
            if to == TARGET:
                number = ping.seq_no
            else:
                self.hear(Ack(ping.seq_no), source=to)
        return number


def warmed(rtt: float, **settings: Any) -> Prober:
    """One that has measured node-b long enough to know it."""
    prober = Prober(**settings)
    for _ in range(20):
        prober.round(rtt)
    return prober


@pytest.mark.parametrize(
    ("settings", "rtt", "wait"),
    [
        ({}, 0.005, SHORTEST),
        ({"probe_timeout_min": 0.05}, 0.005, 0.05),
        ({}, 0.2, 0.2 + SHORTEST),
        ({}, 0.45, LONGEST),
        ({"measured_timeouts": False}, 0.005, LONGEST),
    ],
)
def test_relays_are_asked_after_the_measured_wait(settings: dict[str, Any], rtt: float, wait: float) -> None:
    assert warmed(rtt, **settings).round(None) == pytest.approx(wait, abs=2 * TICK)


def test_an_unmeasured_member_has_the_whole_timeout() -> None:
    assert Prober().round(None) == pytest.approx(LONGEST, abs=TICK)


def test_a_wait_that_was_too_short_doubles_until_the_member_answers_itself() -> None:
    prober = warmed(0.005)
    waits = [prober.round(None) for _ in range(4)]
    assert waits == pytest.approx([SHORTEST, 2 * SHORTEST, 4 * SHORTEST, LONGEST], rel=0.1)
    prober.round(0.005)
    assert prober.round(None) == pytest.approx(SHORTEST, abs=2 * TICK)


def test_what_a_relay_reports_measures_nothing() -> None:
    """Karn's rule: an ack after relays were asked counts only if it came from the member itself."""
    relayed, own = warmed(0.005), warmed(0.005)
    relayed.round(0.3, source=RELAY)
    own.round(0.3)
    assert relayed.round(None) == pytest.approx(2 * SHORTEST, rel=0.1)
    assert own.round(None) > 0.3


def test_an_unwell_node_waits_longer() -> None:
    prober = warmed(0.005)
    for incarnation in range(2):
        prober.hear(Suspect(incarnation + 1, "node-a", "relay"))
    waited = prober.round(None)  # one ack of the other member later
    assert waited == pytest.approx(2 * SHORTEST, rel=0.1)


def test_the_round_ends_when_it_always_did() -> None:
    """Relays that nacked at once, and no refused stream: the member has the rest of the period to ack."""
    for measured in (False, True):
        prober = warmed(0.005, measured_timeouts=measured, disable_tcp_pings=True)
        while not (seq_no := prober.asked()):
            prober.advance(TICK)
        prober.advance(LONGEST)
        prober.hear(Nack(seq_no), source=RELAY)
        prober.advance(INTERVAL - LONGEST - 2 * TICK)
        assert prober.state("node-b") == "alive"
        prober.advance(2 * TICK)
        assert prober.state("node-b") == "suspect"


@given(st.lists(st.one_of(st.none(), st.floats(0, 10, allow_nan=False)), max_size=60))
@settings(max_examples=60)
def test_waits_stay_within_their_bounds(samples: list[float | None]) -> None:
    trips = RoundTrips(SHORTEST, LONGEST)
    for sample in samples:
        if sample is None:
            trips.timed_out("x")
        else:
            trips.acked("x", sample)
        assert SHORTEST <= trips.wait("x") <= LONGEST
        assert trips.wait("y") == LONGEST
    assert len(trips) == any(sample is not None for sample in samples)


def test_endless_timeouts_and_forgotten_members() -> None:
    trips = RoundTrips(SHORTEST, LONGEST)
    trips.acked("x", 0.001)
    for _ in range(5000):
        trips.timed_out("x")
    assert trips.wait("x") == LONGEST
    trips.forget("x")
    assert (len(trips), trips.wait("x")) == (0, LONGEST)


# -- whole clusters


def counted(nodes: list[SimNode], name: str) -> int:
    return sum(node.metrics.counters[name] for node in nodes)


def place(world: World, node: SimNode, latency: Latency) -> None:
    """That far, one way, is the node from all others from now on."""
    for ends in ((node.id, None), (None, node.id)):
        world.network.set_link(*ends, Link(latency=latency))


def measured(size: int, make: Callable[..., Config] = Config.lan) -> tuple[World, list[SimNode]]:
    world, nodes = cluster(size, make=make, measured_timeouts=True)
    world.run_for(4 * size * nodes[0].config.probe_interval)
    return world, nodes


@pytest.mark.parametrize("latency", [Constant(0.15), Uniform(0.1, 0.2)], ids=["steady", "jitter"])
def test_a_distant_member_is_not_late(latency: Latency) -> None:
    world, nodes = cluster(4, measured_timeouts=True)
    place(world, nodes[3], latency)
    world.run_for(60)  # each has measured it
    before = counted(nodes, "swim.probe.indirect")
    world.run_for(120)
    assert counted(nodes, "swim.probe.indirect") == before
    assert not events_of(nodes, MemberSuspected)


def test_a_member_that_becomes_slow_costs_a_few_relays_only() -> None:
    world, nodes = measured(4)
    before = counted(nodes, "swim.probe.indirect")
    place(world, nodes[3], Constant(0.15))
    world.run_for(120)
    assert 0 < counted(nodes, "swim.probe.indirect") - before <= 3 * len(nodes)
    assert not events_of(nodes, MemberSuspected)
    assert all(node.node.stats().health_score == 0 for node in nodes)


@pytest.mark.parametrize("make", [Config.lan, Config.local])
def test_a_killed_process_is_failed_sooner(make: Callable[..., Config]) -> None:
    """By what the node does not wait: the refusals begin when the relays are asked."""
    took = []
    for is_measured in (False, True):
        world, (*rest, victim) = cluster(5, make=make, measured_timeouts=is_measured)
        world.run_for(40)
        world.crash(victim)
        began = world.now
        assert world.run_until(lambda _, r=rest, v=victim: all_see(r, v.name, "failed"), 20)
        took.append(world.now - began)
        assert {event.member.name for event in events_of(rest, MemberFailed)} == {victim.name}
    saved = rest[0].config.probe_timeout - SHORTEST
    assert took[0] - took[1] == pytest.approx(saved, abs=0.05)


@pytest.mark.parametrize("make", [Config.lan, Config.wan])
def test_no_member_fails_for_lost_packets(make: Callable[..., Config]) -> None:
    world, nodes = measured(5, make)
    lose(world, 0.1)
    world.run_for(120 * nodes[0].config.probe_interval)
    assert not events_of(nodes, MemberFailed)


def test_members_at_wan_distances_are_not_late_and_a_crash_is_found_out() -> None:
    world, (*rest, victim) = cluster(5, make=Config.wan, measured_timeouts=True)
    for number, node in enumerate(rest):
        place(world, node, Uniform(0.02 * (1 + number), 0.1 * (1 + number)))
    world.run_for(300)
    before = counted([*rest, victim], "swim.probe.indirect")
    world.run_for(600)
    assert counted([*rest, victim], "swim.probe.indirect") - before <= 2, "of 600 pings"
    assert not events_of([*rest, victim], MemberSuspected)
    world.crash(victim)
    assert world.run_until(lambda _: all_see(rest, victim.name, "failed"), 240)


def measured_members(node: SimNode) -> int:
    [size] = [size.size for size in node.inspect().sizes() if size.what == "round trips"]
    return size


def test_a_member_that_is_no_longer_listed_leaves_nothing_behind() -> None:
    world, (*rest, victim) = cluster(4, measured_timeouts=True, reconnect_timeout=30.0)
    world.run_for(10)
    assert [measured_members(node) for node in rest] == [3, 3, 3]
    world.crash(victim)
    assert world.run_until(lambda _: all_see(rest, victim.name, "absent"), 90)
    assert [measured_members(node) for node in rest] == [2, 2, 2]


@pytest.mark.parametrize("settings", [{"probe_timeout_min": 0.0}, {"probe_timeout": 0.05}])
def test_impossible_bounds_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="probe_timeout_min"):
        Config.lan(name="x", measured_timeouts=True, **settings)
