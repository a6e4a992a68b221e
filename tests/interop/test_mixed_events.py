"""Events and queries in a cluster of six, half real Serf agents and half ours, while members come and go."""

from __future__ import annotations

import random
from collections import Counter

import pytest
import trio

import swim
from tests.interop.conftest import Pen
from tests.interop.peers import OurNode, SerfAgent
from tests.interop.processes import eventually
from tests.interop.watch import Watch

pytestmark = [pytest.mark.peers("serf"), pytest.mark.deep]

KEY = bytes(range(32))
EVENTS = 200
QUERIES = 100
SECONDS = 30.0
"""In which they are sent; members are killed, come back and leave meanwhile."""
MISSED_MAX = 3
"""Copies of queries, of 300, that gossip may miss: it is random, and nothing sends a query again."""


async def answer(node: OurNode) -> None:
    """The application of one life of a node of ours."""
    async for event in node.cluster.events(kinds=swim.Query):
        assert isinstance(event, swim.Query)
        await node.cluster.respond(event, node.name.encode())


class Exchange:
    """What is sent, and by whom: the nodes that run all the time ask, any that runs at the moment sends."""

    def __init__(self, steady: list[SerfAgent | OurNode], seed: int) -> None:
        self.steady = steady
        self.running: list[SerfAgent | OurNode] = list(steady)
        self.answers: Counter[str] = Counter()
        self._choose = random.Random(seed)

    async def events(self) -> None:
        for number in range(EVENTS):
            peer, name = self._choose.choice(self.running), f"e-{number:03}"
            if isinstance(peer, SerfAgent):
                await peer.rpc.event(name)
            else:
                await peer.cluster.user_event(name)
            await trio.sleep(SECONDS / EVENTS)

    async def queries(self) -> None:
        async with trio.open_nursery() as asking:
            for number in range(QUERIES):
                asking.start_soon(self._ask, self.steady[number % len(self.steady)])
                await trio.sleep(SECONDS / QUERIES)

    async def _ask(self, peer: SerfAgent | OurNode) -> None:
        if isinstance(peer, SerfAgent):
            replies = [one.member for one in await peer.rpc.query("load") if one.kind == "response"]
        else:
            asked = peer.cluster.query("load", timeout=2.0)
            replies = [one.source async for one in asked if isinstance(one, swim.QueryResponse)]
        assert max(Counter(replies).values()) == 1, replies
        self.answers.update(replies)


@pytest.mark.parametrize(("starter", "key"), [("serf", None), ("ours", KEY)])
async def test_each_event_comes_once_and_each_query_is_answered(
    pen: Pen, nursery: trio.Nursery, starter: str, key: bytes | None
) -> None:
    handlers = ["query:load=echo $SERF_SELF_NAME"]
    s1, s2, s3 = (pen.serf(name, key=key, handlers=handlers) for name in ("s1", "s2", "s3"))
    p1, p2, p3 = (pen.node(name, key=key) for name in ("p1", "p2", "p3"))
    everyone: list[SerfAgent | OurNode] = [s1, s2, s3, p1, p2, p3]
    first = s1 if starter == "serf" else p1
    await first.start()
    for peer in everyone:
        if peer is not first:
            await peer.start(first.address)
    for node in (p1, p2, p3):
        nursery.start_soon(answer, node)
    await Watch(everyone).until_status("alive", {peer.name for peer in everyone}, 60)

    exchange = Exchange([s1, p1, p2], seed=1)
    async with trio.open_nursery() as sending:
        sending.start_soon(exchange.events)
        sending.start_soon(exchange.queries)
        await trio.sleep(SECONDS / 4)
        s3.kill()
        p3.kill()
        await trio.sleep(SECONDS / 4)
        for back in (s3, p3):
            await back.start(first.address)
        nursery.start_soon(answer, p3)
        exchange.running += [s3, p3]
        await trio.sleep(SECONDS / 4)
        await s2.leave()

    sent = {f"e-{number:03}" for number in range(EVENTS)}

    def lacking() -> dict[str, set[str]]:
        return {peer.name: sent - set(peer.user_events()) for peer in exchange.steady}

    await eventually(lambda: not any(lacking().values()), 90, describe=lacking)  # by push/pulls at last
    await trio.sleep(2)
    for peer in exchange.steady:
        assert sorted(peer.user_events()) == sorted(sent), "each once"
    for peer in (s3, p3):
        assert max(Counter(peer.user_events()).values()) == 1, "over both its lives"
    missed = sum(QUERIES - exchange.answers[peer.name] for peer in exchange.steady)
    assert missed <= MISSED_MAX, exchange.answers
