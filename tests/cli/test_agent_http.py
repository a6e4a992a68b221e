"""The HTTP door of a real agent: clients that hold on to it, and descriptors that run out."""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import pytest

from tests.cli.processes import Agent, Processes, eventually, run

pytestmark = pytest.mark.slow

SELF = b"GET /v1/agent/self HTTP/1.1\r\nHost: a\r\n\r\n"
EVENTS = b"GET /v1/swim/events HTTP/1.1\r\nHost: a\r\n\r\n"


def connect(agent: Agent, stack: ExitStack) -> socket.socket:
    parts = urlsplit(agent.http)
    return stack.enter_context(socket.create_connection((parts.hostname, parts.port)))


def stuff(client: socket.socket, request: bytes) -> None:
    """Sends of ``request`` what is taken, and reads nothing."""
    client.setblocking(False)
    left = memoryview(request)
    while left and select.select([], [client], [], 0.2)[1]:
        left = left[client.send(left) :]


def descriptors(agent: Agent) -> int:
    return len(os.listdir(f"/proc/{agent.popen.pid}/fd"))


def limit_descriptors(agent: Agent, number: int) -> None:
    _, hard = resource.prlimit(agent.popen.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(agent.popen.pid, resource.RLIMIT_NOFILE, (number, hard))


@pytest.mark.parametrize("signals", [1, 2])
@pytest.mark.parametrize("request_", [SELF * 50_000, EVENTS, SELF + SELF[:9]], ids=["much", "events", "half"])
def test_clients_that_read_nothing_cannot_keep_an_agent(
    processes: Processes, request_: bytes, signals: int
) -> None:
    agent = processes.agent("a")
    with ExitStack() as stack:
        for _ in range(3):
            stuff(connect(agent, stack), request_)
        agent.signal(signal.SIGTERM)
        if signals == 2:
            with suppress(ProcessLookupError):
                eventually(lambda: agent.signal(signal.SIGTERM) or agent.popen.poll() is not None)
        # Those that come while the process ends do what they do by default.
        assert agent.wait(timeout=15) in ((0,) if signals == 1 else (0, 1, -signal.SIGTERM))
    assert not any("Traceback" in line for line in agent.err), agent.err


def test_half_heads_take_no_descriptor_from_gossip(processes: Processes) -> None:
    first = processes.agent("a")
    limit_descriptors(first, 64)
    with ExitStack() as stack:
        clients = [connect(first, stack) for _ in range(300)]
        for client in clients:
            with suppress(ConnectionError):
                client.sendall(b"GET / HTTP/1.1\r\nHos")
        second = processes.agent("b", "--join", first.gossip)
        eventually(lambda: first.statuses() == second.statuses() == {"a": "alive", "b": "alive"})
        assert descriptors(first) < 40
        second.signal(signal.SIGKILL)
        eventually(lambda: first.statuses() == {"a": "alive", "b": "failed"})
    assert len([line for line in first.err if "WARN" in line or "ERROR" in line]) < 8, first.err


def test_without_descriptors_the_agent_says_so_once_and_recovers(processes: Processes) -> None:
    agent = processes.agent("a")
    assert agent.statuses() == {"a": "alive"}
    eventually(lambda: agent.swim("info").returncode == 0)
    limit_descriptors(agent, descriptors(agent))
    with ExitStack() as stack:
        clients = [connect(agent, stack) for _ in range(20)]
        eventually(lambda: any("cannot accept HTTP connections" in line for line in agent.err))
        for client in clients:
            client.close()
    limit_descriptors(agent, 256)
    eventually(lambda: agent.statuses() == {"a": "alive"})
    eventually(lambda: any("accepting HTTP connections again" in line for line in agent.err))
    agent.signal(signal.SIGTERM)
    assert agent.wait() == 0
    assert sum("accept" in line for line in agent.err) == 2
    assert not any("Traceback" in line for line in agent.err)


@pytest.mark.parametrize("address", ["0", "0:4646", "0.0", "0x7f.1", "127.1", "1", "4646", "256.1.1.1", ""])
def test_an_http_address_that_only_looks_like_one_is_refused(address: str) -> None:
    done = run("agent", "--http", address, "--bind", "127.0.0.1:0")
    assert done.returncode == 2, done
    assert done.stderr.startswith("swim: --http: ")
    assert len(done.stderr.splitlines()) == 1


def test_beyond_loopback_an_agent_warns(processes: Processes) -> None:
    agent = processes.agent("a", "--http", "0.0.0.0:0")
    eventually(lambda: any("INSECURE: the HTTP API on 0.0.0.0" in line for line in agent.err))
