"""Clusters on a network in memory, served on real sockets."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import trio
import trio.testing

import swim
import swim.ipc
from swim.addresses import Endpoint
from swim.log import LogRing
from swim.net.running import run_cluster
from tests.net.memory import MemoryNetwork

_BUFFER_BYTES = 4096


def listening() -> socket.socket:
    """A free port. Little fits the buffers of its connections, so that slow readers are noticed soon."""
    listener = swim.ipc.listen("127.0.0.1:0")
    for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        listener.setsockopt(socket.SOL_SOCKET, buffer, _BUFFER_BYTES)
    return listener


class Farm:
    """Nodes at 127.0.0.1, each with its gossip port in memory and its RPC port on a real socket.

    Attributes:
        clusters: by name.
        left: names of those that a client made leave.
        log: what monitors read.
    """

    def __init__(self, nursery: trio.Nursery) -> None:
        self.clusters: dict[str, swim.Cluster] = {}
        self.left: list[str] = []
        self.log = LogRing(max_bytes=1 << 20)
        self._scopes: dict[str, trio.CancelScope] = {}
        self._network = MemoryNetwork()
        self._nursery = nursery

    async def start(self, name: str, port: int, **settings: Any) -> swim.Cluster:
        """A node of the ``local`` profile."""
        config = swim.Config.local(name=name, bind=f"127.0.0.1:{port}", **settings)
        transport = self._network.transport("127.0.0.1", port)

        async def run(*, task_status: trio.TaskStatus[swim.Cluster]) -> None:
            with trio.CancelScope() as self._scopes[name]:
                await run_cluster(config, transport=transport, task_status=task_status)

        cluster = self.clusters[name] = await self._nursery.start(run)
        return cluster

    async def serve(
        self, cluster: swim.Cluster, *, handlers: Callable[[], dict[str, str]] = dict, **settings: Any
    ) -> Endpoint:
        """Its RPC address."""
        name = cluster.config.name

        async def run(*, task_status: trio.TaskStatus[Endpoint]) -> None:
            with trio.CancelScope() as scope:

                def end() -> None:
                    self.left.append(name)
                    scope.cancel()

                await swim.ipc.serve(
                    cluster,
                    swim.ipc.IpcSettings(**settings),
                    recent_log=lambda level: self.log.reader(level).read().records,
                    on_leave=end,
                    event_handlers=handlers,
                    listener=listening(),
                    task_status=task_status,
                )

        endpoint: Endpoint = await self._nursery.start(run)
        return endpoint

    async def pair(self, first: str, second: str, port: int, *tags: dict[str, str], **settings: Any) -> Any:
        """Two nodes that know each other, on ports in a row, and the RPC address of the first."""
        own, others = tags or ({}, {})
        one = await self.start(first, port, tags=own, **settings)
        other = await self.start(second, port + 1, tags=others, **settings)
        await other.join([f"127.0.0.1:{port}"])
        return one, other, await self.serve(one)

    def kill(self, name: str) -> None:
        self._scopes[name].cancel()


@pytest.fixture
def quick_clock() -> trio.testing.MockClock:
    """Virtual time that jumps once nothing happens; real sockets of this process get a moment before."""
    return trio.testing.MockClock(autojump_threshold=0.003)


@pytest.fixture
async def farm() -> AsyncIterator[Farm]:
    """Ask for ``quick_clock`` as well."""
    async with trio.open_nursery() as nursery:
        farm, logger = Farm(nursery), logging.getLogger("swim")
        logger.addHandler(farm.log)
        yield farm
        logger.removeHandler(farm.log)
        nursery.cancel_scope.cancel()
