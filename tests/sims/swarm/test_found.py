"""What simulated runs found in the core, each as small as it became."""

from __future__ import annotations

import pytest

from sims.checkers import RelayedAcksReturn, inside, safety_checkers
from sims.faults import Leave, Restart
from sims.faults.schedule import Schedule
from sims.swarm.run import run_swarm
from sims.world import World
from sims.world.host import SimNode
from sims.world.latency import Constant
from sims.world.network import Link, Network
from sims.world.observer import Observer, Packet
from swim.config import Config
from swim.core.broadcast import BroadcastQueue, Priority
from swim.core.member import pack_address
from swim.errors import ConfigError
from swim.wire.codec import encode
from swim.wire.messages import Ack, Alive, Dead, IndirectPing, Ping
from swim.wire.packet import PacketCodec


def test_settings_with_which_no_two_nodes_can_talk_are_refused() -> None:
    keys = (b"0123456789abcdef",)
    with pytest.raises(ConfigError, match=r"^accept_encryption_v0: "):
        Config.lan(name="a", protocol_version=1, keys=keys)
    Config.lan(name="a", protocol_version=1, keys=keys, accept_encryption_v0=True)


def test_a_growing_cluster_queues_no_more_again_than_the_queue_may_hold() -> None:
    queue = BroadcastQueue(1, max_depth=2)
    for name in ("a", "b", "c"):
        queue.queue(name, b"news", priority=Priority.DEAD)
        while queue:
            queue.take(0.0, 100, 2)
    assert queue.resize(1.0, 100)
    assert len(queue) == 2


def test_a_seed_that_left_and_forgot_everything_is_found_again() -> None:
    world = World(1, nodes=3, network=Network(Link(latency=Constant(0.001))))
    world.settle()
    world.leave("n1")
    world.run_for(100.0)
    world.restart("n1", snapshot=False)
    world.settle(120.0)


@pytest.mark.parametrize("answers", [("n1",), ("n1", "n2")])
def test_a_name_that_answers_with_the_node_itself_is_asked_again(answers: tuple[str, ...]) -> None:
    config = Config.lan(name="any", seeds=("seeds.example",))
    world = World(1, nodes=2, config=config, start="apart", network=Network(Link(latency=Constant(0.001))))
    n1, n2 = world.nodes.values()
    world.network.partition(["n1"], ["n2"])
    world.network.set_names("seeds.example", [world.host(id).endpoint for id in answers])
    world.run_for(60.0)
    world.network.heal()
    world.network.set_names("seeds.example", [n1.endpoint, n2.endpoint])
    world.crash(n2)
    world.restart(n2, snapshot=False, config=n2.config.with_changes(seeds=()))
    world.settle(10.0)


def test_who_hears_nobody_does_not_say_that_a_leaving_member_stays() -> None:
    config = Config.lan(name="any", leaving_timeout=6.0)
    world = World(1, nodes=20, config=config, network=Network(Link(latency=Constant(0.001))))
    world.settle()
    cut_off = world.host("n2")
    world.leave("n3")
    world.run_until(lambda _: cut_off.status_of("n3") == "leaving", 5.0)
    world.network.cut([id for id in world.nodes if id != "n2"], ["n2"], one_way=True)
    seen = set()
    for _ in range(60):
        world.run_for(1.0)
        seen.add(cut_off.status_of("n3"))
    assert seen <= {"leaving", "left"}


def test_a_refutation_that_was_told_is_not_told_again_when_its_member_proves_to_be_alive() -> None:
    world = World(1, nodes=2)
    world.settle()
    n1, n2 = world.nodes.values()
    x = ("10.9.9.9", 7946)
    for incarnation in (1, 2):
        claim = Alive(incarnation, "x", pack_address(x[0]), x[1], None, bytes((1, 5, 2, 2, 5, 5)))
        world.inject(n1, encode(claim), n2.endpoint)
    assert inside.is_held(n1, "x") or inside.is_queued(n1, "x")
    world.run_for(0.9)
    queue = n1.inspect().broadcasts
    assert "x" not in queue.waiting
    world.inject(n1, encode(Ping(1, "n1")), x)
    record = n1.inspect().table.get("x")
    assert record is not None
    assert record.verified
    assert "x" not in queue.waiting


def test_a_join_of_a_former_life_hides_a_leave_for_a_moment_only() -> None:
    """Its stamp is later than that of the leave, as Serf's clocks go; it ends as left all the same."""
    world = World(41, nodes=6, observers=safety_checkers())
    Schedule(
        [
            Leave(0.001, "n2"),
            Restart(0.002, "n2", snapshot=False),
            Restart(0.003, "n2", snapshot=False),
            Restart(0.004, "n4", snapshot=False),
            Leave(0.005, "n4", stop=False),
        ]
    ).apply(world)
    world.run_for(60.0)
    assert {node.status_of("n4") for node in world.running()} == {"left"}


class Acked(Observer):
    """The numbers of the acks that one node got."""

    def __init__(self, id: str) -> None:
        self.id = id
        self.numbers: list[int] = []

    def received(self, world: World, node: SimNode, packet: Packet) -> None:
        if node.id == self.id:
            self.numbers += [
                message.seq_no for message in inside.read(node, packet) if isinstance(message, Ack)
            ]


@pytest.mark.parametrize("asked_at", ["10.0.0.2", "10.0.0.99"])
def test_a_ping_that_checks_news_is_not_taken_for_a_relayed_one(asked_at: str) -> None:
    """The news comes with the request, and is checked where the member is listed."""
    acked = Acked("n3")
    world = World(1, nodes=3, observers=[RelayedAcksReturn(), acked])
    world.settle()
    n1, n2, n3 = world.nodes.values()
    target, own = pack_address(asked_at), pack_address(n3.endpoint[0])
    request = IndirectPing(7, target, 7946, "n2", True, own, 7946, "n3")
    codec = PacketCodec(n3.config, n3.node.keyring, bytes)
    packet = codec.seal([encode(request), encode(Dead(1, "n2", "n3"))], crc=False)
    world.driver.packets.send(n3, n1.endpoint, packet)
    world.run_for(0.5)
    assert (7 in acked.numbers) == (asked_at == n2.endpoint[0])


SEEDS = [40492, 60229, 201248, 201307, 300528, 320044, 320164, 320179, 330344, 330474]
SEEDS += [600178, 800128, 800374, 801173, 800952, 910233, 911587, 940520, 941120]


@pytest.mark.deep
@pytest.mark.parametrize("seed", SEEDS)
def test_seeds_that_failed(seed: int) -> None:
    assert str(run_swarm(seed).violations) == "()"
