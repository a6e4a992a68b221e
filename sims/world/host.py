"""One simulated host with the node that runs on it, over all its runs."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

from sims.plain import plain_function
from sims.world.convergence import View
from sims.world.cpu import Processor
from sims.world.latency import Latency
from swim.addresses import Endpoint, join_host_port
from swim.commands import (
    BroadcastMessage,
    Command,
    ForceLeave,
    Join,
    Rejoin,
    Respond,
    SendMessage,
    SendPing,
    SendQuery,
    SendUserEvent,
    SetTags,
    Ticket,
    UpdateTags,
)
from swim.config import Config
from swim.events import Event, Member, Query
from swim.inspection import Inspection
from swim.keyrings import InstallKey, ListKeys, RemoveKey, UseKey
from swim.membership import Membership, Reads
from swim.metrics import Metrics
from swim.node import Node
from swim.serf.snapshot import Snapshot

__all__ = ["Commands", "NodeState", "SimNode"]

NodeState = Literal["running", "paused", "crashed", "left"]

_RECORDS_KEPT = 1_000
_EVENTS_KEPT = 10_000


class Commands(Protocol):
    """What carries out a node's commands: its ``World``."""

    @property
    def now(self) -> float:
        """Virtual time, seconds."""

    def command(self, node: SimNode, command: Command) -> Ticket:
        """Gives a node a command."""

    def leave(self, node: SimNode, *, stop: bool) -> Ticket:
        """Lets a node leave, and its process end if ``stop``."""


class SimNode(Reads):
    """A host of a ``World``: its node, its state, and the node's output.

    Attributes:
        id: names the host in the world; the node's first name, unless given.
        node: the sans-I/O node of the current run, or of the last one.
        life: number of the current run: how many nodes have run on this host.
        endpoint: address and port on the virtual network.
        state: ``running``, ``paused`` (the process stands still), ``crashed`` or ``left`` (left and ended).
        since: when ``state`` last changed, seconds.
        listed: members that the current run started with, without events (a converged start).
        events: the last 10,000 events of the current run.
        tickets: pending commands of the current run, by number.
        snapshot: the snapshot of the last run that ended.
        keyring: the keys stored by the last change of the keyring, which outlive a run; () before the first.
        records: lines that the current run appended to its own snapshot.
        counts: whether its view counts for convergence: it runs and is not leaving.
        reader: extra time until each packet is read, in order (an overloaded receive path); None for none.
        processor: the time its work takes, perhaps shared with other nodes; None if work takes no time.
        clock_ahead: seconds by which the host's wall clock is ahead of the others'.
        blocked_until: until then received packets are not read and sent ones wait, while timers fire.
        stopped_because: the reason if the node stopped by itself, else "".
    """

    __slots__ = (
        "_commands",
        "_subscribers",
        "backlog",
        "backlog_bytes",
        "base",
        "blocked_until",
        "clock_ahead",
        "config",
        "counts",
        "departure",
        "endpoint",
        "ends_after_leave",
        "events",
        "has_more",
        "id",
        "is_leaving",
        "is_pumped",
        "keyring",
        "life",
        "listed",
        "node",
        "processor",
        "read_at",
        "reader",
        "records",
        "scheduled",
        "since",
        "snapshot",
        "state",
        "stopped_because",
        "tickets",
        "view",
    )

    def __init__(self, id: str, config: Config, endpoint: Endpoint, commands: Commands) -> None:
        self._commands = commands
        self._subscribers: list[Callable[[float, Event], None]] = []
        self.id = id
        self.config = config
        self.endpoint = endpoint
        self.node: Node
        self.life = -1
        self.state: NodeState = "crashed"
        self.since = 0.0
        self.snapshot = ""
        self.keyring: tuple[bytes, ...] = ()
        self.counts = False
        self.clock_ahead = 0.0
        self.reader: Latency | None = None
        self.processor: Processor | None = None
        self.reset()

    def reset(self) -> None:
        """Resets the host for the next run; called by the world."""
        self.life += 1
        self.events: deque[Event] = deque(maxlen=_EVENTS_KEPT)
        self.tickets: dict[int, Ticket] = {}
        self.read_at = 0.0
        self.blocked_until = 0.0
        self.backlog: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self.backlog_bytes = 0
        self.scheduled: float | None = None
        self.stopped_because = ""
        self.is_leaving = False
        self.ends_after_leave = False
        self.is_pumped = False
        self.has_more = False
        self.departure: Ticket | None = None
        self.view = View()
        self.listed: tuple[Member, ...] = ()
        self.base = ""
        self.records: list[str] = []

    def __repr__(self) -> str:
        return f"<SimNode {self.id} {self.state} life {self.life}>"

    # -- the node's snapshot

    def record(self, lines: Sequence[str]) -> None:
        """Appends to the snapshot of this run, and rewrites it when it is long, as a driver does."""
        self.records += map(sys.intern, lines)  # a thousand nodes write the same about each other
        if len(self.records) > max(_RECORDS_KEPT, 2 * len(self.node.members())):
            self.base, self.records = self.node.snapshot(), []

    def written(self) -> str:
        """The snapshot that the next run would read if the process was killed now."""
        base = self.base or Snapshot(alive={m.name: m.endpoint for m in self.listed}).encode()
        return base + "".join(f"{line}\n" for line in self.records)

    # -- the node's view

    @property
    def name(self) -> str:
        """The gossip name."""
        return self.config.name

    @property
    def is_up(self) -> bool:
        """Whether a process is there, running or paused."""
        return self.state in ("running", "paused")

    @property
    def metrics(self) -> Metrics:
        """Counters and gauges of the current run."""
        return self.node.metrics

    @property
    def status(self) -> str:
        """``running``; ``leaving`` and ``left`` after a leave; ``stopped`` while no process lives here."""
        return self.node.status if self.is_up else "stopped"

    def now(self) -> float:
        """Virtual time, seconds."""
        return self._commands.now

    def _read(self) -> Node:
        return self.node

    def inspect(self) -> Inspection:
        """What its node holds inside, to look at."""
        return self.node.inspect()

    def statuses(self) -> dict[str, str]:
        """Status of every listed member, by name."""
        return {member.name: member.status.value for member in self.node.members()}

    def status_of(self, name: str) -> str:
        """Status of one member, or "" if it is not listed."""
        member = self.node.member(name)
        return member.status.value if member is not None else ""

    def alive_names(self) -> frozenset[str]:
        """Names of the members listed as alive."""
        return frozenset(member.name for member in self.alive())

    # -- commands of an application

    def subscribe(self, call: Callable[[float, Event], None]) -> None:
        """``call(now, event)`` for every event from now on, in this run and later ones.

        It may use the node's commands; they take effect after the event was delivered.

        Raises:
            UsageError: it is an ``async`` function or a generator.
        """
        plain_function("call", call)
        self._subscribers.append(call)

    def publish(self, now: float, event: Event) -> None:
        """Sends an event to the subscribers; called by the world."""
        self.events.append(event)
        for call in self._subscribers:
            call(now, event)

    def do(self, command: Command) -> Ticket:
        """Begins a command, as ``Cluster.do`` does; the ticket is done some virtual time later.

        Raises:
            LocalError: the node refuses it.
            ConfigError: as ``Cluster.do``.
            UsageError: no process runs there, or it is paused.
        """
        return self._commands.command(self, command)

    def join(self, addresses: Iterable[SimNode | str], *, replay: bool = False) -> Ticket:
        """Joins hosts or addresses."""
        if isinstance(addresses, str):
            return self.do(Join(addresses))  # which says what is wrong with that
        endpoints = [join_host_port(*at.endpoint) if isinstance(at, SimNode) else at for at in addresses]
        return self.do(Join(endpoints, replay=replay))

    def set_tags(self, tags: Mapping[str, str]) -> Ticket:
        """Replaces the tags."""
        return self.do(SetTags(tags))

    def update_tags(self, changes: Mapping[str, str], *, remove: Iterable[str] = ()) -> Ticket:
        """Changes some tags and keeps the rest."""
        return self.do(UpdateTags(changes, remove=remove))

    def force_leave(self, name: str, *, prune: bool = False) -> Ticket:
        """Declares that a member leaves."""
        return self.do(ForceLeave(name, prune=prune))

    def user_event(self, name: str, payload: bytes = b"", *, coalesce: bool = False) -> Ticket:
        """Sends a user event to all members, this node included."""
        return self.do(SendUserEvent(name, payload, coalesce=coalesce))

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
    ) -> Ticket:
        """Asks all members, or some; ``replies`` of the ticket grow until it is done."""
        command = SendQuery(
            name,
            payload,
            nodes=nodes,
            tags={} if tags is None else tags,
            ack=ack,
            relay_factor=relay_factor,
            timeout=timeout,
            finish_early=finish_early,
        )
        return self.do(command)

    def respond(self, query: Query, payload: bytes = b"") -> Ticket:
        """Answers a query that this node received."""
        return self.do(Respond(query, payload))

    def send(self, member: Member, payload: bytes) -> Ticket:
        """Sends bytes to one life of a member; ``result`` of the ticket raises if they were not delivered."""
        return self.do(SendMessage(member, payload))

    def broadcast(self, payload: bytes) -> Ticket:
        """Sends bytes to all members, this node included."""
        return self.do(BroadcastMessage(payload))

    def ping(self, name: str, *, via: str = "packet", timeout: float | None = None) -> Ticket:
        """Pings one member; the ``result`` of the ticket is the seconds until its ack, or None."""
        return self.do(SendPing(name, via=via, timeout=timeout))

    def install_key(self, key: bytes) -> Ticket:
        """Adds a gossip key to the keyring of every member; ``result`` is a ``KeyringResult``."""
        return self.do(InstallKey(key))

    def use_key(self, key: bytes) -> Ticket:
        """Makes every member encrypt with a key that all have installed."""
        return self.do(UseKey(key))

    def remove_key(self, key: bytes) -> Ticket:
        """Removes a gossip key from the keyring of every member, unless that encrypts with it."""
        return self.do(RemoveKey(key))

    def list_keys(self) -> Ticket:
        """Asks every member for its keys."""
        return self.do(ListKeys())

    def rejoin(self) -> Ticket:
        """Comes back after a leave that kept the process."""
        return self.do(Rejoin())

    def leave(self, *, stop: bool = True) -> Ticket:
        """Leaves gracefully; by default the process ends when that is done."""
        return self._commands.leave(self, stop=stop)


if TYPE_CHECKING:
    _: type[Membership] = SimNode
