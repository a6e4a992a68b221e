"""What the vector model does on its own: seeds, faults, settings, limits."""

from __future__ import annotations

import math
from statistics import median

import pytest

from sims.errors import UsageError
from sims.model import Result, Setup, simulate
from sims.model.options import read_options
from sims.theory import formulas
from sims.world.latency import Constant, Empirical, Uniform
from swim.config import Config
from swim.errors import ConfigError

LAN = Config.lan(name="n1")
PATIENT = LAN.with_changes(restart_grace=0.0)
"""Refused streams end no suspicion."""
NO_STREAMS = LAN.with_changes(disable_tcp_pings=True, early_suspicion=False)


def of(results: tuple[Result, ...], name: str) -> list[float]:
    return [result.measures[name] for result in results]


def test_a_seed_is_a_run() -> None:
    setup = Setup(nodes=50)
    first = simulate(LAN, setup, seed=7, runs=3)
    assert simulate(LAN, setup, seed=7, runs=3) == first
    assert simulate(LAN, setup, seed=8, runs=3) != first


@pytest.mark.slow
@pytest.mark.parametrize("config", [LAN, PATIENT])
def test_detection_follows_the_formula_of_the_first_probe(config: Config) -> None:
    results = simulate(config, Setup(nodes=200), seed=1, runs=200)
    # The median of 200 uniform waits is off by 0.03 s on average.
    expected = formulas.first_suspected(config, 200)
    assert median(of(results, "suspected_first")) == pytest.approx(expected, abs=0.1)
    suspicions = [
        f - s for f, s in zip(of(results, "failed_first"), of(results, "suspected_first"), strict=True)
    ]
    # Nothing but the refusals lies between the two, or the shortest suspicion with all confirmations.
    lasts = min(formulas.suspicions(config, 200).shortest, formulas.suspicion_refused(config, 200))
    assert median(suspicions) == pytest.approx(lasts, abs=0.01)


def test_fewer_confirmations_than_wanted_make_a_suspicion_longer() -> None:
    # Two of four crash: each has two accusers, one confirmation fewer than wanted.
    config = PATIENT.with_changes(suspicion_max_timeout_mult=3)
    for result in simulate(config, Setup(nodes=4, kills=2), seed=1, runs=5):
        waits = result.measures["failed_first"] - result.measures["suspected_first"]
        assert waits > formulas.suspicions(config, 4).shortest


def test_a_silent_host_is_accused_when_a_stream_would_connect_too_late() -> None:
    waiting = LAN.with_changes(early_suspicion=False)
    refusing = simulate(LAN, Setup(nodes=30), seed=1, runs=25)
    silent = simulate(LAN, Setup(nodes=30, silent=True), seed=1, runs=25)
    waited = simulate(waiting, Setup(nodes=30, silent=True), seed=1, runs=25)
    assert min(of(refusing, "suspected_first")) < 0.95
    assert 0.9 <= min(of(silent, "suspected_first")) < 0.95
    assert min(of(waited, "suspected_first")) >= 1.0


def test_every_death_of_several_is_noticed_by_everybody() -> None:
    [result] = simulate(LAN, Setup(nodes=60, kills=6), seed=1)
    assert result.measures["failed_all"] < formulas.detection_worst(LAN, 60)


def test_news_spreads_without_suspicions() -> None:
    results = simulate(LAN, Setup(nodes=200, kills=0, updates=1), seed=1, runs=20)
    expected = formulas.dissemination(LAN, 200)
    assert median(of(results, "informed_half")) == pytest.approx(expected["half"], rel=0.25)
    assert median(of(results, "informed_all")) == pytest.approx(expected["all"], rel=0.25)


def test_nobody_sends_an_update_more_often_than_the_transmit_limit() -> None:
    limit = formulas.transmit_limit(LAN, 100)
    for result in simulate(LAN, Setup(nodes=100, kills=0, updates=1, watched=1, seconds=5), seed=1, runs=10):
        assert limit / 2 < result.measures["gossip_packets_per_node"] <= limit


def test_without_gossip_rounds_news_rides_on_pings_and_push_pulls() -> None:
    config = PATIENT.with_changes(gossip_nodes=0)
    with_rounds, without = (simulate(each, Setup(nodes=40), seed=1, runs=5) for each in (PATIENT, config))
    assert set(of(without, "gossip_packets_per_node")) == {0}
    assert all(map(math.isfinite, of(without, "failed_all")))
    spreads = [
        median(r.measures["failed_all"] - r.measures["failed_first"] for r in results)
        for results in (with_rounds, without)
    ]
    assert spreads[0] < 0.5 < spreads[1]


def test_a_large_gossip_interval_without_eager_gossip_is_felt_at_every_hop() -> None:
    lazy = LAN.with_changes(eager_gossip_delay=-1.0)
    news = Setup(nodes=100, kills=0, updates=1)
    eager, slow = (of(simulate(config, news, seed=1, runs=10), "informed_half") for config in (LAN, lazy))
    assert median(slow) > 3 * LAN.gossip_interval > 10 * median(eager)


@pytest.mark.slow
def test_false_suspicions_under_loss_follow_the_formula_and_are_refuted() -> None:
    setup = Setup(nodes=40, kills=0, watched=40, loss=0.15, seconds=15)
    results = simulate(NO_STREAMS, setup, seed=1, runs=8)
    hours = 40 * 15 * 8 / 3600
    counted = sum(of(results, "false_accusations_per_member_hour")) / 8 * hours
    expected = formulas.false_suspicions_per_hour(NO_STREAMS, 0.15) * hours
    # An unhealthy prober probes less often than the formula assumes.
    assert 0.7 * expected < counted < expected + 3 * math.sqrt(expected)
    assert sum(of(results, "false_failures_per_member_hour")) == 0
    refuted, accused = (
        sum(of(results, f"false_{what}_per_member_hour")) for what in ("refutations", "accusations")
    )
    assert 0.5 * accused < refuted <= accused


def test_loss_does_no_harm_where_streams_stand_in() -> None:
    setup = Setup(nodes=40, kills=0, watched=40, loss=0.03, seconds=20)
    [result] = simulate(LAN, setup, seed=1)
    assert result.measures["false_suspicions_per_member_hour"] == 0


def test_a_crashed_member_is_not_suspected_falsely() -> None:
    [result] = simulate(LAN, Setup(nodes=50, watched=10, seconds=20), seed=1)
    assert math.isfinite(result.measures["failed_all"])
    assert result.measures["false_suspicions_per_member_hour"] == 0


def test_suspicions_without_a_way_to_refute_become_false_failures() -> None:
    hasty = NO_STREAMS.with_changes(
        gossip_nodes=0, push_pull_interval=0, buddy_system=False, suspicion_mult=1
    )
    setup = Setup(nodes=10, kills=0, watched=10, loss=0.4, seconds=60)
    results = simulate(hasty, setup, seed=1, runs=3)
    assert sum(of(results, "false_failures_per_member_hour")) > 0


@pytest.mark.parametrize("latency", [Constant(0.02), Uniform(0.0, 0.05), Empirical((0.001, 0.01, 0.1))])
def test_every_latency_is_drawn_from(latency: Constant | Uniform | Empirical) -> None:
    quick, slow = (
        simulate(LAN, Setup(nodes=50, kills=0, updates=1, latency=each), seed=1, runs=5)
        for each in (Constant(0.0001), latency)
    )
    assert median(of(slow, "informed_half")) > 1.5 * median(of(quick, "informed_half"))


def test_two_nodes_are_enough() -> None:
    [result] = simulate(PATIENT, Setup(nodes=2), seed=1)
    waits = result.measures["failed_first"] - result.measures["suspected_first"]
    # No third node can settle whose fault it is: the prober's health score rises as much.
    assert waits == pytest.approx(2 * formulas.suspicions(PATIENT, 2).shortest)
    assert result.measures["failed_first"] <= formulas.first_failed(PATIENT, 2, 1.0)


@pytest.mark.slow
def test_a_hundred_thousand_nodes() -> None:
    [result] = simulate(PATIENT, Setup(nodes=100_000), seed=1)
    waits = result.measures["failed_first"] - result.measures["suspected_first"]
    assert waits == pytest.approx(20.0)
    assert result.measures["failed_p9999"] - result.measures["failed_first"] < 1.0


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("nodes", {"nodes": 1}),
        ("loss", {"nodes": 5, "loss": 1.0}),
        ("kills", {"nodes": 5, "kills": 5}),
        ("kills", {"nodes": 5, "kills": 0}),
        ("watched", {"nodes": 5, "watched": -1}),
    ],
)
def test_impossible_setups_name_the_field(field: str, fields: dict[str, float]) -> None:
    with pytest.raises(ConfigError) as caught:
        Setup(**fields)  # type: ignore[arg-type]
    assert caught.value.field == field


def test_without_probes_there_is_nothing_to_simulate() -> None:
    with pytest.raises(ConfigError, match="probe_interval"):
        simulate(LAN.with_changes(probe_interval=0, probe_timeout=0), Setup(nodes=5), seed=1)


def test_options_from_text() -> None:
    config, setup = read_options({"nodes": "50", "loss": "0.1", "profile": "wan", "buddy_system": "false"})
    assert (setup.nodes, setup.loss, config.probe_interval, config.buddy_system) == (50, 0.1, 5.0, False)


@pytest.mark.parametrize(
    "options", [{"nodes": "many"}, {"profile": "moon"}, {"node": "5"}, {"silent": "maybe"}]
)
def test_options_that_mean_nothing(options: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        read_options(options)
