"""Messages between applications, on every front; and which of them a slow reader loses."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice
from typing import Literal

import pytest
import trio

import swim
import swim.asyncio
import swim.blocking
from swim.addresses import join_host_port
from swim.net.event_buffer import MESSAGES_MAX_BYTES, EventBuffer

LARGE = bytes(65_536)


def config(name: str, *seeds: str) -> swim.Config:
    return swim.Config.local(name=name, bind="127.0.0.1:0", seeds=seeds)


def shown(events: Sequence[swim.Event]) -> list[tuple[str, bytes, bool]]:
    return [(e.source, e.payload, e.is_broadcast) for e in events if isinstance(e, swim.UserMessage)]


def the(cluster: swim.Membership, name: str) -> swim.Member:
    member = cluster.member(name)
    assert member is not None
    return member


EXPECTED = [("n1", LARGE, False), ("n1", b"to all", True)]


async def test_on_trio() -> None:
    async with swim.open_cluster(config("n1")) as one:
        async with swim.open_cluster(config("n2", join_host_port(*one.endpoint))) as two:
            with trio.fail_after(10):
                async for _ in two.events(kinds=swim.MemberJoined):
                    if len(one.alive()) == len(two.alive()) == 2:
                        break
            events, own = two.events(kinds=swim.UserMessage), one.events(kinds=swim.UserMessage)
            await one.send(the(one, "n2"), LARGE)
            await one.broadcast(b"to all")
            with trio.fail_after(10):
                received = [await anext(events), await anext(events)]
                assert await anext(own) == swim.UserMessage("n1", b"to all", True, 3)
            assert shown(received) == EXPECTED
            life = the(one, "n2")
        with pytest.raises(swim.DeliveryError, match=r"^message to n2: the member has left$") as caught:
            await one.send(life, b"late")
        assert (caught.value.member, caught.value.reason) == ("n2", "left")


@pytest.mark.slow
@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_on_the_isolated_fronts(isolation: Literal["thread", "process"]) -> None:
    with swim.blocking.open_cluster(config("n1"), isolation=isolation) as one:
        address = join_host_port(*one.endpoint)
        life = asyncio.run(_with_a_second_one(one, address, isolation))
        with pytest.raises(swim.DeliveryError) as caught:
            one.send(life, b"late", timeout=10)
        assert caught.value.reason == "left"


async def _with_a_second_one(
    one: swim.blocking.Cluster, address: str, isolation: Literal["thread", "process"]
) -> swim.Member:
    async with swim.asyncio.open_cluster(config("n2", address), isolation=isolation) as two:
        joins, events = two.events(kinds=swim.MemberJoined), two.events(kinds=swim.UserMessage)
        while len(two.alive()) < 2:
            await asyncio.wait_for(anext(joins), 10)
        seen = one.events(kinds=swim.MemberJoined, timeout=10)
        while one.member("n2") is None:
            await asyncio.to_thread(lambda: list(islice(seen, 1)))
        await asyncio.to_thread(one.send, the(one, "n2"), LARGE, timeout=10)
        await asyncio.to_thread(one.broadcast, b"to all", timeout=10)
        received = [await asyncio.wait_for(anext(events), 10) for _ in EXPECTED]
        assert shown(received) == EXPECTED
        assert [member.name for member in await swim.asyncio.observe([address])] == ["n1", "n2"]
        return the(one, "n2")


def test_a_reader_that_is_slow_loses_messages_beyond_their_bytes() -> None:
    buffer, most = EventBuffer(10_000), MESSAGES_MAX_BYTES // len(LARGE)
    for _ in range(most + 2):
        buffer.put(swim.UserMessage("n1", LARGE))
    buffer.put(swim.UserMessage("n1", b""))  # takes no room
    taken = [buffer.take() for _ in range(most + 2)]
    assert taken[most:] == [swim.EventsLost(2), swim.UserMessage("n1", b"")]
    buffer.put(swim.UserMessage("n1", LARGE))
    assert buffer.take() == swim.UserMessage("n1", LARGE)
