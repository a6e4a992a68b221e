"""Cluster membership for plain threads: the names, events and errors of ``swim.open_cluster``, no ``await``.

    with swim.blocking.open_cluster(swim.Config.local(seeds=["127.0.0.1:7946"])) as cluster:
        for event in cluster.events():
            print(event)

The node runs in a thread of its own, or in a process of its own. Everything may be used from any thread, and
each call that can wait has a ``timeout`` in seconds; None waits for ever.
"""

# ruff: noqa: ASYNC109  the base class awaits, this front waits

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from threading import TIMEOUT_MAX
from types import TracebackType
from typing import TYPE_CHECKING, Literal, cast

from swim import checks
from swim.addresses import Endpoint
from swim.commands import (
    BroadcastMessage,
    Command,
    Outcome,
    Respond,
    SendMessage,
    SendPing,
    SendUserEvent,
    SetTags,
    UpdateTags,
)
from swim.config import Config
from swim.errors import LocalError
from swim.events import Event, ForceLeaveOutcome, JoinResult, Member, Query
from swim.keyrings import InstallKey, KeyringResult, ListKeys, RemoveKey, UseKey
from swim.membership import Membership
from swim.net.event_buffer import ALL_KINDS, EventKind
from swim.net.faults import LinkFaults
from swim.net.files import Files
from swim.net.fronts.arguments import Arguments
from swim.net.fronts.isolated import IsolatedCluster, Life, Mail
from swim.net.fronts.opening import Opening
from swim.net.fronts.reading import Reading
from swim.net.fronts.threads import Responses, Subscription, Ticket, end_of, run, until
from swim.net.observer import observe

__all__ = ["Cluster", "Responses", "Subscription", "Ticket", "observe", "open_cluster"]

_LAST_SECONDS = 5.0
"""How long the end of a block waits for its node to end; it takes milliseconds."""


class _Commands(IsolatedCluster[Ticket, Subscription, Responses]):
    """The commands, with waits that block: what they ``await`` never suspends them."""

    def _submit(self, command: Command) -> Ticket:
        return Ticket(self._node, command)

    def _reader(self, mail: Mail) -> Subscription:
        return Subscription(self._node, mail, None)

    def _replies(self, ticket: Ticket) -> Responses:
        return Responses(ticket, Ticket._abandon)

    async def _finished(self, tickets: Sequence[Ticket], timeout: float | None) -> None:
        end = end_of(timeout)
        for ticket in tickets:
            if not ticket.wait(end):
                return
            _ = ticket.result  # raises, if it was refused

    async def _next(self, events: Subscription, timeout: float) -> Event | None:
        try:
            return next(events.within(timeout), None)
        except TimeoutError:
            return None


class Cluster(Reading):
    """The cluster as one member sees it. Made by ``open_cluster``; usable from every thread.

    Reading (``members``, ``member``, ``local``, ``history``, ``stats``) never waits. After a ``timeout``, a
    command continues in the background. The methods are those of ``swim.Cluster``, described there.

    Attributes:
        config: the settings it runs with.
        metrics: live counters and gauges.
        endpoint: the bound address and port.
        started_at: when it started, on the scale of ``now()``.
    """

    def __init__(self, life: Life) -> None:
        self._life = life
        self._commands = _Commands(life)
        super().__init__(life.node.view, endpoint=life.node.endpoint)

    def now(self) -> float:
        """Seconds on the clock of ``Transition.at`` and ``started_at``: monotonic, arbitrary zero."""
        return self._commands.now()

    def events(
        self, *, kinds: EventKind | Iterable[EventKind] = ALL_KINDS, timeout: float | None = None
    ) -> Subscription:
        """Subscribes from this moment on; the first call also to what happened since the block was entered.

        ``with cluster.events() as events:`` also ends the subscription with the block.

        Args:
            kinds: one event class or several, such as ``MemberFailed`` or ``UserEvent``; others are passed
                over. Anything else is a ``ConfigTypeError``.
            timeout: seconds that each step of the iteration waits; then it raises ``TimeoutError``, and may
                be continued.
        """
        return self._commands.events(kinds=kinds).within(checks.seconds("timeout", timeout))

    def do(self, command: Command) -> Ticket:
        """Begins a command and returns at once; ``ticket.outcome()`` waits for its outcome.

        Raises:
            LocalError: after the block was left. What the node refuses, the ticket's outcome raises.
        """
        return self._commands.do(command)

    def join(
        self, addresses: Sequence[str], *, replay: bool = False, timeout: float | None = None
    ) -> JoinResult:
        """Exchanges full state with every address, in parallel; a failed address raises nothing."""
        return run(self._commands.join, addresses, replay=replay, timeout=timeout)

    def leave(self, *, timeout: float | None = None) -> None:
        """Announces that this node leaves, and stops taking part; ``rejoin`` brings it back."""
        run(self._commands.leave, timeout=timeout)

    def rejoin(self, *, timeout: float | None = None) -> JoinResult:
        """Comes back after ``leave``: alive again under the same name, joined to seeds and past members."""
        return run(self._commands.rejoin, timeout=timeout)

    def force_leave(
        self, name: str, *, prune: bool = False, timeout: float | None = None
    ) -> ForceLeaveOutcome:
        """Declares that a failed member has left, so that no member dials it any more.

        Raises:
            TimeoutError: no outcome within ``timeout``.
        """
        return run(self._commands.force_leave, name, prune=prune, timeout=timeout)

    def resolve(self, host: str, port: int, *, timeout: float | None = None) -> tuple[Endpoint, ...]:
        """Every address of a host name, in the resolver's order.

        Raises:
            TimeoutError: no answer within ``timeout``.
            OSError: it has no address.
        """
        host, port = checks.text("host", host), checks.port("port", port)
        timeout = checks.seconds("timeout", timeout)
        self._commands._check_open()
        answer = self._life.node.resolve(host, port)
        return answer.result(None if timeout is None else min(timeout, TIMEOUT_MAX))

    def set_tags(self, tags: Mapping[str, str], *, timeout: float | None = None) -> None:
        """Replaces this node's tags and waits until the change has spread (at most ``broadcast_timeout``).

        Raises:
            TimeoutError: it has not spread within ``timeout``, or until it has; likewise ``update_tags``.
        """
        self._outcome(SetTags(tags), timeout)

    def update_tags(
        self, changes: Mapping[str, str], *, remove: Iterable[str] = (), timeout: float | None = None
    ) -> None:
        """Changes some of this node's tags and keeps the rest; otherwise as ``set_tags``."""
        self._outcome(UpdateTags(changes, remove=remove), timeout)

    def user_event(
        self, name: str, payload: bytes = b"", *, coalesce: bool = False, timeout: float | None = None
    ) -> None:
        """Sends a user event to all members, and to subscribers here; returns before it has spread."""
        self._outcome(SendUserEvent(name, payload, coalesce=coalesce), timeout)

    def query(
        self,
        name: str,
        payload: bytes = b"",
        *,
        nodes: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        ack: bool = False,
        relay_factor: int = 0,
        timeout: float | None = None,
        finish_early: bool = False,
    ) -> Responses:
        """Asks all members, or some; iterate the result. It ends after ``timeout`` seconds, or with
        ``finish_early`` once every member asked has answered."""
        return self._commands.query(
            name,
            payload,
            nodes=nodes,
            tags=tags,
            ack=ack,
            relay_factor=relay_factor,
            timeout=timeout,
            finish_early=finish_early,
        )

    def respond(self, query: Query, payload: bytes = b"", *, timeout: float | None = None) -> None:
        """Answers a query that this node received; once, and before ``query.deadline``."""
        self._outcome(Respond(query, payload), timeout)

    def send(self, member: Member, payload: bytes, *, timeout: float | None = None) -> None:
        """Sends bytes to the application of one life of a member; returns once that node has handed them out.

        Raises:
            DeliveryError: it was not delivered, and why.
            TimeoutError: no outcome within ``timeout``; it may still be delivered.
        """
        self._outcome(SendMessage(member, payload), timeout)

    def broadcast(self, payload: bytes, *, timeout: float | None = None) -> None:
        """Sends bytes to all members' applications, and to subscribers here; returns before they spread."""
        self._outcome(BroadcastMessage(payload), timeout)

    def ping(self, name: str, *, via: str = "packet", timeout: float | None = None) -> float | None:
        """Pings one member by ``packet``, ``stream`` or ``relay``, and returns the seconds until its ack.

        Returns:
            None if there was no ack within ``timeout`` seconds, by default ``probe_interval``.
        """
        return cast("float | None", self.do(SendPing(name, via=via, timeout=timeout)).outcome())

    def install_key(self, key: bytes, *, timeout: float | None = None) -> KeyringResult:
        """Adds a gossip key to the keyring of every member, which then accepts it; this node included.

        Raises:
            TimeoutError: no result within ``timeout``; likewise the other key commands.
        """
        return cast(KeyringResult, self._outcome(InstallKey(key), timeout))

    def use_key(self, key: bytes, *, timeout: float | None = None) -> KeyringResult:
        """Makes every member encrypt with a key that all have installed."""
        return cast(KeyringResult, self._outcome(UseKey(key), timeout))

    def remove_key(self, key: bytes, *, timeout: float | None = None) -> KeyringResult:
        """Removes a key from the keyring of every member, unless that encrypts with it."""
        return cast(KeyringResult, self._outcome(RemoveKey(key), timeout))

    def list_keys(self, *, timeout: float | None = None) -> KeyringResult:
        """The keys of every member."""
        return cast(KeyringResult, self._outcome(ListKeys(), timeout))

    def _outcome(self, command: Command, timeout: float | None) -> Outcome:
        timeout = checks.seconds("timeout", timeout)
        return self.do(command).outcome(timeout=timeout)

    @property
    def _is_stopped(self) -> bool:
        return self._commands.status == "stopped"


def open_cluster(
    config: Config,
    *,
    faults: LinkFaults | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    snapshot_file: str | os.PathLike[str] | None = None,
    tags_file: str | os.PathLike[str] | None = None,
    keyring_file: str | os.PathLike[str] | None = None,
    leave_timeout: float = 5.0,
    isolation: Literal["thread", "process"] = "thread",
) -> AbstractContextManager[Cluster]:
    """Runs a member for the length of a block.

    Leaving the block normally leaves the cluster gracefully, within ``leave_timeout``; an exception closes
    everything at once, and the others see this member fail. The seeds in ``config`` are joined in the
    background. If the node ends by itself, what uses it raises why, and so does the end of the block.

    Args:
        config: the settings.
        faults: switches that break this node's network on purpose; with ``isolation="thread"`` only.
        data_dir: directory for the snapshot, from which a restart recovers its clocks and past members.
        snapshot_file: path of the snapshot, in Serf's format, instead of the one in ``data_dir``.
        tags_file: path of a file of tags, in Serf's format; ``set_tags`` and ``update_tags`` rewrite it. Then
            ``config`` must have no tags.
        keyring_file: path of a file of gossip keys, in Serf's format, instead of ``keyring.json`` in
            ``data_dir``. Changes of the keyring rewrite it. Its keys are used in place of ``config.keys``.
        leave_timeout: seconds a graceful leave may take; 0 skips it.
        isolation: where the node runs. ``"thread"`` is not disturbed by a blocked thread or by Python code
            that computes; ``"process"`` (a child process) not even by C code that holds the GIL.

    Raises:
        ConfigError: a wrong argument, a port in use, a name that does not resolve, an unusable directory.
        LocalError: another member has the same name and won the vote, or the child process died.
    """
    files = Files(data_dir, snapshot_file, tags_file, keyring_file)
    return _Opening(Arguments(config, faults, files, leave_timeout, isolation))


class _Opening(Opening, AbstractContextManager[Cluster]):
    how = "with open_cluster(...) as cluster"
    gives = Cluster

    def __init__(self, arguments: Arguments) -> None:
        super().__init__()
        self._arguments = arguments

    def __enter__(self) -> Cluster:
        self._enter()
        self._life = life = Life(self._arguments)
        node = life.node
        try:
            until(life.bell, lambda: node.is_running or node.is_ended, math.inf)
            if node.failure is not None:
                raise node.failure
            self._cluster = Cluster(life)
        except BaseException:
            self._end()
            raise
        return self._cluster

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        node = self._life.node
        try:
            if error is None and not node.is_ended and self._arguments.leave_timeout > 0:
                self._cluster.leave(timeout=self._arguments.leave_timeout)
        except LocalError:
            if node.failure is None:
                raise
        finally:
            self._end()
        if error is None and node.failure is not None:
            raise node.failure

    def _end(self) -> None:
        self._life.stop()
        self._life.join(_LAST_SECONDS)


if TYPE_CHECKING:
    _: type[Membership] = Cluster
