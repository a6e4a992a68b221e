"""User events and queries between clusters on trio: sent, received, answered, ended early."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import swim
from tests.net.conftest import Pool


@asynccontextmanager
async def answering(*clusters: swim.Cluster) -> AsyncIterator[None]:
    """Each answers every query with its name."""

    async def answer(events: swim.Subscription, cluster: swim.Cluster) -> None:
        async for event in events:
            assert isinstance(event, swim.Query)
            await cluster.respond(event, cluster.config.name.encode())

    async with trio.open_nursery() as nursery:
        for cluster in clusters:
            nursery.start_soon(answer, cluster.events(kinds=swim.Query), cluster)
        yield
        nursery.cancel_scope.cancel()


async def test_a_user_event_reaches_every_subscriber_once(pool: Pool, autojump_clock: MockClock) -> None:
    three = await pool.form(3)
    subscriptions = [cluster.events(kinds=swim.UserEvent) for cluster in three]
    await three[1].user_event("deploy", b"v1")
    await trio.sleep(5)
    for cluster in three:
        await cluster.leave()
    for subscription in subscriptions:
        subscription.close()
        [event] = [event async for event in subscription]
        assert isinstance(event, swim.UserEvent)
        assert (event.name, event.payload) == ("deploy", b"v1")


async def test_every_member_answers_a_query_and_it_ends_in_time(
    pool: Pool, autojump_clock: MockClock
) -> None:
    three = await pool.form(3)
    async with answering(*three):
        began = three[0].now()
        replies = [reply async for reply in three[0].query("who", ack=True, timeout=2.0)]
    assert three[0].now() == began + 2.0
    assert sorted(map(repr, replies)) == [
        *(repr(swim.QueryAck(name)) for name in ("n1", "n2", "n3")),
        *(repr(swim.QueryResponse(name, name.encode())) for name in ("n1", "n2", "n3")),
    ]


async def test_some_members_are_asked(pool: Pool, autojump_clock: MockClock) -> None:
    three = await pool.form(3)
    async with answering(*three):
        replies = [reply async for reply in three[0].query("who", nodes=["n2"])]
    assert replies == [swim.QueryResponse("n2", b"n2")]


async def test_a_query_ends_early_and_what_came_can_be_read_again(
    pool: Pool, autojump_clock: MockClock
) -> None:
    three = await pool.form(3)
    async with answering(*three):
        began = three[0].now()
        async with three[0].query("who", timeout=60.0) as replies:
            async for _ in replies:
                break
        assert three[0].now() < began + 5.0
        await replies.aclose()
        await trio.sleep(5.0)
        assert len([reply async for reply in replies]) == 1
    counters = three[0].metrics.counters
    assert (counters["swim.late-responses"], three[0].metrics.drops) == (2, 0)


async def test_a_cluster_that_closes_ends_its_queries_with_an_error(
    pool: Pool, autojump_clock: MockClock
) -> None:
    one = await pool.start("n1")
    replies = one.query("who", ack=True, timeout=60.0)
    async with trio.open_nursery() as nursery:

        async def read() -> None:
            assert await anext(replies) == swim.QueryAck("n1")
            with pytest.raises(swim.LocalError, match="closed"):
                await anext(replies)

        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        pool.kill("n1")
    with pytest.raises(swim.LocalError, match="this cluster was closed"):
        one.query("who")
    await replies.aclose()


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda one: one.user_event(7), "name"),
        (lambda one: one.user_event("x" * 513), "payload"),
        (lambda one: one.user_event("é" * 257), "payload"),
        (lambda one: one.user_event("\ud800"), "name"),
        (lambda one: one.user_event("x", "text"), "payload"),
        (lambda one: one.user_event("x", bytes(512)), "payload"),
        (lambda one: one.user_event("x", coalesce=1), "coalesce"),
        (lambda one: one.query(None), "name"),
        (lambda one: one.query("_serf_install-key"), "name"),
        (lambda one: one.query("x", "text"), "payload"),
        (lambda one: one.query("x", bytes(1024)), "payload"),
        (lambda one: one.query("x", nodes="n1"), "nodes"),
        (lambda one: one.query("x", nodes=[7]), "nodes"),
        (lambda one: one.query("x", tags={"role": 7}), "tags"),
        (lambda one: one.query("x", tags=()), "tags"),
        (lambda one: one.query("x", ack=1), "ack"),
        (lambda one: one.query("x", relay_factor=-1), "relay_factor"),
        (lambda one: one.query("x", relay_factor=256), "relay_factor"),
        (lambda one: one.query("x", relay_factor=True), "relay_factor"),
        (lambda one: one.query("x", timeout=-1), "timeout"),
        (lambda one: one.query("x", timeout="1"), "timeout"),
        (lambda one: one.query("x", timeout=1e9), "timeout"),
        (lambda one: one.query("x", timeout=float("nan")), "timeout"),
        (lambda one: one.respond("x"), "query"),
        (lambda one: one.respond(swim.Query("x"), None), "payload"),
    ],
)
async def test_wrong_arguments_are_errors_that_name_them(
    pool: Pool, autojump_clock: MockClock, call: Callable[[Any], Awaitable[None]], field: str
) -> None:
    one = await pool.start("n1")
    events = one.events(kinds=[swim.UserEvent, swim.Query])
    with pytest.raises(swim.ConfigError, match=rf"^{field}\b"):
        await call(one)
    events.close()
    assert [event async for event in events] == []


@pytest.mark.parametrize("replay", [True, False])
async def test_a_node_whose_seeds_are_joined_receives_the_past_if_it_asked_for_it(
    pool: Pool, autojump_clock: MockClock, replay: bool
) -> None:
    first = await pool.start("n1")
    await first.user_event("before", b"1")
    second = await pool.start("n2", seeds=["10.0.0.1"], replay_on_join=replay)
    await trio.sleep(5)
    assert len(second.alive()) == 2
    assert [event.name for event in second.user_events()] == (["before"] if replay else [])
    await first.user_event("after", b"2")
    await trio.sleep(5)
    assert [event.name for event in second.user_events()][-1] == "after"
