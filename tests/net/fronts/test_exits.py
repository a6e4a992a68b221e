"""Programs end cleanly in every order of closing: their own status, not a line on stderr, no process left."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path
from textwrap import dedent, indent

import pytest

from tests.cli.processes import environment, eventually
from tests.net.fronts.exits_in_threads import BLOCKING, IN_THREADS
from tests.net.fronts.exits_on_asyncio import ASYNC, ON_ASYNCIO

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc"),
]

PROLOGUE = """
import asyncio, atexit, contextlib, gc, logging, multiprocessing, os, random, signal, sys, threading, time
import swim, swim.asyncio, swim.blocking

def config(name="n1"):
    return swim.Config.local(name=name, bind="127.0.0.1:0")

def children():
    found = []
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError), open(f"/proc/self/task/{task}/children") as file:
            found += file.read().split()
    return found
"""

# Modules are loaded first: interrupted while it reads one, Python itself warns of an unclosed file.
ANY_MOMENT = """
    import pickle, swim.net.isolated.process, swim.net.isolated.thread
    random.seed(SEED)
    main = threading.main_thread().ident
    def interrupt():
        time.sleep(random.random() * 0.25)
        signal.pthread_kill(main, signal.SIGINT)
    ready = threading.Thread(target=interrupt)
    try:
        ready.start()
        PROGRAM
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        pass
    ready.join()
    while [each for each in threading.enumerate() if each.name.startswith("swim:n")]:
        time.sleep(0.01)
    assert not children()
"""
STRUCK = {
    "asyncio": """
async def program():
    async with opened(leave_timeout=0.1) as cluster:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                async for event in cluster.events(): pass
        await cluster.set_tags({"a": "1"})
        await asyncio.sleep(0.05)
asyncio.run(program())
""",
    "blocking": """
with opened(leave_timeout=0.1) as cluster:
    with contextlib.suppress(TimeoutError):
        for event in cluster.events(timeout=0.05): pass
    cluster.set_tags({"a": "1"})
    time.sleep(0.05)
""",
}


def cases() -> dict[str, tuple[str, int]]:
    found = {}
    for isolation, (front, opened, programs) in itertools.product(
        ("thread", "process"), (("asyncio", ASYNC, ON_ASYNCIO), ("blocking", BLOCKING, IN_THREADS))
    ):
        beginning = f"{PROLOGUE}\nISOLATION = {isolation!r}\n{opened}\n"
        for name, text in programs.items():
            name, _, status = name.partition("=")
            found[f"{front}-{isolation}-{name}"] = (beginning + dedent(text), int(status or 0))
        for seed in range(2):  # test_interrupts strikes at chosen steps
            program = indent(STRUCK[front].strip(), "    ")
            text = dedent(ANY_MOMENT).replace("    PROGRAM", program).replace("SEED", str(seed))
            found[f"{front}-{isolation}-struck-{seed}"] = (beginning + text, 0)
    return found


CASES = cases()


def processes_with(mark: str) -> list[int]:
    """The processes, dead or alive, that inherited a variable."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 50


@pytest.mark.parametrize("name", CASES)
def test_a_program_ends_cleanly(name: str) -> None:
    program, status = CASES[name]
    mark = f"swim-exit-{uuid.uuid4()}"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(EXIT_MARK=mark),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (status, "")
    eventually(lambda: not processes_with(mark))


def test_ends_of_processes_that_do_not_are_found() -> None:
    mark = f"swim-exit-{uuid.uuid4()}"
    with subprocess.Popen(["sleep", "60"], env=os.environ | {"EXIT_MARK": mark}) as left:
        assert processes_with(mark) == [left.pid]
        left.send_signal(signal.SIGKILL)
