"""Links and their faults, partitions, address translation, names: on the network alone, then under nodes."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from statistics import mean

import pytest

from sims.world import World
from sims.world.latency import Constant, Empirical, Exponential, Latency, Uniform
from sims.world.network import Burst, Link, Nat, Network
from sims.world.observer import Observer, StreamStep
from swim.config import Config
from swim.core.output import StreamEnd
from swim.core.rng import Rng
from swim.errors import ConfigError
from swim.events import MemberFailed

QUIET = Constant(0.001)


def fates(
    link: Link, count: int = 2000, size: int = 100, gap: float = 0.01
) -> list[tuple[str, tuple[float, ...]]]:
    network, rng = Network(link), Rng(random.Random(1))
    return [tuple(network.carry(i * gap, "a", "b", size, rng)) for i in range(count)]


def share(link: Link, fate: str) -> float:
    return mean(found == fate for found, _ in fates(link))


@pytest.mark.parametrize(
    ("latency", "low", "middle", "high"),
    [
        (Constant(0.002), 0.002, 0.002, 0.002),
        (Uniform(0.001, 0.003), 0.001, 0.002, 0.003),
        (Exponential(0.002, floor=0.001), 0.001, 0.003, 1.0),
        (Empirical((0.001, 0.002, 0.2)), 0.001, 0.05125, 0.2),
    ],
)
def test_latencies(latency: Latency, low: float, middle: float, high: float) -> None:
    rng = Rng(random.Random(3))
    draws = [latency.draw(rng) for _ in range(4000)]
    assert min(draws) >= low
    assert max(draws) <= high
    assert mean(draws) == pytest.approx(middle, rel=0.1)
    assert all(round(draw, 6) == draw for draw in draws)


def test_a_plain_link_only_delays() -> None:
    assert set(fates(Link(latency=QUIET))) == {("sent", (0.001,))}


def test_loss_is_a_share_of_packets() -> None:
    assert share(Link(loss=0.3), "lost") == pytest.approx(0.3, abs=0.03)


def test_bursts_lose_packets_in_a_row() -> None:
    lost = [fate == "lost" for fate, _ in fates(Link(burst=Burst(start=0.02, stop=0.2)), 5000)]
    assert mean(lost) == pytest.approx(0.02 / 0.22, abs=0.03)
    after_loss = mean(lost[i + 1] for i in range(len(lost) - 1) if lost[i])
    assert after_loss == pytest.approx(0.8, abs=0.06)


def test_duplicates_and_reordering() -> None:
    found = fates(Link(latency=QUIET, duplicate=0.2, reorder=0.5, reorder_delay=0.1))
    assert mean(len(delays) == 2 for _, delays in found) == pytest.approx(0.2, abs=0.03)
    late = [delays[0] for _, delays in found if delays[0] > 0.001]
    assert len(late) / len(found) == pytest.approx(0.5, abs=0.05)
    assert max(late) <= 0.101


def test_corruption_and_mtu() -> None:
    assert share(Link(corrupt=0.25), "corrupted") == pytest.approx(0.25, abs=0.03)
    assert fates(Link(mtu=100), 1, size=101) == [("mtu", ())]
    assert fates(Link(latency=QUIET, mtu=100), 1, size=100) == [("sent", (0.001,))]


def test_bandwidth_makes_packets_queue_and_then_drops_them() -> None:
    found = fates(Link(latency=Constant(0.0), bandwidth=1000.0, queue=500), 10, size=100, gap=0.0)
    sent = [delays[0] for fate, delays in found if fate == "sent"]
    assert sent == pytest.approx([0.1 * (i + 1) for i in range(len(sent))])
    assert [fate for fate, _ in found][-3:] == ["queue-full"] * 3


def test_a_pair_comes_before_its_source_before_its_target_before_the_default() -> None:
    network = Network(Link(mtu=1))
    for mtu, source, target in ((2, None, "b"), (3, "a", None), (4, "a", "b")):
        network.set_link(source, target, Link(mtu=mtu))
    assert [network.link(*pair).mtu for pair in (("a", "b"), ("a", "c"), ("c", "b"), ("c", "d"))] == [
        4,
        3,
        2,
        1,
    ]
    network.set_link("a", "b", None)
    assert network.link("a", "b").mtu == 3
    network.calm()
    assert network.is_plain


@pytest.mark.parametrize("field", ["loss", "duplicate", "corrupt", "refuse"])
def test_a_chance_outside_its_range_is_named(field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        Link(**{field: 1.5})


@pytest.mark.parametrize(
    ("field", "worst", "least"),
    [("bandwidth", 0.0, 0.1), ("bandwidth", -1.0, 0.1), ("bandwidth", math.nan, 0.1), ("mtu", 0, 1),
     ("queue", -1, 0), ("reorder_delay", -0.1, 0.0)],
)  # fmt: skip
def test_a_size_that_no_link_has_is_named(field: str, worst: float, least: float) -> None:
    with pytest.raises(ConfigError, match=field):
        Link(**{field: worst})
    Link(**{field: least})


@pytest.mark.parametrize("field", ["start", "stop", "loss"])
def test_chances_of_a_burst_are_chances(field: str) -> None:
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(ConfigError, match=field):
            Burst(**{"start": 0.1, "stop": 0.1, field: wrong})


def test_cuts_one_way_partial_and_healed_one_by_one() -> None:
    network = Network()
    one_way = network.cut(["a"], ["b"], one_way=True)
    network.partition(["a", "b"], ["c"], ["d"])
    assert network.is_cut("a", "b")
    assert not network.is_cut("b", "a")
    assert network.is_cut("d", "c")
    network.heal(one_way)
    assert not network.is_cut("a", "b")
    assert network.is_cut("c", "a")
    network.heal()
    assert network.is_plain


# -- under nodes


def test_one_pair_that_cannot_talk_removes_nobody() -> None:
    world = World(4, nodes=5, config=Config.local)
    world.settle()
    world.network.cut(["n1"], ["n2"])
    world.run_for(60)
    assert world.converged
    assert not [e for node in world.nodes.values() for e in node.events if isinstance(e, MemberFailed)]


def test_corrupted_packets_are_dropped_and_counted() -> None:
    world = World(4, nodes=4, network=Network(Link(corrupt=0.3)))
    world.run_for(30)
    assert world.converged
    dropped = {key for node in world.nodes.values() for key in node.metrics.counters if "drop" in key}
    assert any("crc" in key for key in dropped)


def test_encrypted_packets_pass_and_another_key_keeps_out() -> None:
    world = World(4, nodes=3, config=Config.local(name="x", keys=(bytes(16),)))
    stranger = world.add(config=Config.local(name="x", keys=(bytes(32),)), seeds=[world.nodes["n1"]])
    world.run_for(10)
    assert set(world.nodes["n1"].statuses()) == {"n1", "n2", "n3"}
    assert set(stranger.statuses()) == {"n4"}


def test_a_half_open_stream_is_accepted_and_neither_end_hears_of_the_other() -> None:
    steps: list[tuple[str, str, StreamEnd | None]] = []

    class Tap(Observer):
        def stream(self, world: World, step: StreamStep) -> None:
            steps.append((step.source, step.kind, step.end))

    quiet = Config.lan(name="x", rejoin_interval=0)
    world = World(1, nodes=2, start="apart", config=quiet, network=Network(Link(half_open=1.0)))
    world.observe(Tap())
    world.nodes["n2"].join([world.nodes["n1"]])
    world.run_for(30)
    assert [step for step in steps if step[1] in ("accept", "data")] == [("n1", "accept", None)]
    assert {(source, end) for source, kind, end in steps if kind == "end"} == {
        ("n1", StreamEnd.TIMEOUT),
        ("n2", StreamEnd.TIMEOUT),
    }


@pytest.mark.parametrize(
    ("link", "seconds"),
    [
        (Link(latency=QUIET), 0.001),
        (Link(latency=QUIET, bandwidth=1000.0), 0.501),
        (Link(latency=QUIET, bandwidth=1000.0, queue=0), 0.501),
        (Link(latency=QUIET, burst=Burst(start=1.0, stop=0.0, loss=1.0)), None),
    ],
)
def test_a_piece_of_a_stream_takes_what_its_packets_would(link: Link, seconds: float | None) -> None:
    network, rng = Network(link), Rng(random.Random(1))
    assert network.stream_delay(0.0, "a", "b", 500, rng) == seconds


def test_pieces_of_a_stream_wait_for_bandwidth_behind_each_other() -> None:
    network, rng = Network(Link(latency=QUIET, bandwidth=1000.0, queue=0)), Rng(random.Random(1))
    assert [network.stream_delay(0.0, "a", "b", 500, rng) for _ in range(3)] == [0.501, 1.001, 1.501]


@pytest.mark.parametrize(
    ("link", "end"),
    [
        (Link(refuse=1.0), StreamEnd.REFUSED),
        (Link(reset=1.0), StreamEnd.RESET),
        (Link(stall=1.0), StreamEnd.TIMEOUT),
        (Link(half_open=1.0), StreamEnd.TIMEOUT),
    ],
)
def test_stream_faults_end_a_join_with_their_name(link: Link, end: StreamEnd) -> None:
    ends: list[StreamEnd | None] = []

    class Tap(Observer):
        def stream(self, world: World, step: StreamStep) -> None:
            if step.kind == "end" and step.source == "n2":
                ends.append(step.end)

    world = World(1, nodes=2, start="apart", network=Network(link), observers=[Tap()])
    ticket = world.nodes["n2"].join([world.nodes["n1"]])
    world.run_for(15)
    assert ends[0] is end
    assert not ticket.result.joined


def test_a_lossy_link_delays_streams_instead_of_breaking_them() -> None:
    world = World(2, nodes=2, start="apart", network=Network(Link(loss=0.4, latency=QUIET)))
    ticket = world.nodes["n2"].join([world.nodes["n1"]])
    world.run_for(10)
    assert ticket.result.joined == 1


def test_a_dead_process_refuses_and_a_silent_host_does_not() -> None:
    for silent, least in ((False, 0.0), (True, 9.0)):
        world = World(1, nodes=2, start="apart")
        world.crash("n1", silent=silent)
        ticket = world.nodes["n2"].join([world.nodes["n1"]])
        world.run_until(lambda _, t=ticket: t.is_done, 30)
        assert not ticket.result.joined
        assert least <= world.now < least + 2


def test_a_restricted_translator_lets_in_only_answers() -> None:
    world = World(1, nodes=1)
    public = ("203.0.113.7", 40_000)
    inside = world.add(seeds=[world.nodes["n1"]], config=Config.lan(name="x", advertise="203.0.113.7:40000"))
    world.translate(inside, Nat(public, timeout=30.0))
    world.run_for(20)
    assert world.nodes["n1"].status_of("n2") == "alive"
    third = world.add("n3")
    ticket = third.join(["203.0.113.7:40000"])
    world.run_for(15)
    assert not ticket.result.joined
    world.translate(inside, Nat(public, restricted=False))
    ticket = third.join(["203.0.113.7:40000"])
    world.run_for(15)
    assert ticket.result.joined == 1


def test_names_resolve_to_what_they_say_now() -> None:
    world = World(1, nodes=2, start="apart")
    node = world.add("n3", seeds=["seed.example:7946"])
    world.run_for(5)
    assert set(node.statuses()) == {"n3"}
    world.network.set_names("seed.example", [("10.0.0.1", 0)])
    world.run_for(10)
    assert set(node.statuses()) == {"n1", "n3"}


def test_observers_are_told_of_every_rule_whoever_changes_it() -> None:
    told: list[tuple[str, dict[str, object]]] = []

    class Tap(Observer):
        def fault(self, world: World, kind: str, detail: Mapping[str, object]) -> None:
            told.append((kind, dict(detail)))

    world = World(1, nodes=3)
    world.observe(Tap())
    cut = world.network.cut(["n1"], ["n2"])
    world.network.partition(["n1"], ["n2", "n3"])
    world.network.heal(cut)
    world.network.set_link("n1", None, Link(loss=0.5))
    world.network.set_link("n1", None, None)
    world.network.set_names("seed", [("10.0.0.1", 7946)])
    world.network.heal()
    world.network.calm()
    first = {"sources": ["n1"], "targets": ["n2"], "one_way": False}
    assert told == [
        ("cut", first),
        ("cut", first | {"targets": ["n2", "n3"]}),
        ("heal", first),
        ("set-link", {"source": "n1", "target": None, "link": "Link(loss=0.5)"}),
        ("set-link", {"source": "n1", "target": None, "link": None}),
        ("set-names", {"name": "seed", "endpoints": ["10.0.0.1:7946"]}),
        ("heal", {}),
        ("calm", {}),
    ]


def test_of_two_equal_cuts_one_is_healed() -> None:
    network = Network()
    first, second = network.cut(["a"], ["b"]), network.cut(["a"], ["b"])
    network.heal(second)
    assert network.cuts == [first]
    network.heal(second)
    assert network.is_cut("a", "b")
