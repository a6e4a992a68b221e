"""A program that computes is not taken for dead, as watched by three observers in other processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.processes import environment

pytestmark = pytest.mark.slow

OBSERVER = """
import json, sys
import swim
config = swim.Config.local(name=sys.argv[1], bind="127.0.0.1:0", seeds=sys.argv[2:])
with swim.blocking.open_cluster(config, isolation="process") as cluster:
    print(json.dumps(["at", "{}:{}".format(*cluster.endpoint)]), flush=True)
    for event in cluster.events(kinds=swim.MemberEvent):
        print(json.dumps([type(event).__name__, event.member.name]), flush=True)
"""
BUSY = """
import asyncio, ctypes, sys, time
import swim
name, isolation, work, *seeds = sys.argv[1:]

def sleep(): time.sleep(8)
def compute():
    end = time.monotonic() + 8
    while time.monotonic() < end: sum(range(1000))
def hold(): ctypes.PyDLL(None).sleep(8)

async def main():
    config = swim.Config.local(name=name, bind="127.0.0.1:0", seeds=seeds)
    async with swim.asyncio.open_cluster(config, isolation=isolation) as cluster:
        while len(cluster.alive()) < 4: await asyncio.sleep(0.01)
        await cluster.set_tags({"state": "busy"})
        globals()[work]()
        print("over", cluster.status, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""
MEMBER = """
import asyncio, json, sys
import swim

async def main():
    config = swim.Config.local(name=sys.argv[1], bind="127.0.0.1:0", seeds=sys.argv[2:])
    async with swim.asyncio.open_cluster(config) as cluster:
        print(json.dumps(["at", "{}:{}".format(*cluster.endpoint)]), flush=True)
        async for event in cluster.events(kinds=swim.MemberEvent):
            print(json.dumps([type(event).__name__, event.member.name]), flush=True)
asyncio.run(main())
"""


class Programs:
    """Programs that run until the test is over."""

    def __init__(self) -> None:
        self.running: list[subprocess.Popen[str]] = []

    def start(self, text: str, *arguments: str) -> subprocess.Popen[str]:
        program = subprocess.Popen(
            [sys.executable, "-c", text, *arguments],
            env=environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        self.running.append(program)
        return program

    def observers(self, text: str, count: int) -> tuple[list[subprocess.Popen[str]], list[str]]:
        """Programs that report what they see; also where they are."""
        observers, addresses = [], list[str]()
        for number in range(count):
            observer = self.start(text, f"o{number}", *addresses[:1])
            addresses.append(reports(observer, "at")[-1][1])
            observers.append(observer)
        return observers, addresses


@contextmanager
def programs() -> Iterator[Programs]:
    started = Programs()
    try:
        yield started
    finally:
        for program in started.running:
            program.kill()
            program.wait()
            assert program.stdout is not None
            program.stdout.close()


def reports(program: subprocess.Popen[str], kind: str, name: str = "") -> list[list[str]]:
    """What a program reports up to one of a kind, about a member."""
    assert program.stdout is not None
    read: list[list[str]] = []
    while not read or read[-1][0] != kind or (name and read[-1][1] != name):
        read.append(json.loads(program.stdout.readline()))
    return read


def test_a_busy_program_is_not_suspected() -> None:
    with programs() as started:
        observers, addresses = started.observers(OBSERVER, 3)
        ways = [
            ("thread", "sleep"),
            ("thread", "compute"),
            *(("process", w) for w in ("sleep", "compute", "hold")),
        ]
        busy = [started.start(BUSY, f"{i}-{work}", i, work, *addresses) for i, work in ways]
        held = started.start(BUSY, "thread-hold", "thread", "hold", *addresses)
        for program in busy:
            assert program.stdout is not None
            assert program.stdout.readline() == "over running\n"
        started.start(OBSERVER, "last", *addresses)
        for observer in observers:
            seen = reports(observer, "MemberJoined", "last")
            wrong = {tuple(each) for each in seen if each[0] in ("MemberSuspected", "MemberFailed")}
            # C code that holds the interpreter stops a thread: this one shows that observers would see it.
            assert {name for _, name in wrong} == {"thread-hold"}
        assert held.poll() is None


def test_a_kill_among_five_programs_on_asyncio_is_seen_by_all() -> None:
    with programs() as started:
        members, _ = started.observers(MEMBER, 5)
        for member in members[:4]:
            reports(member, "MemberJoined", "o4")
        members[4].send_signal(signal.SIGKILL)
        for member in members[:4]:
            seen = reports(member, "MemberFailed", "o4")
            assert {name for kind, name in seen if kind == "MemberFailed"} == {"o4"}
