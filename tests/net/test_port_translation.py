"""Real nodes behind port translation: packets and streams pass a forwarder, in both directions."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial

import pytest
import trio

import swim
from swim.addresses import Endpoint, join_host_port
from tests.net.conftest import statuses, until

pytestmark = pytest.mark.slow

ANY = ("127.0.0.1", 0)


class Forwarder:
    """One public port, for packets and streams, in front of a node that is bound to another one.

    Each client gets a port of its own towards the node, as with address translation: the node sees every
    packet come from a port that no member advertises, and its own output leaves from its own port.
    """

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._outside = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
        self._inside: dict[Endpoint, trio.socket.SocketType] = {}
        self.node: Endpoint = ANY
        self.public: Endpoint = ANY
        self.packets = 0

    async def start(self) -> None:
        """Takes a port that is free for both."""
        await self._outside.bind(ANY)
        self.public = self._outside.getsockname()
        listeners = await trio.open_tcp_listeners(self.public[1], host=self.public[0])
        self._nursery.start_soon(trio.serve_listeners, self._forward_stream, listeners)
        self._nursery.start_soon(self._forward_packets)

    async def _forward_packets(self) -> None:
        with self._outside:
            await self._forward_all()

    async def _forward_all(self) -> None:
        while True:
            data, client = await self._outside.recvfrom(65536)
            if client not in self._inside:
                self._inside[client] = inside = trio.socket.socket(type=trio.socket.SOCK_DGRAM)
                await inside.bind(ANY)
                self._nursery.start_soon(self._return_packets, inside, client)
            await self._inside[client].sendto(data, self.node)
            self.packets += 1

    async def _return_packets(self, inside: trio.socket.SocketType, client: Endpoint) -> None:
        with inside:
            while True:
                data, _ = await inside.recvfrom(65536)
                await self._outside.sendto(data, client)

    async def _forward_stream(self, client: trio.SocketStream) -> None:
        async with client, await trio.open_tcp_stream(*self.node) as node, trio.open_nursery() as both:
            both.start_soon(_copy, client, node)
            both.start_soon(_copy, node, client)


async def _collect(cluster: swim.Cluster, suspected: list[swim.Event]) -> None:
    async with cluster.events() as events:
        async for event in events:
            if isinstance(event, swim.MemberSuspected | swim.MemberFailed):
                suspected.append(event)  # noqa: PERF401  while the test runs, not once it is over


async def _copy(source: trio.SocketStream, target: trio.SocketStream) -> None:
    try:
        async for data in source:
            await target.send_all(data)
        await target.send_eof()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        return  # one of the two hung up


@pytest.mark.parametrize("tcp_pings", [True, False], ids=["tcp pings", "no tcp pings"])
@pytest.mark.parametrize("translated", [1, 4], ids=["one of them", "all of them"])
async def test_members_behind_a_forwarder_are_believed_and_nobody_is_suspected(
    tcp_pings: bool, translated: int
) -> None:
    async with trio.open_nursery() as nursery, AsyncExitStack() as stack:
        make = partial(
            swim.Config.local,
            bind="127.0.0.1:0",
            probe_interval=0.3,
            probe_timeout=0.25,
            disable_tcp_pings=not tcp_pings,
        )
        clusters: list[swim.Cluster] = []
        suspected: list[swim.Event] = []
        forwarders: list[Forwarder] = []
        for number in range(4):
            advertise = None
            if number >= 4 - translated:
                forwarders.append(Forwarder(nursery))
                await forwarders[-1].start()
                advertise = join_host_port(*forwarders[-1].public)
            config = make(name=f"n{number}", advertise=advertise)
            cluster = await stack.enter_async_context(swim.open_cluster(config, leave_timeout=0))
            if advertise is not None:
                forwarders[-1].node = cluster.endpoint
            nursery.start_soon(_collect, cluster, suspected)
            clusters.append(cluster)
        first = join_host_port(*clusters[0].advertised)
        for cluster in clusters[1:]:
            assert (await cluster.join([first], timeout=5.0)).joined == 1
        everybody = {f"n{number}" for number in range(4)}
        await until(lambda: all(set(statuses(cluster)) == everybody for cluster in clusters))
        await until(lambda: all(forwarder.packets >= 60 for forwarder in forwarders))
        for cluster in clusters:
            assert set(statuses(cluster).values()) == {"alive"}
            counters = cluster.metrics.counters
            assert counters["swim.probe.stream-only"] == counters["memberlist.degraded.probe"] == 0
            assert counters["swim.dropped.unmatched-ack"] == 0
        assert not suspected
        nursery.cancel_scope.cancel()
