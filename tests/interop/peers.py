"""Real Serf agents, real Alertmanagers and nodes of ours behind one small surface, to be mixed by tests."""

from __future__ import annotations

import base64
import json
import re
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import trio

import swim
import swim.testing
from sims.bench.ports import free_port
from swim.addresses import join_host_port
from tests.interop.engines import Engine, opened
from tests.interop.processes import Process, eventually
from tests.interop.serf_command import Said, serf_command
from tests.interop.serf_rpc import SerfRpc, SerfRpcError


class Seen(NamedTuple):
    """How one member looks from one peer."""

    status: str
    address: str
    tags: dict[str, str]
    protocol: tuple[int, int, int]
    delegate: tuple[int, int, int]


class Peer(Protocol):
    """The interface of every kind of peer."""

    name: str
    address: str

    async def start(self, *join: str) -> None: ...
    async def members(self) -> dict[str, Seen]: ...
    async def leave(self) -> None: ...
    async def force_leave(self, name: str, *, prune: bool = False) -> None: ...
    def failed(self) -> list[str]:
        """Names this peer announced as failed, in order, over all its runs."""
        ...


class Subprocess:
    """A peer in a process of its own, which may be started several times under one name."""

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        self.runs: list[Process] = []
        self._directory = directory
        self.move()

    def move(self) -> None:
        """Takes another gossip port for the next start."""
        self.address = f"127.0.0.1:{free_port()}"

    @property
    def process(self) -> Process:
        return self.runs[-1]

    def run(self, argv: Sequence[str]) -> None:
        self.runs.append(
            Process(argv, self._directory / f"{self.name}-{type(self).__name__}-{len(self.runs)}.log")
        )

    def kill(self) -> None:
        self.process.kill()

    def logs(self) -> str:
        return "".join(run.log() for run in self.runs)


class SerfAgent(Subprocess):
    """A real ``serf agent``."""

    def __init__(
        self,
        directory: Path,
        name: str,
        *,
        tags: Mapping[str, str] | None = None,
        key: bytes | None = None,
        profile: str = "lan",
        handlers: Sequence[str] = (),
        options: Sequence[str] = (),
    ) -> None:
        super().__init__(directory, name)
        self._options = ["-node", name, "-profile", profile, *options]
        for handler in handlers:
            self._options += ["-event-handler", handler]
        for item in (tags or {}).items():
            self._options += ["-tag", "=".join(item)]
        if key is not None:
            self._options += ["-encrypt", base64.b64encode(key).decode()]
        self._rpc: SerfRpc | None = None

    @property
    def rpc(self) -> SerfRpc:
        assert self._rpc is not None, f"{self.name} was not started"
        return self._rpc

    async def start(self, *join: str) -> None:
        await self.aclose()
        rpc_port = free_port()
        argv = [
            "serf",
            "agent",
            "-bind",
            self.address,
            "-rpc-addr",
            f"127.0.0.1:{rpc_port}",
            *self._options,
        ]
        for address in join:
            argv += ["-join", address]
        self.run(argv)
        await eventually(lambda: self._connect(rpc_port), describe=self.logs)

    async def _connect(self, rpc_port: int) -> bool:
        assert self.process.returncode is None, self.logs()
        try:
            self._rpc = await SerfRpc.connect(rpc_port)
        except (OSError, SerfRpcError):
            return False
        return True

    def advertise(self, address: str) -> None:
        """Advertises another address than its own from the next start on."""
        self._options += ["-advertise", address]

    async def aclose(self) -> None:
        if self._rpc is not None:
            await self._rpc.aclose()

    async def members(self) -> dict[str, Seen]:
        return {member["Name"]: _seen_by_serf(member) for member in await self.rpc.members()}

    async def leave(self) -> None:
        await self.rpc.leave()
        await self.process.exited()

    async def force_leave(self, name: str, *, prune: bool = False) -> None:
        await self.rpc.force_leave(name, prune=prune)

    def failed(self) -> list[str]:
        return re.findall(r"EventMemberFailed: (\S+)", self.logs())

    def user_events(self) -> list[str]:
        return re.findall(r"Received event: user-event: (\S+)", self.logs())

    def queries(self) -> list[str]:
        """Names of the queries that it received, in order, over all its runs."""
        return re.findall(r"Received event: query: (\S+)", self.logs())

    def joins(self, name: str) -> int:
        """How often it announced a member as joined."""
        return len(re.findall(rf"EventMemberJoin: {re.escape(name)} ", self.logs()))

    @property
    def rpc_port(self) -> int:
        return self.rpc.port

    async def serf(self, *words: str) -> Said:
        """The real ``serf`` command, asked about this agent."""
        return await serf_command(self.rpc_port, *words)

    async def command(self, *words: str) -> str:
        """Its output, when it succeeds."""
        code, text = await self.serf(*words)
        assert code == 0, text
        return text


class OurAgent(Subprocess):
    """``swim agent`` in a process of its own.

    Args:
        options: of the command.
        rpc: whether to serve Serf's RPC.
    """

    def __init__(
        self,
        directory: Path,
        name: str,
        *,
        tags: Mapping[str, str] | None = None,
        key: bytes | None = None,
        profile: str = "lan",
        handlers: Sequence[str] = (),
        options: Sequence[str] = (),
        rpc: bool = False,
    ) -> None:
        super().__init__(directory, name)
        self.rpc_port = free_port() if rpc else 0
        self._options = ["--name", name, "--profile", profile, *options]
        self._options += ["--rpc", f"127.0.0.1:{self.rpc_port}"] if rpc else ["--no-rpc"]
        for handler in handlers:
            self._options += ["--event-handler", handler]
        for item in (tags or {}).items():
            self._options += ["--tag", "=".join(item)]
        if key is not None:
            self._options += ["--encrypt", base64.b64encode(key).decode()]
        self._http = ""

    @property
    def http(self) -> str:
        return self._http

    async def start(self, *join: str) -> None:
        self._http = f"127.0.0.1:{free_port()}"
        argv = [
            sys.executable,
            "-m",
            "swim",
            "agent",
            "--bind",
            self.address,
            "--http",
            self._http,
            *self._options,
        ]
        for address in join:
            argv += ["--join", address]
        self.run(argv)
        await eventually(self._ready, describe=self.logs)

    async def _ready(self) -> bool:
        assert self.process.returncode is None, self.logs()
        try:
            await self.members()
        except OSError:
            return False
        return True

    async def serf(self, *words: str) -> Said:
        """The real ``serf`` command, asked about this agent."""
        return await serf_command(self.rpc_port, *words)

    async def command(self, *words: str) -> str:
        """Standard output of a ``swim`` command, asked about this agent."""
        argv = [sys.executable, "-m", "swim", *words, "--address", f"http://{self._http}"]
        done = await trio.run_process(argv, capture_stdout=True, capture_stderr=True)
        return done.stdout.decode()

    async def members(self) -> dict[str, Seen]:
        answer = await self._ask("GET", "/v1/swim/members")
        return {member["name"]: _seen_by_http(member) for member in answer["members"]}

    @property
    def url(self) -> str:
        """Where its HTTP API is."""
        return f"http://{self._http}"

    async def leave(self) -> None:
        self.process.interrupt()
        await self.process.exited()

    async def force_leave(self, name: str, *, prune: bool = False) -> None:
        await self._ask("PUT", f"/v1/swim/force-leave?node={name}" + ("&prune=true" if prune else ""))

    def failed(self) -> list[str]:
        return re.findall(r"(\S+) failed", self.logs())

    def user_events(self) -> list[str]:
        return re.findall(r"user event (\S+) \(", self.logs())

    def reload(self) -> None:
        self.process.hang_up()

    async def _ask(self, method: str, path: str) -> Any:
        request = urllib.request.Request(f"http://{self._http}{path}", method=method)

        def ask() -> Any:
            with urllib.request.urlopen(request, timeout=10) as response:
                return json.loads(response.read() or b"null")

        return await trio.to_thread.run_sync(ask)


class OurNode:
    """A node of ours, opened by the test's process, on real loopback sockets.

    Args:
        nursery: in which it runs.
        config: its settings, apart from ``bind``.
        engine: what it runs on.
        answers: whether it answers each query, with its name.
        files: what ``open_cluster`` takes of these.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        config: swim.Config,
        engine: Engine = "trio",
        *,
        answers: bool = False,
        **files: Path,
    ) -> None:
        self.name = config.name
        self._answers = answers
        self.faults = swim.testing.LinkFaults()
        self.events: list[swim.Event] = []
        self._nursery = nursery
        self._engine = engine
        self._config = config
        self._files: dict[str, Any] = files
        self._cluster: swim.Cluster | None = None
        self._scope = trio.CancelScope()
        self.move()

    def move(self) -> None:
        """Takes another port for the next start."""
        self.address = f"127.0.0.1:{free_port()}"

    @property
    def cluster(self) -> swim.Cluster:
        assert self._cluster is not None, f"{self.name} was not started"
        return self._cluster

    async def start(self, *join: str) -> None:
        await self._nursery.start(self._run)
        if join:
            result = await self.cluster.join(join)
            assert result.joined, result

    async def _run(self, task_status: trio.TaskStatus[None]) -> None:
        config = self._config.with_changes(bind=self.address)
        with trio.CancelScope() as self._scope:
            async with opened(config, self._engine, self.faults, **self._files) as self._cluster:
                events = self._cluster.events()
                task_status.started()
                async for event in events:
                    self.events.append(event)
                    if self._answers and isinstance(event, swim.Query):
                        await self._cluster.respond(event, self.name.encode())

    async def members(self) -> dict[str, Seen]:
        return {member.name: seen_by_us(member) for member in self.cluster.members()}

    def kill(self) -> None:
        self._scope.cancel()

    async def leave(self) -> None:
        await self.cluster.leave()
        self._scope.cancel()

    async def force_leave(self, name: str, *, prune: bool = False) -> None:
        await self.cluster.force_leave(name, prune=prune)

    def failed(self) -> list[str]:
        return [event.member.name for event in self.events if isinstance(event, swim.MemberFailed)]

    def user_events(self) -> list[str]:
        """Names of the user events that it received, in order, over all its runs."""
        return [event.name for event in self.events if isinstance(event, swim.UserEvent)]

    def queries(self) -> list[str]:
        """Likewise, of the queries."""
        return [event.name for event in self.events if isinstance(event, swim.Query)]


def _seen_by_serf(member: Mapping[str, Any]) -> Seen:
    return Seen(
        member["Status"],
        f"{'.'.join(map(str, member['Addr'][-4:]))}:{member['Port']}",
        dict(member["Tags"] or {}),
        (member["ProtocolMin"], member["ProtocolMax"], member["ProtocolCur"]),
        (member["DelegateMin"], member["DelegateMax"], member["DelegateCur"]),
    )


def _seen_by_http(member: Mapping[str, Any]) -> Seen:
    return Seen(
        member["status"],
        f"{member['address']}:{member['port']}",
        member["tags"],
        tuple(member["protocol"]),
        tuple(member["delegate"]),
    )


def seen_by_us(member: swim.Member) -> Seen:
    return Seen(
        str(member.status),
        join_host_port(member.address, member.port),
        dict(member.tags),
        tuple(member.protocol),
        tuple(member.delegate),
    )
