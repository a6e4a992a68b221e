"""A host that vanishes: streams to it are refused while it is there, and nothing answers afterwards."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.net.namespaces import NEEDED

pytestmark = [pytest.mark.peers, pytest.mark.slow, NEEDED]

_PLAY = """
import socket
from sims.bench.far_host import Lan

def reach(host):
    with socket.socket() as stream:
        stream.settimeout(1.0)
        try:
            stream.connect((host.address, 9))
        except OSError as error:
            return type(error).__name__

with Lan() as lan, lan.host() as first, lan.host() as second:
    for host in (first, second):
        while reach(host) != "ConnectionRefusedError":  # the cables take a moment
            pass
    for step in (first.unplug, first.plug):
        step()
        print(reach(first), reach(second))
"""


def test_a_far_host_refuses_streams_and_then_vanishes_alone() -> None:
    """In a process of its own, which moves to another network for good."""
    done = subprocess.run([sys.executable, "-c", _PLAY], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines() == [
        "TimeoutError ConnectionRefusedError",
        "ConnectionRefusedError ConnectionRefusedError",
    ], done.stderr
