"""The recipe for presence: in a calm cluster all workers agree, whatever happened before."""

from __future__ import annotations

import pytest
from hypothesis import given

from sims import Applications, World, every
from sims.examples.presence import Presence
from sims.faults import Crash, Pause, Restart, Schedule, Split
from sims.testing.strategies import fault_schedules
from sims.world.host import SimNode
from swim.config import Config
from swim.events import Event, Member, UserEvent
from tests.sims.settings import examples

HOSTS = ["n1", "n2", "n3", "n4", "n5"]
ROOMS = ["lobby", "kitchen", "garden"]


class Worker:
    """Two users of each worker are in the lobby and one is in another room."""

    def __init__(self, world: World, node: SimNode) -> None:
        self.node = node
        self.presence = Presence(node, self.send)
        self.presence.enter("lobby", f"ann@{node.name}")
        self.presence.enter("lobby", f"bob@{node.name}")
        self.presence.enter(ROOMS[1 + int(node.name[1:]) % 2], f"ann@{node.name}")
        every(world, node, 1.0, lambda: self.presence.tick(world.now))

    def send(self, member: Member, payload: bytes) -> None:
        """As user events, which a partition stops as it stops anything else."""
        if self.node.status == "running":
            self.node.user_event(member.name, self.node.name.encode() + b":" + payload)

    def on_event(self, now: float, event: Event) -> None:
        self.presence.on_event(now, event)
        if isinstance(event, UserEvent) and event.name == self.node.name:
            source, _, payload = event.payload.partition(b":")
            self.presence.receive(source.decode(), payload)


def play(schedule: Schedule, seconds: float = 40.0) -> tuple[World, dict[str, Presence]]:
    workers = Applications(Worker)
    world = World(nodes=5, config=Config.local, observers=[workers])
    world.run_for(10.0)
    schedule.apply(world)
    world.run_for(max(30.0, schedule.seconds) + seconds)
    return world, {host: worker.presence for host, worker in workers.running().items()}


def lobby(hosts: list[str]) -> dict[str, str]:
    return {f"{user}@{host}": host for host in hosts for user in ("ann", "bob")}


def test_each_worker_sees_the_users_of_its_rooms() -> None:
    _, seen = play(Schedule())
    for host, presence in seen.items():
        assert presence.users("lobby") == lobby(HOSTS)
        own = ROOMS[1 + int(host[1:]) % 2]
        same = {f"ann@{other}": other for other in HOSTS if ROOMS[1 + int(other[1:]) % 2] == own}
        assert presence.users(own) == same
        assert presence.users("nowhere") == {}


def test_a_user_that_leaves_disappears_everywhere() -> None:
    world, seen = play(Schedule())
    seen["n3"].leave("lobby", "bob@n3")
    world.run_for(12.0)
    left = lobby(HOSTS)
    del left["bob@n3"]
    assert all(presence.users("lobby") == left for presence in seen.values())
    seen["n3"].leave("lobby", "ann@n3")
    world.run_for(12.0)
    assert seen["n3"].users("lobby") == {}, "this worker is not in that room"
    assert seen["n1"].users("lobby") == lobby(["n1", "n2", "n4", "n5"])


@pytest.mark.parametrize("host", HOSTS)
def test_the_users_of_a_worker_that_fails_disappear(host: str) -> None:
    """Whether it was the home of the room or not."""
    others = [other for other in HOSTS if other != host]
    _, seen = play(Schedule([Crash(1.0, host)]))
    assert seen.keys() == set(others)
    assert all(presence.users("lobby") == lobby(others) for presence in seen.values())


def test_each_side_of_a_partition_sees_its_own_users() -> None:
    halves = ("n1", "n2"), ("n3", "n4", "n5")
    split = Schedule([Split(1.0, halves, 60.0)])
    workers = Applications(Worker)
    world = World(nodes=5, config=Config.local, observers=[workers])
    world.run_for(10.0)
    split.apply(world)
    world.run_for(55.0)
    for half in halves:
        for host in half:
            assert workers[host].presence.users("lobby") == lobby([*half])
    world.run_for(60.0)
    assert all(worker.presence.users("lobby") == lobby(HOSTS) for worker in workers.running().values())


@pytest.mark.slow
@examples(5)
@given(fault_schedules(HOSTS, 30, kinds=[Split, Pause, Crash, Restart]))
def test_in_the_end_all_agree(schedule: Schedule) -> None:
    world, seen = play(schedule, seconds=90.0)
    world.settle()
    world.run_for(30.0)
    up = sorted(host for host, node in world.nodes.items() if node.state == "running")
    assert all(seen[host].users("lobby") == lobby(up) for host in up)
