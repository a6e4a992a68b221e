"""What commands write on stderr and stdout: safe lines, each fact once, and never a wait for the reader."""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.cli.cluster.view import line
from swim.cli.logs import LogFormat, LogOutput
from swim.cli.syslog import Syslog
from swim.cli.writer import BackgroundWriter
from swim.events import Member, MemberFailed, MemberJoined, MemberStatus, Reason, VersionTriple
from swim.log import log_event, report
from swim.text import json_text, printable, shown

VERSIONS = VersionTriple(1, 5, 2)
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)
EVIL = "x\n2026-01-01T00:00:00.000Z [ERROR] swim: forged \x1b[2J\x9b31m\u202egnp\udc9b\x7f\u2028"


class Pipe:
    """A pipe as a text stream, whose reader reads only when asked."""

    def __init__(self, encoding: str = "utf-8") -> None:
        reading, writing = os.pipe()
        self.reader = open(reading, "rb", buffering=0)  # noqa: SIM115
        self.stream: TextIO = open(writing, "w", encoding=encoding)  # noqa: SIM115

    def rest(self) -> bytes:
        """Closes the writing end and reads everything."""
        self.stream.close()
        with self.reader:
            return self.reader.readall()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.reader.close()
    made.stream.close()


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[str]]]:
    """Runs something with the log of a command; the lines it wrote."""
    root, swim = logging.getLogger(), logging.getLogger("swim")
    before = root.handlers[:], root.level, swim.level

    def run(act: Callable[[], object], log_format: LogFormat = "text") -> list[str]:
        written = Pipe()
        monkeypatch.setattr("sys.stderr", written.stream)
        with LogOutput("info", log_format) as output:
            output.release()
            act()
        return written.rest().decode().splitlines()

    yield run
    root.handlers[:], root.level, swim.level = before


def test_serfs_lines_as_log_shippers_expect_them(logged: Callable[..., list[str]]) -> None:
    def act() -> None:
        log = logging.getLogger("swim.agent")
        for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
            log.log(level, "a %s", EVIL)

    lines = logged(act, "serf")
    form = re.compile(r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[([A-Z]+)\] swim\.agent: a x\\n.*")
    assert [found and found[1] for found in map(form.fullmatch, lines)] == ["INFO", "WARN", "ERR", "ERR"]


def test_syslog_gets_each_record_too(
    monkeypatch: pytest.MonkeyPatch, logged: Callable[..., list[str]], tmp_path: Path
) -> None:
    written, address = Pipe(), str(tmp_path / "log")
    monkeypatch.setattr("sys.stderr", written.stream)
    monkeypatch.setattr("swim.cli.logs.Syslog", partial(Syslog, address=address))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(address)
        daemon.settimeout(30)
        with LogOutput("info", "json", syslog="LOCAL0") as output:
            output.release()
            logging.getLogger("swim.x").warning("a %s", "\n")
        assert daemon.recv(4096).decode().endswith(": swim.x: a \\n")
    [line] = written.rest().decode().splitlines()
    assert json.loads(line)["@message"] == "a \n"


def test_what_is_logged_before_the_first_lines_comes_after_them(
    monkeypatch: pytest.MonkeyPatch, logged: Callable[..., list[str]]
) -> None:
    written, log = Pipe(), logging.getLogger("swim.x")
    monkeypatch.setattr("sys.stderr", written.stream)
    with LogOutput("info", "text") as output:
        log.info("early")
        try:
            raise ValueError("why")
        except ValueError:
            log.exception("also early")
        output.say("first")
        output.release()
        log.info("late")
    lines = [
        text.rpartition(": ")[2] if text[:2] == "20" else text
        for text in written.rest().decode().splitlines()
    ]
    assert lines[:3] == ["first", "early", "also early"]
    assert lines[-2:] == ["    ValueError: why", "late"]


def test_what_is_held_back_has_a_limit_and_the_rest_is_counted(
    monkeypatch: pytest.MonkeyPatch, logged: Callable[..., list[str]]
) -> None:
    written, log = Pipe(), logging.getLogger("swim.x")
    monkeypatch.setattr("sys.stderr", written.stream)
    monkeypatch.setattr("swim.cli.logs._COLLECTED_BYTES", 20_000)
    with LogOutput("info", "text"):
        for number in range(50):
            log.info("line %d", number)
    lines = written.rest().decode().splitlines()
    assert "log records were lost" in lines[0]
    assert int(lines[0].rpartition("swim.log: ")[2].split()[0]) + len(lines) - 1 == 50
    assert lines[-1].endswith("line 49")


def member(name: str, tags: dict[str, str] | None = None) -> Member:
    return Member(name, "10.0.0.1", 7946, tags or {}, MemberStatus.FAILED, False, 7, VERSIONS, VERSIONS)


@given(ANY_TEXT)
def test_shown_text_is_one_printable_piece(text: str) -> None:
    assert printable(text).isprintable()
    assert shown(text).isprintable()
    assert len(shown(text)) < 200 * 12
    assert printable(printable(text)) == printable(text)


@given(st.dictionaries(ANY_TEXT, ANY_TEXT))
def test_json_stays_json_without_control_characters(document: dict[str, str]) -> None:
    for ascii_only in (False, True):
        text = json_text(document, ascii_only=ascii_only)
        assert text.isprintable()
        assert json.loads(text) == document
    assert text.isascii()


def test_a_name_cannot_forge_a_log_line(logged: Callable[..., list[str]]) -> None:
    event = MemberFailed(member(EVIL), reason=Reason("claim", EVIL, EVIL), sequence=1)
    [text] = logged(lambda: log_event("me", event))
    assert text.isprintable()
    [record] = map(json.loads, logged(lambda: log_event("me", event), "json"))
    assert (record["member"], record["accuser"], record["detail"]) == (EVIL, EVIL, EVIL)
    assert line(1.0, "node-1", event).isprintable()


def test_an_exception_cannot_forge_a_log_line(logged: Callable[..., list[str]]) -> None:
    def fail() -> None:
        try:
            raise ValueError(EVIL)
        except ValueError:
            logging.getLogger("swim.x").exception("failed: %s", EVIL)

    lines = logged(fail)
    assert sum(text[:4].isdigit() for text in lines) == 1
    assert all(text.isprintable() for text in lines)


def test_each_fact_stands_once(logged: Callable[..., list[str]]) -> None:
    event = MemberFailed(member("web-1"), reason=Reason("probe", "web-2", "no ack"), sequence=3)
    [text] = logged(lambda: log_event("web-9", event))
    assert text.partition(" ")[2] == "[INFO]  swim.members: web-1 failed (probe by web-2: no ack)"
    [record] = map(json.loads, logged(lambda: log_event("web-9", event), "json"))
    assert record.pop("@timestamp")
    assert record == {
        "@level": "info",
        "@module": "swim.members",
        "@message": "member failed",
        "node": "web-9",
        "event": "MemberFailed",
        "member": "web-1",
        "address": "10.0.0.1",
        "port": 7946,
        "status": "failed",
        "incarnation": 7,
        "cause": "probe",
        "accuser": "web-2",
        "detail": "no ack",
        "sequence": 3,
    }


def test_a_flood_is_thinned_out_and_counted(logged: Callable[..., list[str]]) -> None:
    sent = 0

    def flood() -> None:
        nonlocal sent
        for number in range(20_000):
            log_event("me", MemberJoined(member(f"ghost-{number}"), reason=Reason("claim"), sequence=number))
            sent += 40  # less than any packet with an alive claim
        log_event("me", MemberFailed(member("real"), reason=Reason("probe"), sequence=20_001))

    lines = logged(flood)
    assert sum(len(text) for text in lines) < sent / 20
    assert sum("ghost-" in text for text in lines) < 1000
    assert any("real failed" in text for text in lines)
    suppressed = [text for text in lines if "suppressed" in text]
    assert (
        sum(int(text.split("suppressed ")[1].split()[0]) for text in suppressed)
        + sum("ghost-" in text for text in lines)
        == 20_000
    )


def test_long_values_are_cut(logged: Callable[..., list[str]]) -> None:
    event = MemberFailed(member("n" * 50_000), reason=Reason("claim", "a" * 50_000, "d" * 50_000))
    for log_format in ("text", "json"):
        [text] = logged(lambda: log_event("me", event), log_format)
        assert len(text) < 5000


def lost_in(read: bytes) -> int:
    return sum(map(int, re.findall(rb"lost (\d+)\n", read)))


def test_an_unread_pipe_stops_nobody_and_what_is_lost_is_counted(pipe: Pipe) -> None:
    writer = BackgroundWriter(pipe.stream, lambda count: f"lost {count}\n", limit=100_000)
    for number in range(50_000):
        writer.write(f"line {number}\n")
    assert writer.is_behind
    lost = writer.dropped
    assert lost > 0
    read = b""
    while read.count(b"line ") + lost_in(read) < 50_000:
        read += pipe.reader.read(1 << 16)
    writer.write("after\n")
    writer.close(timeout=30)
    read += pipe.rest()
    assert read.endswith(b"\nafter\n")
    assert (lost_in(read), read.count(b"line ")) == (lost, 50_000 - lost)


def test_closing_waits_for_the_reader_only_until_a_deadline(pipe: Pipe) -> None:
    writer = BackgroundWriter(pipe.stream, str)
    writer.write("x" * 500_000)
    writer.close(timeout=0.01)
    writer.write("too late")
    assert writer.dropped == 1


def test_a_reader_that_is_gone_is_reported_once(pipe: Pipe) -> None:
    failed = threading.Event()
    with BackgroundWriter(pipe.stream, str, failed=failed.set) as writer:
        pipe.reader.close()
        writer.write("x")
        assert failed.wait(10)
        writer.write("y")
    assert isinstance(writer.error, BrokenPipeError)
    assert writer.dropped == 2


def test_a_full_disk_loses_lines_but_not_the_writer() -> None:
    failed = threading.Event()
    with open("/dev/full", "w") as full, BackgroundWriter(full, str, failed=failed.set) as writer:
        writer.write("x")
        assert failed.wait(10)
    assert writer.dropped == 1


def test_a_stream_that_lacks_characters_gets_escapes() -> None:
    pipe = Pipe("latin-1")
    with BackgroundWriter(pipe.stream, str) as writer:
        writer.write("\xe9 \u20ac \udc9b")
    assert pipe.rest() == b"\xe9 \\u20ac \\udc9b"


def test_a_record_without_fields_keeps_its_message_in_json(logged: Callable[..., list[str]]) -> None:
    def act() -> None:
        logging.getLogger("swim.x").warning("cannot write %s", "file")
        report(logging.getLogger("swim.x"), logging.INFO, "bound", "bound to %s", "a:1", bound="a:1")

    first, second = map(json.loads, logged(act, "json"))
    assert first["@message"] == "cannot write file"
    assert (second["@message"], second["bound"]) == ("bound", "a:1")
