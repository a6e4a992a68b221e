"""The two programs without a framework: three of them, started without arguments, find each other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from tests.cli.processes import environment
from tests.hosts.recipes import RECIPES
from tests.net.fronts.test_readme import ALONE

pytestmark = pytest.mark.slow

DRIVER = """
import subprocess, sys
programs = []
def wait(program, word):
    while (line := program.stdout.readline()) and word not in line: pass
    print(word if line else f"no {word}", flush=True)
try:
    for code in sys.argv[1:]:
        program = subprocess.Popen([sys.executable, "-c", code], text=True, stdout=subprocess.PIPE)
        programs.append(program)
        wait(program, f"at port {7945 + len(programs)}")
    wait(programs[0], "MemberJoined")
    wait(programs[0], "MemberJoined")
    programs[2].kill()
    for program in programs[:2]:
        wait(program, "MemberFailed")
finally:
    for program in programs:
        program.kill()
        program.wait()
"""


def test_three_programs_without_arguments_find_each_other() -> None:
    code = [RECIPES[name] for name in ("watch.py", "threads.py", "watch.py")]
    driver = subprocess.Popen(
        [*ALONE, sys.executable, "-c", DRIVER, *code],
        env=environment(PYTHONWARNINGS="default"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = driver.communicate(timeout=90)
    finally:
        with suppress(ProcessLookupError):  # usually nothing is left of its group
            os.killpg(driver.pid, signal.SIGKILL)
    assert driver.returncode == 0, err
    ports = [f"at port {port}" for port in (7946, 7947, 7948)]
    assert out.splitlines() == [*ports, *["MemberJoined"] * 2, *["MemberFailed"] * 2]
