"""The machine's address changes under a running node."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import pytest
import trio
from trio.testing import MockClock

from swim.commands import Rejoin
from swim.config import Config
from swim.core.rng import Rng
from swim.errors import ConfigError
from swim.events import Event, MemberFailed, MemberLeft
from swim.net.cluster import Cluster
from swim.net.own_address import OwnAddress
from swim.net.pump import Pump
from swim.net.subscriptions import Subscription
from swim.node import Node
from tests.net.conftest import Pool, statuses, until
from tests.net.memory import MemoryNetwork, MemoryTransport
from tests.net.rigs import Driving

OLD, NEW = "10.0.0.1", "10.0.0.77"


class Machine:
    """A node at ``OLD`` on a machine whose addresses a test changes.

    Attributes:
        hosts: the machine's addresses.
    """

    def __init__(self, network: MemoryNetwork) -> None:
        self.hosts = {OLD}
        self.network = network
        self.transport: MemoryTransport = network.transport(OLD)
        rng = Rng(random.Random(1))
        config = Config.local(name="n1", bind="0.0.0.0:7946", seeds=["10.0.0.2"])
        self.node = Node(config, advertise=(OLD, 7946), bind_port=7946, rng=rng)

    def watch(self, driver: Pump, *, is_chosen: bool) -> None:
        """Watches the address from now on."""
        self.driver = driver
        self.own_address = OwnAddress(
            driver, is_chosen=is_chosen, is_ours=self.hosts.__contains__, choose=self.choose
        )

    def choose(self, version: int) -> tuple[str, str]:
        if not self.hosts:
            raise ConfigError("advertise", "none")
        return min(self.hosts), "a test's choice"

    def change(self, host: str) -> None:
        """Gives the machine another address in place of its own, or none for ""."""
        del self.network.bound[self.transport.endpoint]
        self.hosts.clear()
        if host:
            self.hosts.add(host)
            self.transport.endpoint = (host, 7946)
            self.network.bound[host, 7946] = self.transport
        self.transport.send_error = None if host else OSError(101, "Network is unreachable")


class Start(Protocol):
    """Runs a node on such a machine for the length of a block."""

    def __call__(self, *, is_chosen: bool) -> AbstractAsyncContextManager[Machine]: ...


@pytest.fixture
def machine(driving: Driving, network: MemoryNetwork) -> Start:
    @asynccontextmanager
    async def start(*, is_chosen: bool) -> AsyncIterator[Machine]:
        machine = Machine(network)
        async with driving(machine.node, machine.transport) as driver:
            machine.watch(driver, is_chosen=is_chosen)
            yield machine

    return start


def at(cluster: Cluster) -> tuple[str, str]:
    """Where n1 is in the eyes of ``cluster``, and its status."""
    member = cluster.member("n1")
    assert member is not None
    return member.address, member.status.value


async def so_far(events: Subscription) -> list[Event]:
    """The events that wait, none that come later."""
    seen = []
    with trio.move_on_after(0.001):
        async for event in events:
            seen.append(event)  # noqa: PERF401  cancelled while it waits
    return seen


def own_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.message.startswith("own address")]


async def test_an_address_that_we_chose_is_announced_anew(
    machine: Start, pool: Pool, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    others = [await pool.start("n2"), await pool.start("n3", seeds=["10.0.0.2"])]
    async with machine(is_chosen=True) as n1:
        await until(lambda: all(len(statuses(cluster)) == 3 for cluster in others))
        streams = [cluster.events() for cluster in others]
        n1.change(NEW)
        await until(lambda: all(at(cluster) == (NEW, "alive") for cluster in others), within=15.0)
        await trio.sleep(60.0)
        assert all(at(cluster) == (NEW, "alive") for cluster in others)
        assert n1.node.advertised == (NEW, 7946)
        assert {member.name: member.status.value for member in n1.node.members()} == dict.fromkeys(
            ("n1", "n2", "n3"), "alive"
        )
        for stream in streams:
            seen = await so_far(stream)
            assert not [event for event in seen if isinstance(event, MemberFailed)]
            assert len([event for event in seen if isinstance(event, MemberLeft)]) == 1
    [line] = own_lines(caplog)
    assert OLD in line
    assert NEW in line


async def test_an_address_that_was_given_is_warned_about_and_nobody_accused(
    machine: Start,
    pool: Pool,
    network: MemoryNetwork,
    caplog: pytest.LogCaptureFixture,
    autojump_clock: MockClock,
) -> None:
    others = [await pool.start("n2"), await pool.start("n3", seeds=["10.0.0.2"])]
    async with machine(is_chosen=False) as n1:
        await until(lambda: all(len(statuses(cluster)) == 3 for cluster in others))
        n1.change("")
        n1.hosts.add(NEW)
        await trio.sleep(120.0)
        assert {member.name: member.status.value for member in n1.node.members()} == dict.fromkeys(
            ("n1", "n2", "n3"), "alive"
        )
        [line] = own_lines(caplog)
        assert OLD in line
        assert NEW in line
        assert "restart it with another bind or advertise" in line
        n1.network.bound[n1.transport.endpoint] = n1.transport
        n1.change(OLD)
        await until(lambda: all(at(cluster) == (OLD, "alive") for cluster in others))
        # Others may hear from it before it looks again itself.
        await until(lambda: len(own_lines(caplog)) == 2)
        assert f"own address {OLD} is back" in own_lines(caplog)[1]


async def test_without_any_address_it_waits_for_one(
    machine: Start, pool: Pool, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    n2 = await pool.start("n2")
    async with machine(is_chosen=True) as n1:
        await until(lambda: len(statuses(n2)) == 2)
        n1.change("")
        await trio.sleep(30.0)
        assert {member.status.value for member in n1.node.members()} == {"alive"}
        n1.network.bound[n1.transport.endpoint] = n1.transport
        n1.change(NEW)
        await until(lambda: at(n2) == (NEW, "alive"))


async def test_who_leaves_does_not_come_back_by_itself(
    machine: Start, pool: Pool, autojump_clock: MockClock
) -> None:
    n2 = await pool.start("n2")
    async with machine(is_chosen=True) as n1:
        await until(lambda: len(statuses(n2)) == 2)
        n1.change(NEW)
        await until(lambda: n1.node.status == "leaving")
        n1.own_address.pause()
        await trio.sleep(60.0)
        assert n1.node.status == "left"
        assert statuses(n2)["n1"] == "left"


async def test_who_left_during_a_move_and_comes_back_at_the_old_address_probes_again(
    machine: Start, pool: Pool, autojump_clock: MockClock
) -> None:
    n2 = await pool.start("n2")
    async with machine(is_chosen=True) as n1:
        await until(lambda: len(statuses(n2)) == 2)
        n1.change(NEW)
        await until(lambda: n1.node.status == "leaving")
        n1.own_address.pause()
        await until(lambda: n1.node.status == "left")
        await trio.sleep(10.0)
        n1.change(OLD)
        n1.driver.submit(Rejoin())
        n1.own_address.resume()
        await until(lambda: at(n2) == (OLD, "alive"))
        pool.kill("n2")
        await until(lambda: {m.name: m.status.value for m in n1.node.members()}["n2"] == "failed")


async def test_an_address_that_never_was_this_machines_is_not_watched(
    machine: Start, pool: Pool, caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    async with machine(is_chosen=False) as n1:
        n1.hosts.clear()
        n1.watch(n1.driver, is_chosen=False)
        await trio.sleep(60.0)
    assert not own_lines(caplog)
