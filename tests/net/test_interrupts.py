"""Ctrl-C at any moment of a program: ``KeyboardInterrupt`` comes out as it is, and nothing is left behind."""

from __future__ import annotations

import asyncio
import gc
import re
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
import trio

import swim
from swim.net.transport import Transport
from tests.cli.processes import ROOT, environment
from tests.net.memory import MemoryNetwork
from tests.net.strikes import Strike


class Interrupting:
    """A transport on which the nth call of one method meets Ctrl-C."""

    def __init__(self, transport: Transport, method: str, nth: int) -> None:
        self._transport = transport
        self._method = method
        self._left = nth

    def __getattr__(self, name: str) -> Any:
        if name == self._method:
            self._left -= 1
            if self._left == 0:
                signal.raise_signal(signal.SIGINT)
        return getattr(self._transport, name)


@pytest.mark.parametrize("nth", [1, 2, 3, 5])
@pytest.mark.parametrize(
    "method", ["readable", "receive", "send", "accept", "connect", "resolve", "endpoint", "close"]
)
def test_wherever_ctrl_c_strikes_it_comes_out_alone(method: str, nth: int, tmp_path: Path) -> None:
    network = MemoryNetwork()
    network.names = {"seed.example": ["10.0.0.1"]}
    ends = []

    async def main() -> None:
        async with swim.open_cluster(
            swim.Config.local(name="n1", bind="10.0.0.1:7946"), transport=network.transport("10.0.0.1")
        ):
            transport = cast(Transport, Interrupting(network.transport("10.0.0.2"), method, nth))
            config = swim.Config.local(
                name="n2", bind="10.0.0.2:7946", seeds=["seed.example"], gossip_interval=0.01
            )
            async with swim.open_cluster(
                config, transport=transport, data_dir=tmp_path, leave_timeout=0.2
            ) as cluster:
                try:
                    with trio.move_on_after(0.3):
                        async for _ in cluster.events():
                            pass
                finally:
                    ends.append(cluster)

    with suppress(KeyboardInterrupt):
        trio.run(main)
    assert all(cluster.status == "stopped" for cluster in ends)
    assert network.bound == {}


def test_asyncio_is_told_what_to_use() -> None:
    async def main() -> None:
        async with swim.open_cluster(swim.Config.local(name="n1")):
            raise AssertionError("opened")

    with pytest.raises(swim.LocalError, match=r"this is asyncio: use swim\.asyncio\.open_cluster"):
        asyncio.run(main())


def readme_program() -> str:
    """The program under "Embed it"."""
    lines = (
        (ROOT / "README.md").read_text().partition("### Embed it")[2].partition("\nRun it as")[0].splitlines()
    )
    return "\n".join(line.removeprefix("    ") for line in lines)


HALF_A_LOOP = re.compile(
    r"Exception ignored in: <function BaseEventLoop\.__del__ .*?\nAttributeError: .*\n", re.S
)


def errors_of(process: subprocess.Popen[str]) -> str:
    """What it wrote on stderr until it ended, but for what CPython says of Ctrl-C in its own code.

    It complains of an event loop whose constructor was struck. It loses a Ctrl-C that strikes a callback of
    its import system, once in some hundred starts, and says so; then Ctrl-C comes again.
    """
    try:
        return HALF_A_LOOP.sub("", process.communicate(timeout=30)[1])
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=30)[1]
        assert "Exception ignored in: <function _get_module_lock.<locals>.cb" in errors, errors
        return ""


def interrupted_programs(count: int) -> None:
    """Starts the program again and again, and meets it with Ctrl-C within its first 0.2 s."""
    caught = "with contextlib.suppress(KeyboardInterrupt):\n"
    program = readme_program().replace(caught, f'{caught}    print("ready", flush=True)\n')
    random = Random(count)
    for _ in range(count):
        with subprocess.Popen(
            [sys.executable, "-c", program, "0"],
            env=environment(PYTHONWARNINGS="ignore"),  # trio itself may be caught at its first steps
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            try:
                process.wait(random.random() * 0.2)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
            errors = errors_of(process)
            # CPython also ends by the signal if it struck within an import, though the program caught it.
            assert (process.returncode in (0, -signal.SIGINT), errors) == (True, "")


@pytest.mark.slow
def test_the_readmes_program_ends_cleanly_on_ctrl_c() -> None:
    interrupted_programs(8)


@pytest.mark.deep
def test_the_readmes_program_ends_cleanly_on_ctrl_c_at_any_moment() -> None:
    interrupted_programs(200)


def program_struck(nth: int) -> int:
    """Runs a program to its end or to Ctrl-C at the nth step; returns how many steps it took."""
    network, strike = MemoryNetwork(), Strike(nth, __file__)
    opened: list[swim.Cluster] = []

    async def main() -> None:
        config = swim.Config.local(name="n1", bind="10.0.0.1:7946")
        async with swim.open_cluster(
            config, transport=network.transport("10.0.0.1"), leave_timeout=0.02
        ) as cluster:
            opened.append(cluster)
            with trio.move_on_after(0.02):
                async for event in cluster.events():
                    print(event)
                raise AssertionError("the events ended")

    with suppress(KeyboardInterrupt), strike.armed():
        trio.run(main)
    gc.collect()  # whatever a task forgot would warn now
    assert not (opened and network.bound)
    return strike.steps


@pytest.mark.parametrize("rounds", [5, pytest.param(400, marks=pytest.mark.deep)])
def test_at_whatever_step_ctrl_c_strikes_it_comes_out_alone(rounds: int) -> None:
    steps, random = program_struck(0), Random(rounds)
    assert steps > 1000
    for _ in range(rounds):
        program_struck(random.randrange(1, steps))
