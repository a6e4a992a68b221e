"""Event handlers of a real Serf agent and of ours: the same environment and input for the same events."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.interop.conftest import Pen
from tests.interop.processes import eventually
from tests.interop.watch import Watch

pytestmark = [pytest.mark.peers("serf"), pytest.mark.slow]

PAYLOADS = (b"", b"v1", b"v1\n", b"\n", b"two\nlines", bytes(range(256)), b"x" * 300)


def noting(file: Path) -> str:
    """A handler that appends Serf's variables and the bytes of its input."""
    return f"*={{ env | grep -a ^SERF_ | sort; od -An -v -tx1 | tr -d ' \\n'; echo; echo ==; }} >> {file}"


def noted(file: Path) -> list[tuple[tuple[str, ...], bytes]]:
    """What one handler noted, event by event; its own name replaced."""
    runs = file.read_text(errors="surrogateescape").split("==\n")[:-1] if file.exists() else []
    found = []
    for run in runs:
        *variables, data = run.removesuffix("\n").split("\n")
        found.append(
            (tuple(re.sub("^SERF_SELF_NAME=.*", "-", line) for line in variables), bytes.fromhex(data))
        )
    return found


def of(file: Path, event: str) -> list[tuple[tuple[str, ...], bytes]]:
    return [run for run in noted(file) if f"SERF_EVENT={event}" in run[0]]


def member_lines(file: Path, event: str, name: bytes) -> list[bytes]:
    """The lines about one member; Serf puts members of one moment into one run."""
    lines = b"".join(data for _, data in of(file, event)).splitlines(keepends=True)
    return [line for line in lines if line.startswith(name)]


async def test_environment_and_input_are_serfs_byte_for_byte(pen: Pen) -> None:
    theirs, ours = pen.directory / "theirs", pen.directory / "ours"
    tags = {"role": "web", "build-id": "a=b c", "x.y": "é"}
    s1 = pen.serf("s1", tags=tags, handlers=[noting(theirs)])
    p1 = pen.agent("p1", tags={**tags, "build": "1"}, handlers=[noting(ours)])
    s2 = pen.serf("s2", tags={"role": "a\tb\nc"})
    await s1.start()
    await p1.start(s1.address)
    await s1.rpc.set_tags({"build": "1"})
    await Watch([s1, p1]).until_status("alive", {"s1", "p1"})
    await s2.start(p1.address)
    await Watch([s1, p1, s2]).until_status("alive", {"s1", "p1", "s2"})
    for number, payload in enumerate(PAYLOADS):
        await s1.rpc.event(f"deploy-{number} é", payload)
    for payload in PAYLOADS[:-1]:
        await s1.rpc.query("load", payload, seconds=0.5)
    await s2.rpc.set_tags({"role": "db"})
    for event, change in (("member-update", None), ("member-leave", s2.leave)):
        if change is not None:
            await change()
        for file in (theirs, ours):
            await eventually(lambda e=event, f=file: len(member_lines(f, e, b"s2\t")) == 1)
    for event, count in (("user", len(PAYLOADS)), ("query", len(PAYLOADS) - 1)):
        for file in (ours, theirs):
            await eventually(lambda event=event, n=count, file=file: len(of(file, event)) == n)
        assert sorted(of(ours, event)) == sorted(of(theirs, event))  # gossip keeps no order
    for event in ("member-join", "member-update", "member-leave"):
        assert member_lines(ours, event, b"s2\t") == member_lines(theirs, event, b"s2\t"), event
    for event in ("member-update", "member-leave"):
        assert {variables for variables, _ in of(ours, event)} == {
            variables for variables, _ in of(theirs, event)
        }


async def test_both_answer_queries_by_their_handlers(pen: Pen) -> None:
    handlers = ["query:load=cat; echo 0.7", "query:fails=echo no; exit 1", "query:silent=true"]
    s1, p1 = pen.serf("s1", handlers=handlers), pen.agent("p1", handlers=handlers)
    await s1.start()
    await p1.start(s1.address)
    await Watch([s1, p1]).until_status("alive", {"s1", "p1"})
    for name, expected in (("load", {"s1": b"?\n0.7\n", "p1": b"?\n0.7\n"}), ("fails", {}), ("silent", {})):
        answers = await s1.rpc.query(name, b"?", seconds=2.0)
        assert {each.member: each.payload for each in answers if each.kind == "response"} == expected
