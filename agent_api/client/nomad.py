"""The calls to Nomad's paths, as both clients have them under ``client.nomad``, and what they return."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncGenerator, Generator, Iterable
from functools import partial
from typing import Any, NotRequired, TypedDict, TypeVar

from agent_api.client.calls import flag
from agent_api.client.requests import (
    AsyncCalls,
    BlockingCalls,
    LineReader,
    Request,
    Stream,
    ask,
    follow,
    json_of,
    nothing,
    text,
)

__all__ = [
    "AsyncNomadCalls",
    "BlockingNomadCalls",
    "EventFrame",
    "HalfHealth",
    "Health",
    "Host",
    "HostReply",
    "LogFrame",
    "Metrics",
    "NomadCalls",
    "NomadJoin",
    "NomadKeyring",
    "NomadMember",
    "NomadMembers",
    "NomadSelf",
]

T = TypeVar("T")


class NomadMember(TypedDict):
    """One member in Nomad's shape."""

    Name: str
    Addr: str
    Port: int
    Tags: dict[str, str]
    Status: str
    ProtocolMin: int
    ProtocolMax: int
    ProtocolCur: int
    DelegateMin: int
    DelegateMax: int
    DelegateCur: int


class NomadMembers(TypedDict):
    """``GET /v1/agent/members``."""

    ServerName: str
    ServerRegion: str
    ServerDC: str
    Members: list[NomadMember]


class NomadSelf(TypedDict):
    """``GET /v1/agent/self``."""

    config: dict[str, Any]
    member: NomadMember
    stats: dict[str, dict[str, str]]


class NomadJoin(TypedDict):
    """``PUT /v1/agent/join``; ``error`` only if no address was joined."""

    num_joined: int
    error: str
    warning: NotRequired[str]


class HalfHealth(TypedDict):
    """The health of one role; ``message`` is ``ok`` or why it is not."""

    ok: bool
    message: str


class Health(TypedDict, total=False):
    """``GET /v1/agent/health``: a half for each role that is on, or was asked for."""

    client: HalfHealth
    server: HalfHealth


class Host(TypedDict):
    """The machine of an agent."""

    OS: str
    Network: list[dict[str, str]]
    ResolvConf: str
    Hosts: str
    Environment: dict[str, str]
    Disk: dict[str, dict[str, int]]


class HostReply(TypedDict):
    """``GET /v1/agent/host`` of an agent that was named."""

    AgentID: str
    HostData: Host


class NomadKeyring(TypedDict):
    """``/v1/agent/keyring``: the keys themselves, in base64, and how many members have each."""

    Messages: dict[str, str]
    Keys: dict[str, int]
    NumNodes: int
    PrimaryKeys: NotRequired[dict[str, int]]


class Metrics(TypedDict):
    """``GET /v1/metrics``."""

    Timestamp: str
    Gauges: list[dict[str, Any]]
    Points: list[Any]
    Counters: list[dict[str, Any]]
    Samples: list[dict[str, Any]]


class LogFrame(TypedDict):
    """One frame of ``/v1/agent/monitor``: ``Data`` is lines of the log, in base64."""

    Data: str


class EventFrame(TypedDict):
    """One frame of ``/v1/event/stream``."""

    Index: int
    Events: list[dict[str, Any]]


class NomadCalls:
    """Every call of Nomad's API that an agent serves. Each raises ``AgentError`` and ``AgentUnreachable``."""

    @ask
    def members(self) -> Request[NomadMembers]:
        """The members, by region, data centre and name."""
        return Request("GET", "/v1/agent/members", json_of(NomadMembers))

    @ask
    def servers(self) -> Request[list[str]]:
        """``IP:PORT`` of each server that the agent knows; an error 501 without the client role."""
        return Request("GET", "/v1/agent/servers", json_of(list[str]))

    @ask
    def set_servers(self, addresses: Iterable[str]) -> Request[None]:
        """Pins the list of servers; an error 400 if no address is good, 501 without the client role."""
        parameters = [("address", address) for address in addresses]
        return Request("PUT", "/v1/agent/servers", nothing, parameters)

    @ask
    def self_(self) -> Request[NomadSelf]:
        """The agent's configuration, its member and its statistics."""
        return Request("GET", "/v1/agent/self", json_of(NomadSelf))

    @ask
    def join(self, addresses: Iterable[str]) -> Request[NomadJoin]:
        """Joins by ``addresses``; counts those that worked."""
        parameters = [("address", address) for address in addresses]
        return Request("PUT", "/v1/agent/join", json_of(NomadJoin), parameters)

    @ask
    def force_leave(self, node: str, *, prune: bool = False) -> Request[None]:
        """Declares that ``node`` has left; an unknown name is no error."""
        parameters = [("node", node), *([("prune", "1")] if prune else [])]
        return Request("PUT", "/v1/agent/force-leave", nothing, parameters)

    @ask
    def health(self, *kinds: str) -> Request[Health]:
        """The health of each role, or of the ``client`` and ``server`` named; no error if it is bad."""
        parameters = [("type", kind) for kind in kinds]
        return Request("GET", "/v1/agent/health", json_of(Health), parameters, accepted=(200, 500))

    @follow
    def monitor(self, level: str = "info", *, is_json: bool = False) -> Stream[Any]:
        """The agent's log in frames (``Data`` in base64), and ``{}`` every second.

        Ends if the agent stops. An error 400 for an unknown level.
        """
        parameters = [("log_level", level), ("log_json", flag(is_json))]
        reader = partial(LineReader[Any], LogFrame, beats=True)
        return Stream("GET", "/v1/agent/monitor", reader, parameters)

    @follow
    def event_stream(self, *topics: str, index: int = 0) -> Stream[EventFrame]:
        """Membership events in Nomad's frames, of ``topics`` such as ``Member:NAME``, from ``index`` on."""
        parameters = [("topic", topic) for topic in topics or ("Member",)]
        parameters += [("index", str(index))] if index else []
        return Stream("GET", "/v1/event/stream", partial(LineReader, EventFrame), parameters)

    @ask
    def host(self) -> Request[Host]:
        """The machine of the agent; an error 403 if that takes a token or ``enable_debug``."""
        return Request("GET", "/v1/agent/host", json_of(Host))

    @ask
    def profile(self, name: str = "goroutine") -> Request[str]:
        """The stacks of all threads (``goroutine``) or the ``cmdline``; an error 501 for what only Go has."""
        return Request("GET", f"/v1/agent/pprof/{name}", text)

    @ask
    def reload(self) -> Request[None]:
        """Makes the agent read its settings again."""
        return Request("PUT", "/v1/agent/reload", nothing)

    @ask
    def metrics(self) -> Request[Metrics]:
        """The metrics of the latest interval."""
        return Request("GET", "/v1/metrics", json_of(Metrics))

    @ask
    def prometheus(self) -> Request[str]:
        """The metrics in Prometheus's text format; an error 415 unless the agent has them on."""
        return Request("GET", "/v1/metrics", text, [("format", "prometheus")])

    @ask
    def leader(self, region: str = "") -> Request[str]:
        """``IP:PORT`` of the leader of a region; an error 500 if there is none."""
        return Request("GET", "/v1/status/leader", json_of(str), _region(region))

    @ask
    def peers(self, region: str = "") -> Request[list[str]]:
        """``IP:PORT`` of the servers of a region."""
        return Request("GET", "/v1/status/peers", json_of(list[str]), _region(region))

    @ask
    def regions(self) -> Request[list[str]]:
        """The regions that have an alive server."""
        return Request("GET", "/v1/regions", json_of(list[str]))

    @ask
    def list_keys(self) -> Request[NomadKeyring]:
        """The gossip keys themselves, and how many members have each."""
        return Request("GET", "/v1/agent/keyring/list", json_of(NomadKeyring))

    @ask
    def install_key(self, key: bytes) -> Request[NomadKeyring]:
        """Adds a key to the keyring of every member."""
        return _change("install", key)

    @ask
    def use_key(self, key: bytes) -> Request[NomadKeyring]:
        """Makes every member encrypt with a key."""
        return _change("use", key)

    @ask
    def remove_key(self, key: bytes) -> Request[NomadKeyring]:
        """Removes a key from the keyring of every member."""
        return _change("remove", key)


class BlockingNomadCalls(NomadCalls, BlockingCalls):
    """Nomad's calls, sent by a blocking client."""

    def __init__(self, client: BlockingCalls) -> None:
        self._client = client

    def send(self, request: Request[T]) -> T:
        """See ``BlockingCalls``."""
        return self._client.send(request)

    def follow(self, stream: Stream[T]) -> Generator[T, None, None]:
        """See ``BlockingCalls``."""
        return self._client.follow(stream)


class AsyncNomadCalls(NomadCalls, AsyncCalls):
    """Nomad's calls, sent by an async client."""

    def __init__(self, client: AsyncCalls) -> None:
        self._client = client

    async def send(self, request: Request[T]) -> T:
        """See ``BlockingCalls``."""
        return await self._client.send(request)

    def follow(self, stream: Stream[T]) -> AsyncGenerator[T, None]:
        """See ``BlockingCalls``."""
        return self._client.follow(stream)


def _region(region: str) -> list[tuple[str, str]]:
    return [("region", region)] if region else []


def _change(operation: str, key: bytes) -> Request[NomadKeyring]:
    body = json.dumps({"Key": b64encode(key).decode()}).encode()
    return Request("PUT", f"/v1/agent/keyring/{operation}", json_of(NomadKeyring), (), body)
