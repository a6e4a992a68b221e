"""A node in a child process: its keys, its logs, its end, and that of its program."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, cast

import pytest

import swim
import swim.asyncio
import swim.blocking
from swim.events import Reason, VersionTriple
from swim.net.isolated import dialogue as say
from swim.net.isolated.board import Board, Facts, Mailbox, State, Update, View
from swim.net.isolated.child import Publisher
from swim.net.isolated.frames import FRAME_BYTES_MAX, FrameReader, Outbox, encode
from tests.cli.processes import environment, eventually
from tests.net.fronts.styles import local

KEY = b"0123456789abcdef"


def process_of(cluster: Any) -> int:
    """The number of the node's process."""
    process = cluster._life.node._process
    return cast(int, process.pid)


def opened(name: str = "n1", **settings: Any) -> Any:
    return swim.blocking.open_cluster(local(name, **settings), isolation="process", leave_timeout=0)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc")
def test_keys_stand_neither_on_its_command_line_nor_in_its_environment() -> None:
    with opened(keys=[KEY]) as cluster:
        assert cluster.stats().encrypted
        process = Path(f"/proc/{process_of(cluster)}")
        public = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        assert b"swim.net.isolated.child" in public
        assert KEY not in public
        assert KEY.hex().encode() not in public


@pytest.mark.slow
def test_its_log_records_arrive_here(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "swim")
    with opened("n1") as cluster:
        cluster.join(["127.0.0.1:1"], timeout=5)
        cluster.user_event("deploy", b"42")
        eventually(lambda: [r for r in caplog.records if r.name == "swim.events"])
        pid = process_of(cluster)
    [bound] = [record for record in caplog.records if record.msg.startswith("bound to ")]
    assert (bound.name, bound.process) == ("swim.cluster", pid)
    assert bound.node == "n1"  # type: ignore[attr-defined]
    [event] = [record for record in caplog.records if record.name == "swim.events"]
    assert (event.user_event, event.bytes) == ("deploy", 2)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_a_death_is_one_error_with_its_last_words() -> None:
    words = r"process died \(SIGSEGV\), its last words: .*Segmentation"
    with pytest.raises(swim.LocalError, match=words):  # noqa: PT012, SIM117
        with opened() as cluster:
            events = cluster.events()
            waiting = cluster.query("q", timeout=60)
            os.kill(process_of(cluster), signal.SIGSEGV)
            for wait in (lambda: list(events), lambda: list(waiting)):
                with pytest.raises(swim.LocalError, match=r"process died \(SIGSEGV\)"):
                    wait()
            for command in (
                lambda: cluster.join(["127.0.0.1:1"]),
                cluster.leave,
                lambda: cluster.set_tags({}),
            ):
                with pytest.raises(swim.LocalError, match=r"this cluster has ended: .*SIGSEGV"):
                    command()
            assert (cluster.status, [member.name for member in cluster.members()]) == ("stopped", ["n1"])


@pytest.mark.slow
def test_a_death_ends_the_block_on_asyncio() -> None:
    async def main() -> None:
        opening = swim.asyncio.open_cluster(local("n1"), isolation="process", leave_timeout=0)
        async with opening as cluster:
            os.kill(process_of(cluster), signal.SIGKILL)
            await asyncio.sleep(60)

    with pytest.raises(swim.LocalError, match=r"^the node's process died \(SIGKILL\)$"):
        asyncio.run(main())


@pytest.mark.slow
@pytest.mark.parametrize("garbage", [b"\xff" * 8, b"\0\0\0\4oops", encode("no command")])
def test_what_is_no_frame_ends_it(garbage: bytes) -> None:
    words = r"(?s)exit status 1\), its last words: .*InternalError"
    with pytest.raises(swim.LocalError, match=words):  # noqa: PT012, SIM117
        with opened() as cluster:
            cluster._life.node._end_here.sendall(garbage)
            list(cluster.events())


@pytest.mark.slow
def test_a_config_that_cannot_be_sent_is_named() -> None:
    config = local("n1")
    object.__setattr__(config, "tags", {"a": threading.Lock()})
    with pytest.raises(swim.ConfigError, match=r"^config: cannot be sent to another process"):
        swim.blocking.open_cluster(config, isolation="process")


@pytest.mark.slow
@pytest.mark.parametrize("module", [swim.blocking, swim.asyncio])
def test_a_stopped_process_is_named_and_goes_on_later_and_accuses_nobody(module: Any) -> None:
    with swim.blocking.open_cluster(local("n1"), leave_timeout=0) as one:
        stopped = stop_and_go_on(one) if module is swim.blocking else asyncio.run(stop_on_asyncio(one))
        assert not {line.after for line in stopped.history("n1")} & {"suspect", "failed"}


def stop_and_go_on(one: swim.blocking.Cluster) -> Any:
    with opened("n2", seeds=["{}:{}".format(*one.endpoint)]) as two:
        eventually(lambda: len(two.alive()) == len(one.alive()) == 2)
        pid, events = process_of(two), two.events(kinds=swim.UserEvent, timeout=0.2)
        os.kill(pid, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            assert [member.name for member in two.members()] == ["n2", "n1"]
            assert (two.status, two.stats().members, two.local.name) == ("running", 2, "n2")
            with pytest.raises(TimeoutError, match=r"^no event within 0\.2 s$"):
                next(events)
            why = rf"^no outcome within 0\.2 s; the node's process \({pid}\) has said nothing since$"
            with pytest.raises(TimeoutError, match=why):
                two.set_tags({"a": "1"}, timeout=0.2)
            with pytest.raises(TimeoutError, match=r"^force-leave of n1: no outcome within 0\.1 s"):
                two.force_leave("n1", timeout=0.1)
            [outcome] = two.join(["127.0.0.1:1"], timeout=0.1).outcomes
            assert outcome.error.endswith("timed out")
            eventually(lambda: time.monotonic() - begun > 2.0)
        finally:
            os.kill(pid, signal.SIGCONT)
        two.set_tags({"a": "2"}, timeout=20)
        eventually(lambda: one.member("n2").tags == {"a": "2"})  # type: ignore[union-attr]
        eventually(lambda: [member.status for member in one.members()] == ["alive", "alive"])
        return two


async def stop_on_asyncio(one: swim.blocking.Cluster) -> Any:
    config = local("n2", seeds=["{}:{}".format(*one.endpoint)])
    async with swim.asyncio.open_cluster(config, isolation="process", leave_timeout=0) as two:
        while not len(two.alive()) == len(one.alive()) == 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        pid, events = process_of(two), two.events(kinds=swim.UserEvent)
        os.kill(pid, signal.SIGSTOP)
        try:
            begun = time.monotonic()
            for call in (two.set_tags({"a": "1"}), two.user_event("deploy"), anext(events)):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(call, 0.2)
            assert [member.name for member in two.members()] == ["n2", "n1"]
            why = rf"^force-leave of n1: .*; the node's process \({pid}\) has said nothing since$"
            with pytest.raises(TimeoutError, match=why):
                await two.force_leave("n1", timeout=0.1)
            await asyncio.sleep(2.0 - (time.monotonic() - begun))
        finally:
            os.kill(pid, signal.SIGCONT)
        assert (await asyncio.wait_for(anext(events), 20)).name == "deploy"
        eventually(lambda: one.member("n2").tags == {"a": "1"})  # type: ignore[union-attr]
        return two


FORKING = """
import os, signal, sys, time
import swim
config = swim.Config.local(name="n1", bind="127.0.0.1:0")
with swim.blocking.open_cluster(config, isolation="process") as cluster:
    if (child := os.fork()) == 0:
        time.sleep(60)
    print(child, cluster._life.node._process.pid, flush=True)
    ACTION
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").exists(), reason="needs /proc")
@pytest.mark.parametrize(
    "action",
    [
        "os.kill(os.getpid(), signal.SIGKILL)",
        "os._exit(1)",
        "os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(60)'])",
    ],
)
def test_it_ends_with_its_program_though_a_fork_of_that_lives_on(action: str) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", FORKING.replace("ACTION", action)],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    with program:
        assert program.stdout is not None
        fork, node = map(int, program.stdout.readline().split())
        try:
            eventually(lambda: not os.path.exists(f"/proc/{node}/exe"))
            assert Path(f"/proc/{fork}").exists()
        finally:
            os.kill(fork, signal.SIGKILL)
            program.kill()


def test_frames_may_arrive_in_any_pieces() -> None:
    values = [say.Abandon(1), say.Abandon(2), "x" * 100_000]
    stream = b"".join(map(encode, values))
    for size in (1, 7, 4096, len(stream)):
        reader, got = FrameReader(), []
        for at in range(0, len(stream), size):
            got += list(reader.feed(stream[at : at + size]))
        assert got == values


@pytest.mark.parametrize(
    "garbage", [(FRAME_BYTES_MAX + 1).to_bytes(4, "big"), b"\0\0\0\0", b"\0\0\0\1x", b"\0\0\0\4oops"]
)
def test_malformed_frames_are_named(garbage: bytes) -> None:
    with pytest.raises(swim.InternalError, match="malformed frame"):
        list(FrameReader().feed(garbage))


class Slow:
    """An outbox whose other side does not read."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.waiting = 0

    def send(self, value: object) -> None:
        self.sent.append(value)
        self.waiting += 1 << 20


def member(name: str, status: str = "alive") -> swim.Member:
    triple = VersionTriple(1, 5, 2)
    return swim.Member(name, "10.0.0.1", 1, {}, swim.MemberStatus(status), False, 1, triple, triple)


def test_a_program_that_does_not_read_gets_the_state_and_the_number_of_lost_events() -> None:
    config = local("n1")
    stats = swim.NodeStats(1, 0, 0, 0, 1, 1, 1, 0, 0, 0, False)
    facts = Facts("running", ("10.0.0.1", 1), False, (), stats, swim.KeyStatus())

    def board() -> Board:
        return Board(View(config, swim.Metrics(), facts, clock=lambda: 0.0))

    here, there = board(), board()
    mailbox: Mailbox = there.open_mailbox()
    outbox = Slow()
    publisher = Publisher(cast(Outbox, outbox), here.view)
    here.relay = publisher.publish

    def read() -> None:
        for saying in outbox.sent:
            if isinstance(saying, Update):
                there.post(saying)
            elif isinstance(saying, State):
                there.replace(saying)
        outbox.sent.clear()
        outbox.waiting = 0

    folded: dict[str, swim.Member] = {}
    for number in range(100):
        event = swim.MemberJoined(member(f"m{number}"), None, Reason("claim"), number + 1)
        where = {f"m{number}": swim.Coordinate(error=number / 100)}
        here.post(Update((event,), {}, None, where, {f"m{number}": swim.Detection(float(number))}))
    read()
    failed = swim.MemberFailed(member("m0", "failed"), None, Reason("claim"), 101)
    here.post(Update((failed,), {}, None, {}, {}))
    read()
    assert there.view.members() == here.view.members()
    assert there.view.coordinates() == here.view.coordinates()
    assert there.view.detections() == here.view.detections()
    assert there.view.coordinate("m99") == swim.Coordinate(error=0.99)
    lost = 0
    while (event_here := mailbox.take()) is not None:
        if isinstance(event_here, swim.EventsLost):
            lost += event_here.count
        else:
            folded[event_here.member.name] = event_here.member  # type: ignore[union-attr]
    assert lost > 50
    assert len(folded) + lost == 101
