"""A host that vanishes: streams to it are refused while it is there, and nothing answers afterwards."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.net.namespaces import NEEDED

pytestmark = [pytest.mark.peers, pytest.mark.slow, NEEDED]

_PLAY = """
import socket
from sims.bench.far_host import FarHost

def reach(far):
    with socket.socket() as stream:
        stream.settimeout(1.0)
        try:
            stream.connect((far.address, 9))
        except OSError as error:
            return type(error).__name__

with FarHost() as far:
    reach(far)  # waits for the cable
    for step in (far.plug, far.unplug, far.plug):
        step()
        print(reach(far))
"""


def test_a_far_host_refuses_streams_and_then_vanishes() -> None:
    """In a process of its own, which moves to another network for good."""
    done = subprocess.run([sys.executable, "-c", _PLAY], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["ConnectionRefusedError", "TimeoutError", "ConnectionRefusedError"], (
        done.stderr
    )
