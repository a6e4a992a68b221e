"""Ctrl-C at any moment of a program: ``KeyboardInterrupt`` comes out as it is, and nothing is left behind."""

from __future__ import annotations

import asyncio
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


def test_asyncio_hears_what_works_today() -> None:
    async def main() -> None:
        async with swim.open_cluster(swim.Config.local(name="n1")):
            raise AssertionError("opened")

    with pytest.raises(swim.LocalError, match=r"asyncio.* not supported yet.*trio\.run .*AgentClient"):
        asyncio.run(main())


def readme_program() -> str:
    """The program under "Embed it"."""
    lines = (
        (ROOT / "README.md").read_text().partition("### Embed it")[2].partition("\nRun it as")[0].splitlines()
    )
    return "\n".join(line.removeprefix("    ") for line in lines)


@pytest.mark.slow
def test_the_readmes_program_ends_cleanly_on_ctrl_c_at_any_moment() -> None:
    program = readme_program().replace("with contextlib", 'print("ready", flush=True)\nwith contextlib', 1)
    random = Random(1)
    for _ in range(12):
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
                process.wait(0.01 + random.random() * 0.2)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
            # CPython also ends by the signal if it struck within an import, though the program caught it.
            assert (process.returncode in (0, -signal.SIGINT), errors) == (True, "")
