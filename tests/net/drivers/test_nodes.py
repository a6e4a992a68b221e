"""Whole nodes on each driver, in virtual time: they join, fail, leave, lose names and survive floods."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import AsyncExitStack

import pytest
import trio
from trio.testing import MockClock

from swim.commands import Join, Leave, SendUserEvent
from swim.config import Config
from swim.core.rng import Rng
from swim.net.faults import LinkFaults
from swim.net.isolated.loop import Loop
from swim.net.pump import Pump
from swim.node import Node
from tests.net.conftest import until
from tests.net.memory import MemoryNetwork, MemoryStream
from tests.net.rigs import RIGS, Driving


def make(name: str, host: str, **settings: object) -> Node:
    config = Config.local(**({"name": name, "bind": f"{host}:7946"} | settings))  # type: ignore[arg-type]
    return Node(config, advertise=(host, 7946), bind_port=7946, rng=Rng(random.Random(name)))


def seen(node: Node) -> dict[str, str]:
    return {member.name: member.status.value for member in node.members()}


@pytest.mark.parametrize("other", RIGS)
async def test_nodes_on_two_drivers_see_each_other_join_leave_and_fail(
    driving: Driving, other: str, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    one, two, three = (make(f"n{i}", f"10.0.0.{i}", seeds=["10.0.0.1"]) for i in (1, 2, 3))
    async with driving(one, network.transport("10.0.0.1")):
        async with AsyncExitStack() as others:
            for node in (two, three):
                transport = network.transport(*node.advertised)
                driver = await others.enter_async_context(RIGS[other](node, transport))
            await until(lambda: all(len(seen(node)) == 3 for node in (one, two, three)))
            driver.submit(Leave())
            await until(lambda: seen(one)["n3"] == seen(two)["n3"] == "left")
        await until(lambda: seen(one)["n2"] == "failed")
    assert seen(one) == {"n1": "alive", "n2": "failed", "n3": "left"}


async def test_a_node_that_loses_its_name_stops_at_once(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    """The third asks both; the vote of the members at large decides against the newcomer."""
    async with AsyncExitStack() as stack:
        for host in ("1", "2", "3"):
            node = make(f"n{host}", f"10.0.0.{host}", seeds=["10.0.0.1"])
            await stack.enter_async_context(driving(node, network.transport(f"10.0.0.{host}")))
        await until(lambda: len(seen(node)) == 3)
        twin = make("n1", "10.0.0.9", seeds=["10.0.0.2"])
        driver: Pump | None = None
        with trio.move_on_after(60.0):
            async with driving(twin, network.transport("10.0.0.9")) as driver:
                await trio.sleep_forever()
        assert driver is not None
        assert "n1" in driver.stopped
        assert seen(node)["n1"] == "alive"


async def test_a_paused_node_accuses_nobody_when_it_is_back(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    faults = LinkFaults()
    one, two = make("n1", "10.0.0.1"), make("n2", "10.0.0.2", seeds=["10.0.0.1"])
    async with (
        driving(one, network.transport("10.0.0.1"), faults=faults),
        driving(two, network.transport("10.0.0.2")),
    ):
        await until(lambda: len(seen(one)) == len(seen(two)) == 2)
        faults.pause()
        await until(lambda: seen(two)["n1"] == "failed")
        faults.resume()
        await until(lambda: seen(two)["n1"] == "alive")
        causes = {transition.after for transition in one.history("n2")}
    assert causes == {"alive"}, "it blamed its own absence"


@pytest.mark.slow
async def test_ten_thousand_streams_that_say_nothing(
    driving: Driving, network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    """Each is closed, and the node answers probes and joins meanwhile."""
    network.latency = 0.0001
    one, two = make("n1", "10.0.0.1"), make("n2", "10.0.0.2")
    rude = network.transport("10.0.0.66")
    async with driving(one, network.transport("10.0.0.1")):
        held: list[MemoryStream] = []
        async with driving(two, network.transport("10.0.0.2")) as driver:
            for number in range(10_000):
                held.append(await rude.connect(("10.0.0.1", 7946)))
                if number == 5_000:
                    driver.submit(Join(["10.0.0.1"]))
            await until(lambda: len(seen(one)) == len(seen(two)) == 2)
            assert Counter(seen(one).values()) == {"alive": 2}
            await trio.sleep(one.config.tcp_timeout + 1.0)
            for stream in held:
                assert await stream.receive_some() == b""


async def test_what_a_loop_publishes_is_what_its_node_knows(
    network: MemoryNetwork, autojump_clock: MockClock
) -> None:
    one, two = make("n1", "10.0.0.1"), make("n2", "10.0.0.2", seeds=["10.0.0.1"])
    rig = RIGS["loop"]
    async with rig(one, network.transport("10.0.0.1")) as loop:
        assert isinstance(loop, Loop)
        async with rig(two, network.transport("10.0.0.2")) as other:
            await until(lambda: len(seen(one)) == 2)
            for number in range(5):
                other.submit(SendUserEvent(f"event-{number}", b"x"))
            await until(lambda: len(one.user_events()) == 5)
            await check_published(loop, one)
            other.submit(Leave())
            await until(lambda: seen(one)["n2"] == "left")
            await check_published(loop, one)
        await trio.sleep(one.config.tombstone_timeout + 60.0)
        assert list(seen(one)) == ["n1"]
        await check_published(loop, one)


async def check_published(loop: Loop, node: Node) -> None:
    await trio.sleep(6.0)
    view = loop.board.view
    assert view.members() == node.members()
    assert [view.history(name) for name in seen(node)] == [node.history(name) for name in seen(node)]
    assert view.user_events() == node.user_events()
    assert (view.local, view.status, view.is_alone) == (node.local, node.status, node.is_alone)
    assert (view.advertised, view.seeds(), view.stats()) == (node.advertised, node.seeds(), node.stats())
