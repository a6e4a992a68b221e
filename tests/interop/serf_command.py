"""The real ``serf`` command, asked about an agent of either kind."""

from __future__ import annotations

import subprocess
from typing import NamedTuple

import trio


class Said(NamedTuple):
    """What a command came to."""

    code: int
    text: str


async def serf_command(rpc_port: int, *words: str) -> Said:
    """The ``serf`` command about the agent with this RPC port."""
    argv = ["serf", words[0], f"-rpc-addr=127.0.0.1:{rpc_port}", *words[1:]]
    done = await trio.run_process(argv, capture_stdout=True, stderr=subprocess.STDOUT, check=False)
    return Said(done.returncode, done.stdout.decode())
