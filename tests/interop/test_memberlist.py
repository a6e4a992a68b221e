"""Messages between our nodes and a Go program on memberlist, in a pool without Serf."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import trio

import swim
from sims.bench.ports import free_port
from tests.interop.processes import GO_PATH, eventually

SOURCE = Path(__file__).parent / "memberlist" / "main.go"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.peers("golang-go", "golang-github-hashicorp-memberlist-dev"),
]


async def test_a_go_program_receives_and_sends_the_bytes_as_they_are(tmp_path: Path) -> None:
    program, port = tmp_path / "program", free_port()
    go = {"GO111MODULE": "off", "GOPATH": str(GO_PATH), "GOCACHE": str(tmp_path / "cache"), "GOFLAGS": ""}
    build = ["go", "build", "-o", str(program), str(SOURCE)]
    await trio.run_process(build, env={**os.environ, **go}, cwd=tmp_path)
    with (tmp_path / "log").open("w+") as log:
        process = await trio.lowlevel.open_process(
            [str(program), "go-1", str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
        )
        try:
            with trio.fail_after(60):
                lines = _Lines(process)
                await lines.until("ready")
                await _exchange(f"127.0.0.1:{port}", process, lines)
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
                assert process.stdin is not None
                assert process.stdout is not None
                await process.stdin.aclose()
                await process.stdout.aclose()
        log.seek(0)
        problems = [line for line in log if "[WARN]" in line or "[ERR]" in line]
        assert not [line for line in problems if "shut" not in line]


class _Lines:
    """What the program prints."""

    def __init__(self, process: trio.Process) -> None:
        assert process.stdout is not None
        self._stream = process.stdout
        self._text = ""

    async def until(self, line: str) -> None:
        while line not in self._text.splitlines():
            self._text += (await self._stream.receive_some()).decode()


async def _exchange(address: str, process: trio.Process, lines: _Lines) -> None:
    def config(name: str) -> swim.Config:
        return swim.Config.local(name=name, bind="127.0.0.1:0", seeds=[address], delegate_version=0)

    async with swim.open_cluster(config("a")) as one, swim.open_cluster(config("b")) as two:
        await eventually(lambda: len(one.alive()) == len(two.alive()) == 3)
        member = one.member("go-1")
        assert member is not None
        events = two.events(kinds=swim.UserMessage)
        await one.send(member, b"direct")
        await lines.until("message " + b"direct".hex())
        await one.broadcast(b"to all")
        await lines.until("message " + b"to all".hex())
        assert await anext(events) == swim.UserMessage("a", b"to all", True, 4)
        assert process.stdin is not None
        await process.stdin.send_all(b"send b reliable\n")
        await lines.until("sent <nil>")
        assert await anext(events) == swim.UserMessage("", b"reliable", False, 5)
        await process.stdin.send_all(b"broadcast gossip\n")
        assert await anext(events) == swim.UserMessage("go-1", b"gossip", False, 6)
        assert {found.name for found in await swim.observe([address])} == {"a", "b", "go-1"}
