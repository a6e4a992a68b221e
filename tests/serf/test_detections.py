"""What a node says of each member: since when, who suspects it, the last ack, the path of the last probe."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sims.world.host import SimNode
from sims.world.network import Link
from swim import Event, MemberAccused, MemberFailed, MemberSuspected, ProbeCounts
from swim.core.probed import RTTS_KEPT, Tally
from tests.clusters import cluster, events_of, lose, split


def test_a_healthy_member_acks_pings_itself() -> None:
    world, (one, other) = cluster(2)
    world.run_for(30)
    found = one.detection(other.name)
    assert found is not None
    assert found.last_ack is not None
    assert found.rtt is not None
    assert found.suspicion is None
    assert world.now - found.last_ack <= 2 * one.config.probe_interval
    assert 0 < found.rtt < one.config.probe_timeout
    assert found.probe == (found.last_ack, True, {}, "off")
    assert found.since == one.history(other.name)[0].at
    own = one.detection(one.name)
    assert own is not None
    assert (own.last_ack, own.rtt, own.probe) == (None, None, None)
    assert one.detection("nobody") is None


def test_the_path_of_a_failed_probe_names_each_relay() -> None:
    world, (*rest, victim) = cluster(5)
    world.run_for(20)
    world.crash(victim)

    def accusers() -> list[SimNode]:
        events = {peer.id: events_of([peer], MemberSuspected) for peer in rest}
        return [peer for peer in rest if any(event.reason.cause == "probe" for event in events[peer.id])]

    assert world.run_until(lambda _: accusers(), 20)
    [accuser] = accusers()
    found = accuser.detection(victim.name)
    assert found is not None
    assert found.probe is not None
    assert not found.probe.direct
    assert found.probe.stream == "refused"
    assert set(found.probe.relays.values()) <= {"nack", "silent"}
    assert set(found.probe.relays) <= {peer.name for peer in rest} - {accuser.name}
    assert len(found.probe.relays) == 3
    assert found.last_ack is not None
    assert found.last_ack < found.probe.at


def test_a_relay_that_brought_the_ack_is_named() -> None:
    world, peers = cluster(5, disable_tcp_pings=True)
    world.network.cut(["n1"], ["n2"])
    world.run_for(60)
    found = peers[0].detection("n2")
    assert found is not None
    assert found.probe is not None
    assert not found.probe.direct
    assert "ack" in found.probe.relays.values()
    assert found.probe.stream == "off"
    assert found.last_ack == found.probe.at


def test_a_member_that_only_streams_reach() -> None:
    world, peers = cluster(4)
    for ends in (("n4", None), (None, "n4")):
        world.network.set_link(*ends, Link(mtu=1))
    world.run_for(60)
    found = peers[0].detection("n4")
    assert found is not None
    assert found.probe is not None
    assert (found.probe.direct, found.probe.stream) == (False, "ack")
    assert set(found.probe.relays.values()) <= {"silent", "nack"}
    assert found.last_ack == found.probe.at


def test_a_suspicion_is_shown_while_it_runs() -> None:
    world, (*rest, victim) = cluster(8)
    world.run_for(10)
    one = rest[0]
    split(world, rest, [victim])
    assert world.run_until(lambda _: events_of([one], MemberSuspected, victim.name), 60)
    found = one.detection(victim.name)
    assert found is not None
    assert found.suspicion is not None
    accused = events_of([one], MemberSuspected, victim.name)[0].reason.accuser
    assert accused in found.suspicion.accusers
    assert found.suspicion.started == found.since == one.history(victim.name)[-1].at
    assert found.suspicion.wanted == one.config.suspicion_mult - 2
    assert world.run_until(lambda _: events_of([one], MemberFailed, victim.name), 120)
    assert world.now <= found.suspicion.deadline + 0.1
    after = one.detection(victim.name)
    assert after is not None
    assert (after.suspicion, after.since) == (None, one.history(victim.name)[-1].at)


def test_what_is_kept_of_a_member_goes_with_it() -> None:
    world, (one, other) = cluster(2, reconnect_timeout=30.0, tombstone_timeout=30.0)
    world.run_for(10)
    world.crash(other)
    assert world.run_until(lambda _: one.member(other.name) is None, 120)
    assert one.detection(other.name) is None
    assert len(one.node.probed) == 0


@settings(max_examples=6)
@given(seed=st.integers(0, 2**16), loss=st.floats(0, 0.5))
def test_since_is_when_the_state_last_changed(seed: int, loss: float) -> None:
    """Whatever happens: by the history as far as it reaches, and a suspicion exactly of suspects."""
    world, (*rest, victim) = cluster(4, seed, history_size=64)
    lose(world, loss)
    world.run_for(8)
    world.crash(victim)
    world.run_for(8)
    for peer in rest:
        for member in peer.members():
            found = peer.detection(member.name)
            assert found is not None
            changes = [line.at for line in peer.history(member.name) if line.before != line.after]
            assert found.since == changes[-1]
            assert (found.suspicion is not None) == member.is_suspect


def test_each_accuser_that_brings_the_end_nearer_is_an_event() -> None:
    """So a client that follows events always knows the deadline; the last one is kept."""
    world, (*rest, victim) = cluster(8)
    world.run_for(10)
    split(world, rest, [victim])
    deadlines: list[float] = []
    one = rest[0]

    def follow(_: float, event: Event) -> None:
        if isinstance(event, MemberSuspected | MemberAccused):
            found = one.detection(event.member.name)
            assert found is not None
            assert found.suspicion is not None
            assert event.reason.accuser in found.suspicion.accusers
            deadlines.append(found.suspicion.deadline)

    one.subscribe(follow)
    assert world.run_until(lambda _: events_of([one], MemberFailed, victim.name), 120)
    assert len(deadlines) >= 2
    assert deadlines == sorted(deadlines, reverse=True)
    assert abs(one.history(victim.name)[-1].at - deadlines[-1]) < 0.1
    accused = [line for line in one.history(victim.name) if line.before == line.after == "suspect"]
    assert len(accused) == len(deadlines) - 1
    assert all(line.reason.detail.startswith("fails in ") for line in accused)


@given(st.lists(st.one_of(st.none(), st.floats(0, 10, width=32)), max_size=100))
@settings(max_examples=50)
def test_probes_are_counted_and_the_last_round_trips_are_kept_in_order(rounds: list[float | None]) -> None:
    tally = Tally()
    for rtt in rounds:
        if rtt is None:
            tally.failed += 1
        else:
            tally.direct(rtt)
    acked = [rtt for rtt in rounds if rtt is not None]
    assert (tally.acked, tally.failed) == (len(acked), rounds.count(None))
    assert tally.rtts == tuple(acked[-RTTS_KEPT:])
    counts = ProbeCounts(tally.acked, tally.failed, tally.rtts)
    p95 = counts.percentile(0.95)
    if p95 is None:
        assert not acked
    else:
        assert 20 * sum(rtt <= p95 for rtt in tally.rtts) >= 19 * len(tally.rtts)
        assert 20 * sum(rtt < p95 for rtt in tally.rtts) < 19 * len(tally.rtts)


def test_a_node_counts_how_its_probes_of_a_member_ended() -> None:
    world, (one, other, _) = cluster(3)
    world.run_for(30)
    before = one.detection(other.name)
    assert before is not None
    assert before.probes.failed == 0
    assert before.probes.acked == len(before.probes.rtts) > 3
    assert before.probes.rtts[-1] == pytest.approx(before.rtt)
    world.crash(other)
    world.run_for(30)
    after = one.detection(other.name)
    assert after is not None
    assert after.probes.failed >= 1
    assert after.probes.rtts == before.probes.rtts
