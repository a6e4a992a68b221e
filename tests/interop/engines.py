"""Nodes of ours on every engine, with the calls of the trio front: one test program for all of them."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from typing import Any, Literal, cast

import trio

import swim
import swim.blocking
from swim.testing import LinkFaults

__all__ = ["ENGINES", "Engine", "opened"]

Engine = Literal["trio", "thread", "process"]

ENGINES: dict[str, tuple[Engine, ...]] = {"trio": ("trio",), "isolated": ("thread", "process")}
"""What the nodes of one test run on, in turn."""

_STEP_SECONDS = 0.2
"""How long a cancelled reader of events may go on."""


def opened(
    config: swim.Config, engine: Engine, faults: LinkFaults, **files: Any
) -> AbstractAsyncContextManager[swim.Cluster]:
    """A node for the length of a block; whatever ends the block, the node does not leave by itself.

    Args:
        config: its settings.
        engine: what it runs on.
        faults: of its network, as far as the engine can have any.
        files: what ``open_cluster`` takes of these.
    """
    if engine == "trio":
        return swim.open_cluster(config, faults=faults, leave_timeout=0, **files)
    return cast(AbstractAsyncContextManager[swim.Cluster], _isolated(config, engine, faults, files))


@asynccontextmanager
async def _isolated(
    config: swim.Config, engine: Literal["thread", "process"], faults: LinkFaults, files: dict[str, Any]
) -> AsyncIterator[_OnTrio]:
    opening = swim.blocking.open_cluster(
        config, isolation=engine, leave_timeout=0, faults=faults if engine == "thread" else None, **files
    )
    cluster = await trio.to_thread.run_sync(opening.__enter__)
    try:
        yield _OnTrio(cluster)
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(opening.__exit__, None, None, None)


class _OnTrio:
    """A cluster of the blocking front with the calls of the trio one: what those await waits in a thread."""

    def __init__(self, cluster: swim.blocking.Cluster) -> None:
        self._cluster = cluster

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._cluster, name)
        return (
            partial(_awaited, value)
            if inspect.iscoroutinefunction(getattr(swim.Cluster, name, None))
            else value
        )

    def events(self, **given: Any) -> _Steps:
        return _Steps(self._cluster.events(**given, timeout=_STEP_SECONDS))

    def query(self, *given: Any, **named: Any) -> _Steps:
        return _Steps(self._cluster.query(*given, **named))


class _Steps:
    """An iteration whose steps wait in a thread."""

    def __init__(self, iterable: Any) -> None:
        self._iterator = iter(iterable)

    def __aiter__(self) -> _Steps:
        return self

    async def __anext__(self) -> Any:
        while True:
            with suppress(TimeoutError):
                found = await _awaited(next, self._iterator, self)
                if found is self:
                    raise StopAsyncIteration
                return found


async def _awaited(call: Any, *given: Any, **named: Any) -> Any:
    return await trio.to_thread.run_sync(partial(call, *given, **named))
