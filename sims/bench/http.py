"""How fast one agent answers who the members are, while it gossips, and how soon it reports an event.

The agent is alone in its process; the other 99 members are one ``swim cluster``. A Serf agent in the same
place answers ``members`` by its RPC. Both are measured against the time that their processes ran on a
processor, since the machine may do other things too.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from threading import Thread
from typing import Any
from urllib.request import Request, urlopen

from sims.bench.clusters import JOIN_TIMEOUT, SETTLE_SECONDS, add, pump_all, say, shared_process
from sims.bench.engines import Engine
from sims.bench.fleet import Agent, Fleet
from sims.bench.load import load
from sims.bench.options import Options, Samples
from sims.bench.procfs import cpu_seconds

__all__ = ["MEMBERS", "http"]

MEMBERS = 100
_PATH = "/v1/agent/members"
_CONNECTIONS = 16
_LOAD_SECONDS = 10.0
_HALF = 1250.0
"""Half of the requests a second that an agent should answer."""
_EVENTS = 10


def http(engines: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """Requests at full speed, then at half of the target, then events on an open stream."""
    results: dict[str, Samples] = {engine.name: {} for engine in engines}
    with ExitStack() as stack:
        others = stack.enter_context(shared_process(MEMBERS - 1, options))
        seed = others.agents[0].place.control_port
        fleets = [
            stack.enter_context(Fleet(engine, options.profile, prefix=engine.name)) for engine in engines
        ]
        for run in range(options.runs):
            for fleet in fleets:
                agent = _joined(fleet, others, _get(seed, "/v1/swim/info")["advertised"])
                pump_all([fleet, others], SETTLE_SECONDS)
                samples = results[fleet.engine.name]
                if fleet.engine.name == "swim":
                    _ours(agent, seed, samples)
                else:
                    _full_speed(agent, "serf", samples)
                say(run, fleet.engine.name, samples)
                agent.end()
                fleet.agents.clear()
                pump_all([others], SETTLE_SECONDS)
    return results


def _joined(fleet: Fleet, others: Fleet, address: str) -> Agent:
    """A new agent that knows all others."""
    fleet.start(1)
    agent = fleet.agents[0]
    with fleet.engine.connect(agent.place) as control:
        control.sendall(fleet.engine.join_request(address))
        control.recv(4096)
    deadline = Fleet.clock() + JOIN_TIMEOUT
    while len(agent.known) < MEMBERS - 1:
        if Fleet.clock() > deadline:
            raise SystemExit(f"{fleet.engine.name} knows {len(agent.known)} members after {JOIN_TIMEOUT:g} s")
        pump_all([fleet, others], 0.5)
    return agent


def _full_speed(agent: Agent, protocol: str, samples: Samples) -> None:
    used = cpu_seconds(agent.pid)
    found = load(protocol, agent.place.control_port, connections=_CONNECTIONS, seconds=_LOAD_SECONDS)
    used = cpu_seconds(agent.pid) - used
    add(samples, "answers per s of CPU", found.answers / used)
    add(samples, "answers per s", found.answers / found.seconds)
    add(samples, "wrong answers", found.others)


def _ours(agent: Agent, seed: int, samples: Samples) -> None:
    port = agent.place.control_port
    before = _failed_probes(port)
    _full_speed(agent, _PATH, samples)
    found = load(_PATH, port, connections=_CONNECTIONS, seconds=_LOAD_SECONDS, rate=_HALF)
    add(samples, "half load, p50, ms", found.percentile(0.5))
    add(samples, "half load, p99, ms", found.percentile(0.99))
    add(samples, "failed probes", _failed_probes(port) - before)
    add(samples, "health score", _get(port, "/v1/swim/info")["health_score"])
    add(samples, "event on a stream, ms", max(_events(port, seed)))


def _failed_probes(port: int) -> int:
    found: int = _get(port, "/v1/swim/info")["metrics"]["counters"].get("memberlist.degraded.probe", 0)
    return found


def _events(port: int, seed: int) -> list[float]:
    """Milliseconds from transitions at the agent until their events are read from an open stream."""
    name, delays = _get(seed, "/v1/swim/info")["name"], []
    with socket.create_connection(("127.0.0.1", port), timeout=30) as stream:
        stream.sendall(b"GET /v1/swim/watch HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        lines = stream.makefile("rb")
        for number in range(_EVENTS):
            # The answer comes when the tags have spread, which may be after the event.
            change = Thread(target=_get, args=(seed, f"/v1/swim/tags?set=number={number}", "PUT"))
            change.start()
            wanted = (b'"event":"MemberUpdated"', f'"number":"{number}"'.encode())
            while not _has(lines.readline(), wanted):
                pass
            read = time.time()
            happened = datetime.fromisoformat(_get(port, f"/v1/swim/why/{name}")["history"][-1]["at"])
            delays.append(1000 * (read - happened.timestamp()))
            change.join()
    return delays


def _has(line: bytes, parts: Sequence[bytes]) -> bool:
    """Whether a line has all parts.

    Raises:
        SystemExit: it is the end of the stream.
    """
    if not line:
        raise SystemExit("the agent ended a stream")
    return all(part in line for part in parts)


def _get(port: int, path: str, method: str = "GET") -> Any:
    with urlopen(Request(f"http://127.0.0.1:{port}{path}", method=method), timeout=30) as answer:
        return json.load(answer)
