"""Every driver around a node on an in-memory network, in the test's own thread and in virtual time."""

from __future__ import annotations

import selectors
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, cast

import trio

from swim.addresses import Endpoint
from swim.errors import LocalError
from swim.net.driver import Driver
from swim.net.faults import LinkFaults
from swim.net.isolated.loop import Loop
from swim.net.isolated.network import SocketNetwork
from swim.net.isolated.waker import Waker
from swim.net.pump import Pump
from swim.net.resolver import Resolver
from swim.net.sockets import bind_pair
from swim.net.transport import FaultyTransport, SocketTransport
from swim.node import Node
from tests.net.memory import MemoryNetwork, MemoryPort, MemorySelector, MemoryTransport, Watched


class Driving(Protocol):
    """Drives a node for the length of a block; ``driver.halt`` and the node's own stop end it early."""

    def __call__(
        self, node: Any, transport: MemoryTransport, *, faults: LinkFaults | None = None
    ) -> AbstractAsyncContextManager[Pump]: ...


@asynccontextmanager
async def on_trio(
    node: Any, transport: MemoryTransport, *, faults: LinkFaults | None = None
) -> AsyncIterator[Driver]:
    """The trio driver."""
    async with trio.open_nursery() as nursery:
        network = transport if faults is None else FaultyTransport(transport, faults)
        driver = Driver(cast(Node, node), network, nursery, faults=faults)
        driver.start()
        yield driver
        nursery.cancel_scope.cancel()
    driver.close()
    transport.close()


@asynccontextmanager
async def on_a_loop(
    node: Any, transport: MemoryTransport, *, faults: LinkFaults | None = None
) -> AsyncIterator[Loop]:
    """The loop of a thread, turned by a task of the test."""
    async with trio.open_nursery() as nursery:
        selector = MemorySelector()
        loop = _Loop(
            cast(Node, node),
            MemoryPort(transport),
            clock=trio.current_time,
            selector=selector,
            resolver=MemoryResolver(transport.network, nursery),
            faults=faults,
            waker=MemoryWaker(),
        )
        loop.start()
        nursery.start_soon(_turn, loop, selector, nursery)
        yield loop
        nursery.cancel_scope.cancel()
    loop.end(LocalError("the cluster was closed"))
    transport.close()


class OnSockets(Protocol):
    """Drives a node on real loopback sockets for the length of a block; gives the driver and its endpoint."""

    def __call__(self, node: Any) -> AbstractAsyncContextManager[tuple[Pump, Endpoint]]: ...


@asynccontextmanager
async def trio_on_sockets(node: Any) -> AsyncIterator[tuple[Pump, Endpoint]]:
    """The trio driver."""
    transport = await SocketTransport.bind("127.0.0.1:0")
    async with on_trio(node, cast(MemoryTransport, transport)) as driver:
        yield driver, transport.endpoint


@asynccontextmanager
async def loop_on_sockets(node: Any) -> AsyncIterator[tuple[Pump, Endpoint]]:
    """The loop, which waits in a thread and turns in a task of the test."""
    network = SocketNetwork(*bind_pair("127.0.0.1", [0], "127.0.0.1"))
    selector = selectors.DefaultSelector()
    loop = Loop(
        cast(Node, node), network, clock=trio.current_time, selector=selector, resolver=Resolver()
    )  # fmt: skip
    loop.reschedule = loop.waker.set  # type: ignore[method-assign]

    async def run() -> None:
        while not loop.is_halted:
            loop.turn(await trio.to_thread.run_sync(selector.select, loop.timeout()))

    async with trio.open_nursery() as nursery:
        loop.start()
        nursery.start_soon(run)
        yield loop, network.endpoint
        loop.soon(loop.halt)
    loop.end(LocalError("the cluster was closed"))
    network.close()


ON_SOCKETS: dict[str, OnSockets] = {"trio": trio_on_sockets, "loop": loop_on_sockets}
RIGS: dict[str, Driving] = {"trio": on_trio, "loop": on_a_loop}


async def _turn(loop: Loop, selector: MemorySelector, nursery: trio.Nursery) -> None:
    """What ``Loop.run`` does, with a wait that is a task's."""
    assert isinstance(loop.waker, MemoryWaker)
    while not loop.is_halted:
        if loop.is_paused:
            loop.hold()
            await loop.waker.wait_for()
            loop.resume()
        else:
            timeout = loop.timeout()
            await selector.wait(trio.current_time() + (float("inf") if timeout is None else timeout))
            loop.turn(selector.select())
    nursery.cancel_scope.cancel()


class _Loop(Loop):
    """A test calls it from outside of its turns."""

    def reschedule(self) -> None:
        cast(MemorySelector, self.selector).changed.set()


class MemoryWaker(Waker, Watched):
    """Wakes a loop without a descriptor."""

    def __init__(self) -> None:
        self._is_set = False
        self._event = trio.Event()

    def ready_at(self, events: int) -> float:
        return float("-inf") if self._is_set else float("inf")

    def set(self) -> None:
        self._is_set = True
        self._event.set()
        self.touched()

    def clear(self) -> None:
        self._is_set = False
        self._event = trio.Event()

    async def wait_for(self) -> None:
        await self._event.wait()

    def close(self) -> None:
        pass


class MemoryResolver(Resolver):
    """Asks the names of a ``MemoryNetwork``."""

    def __init__(self, network: MemoryNetwork, nursery: trio.Nursery) -> None:
        self._network = network
        self._nursery = nursery

    def ask(self, host: str, answer: Callable[[tuple[str, ...], OSError | None], None]) -> None:
        self._nursery.start_soon(self._look_up, host, answer)

    async def _look_up(self, host: str, answer: Callable[[tuple[str, ...], OSError | None], None]) -> None:
        try:
            answer(tuple(address for address, _ in await self._network.resolve(host, 0)), None)
        except OSError as error:
            answer((), error)
