"""How long user events and queries take, and what becomes of a flood of events.

Both engines are driven through Serf's RPC. The benchmark plays the applications: it reads the events of every
agent from a stream, and answers the queries.
"""

from __future__ import annotations

import itertools
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import msgpack  # type: ignore[import-untyped]

from sims.bench.clusters import JOIN_TIMEOUT, SETTLE_SECONDS, add, pump_all, say, start_all
from sims.bench.engines import ENGINES, Engine, Place, Swim
from sims.bench.fleet import Agent, Fleet
from sims.bench.options import Options, Samples
from sims.bench.ports import free_port
from sims.bench.procfs import resident_mib

__all__ = ["event_flood", "events", "queries"]

_PER_RUN = 10
_PAYLOAD = b"x" * 64
_SPREAD_TIMEOUT = 60.0
_FLOOD_SECONDS = 10.0
_FLOOD_RATE = 1000
_FLOOD_AT_ONCE = 20
_FLOOD_NODES = 5
_QUIET_SECONDS = 45.0
"""After a flood: one push/pull of each agent, and some."""


class _SwimRpc(Swim):
    """Our agent with Serf's RPC beside its HTTP API."""

    def __init__(self) -> None:
        self._ports: dict[str, int] = {}

    def argv(self, place: Place, profile: str) -> list[str]:
        """See ``Engine``."""
        port = self._ports[place.name] = free_port()
        return [*super().argv(place, profile), f"--rpc=127.0.0.1:{port}"]

    def rpc_port(self, place: Place) -> int:
        """Where Serf's RPC is."""
        return self._ports[place.name]


class _Rpc:
    """One connection to an agent, by Serf's RPC."""

    def __init__(self, fleet: Fleet, engine: Engine, place: Place) -> None:
        port = engine.rpc_port(place) if isinstance(engine, _SwimRpc) else place.control_port
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unpacker = msgpack.Unpacker(raw=False, unicode_errors="surrogateescape")
        self._numbers = itertools.count(1)
        self.take: Callable[[dict[str, Any], float], None] = lambda record, at: None
        self.send("handshake", {"Version": 1})
        self._socket.setblocking(True)
        self._socket.recv(4096)
        self._socket.setblocking(False)
        fleet.watch(self._socket, self._read)

    def send(self, command: str, body: dict[str, Any]) -> int:
        """Sends a request, and returns its number; its answer is one of the records."""
        number = next(self._numbers)
        head = {"Command": command, "Seq": number}
        self._socket.setblocking(True)
        self._socket.sendall(msgpack.packb(head) + msgpack.packb(body))
        self._socket.setblocking(False)
        return number

    def _read(self, at: float) -> bool:
        try:
            data = self._socket.recv(65_536)
        except BlockingIOError:
            return True
        self._unpacker.feed(data)
        for record in self._unpacker:
            if isinstance(record, dict):
                self.take(record, at)
        return bool(data)


class _Applications:
    """What the applications on all agents of a fleet received; they answer queries at once."""

    def __init__(self, fleet: Fleet) -> None:
        self.received: dict[bytes, dict[str, float]] = {}
        self.control = {agent.place.name: _Rpc(fleet, fleet.engine, agent.place) for agent in fleet.agents}
        for agent in fleet.agents:
            self._listen(_Rpc(fleet, fleet.engine, agent.place), agent.place.name)

    def _listen(self, rpc: _Rpc, name: str) -> None:
        def take(record: dict[str, Any], at: float) -> None:
            if record.get("Event") == "user":
                self.received.setdefault(record["Payload"], {}).setdefault(name, at)
            elif record.get("Event") == "query":
                rpc.send("respond", {"ID": record["ID"], "Payload": b"0.7"})

        rpc.take = take
        rpc.send("stream", {"Type": "user,query"})


def _fleets(engines: Sequence[Engine], options: Options) -> Iterator[tuple[Engine, Fleet, _Applications]]:
    """A joined fleet of each engine, one after the other, with its applications."""
    for engine in engines:
        driven = _SwimRpc() if engine is ENGINES["swim"] else engine
        with Fleet(driven, options.profile) as fleet:
            start_all(fleet, options)
            fleet.join_storm()
            if not fleet.pump(fleet.is_complete, JOIN_TIMEOUT):
                raise SystemExit(f"the {engine.name} agents did not all find each other")
            applications = _Applications(fleet)
            pump_all([fleet], SETTLE_SECONDS)
            yield engine, fleet, applications


def events(engines: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """One user event after another, each at another agent: when do all applications have it?"""
    results: dict[str, Samples] = {engine.name: {} for engine in engines}
    for engine, fleet, applications in _fleets(engines, options):
        samples = results[engine.name]
        for number in range(options.runs * _PER_RUN):
            agent = fleet.agents[number % len(fleet.agents)]
            delays = _delays(fleet, applications, agent, _PAYLOAD + str(number).encode())
            add(samples, "event at half, s", statistics.median(delays))
            add(samples, "event at all, s", max(delays))
            pump_all([fleet], 0.5)
            if number % _PER_RUN == _PER_RUN - 1:
                say(number // _PER_RUN, engine.name, samples)
    return results


def _delays(fleet: Fleet, applications: _Applications, agent: Agent, payload: bytes) -> list[float]:
    """Sends one event; when each agent's application received it."""
    started, size = time.monotonic(), len(fleet.agents)
    body = {"Name": "deploy", "Payload": payload, "Coalesce": False}
    applications.control[agent.place.name].send("event", body)
    received = applications.received.setdefault(payload, {})
    fleet.pump(lambda: len(received) == size, _SPREAD_TIMEOUT)
    delays = [at - started for at in received.values()]
    return delays + [_SPREAD_TIMEOUT] * (size - len(delays))


def queries(engines: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """One query after another, each at another agent, and all applications answer: when is it over?

    Serf's take their whole time; ours finish early.
    """
    results: dict[str, Samples] = {engine.name: {} for engine in engines}
    for engine, fleet, applications in _fleets(engines, options):
        samples = results[engine.name]
        for number in range(options.runs * _PER_RUN):
            agent = fleet.agents[number % len(fleet.agents)]
            ask = _ask_ours if engine.name == "swim" else _ask_serf
            answers, over = ask(fleet, applications, agent)
            wanted = len(fleet.agents)
            add(samples, "all answers, s", answers[-1] if len(answers) == wanted else _SPREAD_TIMEOUT)
            add(samples, "query over, s", over)
            add(samples, "answers missing", wanted - len(answers))
            pump_all([fleet], 0.5)
            if number % _PER_RUN == _PER_RUN - 1:
                say(number // _PER_RUN, engine.name, samples)
    return results


def _ask_serf(fleet: Fleet, applications: _Applications, agent: Agent) -> tuple[list[float], float]:
    rpc, started = applications.control[agent.place.name], time.monotonic()
    answers: list[float] = []
    over: list[float] = []

    def take(record: dict[str, Any], at: float) -> None:
        if record.get("Type") == "response":
            answers.append(at - started)
        elif record.get("Type") == "done":
            over.append(at - started)

    rpc.take = take
    rpc.send("query", {"Name": "load", "Payload": b"", "RequestAck": False})
    fleet.pump(lambda: bool(over), _SPREAD_TIMEOUT)
    return answers, over[0] if over else _SPREAD_TIMEOUT


def _ask_ours(fleet: Fleet, _: _Applications, agent: Agent) -> tuple[list[float], float]:
    connection = socket.create_connection(("127.0.0.1", agent.place.control_port), timeout=10)
    target = "/v1/swim/query?name=load&finish_early=true"
    head = f"PUT {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    started = time.monotonic()
    connection.sendall(head.encode())
    connection.setblocking(False)
    answers: list[float] = []
    over: list[float] = []

    def read(at: float) -> bool:
        try:
            data = connection.recv(65_536)
        except BlockingIOError:
            return True
        answers.extend([at - started] * data.count(b'"payload"'))
        if not data:
            over.append(at - started)
            connection.close()
        return bool(data)

    fleet.watch(connection, read)
    fleet.pump(lambda: bool(over), _SPREAD_TIMEOUT)
    return answers, over[0] if over else _SPREAD_TIMEOUT


def event_flood(engines: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """A thousand user events a second into one of five agents, for ten seconds: are any lost that it took?"""
    results: dict[str, Samples] = {engine.name: {} for engine in engines}
    few = replace(options, nodes=_FLOOD_NODES, stopped=1)
    for engine, fleet, applications in _fleets(engines, few):
        samples, first = results[engine.name], fleet.agents[0]
        for run in range(options.runs):
            before = resident_mib(first.pid)
            taken = _flood(fleet, applications, first, run)
            pump_all([fleet], _QUIET_SECONDS)
            lost = sum(len(fleet.agents) - len(applications.received.get(one, ())) for one in taken)
            add(samples, "accepted per second", len(taken) / _FLOOD_SECONDS)
            add(samples, "accepted and lost", lost)
            add(samples, "RSS grown, MiB", max(resident_mib(agent.pid) for agent in fleet.agents) - before)
            say(run, engine.name, samples)
    return results


def _flood(fleet: Fleet, applications: _Applications, agent: Agent, run: int) -> list[bytes]:
    """Sends as fast as it may; returns the payloads that the agent did not refuse."""
    rpc, refused, numbers = applications.control[agent.place.name], set[int](), dict[int, bytes]()

    def take(record: dict[str, Any], at: float) -> None:
        if record.get("Error"):
            refused.add(record["Seq"])

    rpc.take = take
    started = time.monotonic()
    for number in range(int(_FLOOD_RATE * _FLOOD_SECONDS)):
        if not number % _FLOOD_AT_ONCE:
            fleet.pump(lambda: False, started + number / _FLOOD_RATE - time.monotonic())
        payload = f"flood {run} {number}".encode()
        numbers[rpc.send("event", {"Name": "deploy", "Payload": payload, "Coalesce": False})] = payload
    pump_all([fleet], 2.0)
    return [payload for number, payload in numbers.items() if number not in refused]
