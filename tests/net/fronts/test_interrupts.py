"""Ctrl-C at each step of a program on asyncio or in plain threads: it comes out alone, and leaves nothing."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

import swim
import swim.asyncio
import swim.blocking
from tests.cli.processes import eventually
from tests.net.fronts.styles import local
from tests.net.strikes import Strike


def blocking(isolation: Any) -> None:
    with swim.blocking.open_cluster(local("n1"), isolation=isolation, leave_timeout=0.05) as cluster:
        with suppress(TimeoutError):
            for _ in cluster.events(timeout=0.005):
                raise AssertionError("an event")
        cluster.set_tags({"a": "1"}, timeout=5)
        for _ in cluster.query("load", timeout=0.01):
            raise AssertionError("a reply")
        cluster.force_leave("nobody", timeout=5)
        cluster.resolve("127.0.0.1", 1)


def on_asyncio(isolation: Any) -> None:
    async def main() -> None:
        opening = swim.asyncio.open_cluster(local("n1"), isolation=isolation, leave_timeout=0.05)
        async with opening as cluster:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.005):
                    async for _ in cluster.events():
                        raise AssertionError("an event")
            await cluster.set_tags({"a": "1"})
            async for _ in cluster.query("load", timeout=0.01):
                raise AssertionError("a reply")
            await cluster.force_leave("nobody", timeout=5)
            await cluster.resolve("127.0.0.1", 1)

    asyncio.run(main())


PROGRAMS: dict[str, Callable[[Any], None]] = {"asyncio": on_asyncio, "blocking": blocking}


def left() -> list[str]:
    """Threads of nodes that still run, and child processes."""
    threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("swim:n1")]
    children = [file.read_text() for file in Path("/proc/self/task").glob("*/children")]
    return threads + "".join(children).split()


def struck(name: str, isolation: Any, nth: int) -> int:
    """Runs a program to its end or to Ctrl-C at the nth step; returns how many steps it took."""
    before, strike = left(), Strike(nth, __file__)
    with suppress(KeyboardInterrupt), strike.armed():
        PROGRAMS[name](isolation)
    gc.collect()  # what has no reference any more may warn now
    eventually(lambda: left() == before)
    return strike.steps


@pytest.mark.slow
@pytest.mark.parametrize("isolation", ["thread", "process"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_at_some_steps_ctrl_c_comes_out_alone(name: str, isolation: str) -> None:
    steps, random = struck(name, isolation, 0), Random(f"{name} {isolation}")
    assert steps > 300
    for _ in range(4 if isolation == "process" else 20):
        struck(name, isolation, random.randrange(1, steps))


@pytest.mark.deep
@pytest.mark.parametrize("part", range(8))
@pytest.mark.parametrize("isolation", ["thread", "process"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_at_every_step_ctrl_c_comes_out_alone(name: str, isolation: str, part: int) -> None:
    """Of a program with a process, at every fifth: its other steps are those of a thread."""
    steps, every = struck(name, isolation, 0), 5 if isolation == "process" else 1
    for nth in range(1 + part * every, steps + 50, 8 * every):
        struck(name, isolation, nth)
