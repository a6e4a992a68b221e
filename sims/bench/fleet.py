"""Many agents of one kind as child processes, and one loop that timestamps their log lines."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import TracebackType
from typing import Self

from sims.bench.engines import Engine, Place, Sighting
from sims.bench.ports import free_port

__all__ = ["Agent", "Fleet", "progress"]

_START_SECONDS = 180.0
_STARTING_AT_ONCE = 8


def progress(text: str) -> None:
    """Prints the progress on standard error."""
    print(f"  {text}", file=sys.stderr, flush=True)


class Agent:
    """One running agent, the transitions that it logged and all names that it knew."""

    def __init__(self, engine: Engine, place: Place, argv: list[str]) -> None:
        self.place = place
        self.sightings: list[Sighting] = []
        self.known = {place.name}
        self.tail: list[str] = []
        self.engine = engine
        self._unfinished = b""
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self.output = self._process.stdout

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """True until the process ended."""
        return self._process.poll() is None

    def take(self, data: bytes, at: float) -> None:
        """Reads log output that arrived at ``at``."""
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        for raw in lines:
            line = raw.decode(errors="replace")
            self.tail = [*self.tail[-9:], line]
            read = self.engine.read(line)
            if read is not None:
                self.sightings.append(Sighting(at, *read))
                if read[0] == "joined":
                    self.known.add(read[1])

    def seen(self, kind: str, since: float = 0.0) -> dict[str, float]:
        """First time of each subject with a transition of this kind at ``since`` or later."""
        first: dict[str, float] = {}
        for sighting in self.sightings:
            if sighting.kind == kind and sighting.at >= since:
                first.setdefault(sighting.subject, sighting.at)
        return first

    def alive(self, names: Iterable[str]) -> set[str]:
        """Which of ``names`` this agent holds to be alive, as far as its log says; itself is always."""
        last = {sighting.subject: sighting.kind for sighting in self.sightings}
        gone = {name for name, kind in last.items() if kind in ("failed", "left")}
        return {name for name in names if name in self.known and name not in gone}

    def failures(self, now: float) -> Iterator[tuple[str, float, float]]:
        """Each stretch in which this agent called another failed: the subject, since when, until when."""
        since: dict[str, float] = {}
        for sighting in self.sightings:
            if sighting.kind == "failed":
                since.setdefault(sighting.subject, sighting.at)
            elif sighting.kind in ("joined", "left") and sighting.subject in since:
                yield sighting.subject, since.pop(sighting.subject), sighting.at
        for subject, start in since.items():
            yield subject, start, now

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self._process.send_signal(number)

    def end(self) -> None:
        """SIGKILL, and waits for the end."""
        self._process.kill()
        self._process.wait()


class Fleet:
    """Agents of one engine and profile; a context manager that kills them all by pid at its end.

    Args:
        engine: their kind.
        profile: memberlist's timers.
        nice: of each.
        prefix: begins their names.
        host: address that they gossip at.
        second: the kind of every other agent, if that is another.
    """

    def __init__(
        self,
        engine: Engine,
        profile: str,
        *,
        nice: int = 0,
        prefix: str = "n",
        host: str = "127.0.0.1",
        second: Engine | None = None,
    ) -> None:
        self.engine = engine
        self._second = second or engine
        self.agents: list[Agent] = []
        self._profile = profile
        self._prefix = prefix
        self._nice = nice
        self._host = host
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Kills every agent that still runs."""
        for agent in self.agents:
            self._end(agent)
        for key in list(self._selector.get_map().values()):
            if isinstance(key.data, socket.socket):
                key.data.close()
        self._selector.close()

    @staticmethod
    def clock() -> float:
        """Now, on the clock that stamps sightings."""
        return time.monotonic()

    def start(self, count: int) -> None:
        """Starts agents named by the prefix and a number, and waits until each control port answers.

        Raises:
            SystemExit: with the last log lines, if one ends or is not ready in time.
        """
        for index in range(1, count + 1):
            self._start(Place(f"{self._prefix}{index}", free_port(), free_port(), self._host))
            if index % _STARTING_AT_ONCE == 0 or index == count:
                self._wait_ready(self.agents[-_STARTING_AT_ONCE:])

    def add(self, place: Place) -> Agent:
        """Starts one agent more, at a place of its own; waits until it is ready."""
        return self._add(place)

    def remove(self, agent: Agent) -> None:
        """Ends the agent, which is no longer one of the fleet."""
        self._end(agent)
        self.agents.remove(agent)

    def restart(self, agent: Agent) -> Agent:
        """Ends the agent and starts another at its place, under its name; waits until it is ready."""
        self.remove(agent)
        return self._add(agent.place, agent.engine)

    def pump(self, until: Callable[[], bool], timeout: float) -> bool:
        """Timestamps log lines until ``until()`` holds or ``timeout`` seconds passed; returns which."""
        deadline = time.monotonic() + timeout
        while not until():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            for key, _ in self._selector.select(min(left, 0.2)):
                self._drain(key.data)
        return True

    def join_storm(self) -> float:
        """Has every agent join the first one, all at once; returns the moment of the first request."""
        seed, *others = self.agents
        return self._send_all(others, lambda engine: engine.join_request(seed.place.gossip))

    def join_one(self, agent: Agent, to: Place | None = None) -> float:
        """Has one agent join another, the fleet's first by default; returns the moment of the request."""
        address = (to or self.agents[0].place).gossip
        return self._send_all([agent], lambda engine: engine.join_request(address))

    def leave(self, agent: Agent) -> float:
        """Asks one agent to leave gracefully; returns the moment of the request."""
        return self._send_all([agent], lambda engine: engine.leave_request())

    def is_complete(self) -> bool:
        """True once every agent logged every other as joined."""
        return all(len(agent.known) >= len(self.agents) for agent in self.agents)

    def watch(self, connection: socket.socket, read: Callable[[float], bool]) -> None:
        """Calls ``read(now)`` when there is something to read, until it returns False."""
        self._selector.register(connection, selectors.EVENT_READ, partial(self._read, connection, read))

    def _read(self, connection: socket.socket, read: Callable[[float], bool]) -> None:
        if not read(time.monotonic()):
            self._selector.unregister(connection)

    def _send_all(self, agents: Iterable[Agent], request: Callable[[Engine], bytes]) -> float:
        connections = [(agent.engine.connect(agent.place), request(agent.engine)) for agent in agents]
        started = time.monotonic()
        for connection, data in connections:
            connection.sendall(data)
        for connection, _ in connections:
            self._selector.register(connection, selectors.EVENT_READ, connection)
        return started

    def _add(self, place: Place, engine: Engine | None = None) -> Agent:
        fresh = self._start(place, engine)
        self._wait_ready([fresh])
        return fresh

    def _start(self, place: Place, engine: Engine | None = None) -> Agent:
        engine = engine or (self._second if len(self.agents) % 2 else self.engine)
        argv = engine.argv(place, self._profile)
        if place.namespace:
            argv = ["ip", "netns", "exec", place.namespace, *argv]
        if self._nice:
            argv = ["nice", "-n", str(self._nice), *argv]
        agent = Agent(engine, place, argv)
        self.agents.append(agent)
        os.set_blocking(agent.output.fileno(), False)
        self._selector.register(agent.output, selectors.EVENT_READ, agent)
        return agent

    def _wait_ready(self, agents: Iterable[Agent]) -> None:
        for agent in agents:
            if not self.pump(partial(self._answers, agent), _START_SECONDS):
                raise SystemExit(f"{agent.place.name} is not ready:\n" + "\n".join(agent.tail))

    def _answers(self, agent: Agent) -> bool:
        if not agent.is_running:
            raise SystemExit(f"{agent.place.name} ended:\n" + "\n".join(agent.tail))
        place = agent.place
        is_near = not place.namespace
        with socket.socket() as probe:
            port = place.control_port if is_near else place.gossip_port
            return probe.connect_ex(("127.0.0.1" if is_near else place.host, port)) == 0

    def _drain(self, source: Agent | socket.socket | Callable[[], None]) -> None:
        """Reads available output; answers on control connections are discarded."""
        if callable(source):
            source()
            return
        if isinstance(source, socket.socket):
            with contextlib.suppress(OSError):
                if source.recv(65_536):
                    return
            self._selector.unregister(source)
            source.close()
            return
        data = source.output.read(65_536)
        if data:
            source.take(data, time.monotonic())
        elif data == b"":
            self._selector.unregister(source.output)

    def _end(self, agent: Agent) -> None:
        agent.end()
        with contextlib.suppress(KeyError):
            self._selector.unregister(agent.output)
        agent.output.close()
