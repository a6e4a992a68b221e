"""The first programs of the README, as printed: two of each find each other, and one sees the other fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.cli.processes import ROOT, environment

pytestmark = pytest.mark.slow

DRIVER = """
import signal, subprocess, sys
programs = []
def start():
    command = [sys.executable, "-u", "-c", sys.argv[1]]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    program = subprocess.Popen(command, text=True, **pipes)
    programs.append(program)
    return program, program.stdout.readline().split()[0]
try:
    one, first = start()
    two, second = start()
    while (line := two.stdout.readline()) and not line.startswith(f"{first} is alive"): pass
    two.send_signal(signal.SIGINT)
    end = f"{second} is failed by "  # by refused streams, if it had acked a ping before
    while (line := one.stdout.readline()) and not line.startswith(end): pass
    print(bool(line), flush=True)
finally:
    for program in programs:
        program.kill()
        program.wait()
"""
CAN_UNSHARE = (
    sys.platform == "linux" and os.geteuid() == 0 and bool(shutil.which("unshare") and shutil.which("ip"))
)
ALONE = ["unshare", "-n", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"] if CAN_UNSHARE else []
"""In a network of its own, where no other program has the ports of the README."""


def programs() -> list[str]:
    """The indented blocks that open a cluster, before the tour begins."""
    blocks, block = [], [""]
    for line in (ROOT / "README.md").read_text().partition("## A five-minute tour")[0].splitlines():
        if line.startswith("    ") or (not line and block != [""]):
            block.append(line.removeprefix("    "))
        elif line:
            blocks.append("\n".join(block))
            block = [""]
    return [text for text in blocks if "open_cluster(" in text]


def test_the_first_program_is_on_asyncio_with_trio_and_threads_beside_it() -> None:
    first, *others = programs()
    assert "swim.asyncio.open_cluster" in first
    assert ["swim.open_cluster" in text for text in others] == [True, False]
    assert "swim.blocking.open_cluster" in others[1]


@pytest.mark.parametrize("number", range(3))
def test_it_runs_as_printed(number: int) -> None:
    done = subprocess.run(
        [*ALONE, sys.executable, "-c", DRIVER, programs()[number]],
        env=environment(PYTHONWARNINGS="ignore"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
