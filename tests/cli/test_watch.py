"""``swim watch`` and ``monitor``: lines, objects, a picture; broken streams, closed pipes and Ctrl-C."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import pytest
from rich.console import Console

from swim.cli.agent.screen import Screen
from swim.cli.agent.watching import Table, cells, sentence
from tests.cli.conftest import InProcess
from tests.cli.fake_agent import fake_agent
from tests.cli.processes import DEADLINE, Processes, environment, eventually

AT = "2026-01-01T00:00:00.000Z"


def member(name: str, **changes: Any) -> dict[str, Any]:
    plain = {
        "name": name, "address": "10.0.0.1", "port": 7946, "status": "alive", "is_suspect": False,
        "incarnation": 1, "tags": {}, "protocol": [1, 5, 2], "delegate": [2, 5, 5],
    }  # fmt: skip
    return plain | changes


def snapshot(*members: dict[str, Any]) -> dict[str, Any]:
    return {"event": "Snapshot", "at": AT, "snapshot": {"name": "a", "members": list(members)}}


def happened(kind: str, subject: dict[str, Any], **reason: str) -> dict[str, Any]:
    why = {"cause": "claim", "accuser": "", "detail": ""} | reason
    return {"event": kind, "at": AT, "sequence": 1, "member": subject, "previous": None, **why}


EVENTS = [
    (happened("MemberFailed", member("b", status="failed"), cause="probe", accuser="c", detail="no ack"),
     "b failed (probe, by c, no ack)"),
    ({"event": "UserEvent", "at": AT, "name": "deploy", "payload": "djE="}, "user event deploy (2 bytes)"),
    ({"event": "Query", "at": AT, "name": "load", "payload": "", "source": "b"},
     "query load from b (0 bytes)"),
    ({"event": "UserMessage", "at": AT, "source": "b", "payload": "YQ==", "broadcast": True},
     "broadcast from b (1 byte)"),
    ({"event": "EventsLost", "at": AT, "count": 3}, "3 events were lost: this command did not keep up"),
    (happened("MemberJoined", member("\x1b[2J x")), '"\\x1b[2J x" joined (claim)'),
]  # fmt: skip


@pytest.mark.parametrize(("event", "text"), EVENTS)
def test_each_event_is_a_sentence_and_seven_cells(event: dict[str, Any], text: str) -> None:
    assert sentence(event) == f"{AT}  {text}"
    assert len(cells(event)) == 7


def test_after_a_new_snapshot_only_what_differs_is_shown() -> None:
    table = Table()
    (first,) = table.apply(snapshot(member("a"), member("b")))
    assert sentence(first).splitlines() == [
        f"{AT}  a lists 2 members", f"{AT}  a alive (10.0.0.1:7946)", f"{AT}  b alive (10.0.0.1:7946)",
    ]  # fmt: skip
    assert list(table.apply({"event": "Heartbeat", "at": AT})) == []
    list(table.apply(happened("MemberSuspected", member("b", is_suspect=True))))
    assert table.counts() == "2 members: 1 alive, 1 suspect"
    (second,) = table.apply(snapshot(member("a"), member("c")))
    assert sentence(second).splitlines() == [
        f"{AT}  a lists 2 members", f"{AT}  c alive (10.0.0.1:7946)", f"{AT}  b reaped",
    ]  # fmt: skip
    assert table.counts() == "2 members: 2 alive"


def test_the_picture_fits_the_terminal_and_trouble_stays_in_sight() -> None:
    screen = Screen()
    many = [member(f"n{number}") for number in range(50)]
    list(screen.table.apply(snapshot(*many, member("bad\x1b", status="failed"))))
    screen.message = "as of now"
    console = Console(file=io.StringIO(), width=80, height=24)
    console.print(screen.picture(console))
    assert isinstance(console.file, io.StringIO)
    lines = [" ".join(line.split()) for line in console.file.getvalue().splitlines()]
    assert len(lines) <= 24
    assert lines[0] == "a, 51 members: 50 alive, 1 failed"
    assert "bad\\x1b 10.0.0.1:7946 failed" in lines
    assert lines[-1] == "as of now"


def test_the_words_of_a_refusal_end_it(swim: InProcess) -> None:
    with fake_agent() as agent:
        agent.answers["/v1/swim/watch"] = (403, "Permission denied")
        result = swim("watch", "--address", agent.url)
        assert (result.code, result.out) == (6, "")
        assert result.err.startswith("swim: Permission denied")


@pytest.mark.slow
def test_it_goes_on_when_the_agent_has_restarted_and_ends_with_ctrl_c(processes: Processes) -> None:
    agent = processes.agent("a")
    lines = processes.start("watch", "--address", agent.http)
    objects = processes.start("watch", "--json", "--address", agent.http)
    eventually(lambda: any("a alive" in line for line in lines.out) and objects.out)
    assert agent.swim("event", "deploy", "v1").returncode == 0
    eventually(lambda: any("user event deploy (2 bytes)" in line for line in lines.out))
    agent.signal(signal.SIGKILL)
    eventually(lambda: any("stream broke, retrying" in line for line in lines.err))
    other = processes.agent("a", "--http", urlsplit(agent.http).netloc)
    assert other.swim("tags", "--set", "role=web").returncode == 0
    eventually(lambda: sum('"Snapshot"' in line for line in objects.out) == 2)
    eventually(lambda: sum("a lists 1 members" in line for line in lines.out) == 2)
    for process in (lines, objects):
        process.signal(signal.SIGINT)
        assert process.wait() == 0
        assert [line for line in process.err if not line.startswith("swim: stream broke")] == []
    assert len([json.loads(line) for line in objects.out]) >= 3
    assert all(re.match(r"\d{4}-\d\d-\d\dT[0-9:.]+Z  \S", line) for line in lines.out)


@pytest.mark.slow
def test_monitor_shows_the_log_at_a_level_of_its_own_over_a_restart(processes: Processes) -> None:
    agent = processes.agent("a", "--log-level", "warn")
    lines = processes.start("monitor", "--log-level", "debug", "--address", agent.http)
    objects = processes.start("monitor", "--json", "--address", agent.http)

    def is_shown() -> bool:
        agent.swim("event", "deploy", "v1")
        return any("[INFO]  swim.events: user event deploy (2 bytes)" in line for line in lines.out)

    eventually(is_shown)
    eventually(lambda: any("GET" in line or "[DEBUG] swim.http: PUT" in line for line in lines.out))
    eventually(lambda: any(json.loads(line)["@message"] == "user event" for line in objects.out))
    assert not any("user event" in line for line in agent.err)
    agent.signal(signal.SIGKILL)
    eventually(lambda: all("stream broke, retrying" in "".join(one.err) for one in (lines, objects)))
    agent = processes.agent("a", "--http", urlsplit(agent.http).netloc)
    lines.out.clear()
    eventually(is_shown)
    for process in (lines, objects):
        process.signal(signal.SIGINT)
        assert process.wait() == 0


@pytest.mark.slow
def test_a_reader_that_goes_away_ends_it_quietly(processes: Processes) -> None:
    agent = processes.agent("a")
    with subprocess.Popen(
        [sys.executable, "-m", "swim", "watch", "--address", agent.http],
        env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        try:
            assert process.wait(DEADLINE) == 1
            assert process.stderr.read() == b""
        finally:
            process.kill()
