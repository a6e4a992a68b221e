"""User events and queries between applications on our nodes and real Serf agents, both ways."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

import swim
from tests.interop.conftest import Pen, every_engine
from tests.interop.processes import eventually
from tests.interop.watch import Watch

pytestmark = [pytest.mark.peers("serf"), pytest.mark.slow, every_engine]


@asynccontextmanager
async def collecting(cluster: swim.Cluster) -> AsyncIterator[list[swim.UserEvent | swim.Query]]:
    """The user events and queries that its application receives; each query is answered with the name."""
    received: list[swim.UserEvent | swim.Query] = []

    async def read(events: swim.Subscription) -> None:
        async for event in events:
            assert isinstance(event, swim.UserEvent | swim.Query)
            received.append(event)
            if isinstance(event, swim.Query):
                await cluster.respond(event, cluster.config.name.encode() + b":" + event.payload)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read, cluster.events(kinds=[swim.UserEvent, swim.Query]))
        yield received
        nursery.cancel_scope.cancel()


async def test_events_reach_the_other_kind_once(pen: Pen) -> None:
    s1, s2, p1, p2 = pen.serf("s1"), pen.serf("s2"), pen.node("p1"), pen.node("p2")
    await s1.start()
    for peer in (s2, p1, p2):
        await peer.start(s1.address)
    await Watch([s1, s2, p1, p2]).until_status("alive", {"s1", "s2", "p1", "p2"})
    async with collecting(p1.cluster) as at_p1, collecting(p2.cluster) as at_p2:
        for number in range(5):
            await s1.rpc.event("of-serf", str(number).encode())
            await p1.cluster.user_event("of-ours", str(number).encode())
        await p1.cluster.user_event("to-coalesce", b"", coalesce=True)
        await eventually(lambda: len(at_p1) == len(at_p2) == 11)
        for agent in (s1, s2):
            await eventually(
                lambda agent=agent: "user-event: to-coalesce" in agent.logs(), describe=agent.logs
            )
        await trio.sleep(3)
    expected = {(name, str(number).encode()) for name in ("of-serf", "of-ours") for number in range(5)}
    for received in (at_p1, at_p2):
        assert {(event.name, event.payload) for event in received} == expected | {("to-coalesce", b"")}
        assert len(received) == 11
    for agent in (s1, s2):
        assert agent.logs().count("Received event: user-event: of-ours") == 5


async def test_an_application_of_ours_answers_queries_of_serf(pen: Pen) -> None:
    s1, p1, p2 = pen.serf("s1"), pen.node("p1", tags={"role": "web"}), pen.node("p2")
    await s1.start()
    for peer in (p1, p2):
        await peer.start(s1.address)
    await Watch([s1, p1, p2]).until_status("alive", {"s1", "p1", "p2"})
    async with collecting(p1.cluster) as at_p1, collecting(p2.cluster):
        for relay_factor in (0, 2):
            answers = await s1.rpc.query("load", b"?", relay_factor=relay_factor)
            responses = {(each.member, each.payload) for each in answers if each.kind == "response"}
            assert responses == {("p1", b"p1:?"), ("p2", b"p2:?")}
        shown = await s1.command("query", "-tag", "role=web", "-timeout=2s", "load", "!")
        assert "Response from 'p1': p1:!" in shown
        assert "p2" not in shown
    assert {event.source for event in at_p1 if isinstance(event, swim.Query)} == {"s1"}


async def test_serf_answers_queries_of_ours(pen: Pen) -> None:
    s1, p1 = pen.serf("s1", tags={"role": "db"}, handlers=["query:load=echo 0.7"]), pen.node("p1")
    s2 = pen.serf("s2", handlers=["query:load=echo 0.9"])
    await s1.start()
    for peer in (s2, p1):
        await peer.start(s1.address)
    await Watch([s1, s2, p1]).until_status("alive", {"s1", "s2", "p1"})
    for relay_factor in (0, 1):
        replies = [
            reply async for reply in p1.cluster.query("load", ack=True, relay_factor=relay_factor, timeout=2)
        ]
        assert sorted(map(repr, replies)) == sorted(
            map(
                repr,
                [
                    *(swim.QueryAck(name) for name in ("s1", "s2", "p1")),
                    swim.QueryResponse("s1", b"0.7\n"),
                    swim.QueryResponse("s2", b"0.9\n"),
                ],
            )
        )
    for filters in ({"nodes": ["s1"]}, {"tags": {"role": "^d"}}):
        some = [reply async for reply in p1.cluster.query("load", timeout=2, **filters)]
        assert some == [swim.QueryResponse("s1", b"0.7\n")]
    async with collecting(p1.cluster):
        for name in ("load", "_serf_ping"):
            replies = []
            with trio.fail_after(30):  # of 60 that it may last
                async for reply in p1.cluster.query(name, ack=True, timeout=60, finish_early=True):
                    replies.append(reply)
            acks = {reply.source for reply in replies if isinstance(reply, swim.QueryAck)}
            assert acks == {"s1", "s2", "p1"}
            assert len(replies) == (6 if name == "load" else 3)


async def test_a_long_answer_to_serf_is_an_error_with_both_sizes_and_ours_receives_it_whole(pen: Pen) -> None:
    s1, p1, p2 = pen.serf("s1"), pen.node("p1"), pen.node("p2")
    await s1.start()
    for peer in (p1, p2):
        await peer.start(s1.address)
    await Watch([s1, p1, p2]).until_status("alive", {"s1", "p1", "p2"})
    errors: list[str] = []

    async def answer(events: swim.Subscription) -> None:
        async for event in events:
            assert isinstance(event, swim.Query)
            try:
                await p2.cluster.respond(event, bytes(100_000))
            except swim.ConfigError as error:
                errors.append(str(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer, p2.cluster.events(kinds=swim.Query))
        [reply] = [one async for one in p1.cluster.query("dump", nodes=["p2"], finish_early=True)]
        assert reply == swim.QueryResponse("p2", bytes(100_000))
        assert not errors
        answers = await s1.rpc.query("dump", b"")
        assert not [one for one in answers if one.kind == "response" and one.member == "p2"]
        [error] = errors
        assert re.search(r"takes 100\d{3} bytes .*query_response_size_limit \(1024\)", error)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("replay", [False, True])
async def test_who_joins_later_receives_old_events_of_serf_only_if_it_asks(pen: Pen, replay: bool) -> None:
    s1, late = pen.serf("s1"), pen.node("late")
    await s1.start()
    await s1.rpc.event("old")
    await late.start()
    async with collecting(late.cluster) as received:
        await late.cluster.join([s1.address], replay=replay)
        await s1.rpc.event("new")
        await eventually(lambda: "new" in [event.name for event in received])
    assert [event.name for event in received] == (["old", "new"] if replay else ["new"])
