"""How to start, control and read each kind of agent."""

from __future__ import annotations

import json
import re
import shutil
import socket
import sys
from collections.abc import Mapping
from typing import NamedTuple, Protocol

import msgpack  # type: ignore[import-untyped]

__all__ = ["ENGINES", "Embedding", "Engine", "Place", "SharedProcess", "Sighting", "Swim"]


class Place(NamedTuple):
    """Where one agent is.

    Attributes:
        name: its own.
        gossip_port: of ``host``.
        control_port: of 127.0.0.1.
        host: address that it gossips at.
        namespace: network in which it runs, for ``ip netns exec``; "" for this one.
    """

    name: str
    gossip_port: int
    control_port: int
    host: str = "127.0.0.1"
    namespace: str = ""

    @property
    def gossip(self) -> str:
        """Address that other agents join."""
        return f"{self.host}:{self.gossip_port}"


class Sighting(NamedTuple):
    """A transition that an agent logged. ``kind`` is ``joined``, ``suspected``, ``failed`` or ``left``."""

    at: float
    kind: str
    subject: str


class Engine(Protocol):
    """One kind of agent: its command line, its log and its control protocol."""

    name: str

    def argv(self, place: Place, profile: str) -> list[str]:
        """Command that runs the agent in the foreground, alone."""
        ...

    def read(self, line: str) -> tuple[str, str] | None:
        """Kind and subject of the transition in a log line, if it contains one."""
        ...

    def connect(self, place: Place) -> socket.socket:
        """A control connection on which ``join_request`` or ``leave_request`` can be sent at once."""
        ...

    def join_request(self, address: str) -> bytes:
        """Bytes that make the agent join another."""
        ...

    def leave_request(self) -> bytes:
        """Bytes that make the agent leave gracefully."""
        ...


class _Serf:
    name = "serf"
    _verb = re.compile(r"EventMember(Join|Failed|Leave)(?: \(forced\))?: (\S+)|Suspect (\S+) has failed")
    _kinds: Mapping[str | None, str] = {
        "Join": "joined",
        "Failed": "failed",
        "Leave": "left",
        None: "suspected",
    }

    def argv(self, place: Place, profile: str) -> list[str]:
        program = shutil.which("serf")
        if program is None:
            raise SystemExit("serf is not installed; apt-get install serf")
        identity = [f"-node={place.name}", f"-bind={place.gossip}", f"-profile={profile}"]
        return [program, "agent", *identity, f"-rpc-addr=127.0.0.1:{place.control_port}"]

    def read(self, line: str) -> tuple[str, str] | None:
        found = self._verb.search(line)
        return (self._kinds[found[1]], found[2] or found[3]) if found else None

    def connect(self, place: Place) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", place.control_port), timeout=10)
        connection.sendall(_request("handshake", 1, {"Version": 1}))
        connection.recv(4096)
        return connection

    def join_request(self, address: str) -> bytes:
        return _request("join", 2, {"Existing": [address], "Replay": False})

    def leave_request(self) -> bytes:
        return _request("leave", 2)


class Swim:
    """Our agent, by its HTTP API."""

    name = "swim"
    _event = re.compile(r'"event": "Member(Joined|Restarted|Failed|Left|Suspected)", "member": "([^"]+)"')
    _kinds: Mapping[str, str] = {"Restarted": "joined"}

    def argv(self, place: Place, profile: str) -> list[str]:
        """See ``Engine``."""
        identity = [f"--name={place.name}", f"--bind={place.gossip}", f"--profile={profile}"]
        control = [f"--http=127.0.0.1:{place.control_port}", "--log-format=json"]
        return [sys.executable, "-m", "swim", "agent", *identity, *control]

    def read(self, line: str) -> tuple[str, str] | None:
        """See ``Engine``."""
        found = self._event.search(line)
        return (self._kinds.get(found[1], found[1].lower()), found[2]) if found else None

    def connect(self, place: Place) -> socket.socket:
        """See ``Engine``."""
        return socket.create_connection(("127.0.0.1", place.control_port), timeout=10)

    def join_request(self, address: str) -> bytes:
        """See ``Engine``."""
        return _put(f"/v1/swim/join?address={address}")

    def leave_request(self) -> bytes:
        """See ``Engine``."""
        return _put("/v1/swim/leave")


class Embedding(Swim):
    """A program on asyncio (``sims.bench.program``) whose node runs in a thread or process of its own."""

    def __init__(self, isolation: str) -> None:
        self._isolation = isolation

    def argv(self, place: Place, profile: str) -> list[str]:
        """The program and its settings."""
        settings = {"name": place.name, "bind": place.gossip, "profile": profile}
        settings_text = json.dumps(settings | {"control_port": place.control_port})
        return [sys.executable, "-m", "sims.bench.program", self._isolation, settings_text]

    def join_request(self, address: str) -> bytes:
        """One line."""
        return f"join {address}\n".encode()

    def leave_request(self) -> bytes:
        """One line."""
        return b"leave\n"


class SharedProcess(Swim):
    """``swim cluster``: ``nodes`` nodes in one process, joined from the start; what it knows are pairs."""

    name = "swim cluster"
    _transition = re.compile(r"(node-\d+)  (node-\d+) joined ")

    def __init__(self, nodes: int) -> None:
        self.nodes = nodes

    def argv(self, place: Place, profile: str) -> list[str]:
        """The command; the control port is that of node-1, the other nodes take the next ones."""
        size = [f"--nodes={self.nodes}", f"--profile={profile}"]
        ports = ["--bind-base=0", f"--http-base={place.control_port}"]
        return [sys.executable, "-m", "swim", "cluster", *size, *ports]

    def read(self, line: str) -> tuple[str, str] | None:
        """Observer and joined member, as one subject."""
        found = self._transition.search(line)
        return ("joined", f"{found[1]} {found[2]}") if found else None

    def is_complete(self, pairs: int) -> bool:
        """True if every node saw every other join."""
        return pairs >= self.nodes * (self.nodes - 1)


def _request(command: str, sequence: int, body: dict[str, object] | None = None) -> bytes:
    packed: bytes = msgpack.packb({"Command": command, "Seq": sequence})
    return packed if body is None else packed + msgpack.packb(body)


def _put(target: str) -> bytes:
    return (
        f"PUT {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    )


ENGINES: dict[str, Engine] = {engine.name: engine for engine in (_Serf(), Swim())}
