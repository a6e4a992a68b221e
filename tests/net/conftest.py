"""A driver around a fake node on an in-memory network, and whole clusters on one."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from swim.config import Config
from swim.net.cluster import Cluster
from swim.net.faults import LinkFaults
from swim.net.running import run_cluster
from tests.net.memory import MemoryNetwork
from tests.net.namespaces import Networks


@pytest.fixture
def network() -> MemoryNetwork:
    return MemoryNetwork()


async def until(condition: Callable[[], Any], *, within: float = 60.0) -> None:
    """Waits until a condition holds, polling; fails after ``within`` seconds."""
    with trio.fail_after(within):
        while not condition():  # noqa: ASYNC110  the condition is the node's, it has no event to wait for
            await trio.sleep(0.02)


class Pool:
    """Whole clusters on one in-memory network, at 10.0.0.1, 10.0.0.2 ...; the profile is ``local``."""

    def __init__(self, network: MemoryNetwork, nursery: trio.Nursery) -> None:
        self.network = network
        self.clusters: dict[str, Cluster] = {}
        self.faults: dict[str, LinkFaults] = {}
        self._scopes: dict[str, trio.CancelScope] = {}
        self._nursery = nursery

    async def start(self, name: str, **settings: Any) -> Cluster:
        """Starts a node; its name's digits are the last byte of its address."""
        host = "10.0.0." + "".join(c for c in name if c.isdigit())
        config = Config.local(**({"name": name, "bind": f"{host}:7946"} | settings))
        faults = self.faults[name] = LinkFaults(seed=1)

        async def run(*, task_status: trio.TaskStatus[Cluster]) -> None:
            with trio.CancelScope() as self._scopes[name]:
                transport = self.network.transport(host)
                await run_cluster(config, transport=transport, faults=faults, task_status=task_status)

        cluster = self.clusters[name] = await self._nursery.start(run)
        return cluster

    async def form(self, size: int, **settings: Any) -> list[Cluster]:
        """Starts ``n1`` to ``n<size>`` and waits until all know all."""
        clusters = [await self.start(f"n{i + 1}", **settings) for i in range(size)]
        for cluster in clusters[1:]:
            result = await cluster.join(["10.0.0.1"])
            assert result.joined == 1, result
        await until(lambda: all(len(statuses(cluster)) == size for cluster in clusters))
        return clusters

    def kill(self, name: str) -> None:
        """Ends a node without a word."""
        self._scopes[name].cancel()


@pytest.fixture
async def pool(network: MemoryNetwork) -> AsyncIterator[Pool]:
    """Ask for ``autojump_clock`` as well, for virtual time."""
    async with trio.open_nursery() as nursery:
        yield Pool(network, nursery)
        nursery.cancel_scope.cancel()


def tags(cluster: Cluster, name: str) -> dict[str, str]:
    """A member's tags in the eyes of ``cluster``; none if it is unknown."""
    member = cluster.member(name)
    return dict(member.tags) if member is not None else {}


def statuses(cluster: Cluster) -> dict[str, str]:
    """Each listed member's status."""
    return {member.name: member.status.value for member in cluster.members()}


@pytest.fixture
def networks(tmp_path: Path) -> Iterator[Networks]:
    try:
        made = Networks(tmp_path)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"network namespaces cannot be made here: {error.stderr.decode().strip()}")
    yield made
    made.close()
