"""The fronts for one test program. It is written with ``async``, and on plain threads it never suspends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import Any

import pytest
import trio

import swim
import swim.asyncio
import swim.blocking
from swim.net.fronts import threads

__all__ = ["FRONTS", "Each", "Front", "done", "every_front", "first", "isolated_fronts", "local"]


async def done(value: Any) -> Any:
    """Awaits what a front returned, if that is its way."""
    return await value if hasattr(value, "__await__") else value


class Each:
    """Iterates in the front's way."""

    def __init__(self, iterable: Any) -> None:
        self._is_async = hasattr(iterable, "__aiter__")
        self._iterator = aiter(iterable) if self._is_async else iter(iterable)

    def __aiter__(self) -> Each:
        return self

    async def __anext__(self) -> Any:
        if self._is_async:
            return await anext(self._iterator)
        item = next(self._iterator, self)
        if item is self:
            raise StopAsyncIteration
        return item


async def first(iterable: Any, kind: type = object) -> Any:
    """The first item of a kind."""
    async for item in Each(iterable):
        if isinstance(item, kind):
            return item
    raise AssertionError(f"it ended without a {kind.__name__}")


def uvloop_run(main: Coroutine[Any, Any, Any]) -> Any:
    """``asyncio.run`` on uvloop."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)


class Front:
    """One way to use a cluster."""

    def __init__(
        self,
        name: str,
        module: Any,
        run: Callable[[Coroutine[Any, Any, Any]], Any],
        sleep: Callable[[float], Any],
        **given: Any,
    ) -> None:
        self.name = name
        self.module = module
        self._sleep = sleep
        self.given = given
        self._run = run

    @property
    def is_async(self) -> bool:
        """Whether its block is entered by ``async with``."""
        return self.module is not swim.blocking

    def open(self, config: Any, **arguments: Any) -> Any:
        """What its ``open_cluster`` returns."""
        return self.module.open_cluster(config, **self.given | arguments)

    @asynccontextmanager
    async def opened(self, config: Any, **arguments: Any) -> AsyncIterator[Any]:
        """Its cluster, for a block."""
        opening = self.open(config, **arguments)
        if self.is_async:
            async with opening as cluster:
                yield cluster
        else:
            with opening as cluster:
                yield cluster

    async def sleep(self, seconds: float) -> None:
        """Lets others run for a while."""
        await done(self._sleep(seconds))

    def run(self, program: Callable[..., Coroutine[Any, Any, Any]], *arguments: Any) -> Any:
        """Runs a program from start to end."""
        return self._run(program(*arguments))


def _run(main: Coroutine[Any, Any, Any]) -> Any:
    return threads.run(lambda: main)


def _trio_run(main: Coroutine[Any, Any, Any]) -> Any:
    async def program() -> Any:
        return await main

    return trio.run(program)


FRONTS = {
    front.name: front
    for front in (
        Front("trio", swim, _trio_run, trio.sleep),
        Front("asyncio", swim.asyncio, asyncio.run, asyncio.sleep),
        Front("uvloop", swim.asyncio, uvloop_run, asyncio.sleep),
        Front("blocking", swim.blocking, _run, time.sleep),
        Front("asyncio-process", swim.asyncio, asyncio.run, asyncio.sleep, isolation="process"),
        Front("blocking-process", swim.blocking, _run, time.sleep, isolation="process"),
    )
}
_NO_UVLOOP = pytest.mark.skipif(find_spec("uvloop") is None, reason="uvloop is not installed")
_EACH = [
    pytest.param(front, id=name, marks=[_NO_UVLOOP] if name == "uvloop" else [])
    for name, front in FRONTS.items()
]
every_front = pytest.mark.parametrize("front", _EACH)
isolated_fronts = pytest.mark.parametrize("front", _EACH[1:])


def local(name: str, *seeds: Any, **settings: Any) -> swim.Config:
    """A node on a free loopback port; ``seeds`` are clusters."""
    return swim.Config.local(
        **{"name": name, "bind": "127.0.0.1:0", "seeds": ["{}:{}".format(*seed.endpoint) for seed in seeds]}
        | settings
    )
