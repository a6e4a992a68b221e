"""The sans-I/O node: bytes, streams, commands and time go in; transmits, stream work and events come out.

The caller owns sockets, clock and tasks. Its duties, in order, once per wake-up::

    # planned: next_deadline() before the wait; how much later this wake-up is, 0 if nothing was planned:
    overslept = max(0.0, now - planned)
    for data, source in everything_the_socket_holds():      # input before timers, always
        node.receive_packet(now, data, source)
    deadline = node.next_deadline()
    if overslept or (deadline is not None and deadline <= now):
        node.handle_timeout(now, overslept=overslept)
    output = node.poll()
    for transmit in output.transmits: ...                   # send each as one packet
    for action in output.streams: ...                       # Dial, Send, Close; feed what comes back
    for lookup in output.lookups: ...                       # resolve, then node.resolved(...)
    for event in output.events: ...                         # hand to the application, in order
    for reply in output.replies: ...                        # one of several to the command of that ticket
    for done in output.finished: ...                        # wake the task that waits for the ticket
    for line in output.records: ...                         # append to the snapshot that snapshot() began
    if output.keyring: ...                                  # store it if wanted, then node.keys_saved(...)
    if output.stop: ...                                     # stop at once, without leaving
    sleep_until_readable_or(node.next_deadline())

``poll`` also follows every command. ``now`` never goes back. Nothing here reads a clock, draws randomness of
its own, opens a socket or calls the application. The simulator drives the same class.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from swim import checks
from swim.addresses import Endpoint, join_host_port
from swim.commands import Command, Join, Leave, Rejoin, SendPing
from swim.config import Config
from swim.core.engine import Engine
from swim.core.output import Output, StreamEnd
from swim.core.rng import Rng
from swim.core.timers import Timers
from swim.errors import ConfigTypeError, LocalError
from swim.events import Member, MemberStatus, Reason, Transition, UserEvent
from swim.keyrings import KeyStatus
from swim.metrics import Metrics
from swim.serf.coordinates import Coordinate
from swim.serf.delegate import LayerCommand, SerfDelegate
from swim.serf.shared_view import BaseView
from swim.serf.snapshot import Recorder, Snapshot
from swim.serf.stats import NodeStats, node_stats
from swim.wire.keyring import Keyring
from swim.wire.messages import Alive
from swim.wire.packet import PacketCodec, WireFactory

if TYPE_CHECKING:
    from swim.core.probed import Probed
    from swim.detection import Detection, SeedStatus
    from swim.inspection import Inspection

__all__ = ["Accepted", "BaseView", "Node"]

_PEERS_REJOINED = 3
"""Members dialled beside the seeds by a node that comes back."""


class Accepted(NamedTuple):
    """An inbound stream that the node reads until the absolute ``deadline``."""

    stream_id: int
    deadline: float


class Node:
    """One member of a cluster, without sockets, clock or tasks.

    Args:
        config: the settings.
        advertise: the ``(ip, port)`` sent to peers.
        bind_port: the port it listens on, or the one that all nodes try first; used for addresses without a
            port, and for a port 0 in messages from peers.
        rng: every random choice.
        nonce: 12 fresh bytes per call for encryption; by default from ``rng``, which suits simulations only.
        snapshot: text that ``snapshot()`` returned in an earlier run, or "".
        wire: encodes and decodes packets; a simulator may pass its own, whose packets need not be bytes.

    Attributes:
        bind_port: as given.
        timers: its deadlines; a simulation may put conditions around some kinds (``Timers.wrap``).
        probed: how the last probe of each member ended, as it is kept for ``detection``.

    Raises:
        ConfigError: naming an argument that is wrong, or ``tags``, if they take more than 512 bytes.
    """

    @checks.arguments(
        config=checks.instance("a swim.Config", Config),
        advertise=checks.endpoint,
        bind_port=checks.port,
        rng=checks.instance("a swim.lowlevel.Rng", Rng),
        nonce=checks.optional(checks.instance("a function", call=True)),
        snapshot=checks.instance("a string", str),
    )
    def __init__(
        self,
        config: Config,
        *,
        advertise: Endpoint,
        bind_port: int,
        rng: Rng,
        nonce: Callable[[], bytes] | None = None,
        snapshot: str = "",
        wire: WireFactory = PacketCodec,
    ) -> None:
        self.config = config
        self.bind_port = bind_port
        self.metrics: Metrics = Metrics()
        self.keyring: Keyring = Keyring(config.keys)
        self._restored = Snapshot.replay(snapshot, rejoins=config.rejoin_after_leave)
        self._engine = Engine(
            config,
            advertise=advertise,
            bind_port=bind_port,
            rng=rng,
            metrics=self.metrics,
            keyring=self.keyring,
            nonce=nonce or (lambda: rng.bytes(12)),
            incarnation=self._restored.incarnation + 1,
            wire=wire,
        )
        self._layer = SerfDelegate(self._engine, config)
        self.timers: Timers = self._engine.context.timers
        self.probed: Probed = self._engine.context.probed
        self._roster = self._layer.roster
        self._inspection: Inspection | None = None
        self._recorder = Recorder(config.name, self._snapshot)
        self._engine.rejoining.changed = self._recorder.looked_for

    # -- inputs

    def start(self, now: float, *, clock_offset: float = 0.0, view: BaseView | None = None) -> None:
        """Makes the local member alive, joins the seeds and dials the members in the snapshot.

        Args:
            now: seconds.
            clock_offset: seconds from ``now`` to Unix time; only ``interleaved_probes`` depend on it.
            view: a cluster that this node belongs to already, for simulations: all its members are listed at
                once, without events, and no seed is dialled.

        Raises:
            LocalError: ``view`` does not list this node as it is. The node has not started.
        """
        engine, layer, restored = self._engine, self._layer, self._restored
        if view is not None and not view.lists(self.claim):
            raise LocalError(f"the view does not list {self.config.name!r} as it is")
        engine.set_clock(now, clock_offset)
        engine.start(now, layer, None if view is None else view.table)
        layer.restore(restored)
        engine.context.has_past = restored != Snapshot() and not restored.left
        if view is not None:
            layer.start_from(view)
        else:
            layer.member_joined(now, engine.context.local, Reason("local", detail="start"))
        self._recorder.unseen = {n: at for n, at in restored.alive.items() if n != self.config.name}
        engine.rejoining.returned(now, restored.alive, restored.failed)
        if self.config.seeds and view is None:
            engine.join(now, self.config.seeds, replay=engine.context.wants_past)

    def receive_packet(self, now: float, data: bytes, source: Endpoint) -> None:
        """One datagram from ``source``. A malformed one is counted and dropped."""
        self._engine.receive_packet(now, data, source)

    def accept_stream(self, now: float, source: Endpoint) -> Accepted | None:
        """An inbound stream; None means that the driver closes it unread."""
        stream_id = self._engine.accept_stream(now, source)
        return None if stream_id is None else Accepted(stream_id, now + self.config.tcp_timeout)

    def receive_stream(self, now: float, stream_id: int, data: bytes) -> None:
        """Bytes read from a stream."""
        self._engine.receive_stream(now, stream_id, data)

    def stream_ended(self, now: float, stream_id: int, end: StreamEnd, detail: str = "") -> None:
        """A stream is over and the node did not ask for it."""
        self._engine.stream_ended(now, stream_id, end, detail)

    def send_failed(self, now: float, endpoint: Endpoint, detail: str) -> None:
        """A packet to ``endpoint`` could not be sent."""
        self._engine.send_failed(now, endpoint, detail)

    def resolved(self, now: float, address: str, endpoints: Sequence[Endpoint], error: str = "") -> None:
        """The answer to a ``Lookup``: endpoints, or none and why."""
        self._engine.resolved(now, address, endpoints, error)

    def handle_timeout(self, now: float, *, overslept: float = 0.0) -> None:
        """Fires due timers. ``overslept``: seconds by which this wake-up is later than planned."""
        self._engine.handle_timeout(now, overslept)
        layer = self._layer
        if layer.clock.time + layer.events.clock.time + layer.queries.clock.time != self._recorder.stamps:
            self._recorder.look(now, self._numbers())

    def keys_saved(self, now: float, number: int, error: str = "") -> None:
        """The driver has stored the keyring of that ``SaveKeys``; or it has not, and why."""
        self._layer.keys.saved(now, number, error)

    def cut_off(self, now: float, *, is_cut_off: bool) -> None:
        """Sets whether this node is unreachable; while it is, it probes and accuses no member."""
        self._engine.cut_off(now, is_cut_off=is_cut_off)

    def set_clock(self, now: float, offset: float) -> None:
        """Sets ``clock_offset`` anew, as after a suspension of the machine."""
        self._engine.set_clock(now, offset)

    def sends_from(self, _now: float, host: str) -> None:
        """Sets the source address of the node's output, ``host``, which it does not advertise."""
        self._engine.sends_from(host)

    # -- outputs

    def next_deadline(self) -> float | None:
        """When ``handle_timeout`` is due, absolute seconds; None if nothing is."""
        return self.timers.next_deadline()

    def poll(self) -> Output:
        """Everything to be done since the last call."""
        roster, recorder = self._roster, self._recorder
        if roster.events:
            recorder.happened(roster.events)
            self._engine.context.output.events, roster.events = roster.events, []
        if recorder.lines:
            self._engine.context.output.records, recorder.lines = recorder.lines, []
        return self._engine.poll()

    # -- commands

    def do(self, now: float, command: Command) -> int:
        """Begins a command; the number returned is the ``ticket`` of the ``Finished`` that ends it.

        Raises:
            LocalError: it is not possible now (for example after a leave), or not in a plain memberlist pool.
            DeliveryError: the member of a message is not listed, or its life is over.
            ConfigError: naming ``tags`` or ``payload``, if too large once encoded. The old tags stay.
            TypeError: ``command`` is not a command.
        """
        match command:
            case Join(addresses):
                return self._engine.join(now, addresses, replay=command.replay)
            case Leave():
                return self._engine.leave(now)
            case SendPing():
                return self._engine.ping(now, command)
            case Rejoin():
                return self._rejoin(now, command.advertise)
            case _ if isinstance(command, LayerCommand):
                return self._layer.do(now, command)
        raise ConfigTypeError("command", f"must be a command such as swim.Leave(), not {command!r}")

    def abandon(self, now: float, ticket: int) -> None:
        """No more replies to this command are wanted: it finishes now."""
        self._layer.queries.end(now, ticket)

    def _rejoin(self, now: float, advertise: Endpoint | None) -> int:
        peers = [
            join_host_port(*member.endpoint)
            for member in self.members()
            if member.status is MemberStatus.ALIVE and member.name != self.config.name
        ]
        self._engine.restart(now, advertise)
        self._layer.restarted(now)
        return self._engine.join(now, [*self.config.seeds, *peers[:_PEERS_REJOINED]], replay=True)

    # -- views

    @property
    def status(self) -> str:
        """``idle``, ``running``, ``leaving`` or ``left``."""
        return self._engine.context.status

    @property
    def advertised(self) -> Endpoint:
        """The address and port that are sent to peers."""
        return self._engine.context.local.endpoint

    @property
    def is_alone(self) -> bool:
        """Whether no other member is alive or suspect."""
        return not self._engine.context.has_peers

    @property
    def claim(self) -> Alive:
        """The node's claim about itself, started or not; a ``BaseView`` is made of such claims."""
        return self._engine.context.local.alive_claim()._replace(meta=self._layer.meta())

    @property
    def local(self) -> Member:
        """The node's own entry."""
        entry = self._layer.roster.get(self.config.name)
        if entry is None:
            raise LocalError("the node has not been started")
        return entry.member

    def members(self) -> tuple[Member, ...]:
        """All listed members, the node itself included."""
        return self._layer.roster.members()

    def member(self, name: str) -> Member | None:
        """One listed member."""
        entry = self._layer.roster.get(name)
        return entry.member if entry is not None else None

    def history(self, name: str) -> tuple[Transition, ...]:
        """A member's last transitions, oldest first."""
        return self._layer.roster.history(name)

    def user_events(self) -> tuple[UserEvent, ...]:
        """The user events that the node remembers, oldest first: as far back as Serf's window of stamps."""
        return self._layer.events.remembered()

    def seeds(self) -> tuple[SeedStatus, ...]:
        """The state of joining each of ``Config.seeds``."""
        return self._engine.rejoining.seeds()

    def coordinate(self, name: str | None = None) -> Coordinate | None:
        """A member's network coordinate, or this node's own."""
        coordinates = self._layer.coordinates
        return None if coordinates is None else coordinates.get(self.config.name if name is None else name)

    def coordinates_since(self, last: Coordinate | None) -> dict[str, Coordinate]:
        """The coordinates heard after ``last``, newest first, and this node's own if there is any of them."""
        coordinates = self._layer.coordinates
        if coordinates is None:
            return {}
        heard = dict(coordinates.since(last))
        return heard | {self.config.name: coordinates.own} if heard or last is None else heard

    def detection(self, name: str) -> Detection | None:
        """What the failure detector knows of a listed member."""
        from swim.serf.detections import detection  # few nodes are asked

        return detection(self._engine, self._layer.roster, name)

    def inspect(self) -> Inspection:
        """What the node holds inside, to look at. Costs nothing unless it is called."""
        if self._inspection is None:
            from swim.inspection import Inspection  # takes a while, and a node that runs needs none

            self._inspection = Inspection(self._engine, self._layer)
        return self._inspection

    def stats(self) -> NodeStats:
        """Counts, clocks and queue lengths; brings the gauges up to date."""
        return node_stats(self._engine, self._layer)

    def key_status(self) -> KeyStatus:
        """Fingerprints of the gossip keys, and who sends what they do not decrypt."""
        return KeyStatus(self.keyring.fingerprints, self._engine.context.decrypt_failures.counts)

    def snapshot(self) -> str:
        """Text to store and pass as ``snapshot=`` after a restart: the whole state, in Serf's format.

        Append ``Output.records`` to it, each with a line feed, to keep it up to date. Each run begins with a
        new snapshot, taken after ``start``. Any later one may replace it, to make it shorter.
        """
        return self._snapshot().encode()

    def _snapshot(self) -> Snapshot:
        has_left = self.status == "left"
        # No member to join, even if damage takes the line of the leave.
        if has_left and not self.config.rejoin_after_leave:
            return Snapshot({}, {}, *self._numbers(), left=True)
        unseen, past = self._recorder.unseen, self._engine.rejoining.candidates()
        listed = {m.name: m.endpoint for m in self.members() if m.status is MemberStatus.ALIVE}
        alive, failed = {**unseen, **listed}, {name: at for name, at in past.items() if name not in unseen}
        return Snapshot(alive, failed, *self._numbers(), left=has_left)

    def _numbers(self) -> tuple[int, int, int, int]:
        """The contents of a snapshot besides members: the incarnation, and the last stamp of each clock."""
        layer = self._layer
        incarnation, queries = self._engine.context.local.incarnation, layer.queries
        return incarnation, layer.clock.time - 1, layer.events.clock.time - 1, queries.clock.time - 1
