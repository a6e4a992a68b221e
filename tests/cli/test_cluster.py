"""``swim cluster`` as a real process: faults from a script, one JSON document at the end."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from typing import Any
from urllib.parse import urljoin
from urllib.request import urlopen

import pytest

from tests.cli.processes import Process, Processes, environment, eventually, run

pytestmark = pytest.mark.slow

FREE = ("--bind-base", "0", "--http-base", "0")


def cluster(*arguments: str) -> dict[str, Any]:
    """The document of one run that must end well and say nothing else on stdout."""
    finished = run("cluster", "--json", *FREE, *arguments, timeout=110)
    assert finished.returncode == 0, finished.stderr
    document: dict[str, Any] = json.loads(finished.stdout)
    return document


def views(document: dict[str, Any]) -> list[dict[str, str]]:
    """Status by name, once per running node."""
    return [
        {member["name"]: member["status"] for member in node["members"]}
        for node in document["nodes"]
        if node["state"] == "running"
    ]


def everybody(count: int, **others: str) -> dict[str, str]:
    statuses = {f"node-{number}": "alive" for number in range(1, count + 1)}
    return statuses | {name.replace("_", "-"): status for name, status in others.items()}


def test_five_nodes_agree_on_a_killed_one() -> None:
    document = cluster("--nodes", "5", "--for", "20", "--script", "5s kill node-3", "--seed", "7")
    assert views(document) == [everybody(5, node_3="failed")] * 4
    assert document["agree"] is True
    assert document["seed"] == 7
    assert document["seconds"] == pytest.approx(20, abs=2)
    assert [node["state"] for node in document["nodes"]] == [
        "running",
        "running",
        "killed",
        "running",
        "running",
    ]
    assert document["nodes"][2]["members"] == []


def test_five_nodes_agree_on_one_that_left() -> None:
    document = cluster(
        "--nodes", "5", "--for", "8", "--script", "1s leave node-3", "--encrypt", "--label", "x"
    )
    assert views(document) == [everybody(5, node_3="left")] * 4
    assert document["nodes"][2]["state"] == "left"


def test_partition_heals_and_a_restarted_node_comes_back() -> None:
    # Dials that end before the heal are repeated after at most one and a half ``rejoin_interval``: 45 s.
    script = "0s crash 5; 1s restart 5; 2s split 1,2 3-5; 12s heal; 14s loss 5%; 20s loss 0%"
    document = cluster("--nodes", "5", "--for", "65", "--script", script)
    assert views(document) == [everybody(5)] * 5


def test_a_paused_node_accuses_nobody_when_it_wakes() -> None:
    document = cluster("--nodes", "4", "--for", "16", "--script", "1s pause 2; 8s resume 2")
    assert views(document) == [everybody(4)] * 4


def test_not_converged_is_5() -> None:
    script = "0s partition 1 2,3"
    finished = run("cluster", "--json", *FREE, "--nodes", "3", "--for", "12", "--script", script)
    assert finished.returncode == 5
    assert json.loads(finished.stdout)["agree"] is False


def test_lines_and_http_until_a_signal(processes: Processes) -> None:
    process = processes.start("cluster", *FREE, "--nodes", "3", "--script", "1s kill 3", "--no-ui")
    eventually(lambda: any("3 nodes run" in line for line in process.err))
    url = next(line.split()[-1] for line in process.err if line.startswith("node-1"))
    with urlopen(f"{url}/v1/agent/members", timeout=10) as answer:
        assert len(json.load(answer)["Members"]) == 3
    eventually(lambda: any("node-1  node-3 failed" in line for line in process.out))
    process.signal(signal.SIGINT)
    assert process.wait() == 0
    assert any(line.split()[:2] == ["node-3", "killed"] for line in process.out)
    assert not any("Traceback" in line or "page" in line for line in process.err)


def page_of(process: Process) -> str:
    """The URL of the page, once it is printed."""
    eventually(lambda: any(line.startswith("page: ") for line in process.err))
    return next(line.split()[1] for line in process.err if line.startswith("page: "))


def test_the_page_is_printed_and_an_open_one_does_not_hold_up_the_end(processes: Processes) -> None:
    process = processes.start("cluster", *FREE, "--nodes", "3")
    url = page_of(process)
    with urlopen(url, timeout=10) as answer:
        page = answer.read().decode()
    assert 'data-mode="cluster"' in page
    assert page.count("<bdi>") >= 9, "a table for browsers without JavaScript"
    with urlopen(urljoin(url, "../v1/cluster/watch"), timeout=10) as watching:
        assert json.loads(watching.readline())["snapshot"]["is_ready"]
        with socket.create_connection(watching.url.split("/")[2].split(":")) as idle:  # reads nothing
            idle.sendall(b"GET /v1/cluster/watch HTTP/1.1\r\nHost: localhost\r\n\r\n")
            process.signal(signal.SIGINT)
            assert process.wait(10) == 0
    assert not any("Traceback" in line for line in process.err)


def test_documents_come_without_a_page_unless_it_is_wanted() -> None:
    for flags, count in (["--json"], 0), (["--json", "--ui"], 1):
        finished = run("cluster", *FREE, "--nodes", "1", "--for", "0.1", *flags)
        assert finished.returncode == 0
        assert finished.stderr.count("page: http://127.0.0.1:") == count


@pytest.mark.parametrize("flag", ["--bind-base", "--http-base"])
def test_a_taken_port_names_the_flag_that_moves_it(flag: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        other = "--http-base" if flag == "--bind-base" else "--bind-base"
        finished = run("cluster", "--nodes", "1", flag, str(port), other, "0", "--for", "1")
    assert finished.returncode == 2
    assert finished.stdout == ""
    assert str(port) in finished.stderr
    assert flag in finished.stderr
    assert finished.stderr.count("\n") == 1


def test_a_terminal_gets_a_table_and_a_prompt() -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "swim", "cluster", *FREE, "--nodes", "2"],
        env=environment(TERM="xterm", COLUMNS="100", LINES="40"),
        stdin=slave,
        stdout=slave,
        stderr=subprocess.PIPE,
    )
    os.close(slave)
    seen = b""
    try:
        while b"process" not in seen:
            seen += os.read(master, 65536)
        os.write(master, b"kill 9\nquit\n")
        while b"no node '9'" not in seen:
            seen += os.read(master, 65536)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()
        os.close(master)
