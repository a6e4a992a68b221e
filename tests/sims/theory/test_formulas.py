"""Theory against published figures, the engine's own functions, and a world."""

from __future__ import annotations

import math

import pytest

from sims import measure
from sims.theory import formulas
from sims.theory.traffic import HEADER_BYTES, traffic
from sims.world import World
from swim.config import Config

LAN = Config.lan(name="n1")
MEMBERLIST = LAN.with_changes(early_suspicion=False, restart_grace=0.0, interleaved_probes=False)
LOCAL = Config.local(name="n1", early_suspicion=False, restart_grace=0.0, interleaved_probes=False)


@pytest.mark.parametrize(
    ("config", "n", "median", "p99"),
    [
        (MEMBERLIST, 50, 8.5, 12.2),
        (MEMBERLIST, 100, 9.7, 13.5),
        (MEMBERLIST, 10_000, 17.7, 21.6),
        (LOCAL, 100, 7.7, 11.5),
        (LOCAL, 1000, 10.7, 14.6),
    ],
)
def test_when_memberlist_detects_a_crash(config: Config, n: int, median: float, p99: float) -> None:
    assert formulas.first_failed(config, n) == pytest.approx(median, abs=0.06)
    assert formulas.first_failed(config, n, 0.99) == pytest.approx(p99, abs=0.06)


@pytest.mark.parametrize(("config", "grace"), [(LAN, 1.0), (LAN.with_changes(restart_grace=2.0), 2.0)])
def test_a_host_that_refuses_streams_is_heard_for_the_grace(config: Config, grace: float) -> None:
    waited = formulas.detection_wait(config, 50, 0.5) + config.probe_timeout
    assert formulas.first_failed(config, 50) == pytest.approx(waited + grace)
    assert formulas.first_failed(config, 50, silent=True) > waited + 4.0


def test_the_first_probe_of_a_dead_member_comes_after_one_interval_on_average() -> None:
    shares = [(k + 0.5) / 10_000 for k in range(10_000)]
    for n in (3, 100):
        mean = math.fsum(formulas.detection_wait(MEMBERLIST, n, share) for share in shares) / len(shares)
        assert mean == pytest.approx((n - 1) / n, rel=0.001)
        assert formulas.detection_wait(LAN, n, 1.0) == 1.0, "once in every period"


@pytest.mark.parametrize(("n", "rounds"), [(100, 4.9), (1000, 7.3), (10_000, 9.7)])
def test_synchronous_rounds(n: int, rounds: float) -> None:
    assert formulas.gossip_rounds(LAN, n) == pytest.approx(rounds, abs=0.06)


@pytest.mark.parametrize(("loss", "per_period"), [(0.01, 1.9e-6), (0.05, 9.8e-4), (0.1, 1.2e-2)])
def test_false_suspicions_of_the_swim_paper(loss: float, per_period: float) -> None:
    """The paper's factor e / (e - 1) counts the probers that hit one member in a synchronous period."""
    without_streams = LAN.with_changes(disable_tcp_pings=True)
    found = formulas.probe_failure(without_streams, loss) * math.e / (math.e - 1)
    assert found == pytest.approx(per_period, rel=0.03)
    assert formulas.probe_failure(LAN, loss) < 0.2 * formulas.probe_failure(without_streams, loss)


def test_confirmations_shorten_a_suspicion() -> None:
    low, high, wanted = formulas.suspicions(LAN, 100)
    assert (low, high, wanted) == (8.0, 48.0, 2)
    seconds = [formulas.suspicion_after(LAN, 100, confirmed) for confirmed in range(4)]
    assert seconds == pytest.approx([48.0, 2.85 * 8, 8.0, 8.0], rel=0.002)
    assert formulas.suspicions(LAN, 3) == (4.0, 4.0, 0)


def test_gossip_reaches_all_but_n_over_e_to_the_limit() -> None:
    assert formulas.transmit_limit(LAN, 1000) == 16
    assert formulas.missed_by_gossip(LAN, 1000) == pytest.approx(1000 * math.exp(-16))
    silent = LAN.with_changes(gossip_nodes=0)
    assert math.isinf(formulas.dissemination(silent, 100)["half"])


def test_a_failure_spreads_faster_than_other_news() -> None:
    for n in (20, 1000, 1_000_000):
        news, failure = formulas.dissemination(LAN, n), formulas.failure_spread(LAN, n)
        assert list(news) == ["half", "p90", "p99", "p9999", "all"]
        assert all(failure[name] <= news[name] for name in news)
        assert sorted(news.values()) == list(news.values())


def test_push_pulls_are_scaled() -> None:
    assert [formulas.push_pull_period(LAN, n) for n in (32, 50, 100, 1000)] == [30, 60, 90, 180]


@pytest.mark.slow
def test_traffic_of_an_idle_world() -> None:
    world = World(1, nodes=40, start="converged")
    world.run_for(90)  # by then every node has begun its push/pulls
    sent = measure.Traffic(world)
    world.run_for(120)
    rates = sent.rates()
    expected = traffic(LAN, 40)
    assert rates.packets == pytest.approx(expected.packets_per_second, rel=0.03)
    bytes_per_second = rates.packet_bytes + HEADER_BYTES * rates.packets
    assert bytes_per_second == pytest.approx(expected.packet_bytes_per_second, rel=0.05)
    assert rates.stream_bytes == pytest.approx(expected.push_pull_bytes_per_second, rel=0.15)


def test_encryption_costs_bytes_and_no_packets() -> None:
    plain, sealed = traffic(LAN, 100), traffic(LAN.with_changes(keys=(bytes(16),)), 100)
    assert sealed.packets_per_second == plain.packets_per_second
    assert sealed.packet_bytes_per_second >= plain.packet_bytes_per_second + 2 * 29
