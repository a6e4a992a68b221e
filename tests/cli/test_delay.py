"""Packets that leave late on purpose, on real sockets."""

from __future__ import annotations

import pytest
import trio

from swim.cli.cluster.delay import DelayedTransport

DELAY = 0.05


async def test_packets_and_streams_take_longer_while_there_is_a_delay() -> None:
    here, there = [await DelayedTransport.bind("127.0.0.1:0") for _ in range(2)]
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            here.nursery = nursery
            here.delay = DELAY
            began = trio.current_time()
            here.send(there.endpoint, b"late")
            here.delay = 0.0
            here.send(there.endpoint, b"at once")
            received = []
            for _ in range(2):
                await there.readable()
                received.append(there.receive()[0])
            assert received == [b"at once", b"late"]
            assert trio.current_time() - began >= DELAY
            here.delay = DELAY
            began = trio.current_time()
            stream = await here.connect(there.endpoint)
            assert trio.current_time() - began >= 2 * DELAY
            await stream.aclose()
    here.close()
    there.close()


async def test_what_is_under_way_when_a_node_ends_is_lost_and_a_flood_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("swim.cli.cluster.delay._FLYING", 2)
    here, there = [await DelayedTransport.bind("127.0.0.1:0") for _ in range(2)]
    with trio.fail_after(20):
        async with trio.open_nursery() as nursery:
            here.nursery, here.delay = nursery, 0.01
            for number in range(5):
                here.send(there.endpoint, b"%d" % number)
        arrived = set()
        for _ in range(2):
            await there.readable()
            arrived.add(there.receive()[0])
        assert arrived == {b"0", b"1"}  # in any order, as on a network
        with pytest.raises(BlockingIOError):
            there.receive()
        async with trio.open_nursery() as nursery:
            here.nursery = nursery
            here.send(there.endpoint, b"lost")
            here.close()
    there.close()
