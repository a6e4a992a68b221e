"""Measures against small worlds whose figures follow from the settings or are counted by hand."""

from __future__ import annotations

import math

import pytest

from sims.measure import (
    Agreement,
    Completion,
    Detection,
    Dissemination,
    FalsePositives,
    Flaps,
    Traffic,
    ViewSizes,
    mean,
    quantile,
    runs,
)
from sims.world import World
from sims.world.latency import Constant
from sims.world.network import Link, Network
from sims.world.observer import Observer
from swim.config import Config
from swim.core.suspicion import suspicion_timeout
from swim.events import MemberFailed, MemberJoined, MemberUpdated

LATENCY = 0.01


def small(nodes: int = 3, *observers: Observer) -> World:
    """A converged cluster at rest, on links that always take 10 ms."""
    world = World(5, nodes=nodes, network=Network(Link(latency=Constant(LATENCY))))
    world.settle()
    world.run_for(5)
    for observer in observers:
        world.observe(observer)
    return world


# -- numbers


def test_quantiles_lie_on_straight_lines_between_the_values():
    values = [4.0, 1.0, 2.0, 3.0, 5.0]
    assert [quantile(values, share) for share in (0, 0.25, 0.5, 0.9, 1)] == [1, 2, 3, 4.6, 5]
    assert quantile([7.0], 0.99) == 7.0
    assert mean(values) == 3.0


@pytest.mark.parametrize("call", [lambda: quantile([], 0.5), lambda: mean(iter(()))])
def test_nothing_has_no_quantile_and_no_mean(call):
    with pytest.raises(ValueError, match="no values"):
        call()


# -- detection


def test_a_crash_is_suspected_after_a_round_and_failed_after_the_suspicion():
    seen = Detection()
    world = small(3, seen)
    began = world.now
    world.crash("n2", silent=True)  # its host does not refuse streams, which would end the suspicion
    world.run_for(30)
    [loss] = seen.losses
    assert (loss.name, loss.at) == ("n2", began)
    assert set(loss.suspected) == set(loss.failed) == {"n1", "n3"}
    config = world.nodes["n1"].config
    shortest = suspicion_timeout(config.suspicion_mult, 3, config.probe_interval)
    [first], [declared] = seen.first_suspected(), seen.first_failed()
    assert first == min(loss.suspected.values())
    # The round has to end first, and no node begins later than after the others' two rounds.
    assert config.probe_timeout < first < 3 * config.probe_interval
    assert shortest - LATENCY <= declared - first <= shortest * config.suspicion_max_timeout_mult
    assert seen.last_failed() == [max(loss.failed.values())]
    assert sorted(seen.each_failed()) == sorted(loss.failed.values())


def test_a_loss_ends_when_the_host_goes_on():
    seen = Detection(kinds=("pause",))
    world = small(3, seen)
    world.pause("n2", 0.3)
    world.run_for(1)
    world.crash("n2")
    world.run_for(30)
    assert [(loss.name, loss.suspected, loss.failed) for loss in seen.losses] == [("n2", {}, {})]
    assert seen.first_failed() == seen.last_failed() == []


# -- dissemination


def test_news_takes_one_trip_from_its_origin():
    world = small(3)
    news = Dissemination(lambda event: isinstance(event, MemberUpdated) and event.member.name == "n1")
    world.observe(news)
    world.nodes["n1"].set_tags({"role": "web"})
    world.run_for(5)
    assert set(news.seconds) == {"n1", "n2", "n3"}
    assert news.seconds["n1"] == 0
    eager = world.nodes["n1"].config.eager_gossip_delay
    assert news.reached(1.0, 3) == pytest.approx(eager + LATENCY, abs=1e-6)
    assert news.reached(1 / 3, 3) == 0
    assert news.reached(0, 3) == 0
    assert news.reached(1.0, 4) == math.inf


def test_completion_is_the_last_join_that_a_node_saw():
    completion = Completion()
    world = World(5, nodes=1, network=Network(Link(latency=Constant(LATENCY))))
    world.run_for(1)
    world.observe(completion)
    world.add(seeds=["10.0.0.1:7946"])
    world.run_for(2)
    # n1 learns from the first data of the stream, after a round trip; n2 from the answer.
    assert completion.seconds == {"n1": pytest.approx(3 * LATENCY), "n2": pytest.approx(4 * LATENCY)}
    world.add(seeds=["10.0.0.1:7946"])
    world.settle()
    assert set(completion.seconds) == {"n1", "n2", "n3"}
    assert min(completion.seconds.values()) > 2
    assert max(completion.seconds.values()) == pytest.approx(world.now - 1)


# -- false positives


def test_verdicts_against_the_dead_are_right():
    wrong = FalsePositives()
    world = small(3, wrong)
    world.crash("n2")
    world.run_for(30)
    assert (wrong.failed, wrong.suspected) == (0, 0)
    assert not runs(world, "n2")
    assert runs(world, "n1")


def test_verdicts_across_a_partition_are_counted_by_observer():
    all_wrong, some_wrong = FalsePositives(), FalsePositives({"n1"})
    world = small(4, all_wrong, some_wrong)
    world.network.partition(["n1"], ["n2", "n3", "n4"])
    world.run_for(60)
    # n1 declares three, three declare n1.
    assert (all_wrong.failed, all_wrong.failed_at_healthy) == (6, 6)
    assert all_wrong.subjects == {"n1": 3, "n2": 1, "n3": 1, "n4": 1}
    assert (some_wrong.failed, some_wrong.failed_at_healthy, some_wrong.about_faulty) == (3, 0, 3)
    assert some_wrong.subjects == {"n2": 1, "n3": 1, "n4": 1}
    assert all_wrong.suspected >= 6
    assert 3 <= some_wrong.suspected <= all_wrong.suspected - 3


def test_a_name_with_two_hosts_runs_as_long_as_one_does():
    world = small(2)
    world.add("n2", id="twin", endpoint=("10.9.9.9", 7946))
    world.crash("n2")
    assert runs(world, "n2")
    world.crash("twin")
    assert not runs(world, "n2")


# -- flaps and sizes


def test_a_partition_and_its_end_are_two_changes_in_each_view():
    flaps = Flaps()
    world = small(3, flaps)
    world.network.partition(["n1", "n2"], ["n3"])
    world.run_for(60)
    world.network.heal()
    world.settle(200)
    world.run_for(5)
    assert flaps.changes == {"n1": 2, "n2": 2, "n3": 4}
    assert flaps.returns == {"n1": 1, "n2": 1, "n3": 2}


def test_view_sizes_are_looked_at_once_a_second():
    sizes = ViewSizes()
    world = small(3, sizes)
    began = world.now
    world.run_for(2.5)
    world.crash("n3")
    world.run_for(30)
    assert [at for at, _ in sizes.series[:3]] == [began + 1, began + 2, began + 3]
    assert sizes.series[1][1] == {3: 3}
    assert sizes.series[2][1] == {3: 2}
    assert sizes.series[-1][1] == {2: 2}
    assert sizes.unique == {2, 3}


def test_agreement_adds_up_the_time_without_it():
    agreement, failed = Agreement(), Dissemination(lambda event: isinstance(event, MemberFailed))
    world = small(3, agreement, failed)
    world.crash("n3")
    world.run_for(30)
    # From the first failed report to the last; before and after that all views are the same.
    spread = max(failed.seconds.values()) - min(failed.seconds.values())
    assert agreement.since == pytest.approx(failed.began + max(failed.seconds.values()))
    assert agreement.differed(world.now) == pytest.approx(spread, abs=0.2)
    world.add(seeds=["10.0.0.1:7946"])
    world.run_for(3 * LATENCY)
    assert agreement.since is None


# -- traffic


def test_an_idle_cluster_sends_a_ping_and_an_ack_per_node_and_second():
    world = small(4)
    world.run_for(10)
    traffic = Traffic(world)
    packets, seconds = world.driver.packets.sent, 20.0
    world.run_for(seconds)
    rates = traffic.rates()
    assert rates.packets == pytest.approx((world.driver.packets.sent - packets) / (4 * seconds))
    assert rates.packets == pytest.approx(2.0, abs=0.15)
    sent = sum(node.metrics.counters["memberlist.udp.sent"] for node in world.nodes.values())
    traffic.restart()
    assert sum(entry[0] for entry in traffic.per_node().values()) == 0
    world.run_for(seconds)
    more = sum(node.metrics.counters["memberlist.udp.sent"] for node in world.nodes.values()) - sent
    assert sum(entry[0] for entry in traffic.per_node().values()) == more
    assert traffic.rates().packet_bytes == pytest.approx(more / (4 * seconds))


def test_neither_interleaved_probes_nor_refusals_as_evidence_add_to_a_quiet_cluster():
    rates = []
    for settings in ({}, {"interleaved_probes": False, "restart_grace": 0.0}):
        config = Config.lan(name="n", **settings)
        world = World(1, nodes=8, config=config, start="converged")
        world.run_for(5.0)
        traffic = Traffic(world)
        world.run_for(20.0)
        rates.append(traffic.rates())
    assert rates[0] == pytest.approx(rates[1], rel=0.001)


def test_streams_are_counted_apart():
    config = Config.lan(name="n", push_pull_interval=5.0)
    world = World(5, nodes=3, config=config, network=Network(Link(latency=Constant(LATENCY))))
    world.settle()
    world.run_for(10)
    traffic = Traffic(world)
    world.run_for(20)
    rates = traffic.rates()
    assert rates.streams == pytest.approx(0.2, abs=0.05)
    assert rates.stream_bytes > rates.streams * 100


def test_a_new_life_counts_from_zero():
    world = small(3)
    traffic = Traffic(world)
    world.run_for(2)
    world.restart("n2")
    world.run_for(2)
    life = world.nodes["n2"].metrics.counters["memberlist.udp.sent"]
    assert traffic.per_node()["n2"][0] == life > 0


def test_no_time_has_no_rate():
    with pytest.raises(ValueError, match="any time"):
        Traffic(small(2)).rates()


def test_a_measure_added_later_counts_from_then_on():
    world = small(3)
    joins = Dissemination(lambda event: isinstance(event, MemberJoined))
    world.observe(joins)
    world.run_for(5)
    assert (joins.seconds, joins.reached(0.5, 3)) == ({}, math.inf)
