"""A cluster without a network: the interface of ``swim.Cluster`` over a table that the test fills."""

# ruff: noqa: ASYNC109  the signatures are those of swim.Cluster

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import trio

from swim import (
    Config,
    Coordinate,
    Detection,
    Event,
    ForceLeaveOutcome,
    InstallKey,
    JoinOutcome,
    JoinResult,
    KeyringResult,
    LocalError,
    Member,
    MemberJoined,
    MemberStatus,
    Metrics,
    NodeStats,
    QueryReply,
    Reason,
    RemoveKey,
    SeedStatus,
    SendQuery,
    SendUserEvent,
    Subscription,
    Transition,
    UpdateTags,
    UseKey,
    UserEvent,
    VersionTriple,
)
from swim.addresses import Endpoint, plain_ip
from swim.keyrings import KeyStatus
from swim.wire.keyring import Keyring

GOSSIP_PORT = 4648


def make_member(
    name: str, *, gossip_port: int = GOSSIP_PORT, status: MemberStatus = MemberStatus.ALIVE, **tags: str
) -> Member:
    return Member(
        name=name,
        address="127.0.0.1",
        port=gossip_port,
        tags=tags,
        status=status,
        is_suspect=False,
        incarnation=1,
        protocol=VersionTriple(1, 5, 2),
        delegate=VersionTriple(2, 5, 5),
    )


class FakeReplies:
    """What the test puts in, until it closes them or the client goes."""

    def __init__(self) -> None:
        self.put, self._replies = trio.open_memory_channel[QueryReply](100)
        self.is_ended = trio.Event()

    def __aiter__(self) -> AsyncIterator[QueryReply]:
        return self._replies

    async def aclose(self) -> None:
        self.is_ended.set()


class FakeCluster:
    """Joins any endpoint in ``reachable`` (its own too), resolves digits only, and refuses no force-leave."""

    def __init__(self, config: Config, *, reachable: Sequence[Endpoint] = ()) -> None:
        self.config = config
        self.metrics = Metrics()
        self.endpoint = self.advertised = ("127.0.0.1", GOSSIP_PORT)
        self.started_at = 0.0
        self.status = "running"
        self.reachable = {self.endpoint, *reachable}
        self.table = {config.name: make_member(config.name, **config.tags)}
        self.log: dict[str, list[Transition]] = {}
        self.subscriptions: list[Subscription] = []
        self.detections: dict[str, Detection] = {}
        self.broken: Exception | None = None
        self.answers: dict[tuple[str, str], float | str | None] = {}
        self.pinged: list[tuple[str, str, float | None]] = []
        self.coordinates: dict[str, Coordinate] = {}
        self.sent: list[UserEvent] = []
        self.asked: list[tuple[str, bytes, dict[str, Any]]] = []
        self.replies = FakeReplies()
        self.keyring = Keyring(config.keys)

    @property
    def local(self) -> Member:
        return self.table[self.config.name]

    @property
    def is_alone(self) -> bool:
        return sum(member.status is MemberStatus.ALIVE for member in self.table.values()) <= 1

    def add(self, member: Member) -> None:
        previous = self.table.get(member.name)
        self.table[member.name] = member
        self.publish(MemberJoined(member, previous, Reason("claim"), sequence=len(self.log) + 1))
        line = Transition(trio.current_time(), "unknown", str(member.status), 1, Reason("claim", "n9"))
        self.log.setdefault(member.name, []).append(line)

    def members(self) -> tuple[Member, ...]:
        if self.broken:
            raise self.broken
        return tuple(reversed(self.table.values()))

    def member(self, name: str) -> Member | None:
        return self.table.get(name)

    def history(self, name: str) -> tuple[Transition, ...]:
        return tuple(self.log.get(name, ()))

    def now(self) -> float:
        return trio.current_time()

    def detection(self, name: str) -> Detection | None:
        return self.detections.get(name, Detection(0.0)) if name in self.table else None

    def seeds(self) -> tuple[SeedStatus, ...]:
        due = self.now() + 30.0
        return tuple(SeedStatus(seed, False, "connection refused", 1.0, 0, due) for seed in self.config.seeds)

    def stats(self) -> NodeStats:
        failed = sum(member.status is MemberStatus.FAILED for member in self.table.values())
        left = sum(member.status is MemberStatus.LEFT for member in self.table.values())
        return NodeStats(len(self.table), failed, left, 0, 1, 1, 1, 0, 0, 0, bool(self.keyring))

    def key_status(self) -> KeyStatus:
        return KeyStatus(self.keyring.fingerprints)

    def coordinate(self, name: str | None = None) -> Coordinate | None:
        return self.coordinates.get(name or self.config.name)

    async def resolve(self, host: str, port: int) -> tuple[Endpoint, ...]:
        if (address := plain_ip(host)) is not None:
            return ((str(address), port),)
        if host != "localhost":
            raise OSError(f"no such host as {host}")
        return (("127.0.0.1", port),)

    async def join(self, addresses: Sequence[str], *, timeout: float | None = None) -> JoinResult:
        if self.status != "running":
            raise LocalError("cannot join: this node has left or was closed")
        return JoinResult(tuple(self._dial(address) for address in addresses))

    async def ping(self, name: str, *, via: str = "packet", timeout: float | None = None) -> float | None:
        self.pinged.append((name, via, timeout))
        found = self.answers.get((name, via), 0.001)
        if isinstance(found, str):
            raise LocalError(found)
        return found

    async def leave(self, *, timeout: float | None = None) -> None:
        self.status = "left"
        self.table[self.config.name] = replace(self.local, status=MemberStatus.LEFT)

    async def force_leave(
        self, name: str, *, prune: bool = False, timeout: float | None = None
    ) -> ForceLeaveOutcome:
        member = self.table.get(name)
        if member is None:
            return ForceLeaveOutcome.UNKNOWN
        if member is self.local:
            return ForceLeaveOutcome.REFUTED
        if member.status is MemberStatus.ALIVE:
            raise TimeoutError(f"force-leave of {name}: no outcome within {timeout:g} s")
        if prune:
            del self.table[name]
            return ForceLeaveOutcome.PRUNED
        self.table[name] = replace(member, status=MemberStatus.LEFT)
        return ForceLeaveOutcome.LEFT

    async def update_tags(self, changes: Mapping[str, str], *, remove: Iterable[str] = ()) -> None:
        command = UpdateTags(changes, remove=remove)
        member = self.local
        self.table[member.name] = replace(member, tags=command.applied_to(member.tags))

    async def user_event(self, name: str, payload: bytes = b"", *, coalesce: bool = False) -> None:
        self._check(SendUserEvent(name, payload, coalesce=coalesce))
        self.sent.append(UserEvent(name, payload, coalesce=coalesce))
        self.publish(self.sent[-1])

    def query(self, name: str, payload: bytes = b"", **options: Any) -> FakeReplies:
        self._check(SendQuery(name, payload, **options))
        self.asked.append((name, payload, options))
        return self.replies

    def events(self) -> Subscription:
        self.subscriptions.append(Subscription(self.config.event_buffer_size))
        return self.subscriptions[-1]

    def _check(self, command: object) -> None:
        if self.status != "running":
            raise LocalError(f"cannot send: this node is {self.status}")

    def publish(self, event: Event) -> None:
        for subscription in self.subscriptions:
            subscription.put(event)

    def _dial(self, address: str) -> JoinOutcome:
        host, _, port = address.partition(":")
        if not host.replace(".", "").isdigit() or not (port or "1").isdigit() or int(port or 1) > 65535:
            return JoinOutcome(address, None, f"failed to resolve {address}: no such host")
        endpoint = (host, int(port or GOSSIP_PORT))
        if endpoint in self.reachable:
            return JoinOutcome(address, endpoint)
        return JoinOutcome(address, endpoint, f"failed to join {host}:{endpoint[1]}: connection refused")

    # -- gossip keys, of this member alone

    async def list_keys(self) -> KeyringResult:
        if not self.keyring:
            return self._key_result("Keyring is empty (encryption not enabled)")
        return KeyringResult(1, 1, keyrings={self.config.name: self.keyring.keys})

    async def install_key(self, key: bytes) -> KeyringResult:
        return self._key_change(InstallKey(key), self.keyring.add)

    async def use_key(self, key: bytes) -> KeyringResult:
        return self._key_change(UseKey(key), self.keyring.use)

    async def remove_key(self, key: bytes) -> KeyringResult:
        return self._key_change(RemoveKey(key), self.keyring.remove)

    def _key_change(self, command: InstallKey | UseKey | RemoveKey, change: Any) -> KeyringResult:
        if not self.keyring:
            return self._key_result("No keyring to modify (encryption not enabled)")
        try:
            change(command.key)
        except LocalError as error:
            return self._key_result(str(error))
        return self._key_result("")

    def _key_result(self, error: str) -> KeyringResult:
        return KeyringResult(1, 1, errors={self.config.name: error} if error else {})
