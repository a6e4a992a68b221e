"""Limits: what a client that takes too much, or too long, loses, and no other client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import msgpack
import pytest
import trio

import swim
import swim.ipc
from swim.addresses import Endpoint
from tests.ipc.client import Client, connected
from tests.ipc.conftest import Farm, listening
from tests.net.conftest import until

HANDSHAKE = msgpack.packb({"Command": "handshake", "Seq": 1}) + msgpack.packb({"Version": 1})


def dropped(cluster: swim.Cluster, reason: str) -> int:
    return cluster.metrics.counters[f"swim.dropped.ipc-{reason}"]


@asynccontextmanager
async def many(endpoint: Endpoint, count: int) -> AsyncIterator[list[Client]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(connected(endpoint)) for _ in range(count)]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "timeout"),
        (HANDSHAKE[:1], "timeout"),
        (HANDSHAKE[:20], "timeout"),
        (HANDSHAKE + b"\x82", "timeout"),
        (HANDSHAKE + msgpack.packb({"Command": "event", "Seq": 2}), "timeout"),
        (HANDSHAKE + msgpack.packb({"Command": "event", "Seq": 2}) + b"\x81\xa4Name", "timeout"),
        (HANDSHAKE + b"\xc1", "malformed"),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1:7373\r\n\r\n", "malformed"),
        (b"POST / HTTP/1.1\r\n\r\n" + HANDSHAKE, "malformed"),
        (HANDSHAKE + msgpack.packb([1, 2]), "malformed"),
        (HANDSHAKE + msgpack.packb({"Command": 7}), "malformed"),
        (HANDSHAKE + msgpack.packb({"Command": "event", "Seq": -1}), "malformed"),
        (
            HANDSHAKE + msgpack.packb({"Command": "event", "Seq": 2}) + msgpack.packb({"Name": [1]}),
            "malformed",
        ),
        (HANDSHAKE + msgpack.packb({"Command": "x" * 70_000}), "too-large"),
        (HANDSHAKE + msgpack.packb({"Command": "no-such-command", "Seq": 2}), "refused"),
        (msgpack.packb({"Command": "members", "Seq": 1}), "refused"),
    ],
)
async def test_one_drop_is_counted_and_the_connection_closed(
    farm: Farm, quick_clock: object, sent: bytes, reason: str
) -> None:
    cluster = await farm.start("a", 17000)
    endpoint = await farm.serve(cluster)
    async with connected(endpoint) as other, connected(endpoint, shake=False) as client:
        await client.stream.send_all(sent)
        while not await client.is_closed():
            pass
        assert {name: count for name, count in cluster.metrics.counters.items() if ".ipc-" in name} == {
            f"swim.dropped.ipc-{reason}": 1
        }
        assert await other.ask("event", {"Name": "x"}) == ""


async def test_a_half_sent_request_of_a_client_that_goes_is_one_drop(farm: Farm, quick_clock: object) -> None:
    cluster = await farm.start("a", 17000)
    endpoint = await farm.serve(cluster)
    async with connected(endpoint) as client:
        await client.stream.send_all(b"\x82\xa7Comm")
    async with connected(endpoint) as client:
        await client.stream.send_eof()
        assert await client.is_closed()
    await trio.sleep(1)
    assert dropped(cluster, "cut-short") == 1
    assert cluster.metrics.drops == 1


async def test_requests_before_a_half_close_are_answered(farm: Farm, quick_clock: object) -> None:
    endpoint = await farm.serve(await farm.start("a", 17000))
    async with connected(endpoint, shake=False) as client:
        await client.stream.send_all(HANDSHAKE + msgpack.packb({"Command": "members", "Seq": 2}))
        await client.stream.send_eof()
        assert [await client.next() for _ in range(2)] == [{"Seq": 1, "Error": ""}, {"Seq": 2, "Error": ""}]
        assert len((await client.next())["Members"]) == 1
        assert await client.is_closed()


@pytest.mark.parametrize("then", [b"\xc1", b"\x01", msgpack.packb({"Command": "event", "Seq": "x"})])
async def test_requests_before_a_malformed_one_are_answered(
    farm: Farm, quick_clock: object, then: bytes
) -> None:
    endpoint = await farm.serve(await farm.start("a", 17000))
    async with connected(endpoint, shake=False) as client:
        await client.stream.send_all(HANDSHAKE + msgpack.packb({"Command": "members", "Seq": 2}) + then)
        assert [await client.next() for _ in range(2)] == [{"Seq": 1, "Error": ""}, {"Seq": 2, "Error": ""}]
        assert len((await client.next())["Members"]) == 1
        assert await client.is_closed()


@pytest.mark.parametrize("limits", [{"max_conns": 3}, {"max_conns_per_client": 3}])
async def test_a_connection_that_waits_makes_room_and_a_busy_one_does_not(
    farm: Farm, quick_clock: object, limits: dict[str, int]
) -> None:
    cluster = await farm.start("a", 17000)
    endpoint = await farm.serve(cluster, **limits)
    async with many(endpoint, 3) as (first, second, third):
        assert await first.ask("stream", {"Type": "member-failed"}) == ""
        async with connected(endpoint) as newer:
            assert await second.is_closed()
            assert dropped(cluster, "made-room") == 1
            assert await third.ask("monitor", {"LogLevel": "err"}) == ""
            assert await newer.ask("query", {"Name": "x", "Timeout": 60 * 10**9}) == ""
            async with await trio.open_tcp_stream(*endpoint) as refused:
                assert not await refused.receive_some()
            assert dropped(cluster, "connections") == 1
            for client in (first, third, newer):
                assert await client.ask("event", {"Name": "x", "Coalesce": True}) == ""
        await trio.sleep(1)
        async with connected(endpoint):
            pass
    assert dropped(cluster, "connections") == 1


async def test_a_slow_reader_loses_records_and_no_other_does(farm: Farm, quick_clock: object) -> None:
    cluster = await farm.start("a", 17000, event_buffer_size=32, max_queue_depth=10**6)
    endpoint = await farm.serve(cluster)
    async with connected(endpoint) as slow, connected(endpoint) as quick:
        assert await slow.ask("stream", {"Type": "user"}) == ""
        assert await quick.ask("stream", {"Type": "user"}) == ""
        fired = found = 0
        while not dropped(cluster, "records"):  # until the buffers of the system are full too
            await cluster.user_event(f"e{fired}", b"x" * 400)
            assert (await quick.record(2))["Name"] == f"e{fired}"
            fired += 1
        with trio.move_on_after(5):
            while await slow.record(2):
                found += 1
        assert found > 0
        assert found + dropped(cluster, "records") == fired


async def test_a_client_that_takes_nothing_is_closed_in_the_end(farm: Farm, quick_clock: object) -> None:
    cluster = await farm.start("a", 17000, tags={"large": "x" * 400})
    endpoint = await farm.serve(cluster)
    async with connected(endpoint) as client:
        with trio.move_on_after(5):
            while True:
                await client.send({"Command": "members", "Seq": 5})
        await trio.sleep(50)
        assert not dropped(cluster, "stalled")
        await until(lambda: dropped(cluster, "stalled") == 1, within=500)


async def test_a_stalled_client_does_not_delay_the_end(farm: Farm, quick_clock: object) -> None:
    cluster = await farm.start("a", 17000, tags={"large": "x" * 400})
    async with trio.open_nursery() as nursery:
        serving = partial(swim.ipc.serve, listener=listening())
        endpoint = await nursery.start(serving, cluster)
        async with connected(endpoint) as client:
            assert await client.ask("stream", {"Type": "*"}) == ""
            with trio.move_on_after(5):
                while True:
                    await client.send({"Command": "members", "Seq": 5})
            start = trio.current_time()
            nursery.cancel_scope.cancel()
    assert trio.current_time() - start < 1
