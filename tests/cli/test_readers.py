"""Real commands whose output is not read, or whose reader closed the pipe."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO
from urllib.request import urlopen

import pytest

from tests.cli.processes import DEADLINE, Processes, environment, eventually

pytestmark = pytest.mark.slow

FREE = ("--bind-base", "0", "--http-base", "0")
PROGRAM = (sys.executable, "-m", "swim")


@contextmanager
def full_pipe() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Both ends of a pipe that holds all it can: the next write waits for a reader."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    while select.select((), (writing,), (), 0)[1]:
        os.write(writing, b"-" * 4096)
    os.set_blocking(writing, True)
    with open(reading, "rb", buffering=0) as reader, open(writing, "wb", buffering=0) as writer:
        yield reader, writer


def test_an_agent_whose_log_nobody_reads_stays_alive_and_stops_in_time(processes: Processes) -> None:
    peer = processes.agent("peer")
    with full_pipe() as (reader, writer):
        arguments = ("--name", "mute", "--bind", "127.0.0.1:0", "--http", "127.0.0.1:0", "--profile", "local")
        mute = subprocess.Popen(
            [*PROGRAM, "agent", "--json", *arguments, "--join", peer.gossip, "--log-level", "debug"],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=writer,
        )
        writer.close()
        try:
            assert mute.stdout is not None
            http = json.loads(mute.stdout.readline())["http"]
            for _ in range(3):
                eventually(lambda: peer.statuses() == {"peer": "alive", "mute": "alive"})
                with urlopen(f"{http}/v1/swim/info", timeout=DEADLINE) as answer:
                    assert json.load(answer)["name"] == "mute"
            mute.terminate()
            assert mute.wait(DEADLINE) == 0
            assert peer.statuses()["mute"] == "left"
            assert b"gossip ready" not in reader.read(1 << 20)
        finally:
            mute.kill()
            mute.communicate()


def test_a_cluster_whose_lines_nobody_reads_goes_on() -> None:
    with full_pipe() as (reader, writer):
        finished = subprocess.run(
            [*PROGRAM, "cluster", *FREE, "--nodes", "3", "--for", "6", "--script", "1s kill 3"],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        assert b"failed" not in reader.read(1 << 20)


@pytest.mark.parametrize(("command", "code"), [(("cluster", *FREE, "--nodes", "2"), 1)])
def test_a_reader_that_goes_away_ends_the_cluster_quietly(command: tuple[str, ...], code: int) -> None:
    with subprocess.Popen(
        [*PROGRAM, *command, "--script", "1s kill 2"],
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        try:
            assert process.wait(DEADLINE) == code
            assert b"Traceback" not in process.stderr.read()
        finally:
            process.kill()
