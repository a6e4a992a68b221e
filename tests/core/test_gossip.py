"""What leaves a node: how large, how full, when, and how rarely for nothing."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest

from sims.world import World
from sims.world.host import SimNode
from sims.world.observer import Observer, Packet, StreamStep
from swim.commands import Leave
from swim.core.member import pack_address
from swim.core.output import Dial, StreamEnd
from swim.wire.codec import encode
from swim.wire.messages import Ack, Alive, Dead, IndirectPing, Nack, Ping, Suspect
from tests.clusters import cluster, lose, world_of
from tests.core.test_hostile import probing
from tests.one_node import PORT, VSN, Solo

SECURE: dict[str, Any] = {"label": "pool", "keys": (b"k" * 32,)}


@pytest.mark.parametrize("settings", [{}, SECURE, {"label": "x" * 255}, {"keys": (b"k" * 16,)}])
@pytest.mark.parametrize("size", [512, 1400, 1401, 9000])
def test_no_packet_is_larger_than_allowed_and_full_ones_are_nearly_so(
    settings: dict[str, Any], size: int
) -> None:
    solo = Solo(
        udp_buffer_size=size, enable_compression=False, probe_interval=0, retransmit_mult=40, **settings
    )
    solo.meet("node-b", "node-c", "node-d")
    solo.forget_outputs()
    for number in range(400):
        claim = Alive(1, f"peer-{number}", pack_address("127.0.2.2"), PORT, b"m" * (number % 7), VSN)
        solo.queue(claim.node, encode(claim))
    solo.upstairs.queue([bytes([65 + number % 26]) * (number % 9) for number in range(3000)])
    for _ in range(40):
        solo.hear(Ping(1, "node-a"), source=("127.0.0.2", PORT))
        solo.advance(solo.config.gossip_interval)
    sizes = [len(data) for _, data in solo.transmits]
    parts = [len(messages) for _, messages in solo.sent()]
    assert max(sizes) <= size
    assert max(parts) <= 127
    assert max(sizes) > size - 100 or max(parts) == 127


def test_an_oversized_message_of_the_layer_above_waits_for_nobody() -> None:
    solo = Solo(probe_interval=0)
    solo.meet("node-b")
    solo.forget_outputs()
    solo.upstairs.queue([b"x" * 2000])
    solo.hear(Ping(1, "node-a"), source=("127.0.0.2", PORT))
    assert [messages for _, messages in solo.sent()] == [[Ack(1)]]


def test_the_first_gossip_is_eager_and_the_next_waits_for_the_interval() -> None:
    solo = Solo(probe_interval=0, push_pull_interval=0)
    solo.meet("node-b", "node-c")
    solo.advance(5.0)
    solo.forget_outputs()
    begun = solo.now
    times = []
    for name in ("m1", "m2"):
        solo.engine.claims.update_self(solo.now, name.encode())
        while not solo.transmits:
            deadline = solo.next_deadline()
            assert deadline is not None
            solo.advance(deadline - solo.now)
        times.append(solo.now - begun)
        solo.transmits.clear()
    assert times == [pytest.approx(0.005), pytest.approx(0.205)]


def test_what_a_member_told_is_not_told_back() -> None:
    solo = Solo(probe_interval=0, push_pull_interval=0)
    solo.meet("node-b", "node-c", "node-d")
    solo.advance(5.0)
    solo.forget_outputs()
    solo.hear(Suspect(1, "node-d", "node-c"), source=("127.0.0.2", PORT))
    solo.advance(3.0)
    assert solo.state("node-d") == "suspect"
    assert {to for to, _ in solo.sent_of(Suspect)} == {("127.0.1.1", PORT), ("127.0.1.2", PORT)}


def test_transmits_to_the_dead_are_not_charged() -> None:
    solo = Solo(probe_interval=0, push_pull_interval=0)
    solo.meet("node-b", "node-c")
    solo.forget_outputs()
    solo.hear(Dead(1, "node-b", "somebody"))
    solo.advance(5.0)
    told = [to for to, _ in solo.sent_of(Dead)]
    live, limit = told.count(("127.0.1.1", PORT)), solo.inside.broadcasts.limit
    assert live == limit
    assert told.count(("127.0.0.2", PORT)) > 0


class Traffic(Observer):
    """Counts what happens to each node."""

    def __init__(self) -> None:
        self.packets_to: Counter[str] = Counter()
        self.steps: Counter[str] = Counter()
        self.stream_steps = 0

    def sent(self, world: World, packet: Packet) -> None:
        self.packets_to[packet.target] += 1

    def stream(self, world: World, step: StreamStep) -> None:
        self.stream_steps += 1

    def stepped(self, world: World, node: SimNode) -> None:
        self.steps[node.id] += 1


@pytest.mark.parametrize("left", [2, 3, 4])
def test_the_dead_are_told_of_their_death_a_few_times_and_a_leave_does_not_wait_for_it(left: int) -> None:
    """Even if all claims came from the only other member that is left, which does not receive them again."""
    world, (*rest, victim) = cluster(left + 1)
    world.crash(victim)
    assert world.run_until(
        lambda _: all(peer.statuses()["n" + str(left + 1)] == "failed" for peer in rest), 60
    )
    world.observe(traffic := Traffic())
    world.run_for(40)
    limit = rest[0].inspect().broadcasts.limit
    assert traffic.packets_to[victim.id] <= left * 2 * limit
    assert not any(peer.inspect().broadcasts.waiting for peer in rest)
    ticket = rest[0].do(Leave())
    assert world.run_until(lambda _: ticket.is_done, 2)


def test_a_relay_nacks_before_the_requesters_round_ends() -> None:
    solo = Solo(probe_interval=1.0, probe_timeout=0.7, gossip_interval=0)
    solo.meet("node-b", "node-c")
    solo.forget_outputs()
    asked_at = solo.now
    solo.hear(IndirectPing(9, pack_address("127.0.0.2"), PORT, "node-b", True), source=("127.0.1.1", PORT))
    while not (nacks := solo.sent_of(Nack)):
        deadline = solo.next_deadline()
        assert deadline is not None
        solo.advance(deadline - solo.now)
    assert nacks == [(("127.0.1.1", PORT), Nack(9))]
    assert solo.now - asked_at == pytest.approx(0.8 * 0.3)


def test_a_late_ack_is_still_passed_on_after_the_nack() -> None:
    solo = Solo(probe_interval=1.0, probe_timeout=0.7, gossip_interval=0)
    solo.meet("node-b", "node-c")
    solo.forget_outputs()
    solo.hear(IndirectPing(9, pack_address("127.0.0.2"), PORT, "node-b", True), source=("127.0.1.1", PORT))
    [(_, ping)] = solo.sent_of(Ping)
    solo.advance(0.5)
    solo.hear(Ack(ping.seq_no), source=("127.0.0.2", PORT))
    assert solo.sent_of(Ack) == [(("127.0.1.1", PORT), Ack(9))]


@pytest.mark.parametrize(("early", "state"), [(True, "suspect"), (False, "alive")])
@pytest.mark.parametrize("end", [StreamEnd.REFUSED, StreamEnd.TIMEOUT])
def test_a_round_ends_when_nobody_can_still_answer(end: StreamEnd, early: bool, state: str) -> None:
    solo, target, seq_no = probing(early_suspicion=early)
    solo.advance(0.5)
    relays = [to for to, _ in solo.sent_of(IndirectPing)]
    dial = solo.streams[-1]
    assert isinstance(dial, Dial)
    assert dial.endpoint == target
    assert dial.connect_by - solo.now == (pytest.approx(0.8 * 0.5) if early else math.inf)
    solo.engine.stream_ended(solo.now, dial.stream_id, end, "")
    for relay in relays:
        solo.hear(Nack(seq_no), source=relay)
    probed = solo.name_at(target)
    assert solo.state(probed) == state
    solo.advance(0.5)
    assert solo.state(probed) == "suspect"
    assert solo.score == 0


def test_a_packet_that_cannot_be_sent_goes_to_the_relays_at_once() -> None:
    solo, target, seq_no = probing(disable_tcp_pings=True)
    solo.engine.send_failed(solo.now, target, "network is unreachable")
    solo.collect()
    assert {request.seq_no for _, request in solo.sent_of(IndirectPing)} == {seq_no}


def test_a_node_alone_has_nothing_to_wake_for() -> None:
    world = world_of(1)
    world.observe(traffic := Traffic())
    world.run_for(3600)
    assert not traffic.steps


def test_an_idle_cluster_wakes_for_probes_and_push_pulls_only() -> None:
    world, peers = cluster(5)
    world.run_for(30)
    world.observe(traffic := Traffic())
    world.run_for(300)
    wakes = [traffic.steps[peer.id] - traffic.packets_to[peer.id] - traffic.stream_steps for peer in peers]
    assert max(wakes) <= 300 + 15 + 5
    assert traffic.packets_to.total() <= 5 * 2 * 305, "a ping and an ack a second for each node"


def test_the_same_seed_is_the_same_run() -> None:
    def run() -> tuple[int, list[Any]]:
        world, peers = cluster(6, 11)
        lose(world, 0.1)
        world.crash(peers[2])
        world.run_for(40)
        return world.driver.packets.sent, [list(peer.events) for peer in peers]

    assert run() == run()
