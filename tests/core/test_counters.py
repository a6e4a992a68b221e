"""What a node counts for its operators: each number is that of what happened."""

from __future__ import annotations

from collections import Counter

from swim.events import MemberFailed, MemberRefuted
from tests.clusters import cluster, events_of


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
