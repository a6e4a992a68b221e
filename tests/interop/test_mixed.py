"""Six members, half of them real Serf agents: events reach each member once, queries are answered by all."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

import swim
from tests.interop.conftest import Pen
from tests.interop.peers import OurNode, SerfAgent
from tests.interop.processes import eventually
from tests.interop.serf_rpc import SerfRpc
from tests.interop.watch import Watch

pytestmark = [pytest.mark.peers("serf"), pytest.mark.slow]

_GUESTS = 4
"""Members that left before. Serf transmits a message a few times, and more often the longer its list is."""
_MISSED_MAX = {"lan": 0, "local": 8}
"""Copies of queries, of some 500, that gossip may miss: nothing sends a query again.

In the local profile a Serf agent sends one in two packets, which may both go to other Serf agents, and so on.
"""
_QUERY_SECONDS = 2.0
_EVENTS_EVERY = 0.05
_QUERIES_EVERY = 0.1
_SETTLED = 1.0
"""Seconds from the last message that a member has to receive until it is stopped."""


class Crowd:
    """The members, which of them are up, and what was sent to whom."""

    def __init__(self, pen: Pen, profile: str, key: bytes | None, starter: str) -> None:
        self._pen, self._profile, self._key = pen, profile, key
        self._random = random.Random(starter)
        handlers = ["query=printf $SERF_SELF_NAME"]
        serfs = [pen.serf(f"s{i}", profile=profile, key=key, handlers=handlers) for i in (1, 2, 3)]
        how: dict[str, Any] = {
            "profile": profile,
            "key": key,
            "answers": True,
            "thorough": profile == "local",
        }
        ours = [pen.node(f"p{i}", **how) for i in (1, 2, 3)]
        self.peers: dict[str, SerfAgent | OurNode] = {peer.name: peer for peer in [*serfs, *ours]}
        self.first = self.peers[starter]
        self.watch = Watch(list(self.peers.values()))
        self.up: set[str] = set()
        self.sent: dict[str, set[str]] = {}
        self.asked = self.missed = 0

    async def start(self) -> None:
        await self.first.start()
        for peer in self.peers.values():
            if peer is not self.first:
                await peer.start(self.first.address)
        await self._meet()
        await self.watch.until_status("alive", self.peers)
        await self._visit([f"guest{number}" for number in range(_GUESTS)])
        self.up = set(self.peers)

    async def _visit(self, names: list[str]) -> None:
        """Guests join and leave."""
        key, profile = self._key, self._profile
        guests = [self._pen.node(name, profile=profile, key=key, tcp_timeout=10.0) for name in names]
        for guest in guests:
            await guest.start(self.first.address)
        await self.watch.until_status("alive", names)
        async with trio.open_nursery() as nursery:
            for guest in guests:
                nursery.start_soon(guest.leave)
        await self.watch.until_status("left", names)
        self.watch.only_failed(serf_may_call=names)

    async def events(self, count: int) -> None:
        for number in range(count):
            name, sender = f"event-{number}", self._sender()
            self.sent[name] = set(self.up)
            if isinstance(sender, SerfAgent):
                await sender.rpc.event(name)
            else:
                await sender.cluster.user_event(name)
            await trio.sleep(_EVENTS_EVERY)

    async def queries(self, count: int) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(self._query, self._sender())
                await trio.sleep(_QUERIES_EVERY)

    async def _query(self, sender: SerfAgent | OurNode) -> None:
        asked, query = set(self.up), f"load-{self.asked}"
        self.asked += 1
        if isinstance(sender, SerfAgent):
            rpc = await SerfRpc.connect(sender.rpc.port)
            replies = await rpc.query(query, seconds=_QUERY_SECONDS)
            await rpc.aclose()
            answers = Counter((each.member, each.payload) for each in replies if each.kind == "response")
        else:
            answers = Counter([(reply.source, reply.payload)
                               async for reply in sender.cluster.query(query, timeout=_QUERY_SECONDS)
                               if isinstance(reply, swim.QueryResponse)])  # fmt: skip
        assert all(name.encode() == payload for name, payload in answers), answers
        assert set(answers.values()) == {1}, answers
        silent = asked & self.up - {name for name, _ in answers}
        self.missed += len(silent)
        for name in silent:
            assert query not in self.peers[name].queries(), f"{name} received it, and did not answer"

    def _sender(self) -> SerfAgent | OurNode:
        return self.peers[self._random.choice(sorted(self.up))]

    @asynccontextmanager
    async def without(self, name: str) -> AsyncIterator[SerfAgent | OurNode]:
        """Sends nothing through a member, and expects nothing of it, for the length of a block."""
        self.up.remove(name)
        await trio.sleep(_QUERY_SECONDS + _SETTLED)
        yield self.peers[name]
        self.up.add(name)

    def missing(self) -> dict[str, set[str]]:
        """By member, the events that it was up for and has not received."""
        return {
            name: gone
            for name, peer in self.peers.items()
            if (gone := {event for event, up in self.sent.items() if name in up} - set(peer.user_events()))
        }

    async def _meet(self) -> None:
        """A push/pull of each with each brings what gossip missed, without the wait for a periodic one."""
        for peer in self.peers.values():
            addresses = [other.address for other in self.peers.values() if other is not peer]
            if isinstance(peer, SerfAgent):
                await peer.rpc.join(*addresses, replay=True)
            else:
                await peer.cluster.join(addresses, replay=True)

    async def check(self) -> None:
        assert self.missed <= _MISSED_MAX[self._profile]
        await self._meet()
        await eventually(lambda: not self.missing(), describe=self.missing)
        for name, peer in self.peers.items():
            assert max(Counter(peer.user_events()).values()) == 1, name


@pytest.mark.parametrize("starter", ["s1", "p1"])
async def test_events_and_queries_of_any_member_reach_all(pen: Pen, starter: str) -> None:
    crowd = Crowd(pen, "lan", None, starter)
    await crowd.start()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd.events, 30)
        nursery.start_soon(crowd.queries, 15)
    await crowd.check()
    crowd.watch.only_failed()


@pytest.mark.deep
@pytest.mark.parametrize("starter", ["s1", "p1"])
@pytest.mark.parametrize("key", [None, bytes(32)])
@pytest.mark.parametrize("profile", ["lan", "local"])
async def test_so_they_do_while_members_are_killed_restarted_and_leave(
    pen: Pen, profile: str, key: bytes | None, starter: str
) -> None:
    crowd = Crowd(pen, profile, key, starter)
    await crowd.start()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(crowd.events, 200)
        nursery.start_soon(crowd.queries, 100)
        for name in ("s3", "p3"):
            async with crowd.without(name) as peer:
                peer.kill()
                others = [each for each in crowd.peers.values() if each is not peer]
                await crowd.watch.until_status("failed", {name}, at=others)
                await peer.start(crowd.first.address)
                await crowd.watch.until_status("alive", {name})
            crowd.watch.only_failed(name)
        async with crowd.without("s2") as leaver:
            await leaver.leave()
            others = [each for each in crowd.peers.values() if each is not leaver]
            await crowd.watch.until_status("left", {"s2"}, at=others)
            await leaver.start(crowd.first.address)
            await crowd.watch.until_status("alive", {"s2"})
    await crowd.check()
    crowd.watch.only_failed(serf_may_call={"s2"})
