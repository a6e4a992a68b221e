"""Streams of events, logs and replies: their records, their order, and their end."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio

import swim
from tests.ipc.client import connected
from tests.ipc.conftest import Farm
from tests.net.conftest import until


async def test_member_events_have_serf_s_names(farm: Farm, quick_clock: object) -> None:
    cluster = await farm.start("a", 17000)
    async with connected(await farm.serve(cluster)) as client:
        assert await client.ask("stream", {"Type": ""}) == ""
        other = await farm.start("b", 17001)
        await other.join(["127.0.0.1:17000"])
        seen = [await client.record(2)]
        await other.set_tags({"role": "db"})
        seen.append(await client.record(2))
        farm.kill("b")
        seen.append(await client.record(2))
        await cluster.force_leave("b")
        seen.append(await client.record(2))
        await cluster.force_leave("b", prune=True)
        seen.append(await client.record(2))
    assert [(one["Event"], one["Members"][0]["Status"]) for one in seen] == [
        ("member-join", "alive"),
        ("member-update", "alive"),
        ("member-failed", "failed"),
        ("member-leave", "left"),
        ("member-reap", "left"),
    ]
    assert seen[1]["Members"][0]["Tags"] == {"role": "db"}
    assert seen[0]["Members"][0]["Addr"] == bytes((127, 0, 0, 1))
    assert seen[0]["Members"][0]["Port"] == 17001


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("user", ["a", "b"]),
        ("user:b", ["b"]),
        ("user:b,user:a", ["a", "b"]),
        ("user:", ["a", "b"]),
        ("query", ["a"]),
        ("query:b", []),
        ("member-join,user:a", ["a"]),
        ("*", ["a", "b", "a"]),
        ("", ["a", "b", "a"]),
    ],
)
async def test_filters_of_events(farm: Farm, quick_clock: object, wanted: str, expected: list[str]) -> None:
    cluster = await farm.start("a", 17000)
    async with connected(await farm.serve(cluster)) as client:
        assert await client.ask("stream", {"Type": wanted}) == ""
        assert await client.ask("stream", {"Type": "user:last"}) == ""
        await cluster.user_event("a")
        await cluster.user_event("b")
        cluster.query("a")
        await trio.sleep(1)
        await cluster.user_event("last")
        found = []
        while (header := await client.next())["Seq"] == 2:
            record = await client.next()
            if record["Name"] != "last":
                found.append(record["Name"])
            else:
                header = await client.next()
                break
        assert header == {"Seq": 3, "Error": ""}
    assert found == expected


@pytest.mark.parametrize("wanted", ["foo", "user,foo", "member-join:x", ",", "User", "member-suspected"])
async def test_wrong_filters_of_events(farm: Farm, quick_clock: object, wanted: str) -> None:
    async with connected(await farm.serve(await farm.start("a", 17000))) as client:
        assert await client.ask("stream", {"Type": wanted}) == "Invalid event filter"


async def test_one_query_shown_twice_is_answered_once(farm: Farm, quick_clock: object) -> None:
    """Streams have their own numbers; the first answer is the node's."""
    cluster = await farm.start("a", 17000, query_response_stream_limit=1024)
    endpoint = await farm.serve(cluster)
    async with connected(endpoint) as first, connected(endpoint) as second:
        for client in (first, second):
            assert await client.ask("stream", {"Type": "query"}) == ""
        replies = cluster.query("load", timeout=5.0)
        shown = [await client.record(2) for client in (first, second)]
        assert [one["ID"] for one in shown] == [1, 1]
        error = await first.ask("respond", {"ID": 1, "Payload": b"x" * 1025})
        assert error.startswith("failed to respond to key query: payload: ")
        assert "(1024)" in error
        assert await first.ask("respond", {"ID": 1, "Payload": b"1"}) == ""
        error = await second.ask("respond", {"ID": 1, "Payload": b"2"})
        assert error.startswith("failed to respond to key query: ")
        assert [reply async for reply in replies] == [swim.QueryResponse("a", b"1")]
        await trio.sleep(1)
        assert await first.ask("respond", {"ID": 1}) == "No pending queries matching ID"


async def test_old_queries_are_forgotten_for_newer_ones(farm: Farm, quick_clock: object) -> None:
    cluster = await farm.start("a", 17000)
    async with connected(await farm.serve(cluster, max_pending_queries=2)) as client:
        assert await client.ask("stream", {"Type": "query"}) == ""
        for _ in range(3):
            cluster.query("load", timeout=60.0)
            await client.record(2)
        assert await client.ask("respond", {"ID": 1}) == "No pending queries matching ID"
        assert await client.ask("respond", {"ID": 2}) == ""
        assert await client.ask("respond", {"ID": 3}) == ""


async def test_done_comes_some_time_after_the_last_reply_and_with_the_last_member(
    farm: Farm, quick_clock: object
) -> None:
    """Serf's command forgets replies that it has not shown when it reads ``done``."""
    first, _, endpoint = await farm.pair("a", "b", 17000)
    await until(lambda: len(first.members()) == 2)
    async with connected(endpoint) as client:
        start = trio.current_time()
        assert (
            await client.ask("query", {"Name": "_serf_ping", "RequestAck": True, "Timeout": 60 * 10**9}) == ""
        )
        acks = {(await client.record(2))["From"] for _ in range(2)}
        last = trio.current_time()
        assert await client.record(2) == {"Type": "done", "From": "", "Payload": None}
        assert acks == {"a", "b"}
        assert trio.current_time() - last >= 0.1
        assert trio.current_time() - start < 10


async def test_a_monitor_gets_the_last_lines_first_and_then_the_new_ones(
    farm: Farm, quick_clock: object
) -> None:
    logger = logging.getLogger("swim.test")
    for number in range(600):
        logger.warning("old %d", number)
    logger.info("less")
    async with connected(await farm.serve(await farm.start("a", 17000))) as client:
        assert await client.ask("monitor", {"LogLevel": "warn"}) == ""
        old = [(await client.record(2))["Log"] for _ in range(512)]
        assert [old[0][20:], old[-1][20:]] == ["[WARN] swim.test: old 88", "[WARN] swim.test: old 599"]
        logger.error("two\nlines \x1b[2J")
        assert (await client.record(2))["Log"][20:] == "[ERR] swim.test: two\\nlines \\x1b[2J"
        assert await client.ask("monitor", {"LogLevel": "INFO"}) == "Monitor already exists"
        assert await client.ask("stop", {"Stop": 2}) == ""
        logger.error("unseen")
        await trio.sleep(1)
        assert await client.ask("monitor", {"LogLevel": "Err"}) == ""
        assert (await client.record(5))["Log"].endswith("lines \\x1b[2J")


async def test_a_monitor_gets_more_than_the_program_logs(
    farm: Farm, quick_clock: object, caplog: pytest.LogCaptureFixture
) -> None:
    """And nothing else does: the program's own handlers keep its level."""
    logger = logging.getLogger("swim.test")
    async with connected(await farm.serve(await farm.start("a", 17000))) as client:
        logger.debug("before")
        assert await client.ask("monitor", {"LogLevel": "debug"}) == ""
        while True:
            await trio.sleep(0.1)
            logger.debug("meanwhile")
            if (await client.record(2))["Log"].endswith("[DEBUG] swim.test: meanwhile"):
                break
        assert await client.ask("stop", {"Stop": 2}) == ""
        await trio.sleep(0.1)
        logger.debug("after")
    assert not any(record.name == "swim.test" for record in caplog.records)
    assert not logger.isEnabledFor(logging.DEBUG)


async def test_streams_and_queries_are_limited_together(farm: Farm, quick_clock: object) -> None:
    async with connected(await farm.serve(await farm.start("a", 17000), max_streams=3)) as client:
        for _ in range(2):
            assert await client.ask("stream", {"Type": "user"}) == ""
        assert await client.ask("query", {"Name": "x", "Timeout": 10**9}) == ""
        for command, body in (("stream", {"Type": "user"}), ("query", {"Name": "x"})):
            assert "3 streams and queries already (max_streams)" in await client.ask(command, body)
        assert await client.record(4) == {"Type": "done", "From": "", "Payload": None}
        assert await client.ask("stream", {"Type": "user"}) == ""
        assert await client.ask("stop", {"Stop": 2}) == ""
        assert await client.ask("stream", {"Type": "user"}) == ""


async def test_a_burst_of_members_is_one_record_for_each_kind(farm: Farm, quick_clock: object) -> None:
    cluster = await farm.start("a", 17000)
    endpoint = await farm.serve(cluster)
    async with connected(endpoint) as client:
        assert await client.ask("stream", {"Type": "member-join,member-update,member-leave"}) == ""
        for number in range(1, 4):
            other = await farm.start(f"b{number}", 17000 + number)
            await other.join(["127.0.0.1:17000"])
        record = await client.record(2)
        assert record["Event"] == "member-join"
        assert sorted(one["Name"] for one in record["Members"]) == ["b1", "b2", "b3"]


async def test_each_event_at_once(farm: Farm, quick_clock: object) -> None:
    cluster = await farm.start("a", 17000)
    async with connected(await farm.serve(cluster, coalesce=False)) as client:
        assert await client.ask("stream", {"Type": "user"}) == ""
        for number in range(3):
            await cluster.user_event("deploy", bytes([number]), coalesce=True)
        assert [(await client.record(2))["Payload"] for _ in range(3)] == [b"\0", b"\1", b"\2"]


async def test_records_of_many_streams_never_cut_each_other(farm: Farm, quick_clock: object) -> None:
    cluster = await farm.start("a", 17000)
    async with connected(await farm.serve(cluster)) as client:
        for _ in range(8):
            assert await client.ask("stream", {"Type": "user"}) == ""
        for number in range(20):
            await cluster.user_event(f"event-{number}", b"x" * 300)
        found: dict[int, list[Any]] = {}
        for _ in range(8 * 20):
            header = await client.next()
            found.setdefault(header["Seq"], []).append((await client.next())["Name"])
    assert found == {seq: [f"event-{number}" for number in range(20)] for seq in range(2, 10)}
