"""The virtual world: time, runs of hosts, and views that know when they agree."""

from __future__ import annotations

import logging
import os
import subprocess
import sys

import pytest

from sims.errors import NodeCrashedError, NotConvergedError, UsageError
from sims.traces.writer import TraceWriter
from sims.world import World
from sims.world.host import SimNode
from sims.world.network import Link, Network
from sims.world.observer import Observer, Packet
from swim.config import Config
from swim.events import Event, MemberFailed, MemberJoined, MemberLeft, MemberReaped, MemberSuspected
from swim.node import Node

DETERMINISM = """
from sims.traces.fingerprint import Fingerprint
from sims.world.network import Link, Network
from sims.world import World
from swim.config import Config
print_ = Fingerprint()
world = World(11, nodes=8, network=Network(Link(loss=0.1, duplicate=0.1, reorder=0.2)), observers=[print_])
world.run_for(5)
world.crash("n3")
world.pause("n4", 3)
world.network.cut(["n1"], ["n2"], one_way=True)
world.run_for(20)
world.restart("n3", endpoint=world.fresh_endpoint())
world.run_for(10)
print(print_.sha256)
"""


def settled(seed: int = 1, nodes: int = 6, **arguments: object) -> World:
    world = World(seed, nodes=nodes, **arguments)  # type: ignore[arg-type]
    world.settle()
    return world


def shows(world: World, subject: str, status: str) -> bool:
    return all(node.status_of(subject) == status for node in world.running() if node.id != subject)


@pytest.mark.slow
def test_a_run_is_the_same_in_another_process_and_under_another_hash_seed() -> None:
    found = set()
    for hash_seed in ("0", "1", "77"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", DETERMINISM], env=environment, capture_output=True, text=True, check=True
        )
        found.add(done.stdout)
    assert len(found) == 1
    assert len(found.pop().strip()) == 64


def test_another_seed_is_another_run() -> None:
    assert settled(1).now != settled(2).now


def test_a_host_more_does_not_change_what_the_others_draw() -> None:
    one, other = World(5, nodes=2, start="apart"), World(5, nodes=3, start="apart")
    draws = [world.random_for("node", "n2", "1").below(10**9) for world in (one, other)]
    assert draws[0] == draws[1]


def test_time_flows_only_when_it_is_told_to() -> None:
    world = World(1, nodes=3)
    assert world.now == 0.0
    called: list[float] = []
    world.at(2.5, lambda: called.append(world.now))
    world.run_for(2.0)
    assert (world.now, called) == (2.0, [])
    world.run_for(2.0)
    assert (world.now, called) == (4.0, [2.5])


def test_a_step_is_one_thing_that_happens() -> None:
    world = World(1, nodes=0)
    assert not world.step()
    world.at(1.0, lambda: None)
    world.at(2.0, lambda: None)
    assert world.step()
    assert world.now == 1.0


def test_run_until_stops_at_the_step_or_at_the_limit() -> None:
    world = settled()
    began = world.now
    assert not world.run_until(lambda w: False, 3.0)
    assert world.now == began + 3.0
    world.crash("n2")
    assert world.run_until(lambda w: w.converged, 60.0)
    assert shows(world, "n2", "failed")


@pytest.mark.slow
def test_views_know_at_every_step_whether_they_agree() -> None:
    class Compare(Observer):
        """Compares the running digests with the tables."""

        seen: set[bool]

        def stepped(self, world: World, node: SimNode) -> None:
            running = world.running()
            names = frozenset(peer.name for peer in running)
            assert world.converged == all(peer.alive_names() == names for peer in running)
            assert world.agree == (len({tuple(sorted(p.statuses().items())) for p in running}) <= 1)
            self.seen.add(world.converged)

    compare = Compare()
    compare.seen = set()
    world = World(3, nodes=5, config=Config.local, network=Network(Link(loss=0.1)), observers=[compare])
    world.run_for(2)
    world.crash("n2")
    world.run_for(10)
    world.leave("n3")
    world.run_for(3)
    world.restart("n2", snapshot=False)
    world.pause("n4", 6)
    world.run_for(12)
    world.nodes["n1"].force_leave("n3", prune=True)
    world.run_for(5)
    assert compare.seen == {True, False}


def test_settle_names_the_seed_when_it_takes_too_long() -> None:
    world = World(9, nodes=4)
    world.network.partition(["n1", "n2"], ["n3", "n4"])
    with pytest.raises(NotConvergedError, match=r"seed 9: \d different views 5 s after 0 s"):
        world.settle(5.0)


@pytest.mark.parametrize("snapshot", [True, False])
def test_a_crashed_node_comes_back(snapshot: bool) -> None:
    world = settled()
    world.crash("n3")
    world.run_until(lambda w: w.converged, 60)
    before = world.nodes["n3"].endpoint
    world.restart("n3", snapshot=snapshot)
    world.settle()
    assert world.nodes["n3"].endpoint == before
    assert world.nodes["n3"].life == 2
    assert shows(world, "n3", "alive")


def test_a_node_comes_back_at_another_address() -> None:
    world = settled()
    world.crash("n3")
    world.run_until(lambda w: w.converged, 60)
    world.restart("n3", endpoint=world.fresh_endpoint())
    world.settle()
    world.run_for(60)
    assert world.converged
    assert world.nodes["n1"].member("n3").address == world.nodes["n3"].endpoint[0]  # type: ignore[union-attr]


def test_a_short_pause_is_survived_and_accuses_nobody() -> None:
    world = settled()
    world.pause("n2", 2.0)
    world.run_for(30)
    assert world.converged
    events = [event for node in world.nodes.values() for event in node.events]
    assert not [event for event in events if isinstance(event, MemberFailed)]
    accused = {event.member.name for event in events if isinstance(event, MemberSuspected)}
    assert accused <= {"n2"}


def test_a_long_pause_is_a_failure_until_it_ends() -> None:
    world = settled()
    world.pause("n2")
    world.run_for(40)
    assert shows(world, "n2", "failed")
    world.resume("n2")
    world.settle()


def test_a_paused_host_keeps_no_more_than_a_socket_does() -> None:
    world = settled(nodes=3)
    world.pause("n2")
    for _ in range(400):
        world.driver.packets.send(world.nodes["n1"], world.nodes["n2"].endpoint, bytes(1000))
    world.run_for(1)
    assert world.nodes["n2"].backlog_bytes <= 208 * 1024
    assert 200 <= len(world.nodes["n2"].backlog) < 400


def test_a_blocked_node_sends_and_receives_nothing_while_its_timers_fire() -> None:
    sent: list[Packet] = []

    class Tap(Observer):
        def sent(self, world: World, packet: Packet) -> None:
            sent.append(packet)

    world = settled()
    world.observe(Tap())
    until = world.now + 4.0
    world.block("n2", 4.0)
    world.run_for(3.9)
    assert not [packet for packet in sent if packet.source == "n2"]
    world.run_for(1.0)
    released = [packet for packet in sent if packet.source == "n2" and packet.sent_at == until]
    assert len(released) >= 3  # pings of the rounds in between, and acks for what waited


def test_leaving_ends_the_process() -> None:
    world = settled()
    ticket = world.leave("n4")
    world.run_for(10)
    node = world.nodes["n4"]
    assert node.state == "left"
    assert ticket.result is None
    assert shows(world, "n4", "left")


def test_a_node_that_left_without_ending_rejoins() -> None:
    world = settled()
    world.leave("n4", stop=False)
    world.run_for(10)
    assert world.nodes["n4"].state == "running"
    assert world.converged
    assert shows(world, "n4", "left")
    world.nodes["n4"].rejoin()
    world.settle()
    assert shows(world, "n4", "alive")


def test_an_application_gets_events_in_order_though_it_gives_commands_meanwhile() -> None:
    world = World(1, nodes=1)
    sequences: list[int] = []

    def application(now: float, event: Event) -> None:
        sequences.append(event.sequence)  # type: ignore[union-attr]
        if isinstance(event, MemberJoined) and event.member.name != "n1":
            world.nodes["n1"].set_tags({"last": event.member.name})

    world.nodes["n1"].subscribe(application)
    for _ in range(4):
        world.add(seeds=["10.0.0.1:7946"])
    world.run_for(3)
    assert sequences == sorted(set(sequences))
    assert len(sequences) >= 8
    assert world.nodes["n5"].member("n1").tags["last"] in world.nodes  # type: ignore[union-attr]


def test_events_of_a_node_fold_to_its_view() -> None:
    world = settled()
    world.crash("n2")
    world.leave("n3")
    world.run_for(30)
    for node in world.running():
        table = {}
        for event in node.events:
            if isinstance(event, MemberReaped):
                del table[event.member.name]
            else:
                table[event.member.name] = event.member  # type: ignore[union-attr]
        assert table == {member.name: member for member in node.members()}
    assert any(isinstance(event, MemberLeft) for event in world.nodes["n1"].events)


def test_hosts_may_have_ipv6_addresses() -> None:
    world = World(1, nodes=0)
    first = world.add(endpoint=("fd00::1", 7946))
    world.add(endpoint=("fd00::2", 7946), seeds=[first])
    world.settle(10)
    assert world.nodes["n2"].member("n1").address == "fd00::1"  # type: ignore[union-attr]


def test_one_name_on_two_hosts_is_a_conflict_that_the_majority_decides() -> None:
    world = settled(nodes=5)
    imposter = world.add("n2", id="imposter", seeds=[world.nodes["n1"]])
    world.run_for(30)
    assert imposter.stopped_because
    assert imposter.state == "left"
    world.settle()


def test_a_config_is_renamed_for_every_node() -> None:
    world = World(1, nodes=3, config=Config.local(name="template", tags={"role": "web"}))
    world.settle()
    assert [node.name for node in world.nodes.values()] == ["n1", "n2", "n3"]
    assert all(member.tags == {"role": "web"} for member in world.nodes["n2"].members())


def test_a_core_that_raises_ends_the_run_with_seed_time_and_node(monkeypatch: pytest.MonkeyPatch) -> None:
    world = settled(8)

    def broken(self: Node, now: float, data: bytes, source: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(Node, "receive_packet", broken)
    with pytest.raises(NodeCrashedError, match=r"seed 8, .* node n\d raised ZeroDivisionError\('planted'\)"):
        world.run_for(5)


@pytest.mark.parametrize("where", ["subscriber", "call", "observer"])
def test_what_a_test_raises_is_not_blamed_on_a_node(where: str) -> None:
    world = settled(nodes=3)

    def fail(*_: object) -> None:
        raise AssertionError("mine")

    class Watch(Observer):
        def event(self, *_: object) -> None:
            fail()

    if where == "subscriber":
        world.nodes["n1"].subscribe(fail)
    elif where == "observer":
        world.observe(Watch())
    else:
        world.at(world.now + 1, fail)
    world.crash("n3")
    with pytest.raises(AssertionError, match="mine"):
        world.run_for(30)


def test_what_cannot_be_is_refused() -> None:
    world = settled(nodes=3)
    with pytest.raises(UsageError, match="start must be one of join, apart, converged, not 'bogus'"):
        World(1, start="bogus")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="carries one world"):
        World(2, network=world.network)
    with pytest.raises(UsageError, match="there is a host 'n1' already"):
        world.add("n1")
    with pytest.raises(UsageError, match="there is no host 'n9'"):
        world.crash("n9")
    with pytest.raises(UsageError, match="cannot have the address of n1"):
        world.restart("n2", endpoint=world.nodes["n1"].endpoint)
    world.crash("n3")
    with pytest.raises(UsageError, match="n3 does not run"):
        world.nodes["n3"].set_tags({"a": "b"})


@pytest.mark.parametrize("keys", [(), (bytes(16),)])
def test_messages_without_framing_make_the_same_run(keys: tuple[bytes, ...]) -> None:
    """Sizes and random draws included, so every event comes at the same moment."""
    told = []
    for byte_mode in (True, False):
        lines: list[str] = []
        config = Config.local(name="n", keys=keys, label="x")
        network = Network(Link(loss=0.1, duplicate=0.1))
        trace = TraceWriter(lines.append)
        world = World(6, nodes=6, config=config, network=network, byte_mode=byte_mode, observers=[trace])
        world.run_for(5)
        world.crash("n2")
        world.run_for(15)
        told.append(lines)
    assert told[0] == told[1]
    assert any('"type":"ping"' in line for line in told[1])


def test_a_converged_start_needs_no_traffic_and_tells_no_events() -> None:
    world = World(2, nodes=30, start="converged")
    assert world.converged
    assert world.now == 0.0
    node = world.nodes["n7"]
    assert len(node.members()) == len(node.listed) == 30
    assert not node.events
    world.crash("n3")
    world.run_until(lambda w: w.converged and w.agree, 60.0)
    assert shows(world, "n3", "failed")
    assert {type(event) for event in node.events} <= {MemberSuspected, MemberFailed}


def test_what_nodes_log_names_the_node_and_the_time(caplog: pytest.LogCaptureFixture) -> None:
    world = World(nodes=2, config=Config.local)
    world.run_for(1.5)
    node = world.host("n2")
    world.at(2.0, logging.getLogger("swim.core.test").warning, "100 %% %s", "done")
    world.at(2.0, logging.getLogger("mine").warning, "as it is")
    world.current = node.id
    world.clock.at(2.0, lambda: None)
    world.run_for(1.0)
    told = [record.getMessage() for record in caplog.records if record.name in ("swim.core.test", "mine")]
    assert [text.partition(" at 2.000 s: ")[2] or text for text in told] == ["100 % done", "as it is"]
    assert told[0].startswith(("n1 at", "n2 at"))
    logging.getLogger("swim.core.test").warning("outside of a run")
    assert caplog.records[-1].getMessage() == "outside of a run"
