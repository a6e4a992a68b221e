"""What a node counts for its operators: each number is that of what happened."""

from __future__ import annotations

from collections import Counter

from swim.events import MemberFailed, MemberRefuted
from swim.metrics import Metrics
from swim.wire.messages import Suspect
from tests.clusters import cluster, events_of
from tests.one_node import QUIET, Solo


def counted(metrics, beginning: str) -> dict[str, int]:
    """The counters whose names begin so, by the rest of their names, without zeros."""
    found = metrics.counters.items()
    return {
        name.removeprefix(beginning): count for name, count in found if name.startswith(beginning) and count
    }


def test_transitions_and_suspicions_are_those_of_the_histories() -> None:
    world, (sleeper, *rest) = cluster(5, 3)
    world.pause(sleeper, 4.0)
    world.run_for(30)
    world.crash(rest[-1])
    world.run_for(60)
    peers = [sleeper, *rest[:-1]]
    for peer in peers:
        lines = [line for member in peer.node.members() for line in peer.node.history(member.name)]
        wanted = Counter(f"{line.after}.{line.reason.cause}" for line in lines)
        assert counted(peer.metrics, "swim.transition.") == wanted
        ended = counted(peer.metrics, "swim.suspicion.")
        assert ended.get("failed") == len(events_of([peer], MemberFailed)) == 1
        refuted = [event for event in events_of([peer], MemberRefuted) if event.member.name != peer.name]
        assert ended.get("refuted", 0) == len(refuted)
    assert sum(counted(peer.metrics, "swim.suspicion.").get("refuted", 0) for peer in peers) >= 1
    assert sleeper.metrics.counters["swim.overslept-ms"] >= 2000


def test_probe_rounds_are_counted_by_what_they_ended_with() -> None:
    world, peers = cluster(4, disable_tcp_pings=True)
    interval = peers[0].config.probe_interval
    world.run_for(10 * interval)
    before = counted(peers[0].metrics, "swim.probe.")
    assert set(before) == {"direct"}
    world.network.cut(["n1"], ["n2"])
    world.run_for(30 * interval)
    after = counted(peers[0].metrics, "swim.probe.")
    assert set(after) == {"direct", "indirect"}
    assert 28 <= sum(after.values()) - before["direct"] <= 32
    assert after["indirect"] == 10


def test_packets_and_push_pulls_are_counted_at_both_ends() -> None:
    world, peers = cluster(3)
    world.run_for(120)
    totals: Counter[str] = Counter()
    for peer in peers:
        totals.update(peer.metrics.counters)
    assert totals["swim.packets.sent"] == totals["swim.packets.received"] > 100
    assert totals["swim.push-pull.dialled"] == totals["swim.push-pull.answered"] > 5


def sampled(metrics: Metrics, name: str) -> tuple[int, float]:
    """How many samples there are of that name, and their mean."""
    samples = metrics.samples[name]
    return samples.count, samples.sum / samples.count


def test_a_probe_round_takes_until_its_ack_or_its_end() -> None:
    world, (peer, other) = cluster(2, disable_tcp_pings=True, early_suspicion=False)
    interval = 1000 * peer.config.probe_interval
    world.run_for(30 * peer.config.probe_interval)
    rounds, mean = sampled(peer.metrics, "memberlist.probeNode")
    assert rounds == peer.metrics.counters["swim.probe.direct"]
    assert 0 < mean < 10
    before = peer.metrics.samples["memberlist.probeNode"].sum
    world.crash(other)
    world.run_until(lambda _: peer.metrics.counters["memberlist.degraded.probe"] == 1, 60)
    longest = peer.metrics.samples["memberlist.probeNode"].sum - before
    assert interval <= longest <= 2 * interval


def test_a_push_pull_takes_until_its_answer_is_merged_or_it_failed() -> None:
    solo = Solo(tcp_timeout=5.0)
    solo.join("127.0.0.77:7946")
    solo.advance(0.25)
    solo.reply()
    assert sampled(solo.metrics, "memberlist.pushPullNode") == (1, 250.0)
    assert solo.metrics.gauges["memberlist.size.local"] > 0
    solo.join("127.0.0.78:7946")
    solo.advance(0.75)
    solo.refuse()
    assert sampled(solo.metrics, "memberlist.pushPullNode") == (2, 500.0)
    solo.pushed([])
    assert solo.metrics.samples["memberlist.pushPullNode"].count == 2, "only those that this node dialled"


def test_a_suspicion_that_too_few_confirmed_is_a_degraded_one() -> None:
    world, (peer, _, victim) = cluster(3)
    world.crash(victim)
    assert world.run_until(lambda _: events_of([peer], MemberFailed) != [], 60)
    assert peer.metrics.counters["memberlist.degraded.timeout"] == 0, "a cluster of 3 wants no confirmations"
    solo = Solo(**QUIET, gossip_to_the_dead_time=3600)
    solo.meet(*(f"other-{n}" for n in range(10)))
    solo.hear(Suspect(1, "other-9", "other-0"))
    solo.advance(60)
    assert solo.upstairs.events[-1] == "leave:other-9"
    assert solo.metrics.counters["memberlist.degraded.timeout"] == 1
