"""The log to syslog: a datagram for each line, and a daemon that nothing waits for."""

from __future__ import annotations

import logging
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from swim.cli.syslog import FACILITIES, Syslog


@pytest.fixture
def address(tmp_path: Path) -> str:
    return str(tmp_path / "log")


@pytest.fixture
def daemon(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address)
        listening.settimeout(30)
        yield listening


def test_each_line_is_a_datagram_with_its_priority(daemon: socket.socket, address: str) -> None:
    syslog = Syslog("LOCAL3", address=address)
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        syslog.send(level, 0.0, f"swim.x: é {level}")
    syslog.close()
    received = [daemon.recv(4096).decode() for _ in range(4)]
    form = r"<(\d+)>[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d swim\[(\d+)\]: swim\.x: é (\d+)"
    for line, severity, level in zip(received, (7, 6, 4, 3), (10, 20, 30, 40), strict=True):
        found = re.fullmatch(form, line)
        assert found is not None, line
        assert [int(text) for text in found.groups()] == [19 << 3 | severity, os.getpid(), level]


def test_a_missing_daemon_is_one_warning_until_it_is_there(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    syslog = Syslog("LOCAL0", address=address)
    for _ in range(5):
        syslog.send(logging.INFO, 0.0, "lost")
    while syslog.dropped < 5:
        pass
    assert [record.getMessage() for record in caplog.records] == [
        f"no syslog at {address}: No such file or directory"
    ]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address)
        listening.settimeout(30)
        syslog.send(logging.INFO, 0.0, "heard")
        assert listening.recv(4096).endswith(b"heard")
    syslog.close()


def test_a_stalled_daemon_delays_nothing_and_what_is_lost_is_counted(
    daemon: socket.socket, address: str
) -> None:
    syslog = Syslog("LOCAL0", address=address)
    for _ in range(5000):
        syslog.send(logging.INFO, 0.0, "x" * 1000)
    assert syslog.dropped > 0
    daemon.close()  # it ends, so what waits is dropped
    syslog.close()


def test_facilities_are_those_of_syslog() -> None:
    assert {"LOCAL0", "LOCAL7", "DAEMON", "USER"} <= set(FACILITIES)
