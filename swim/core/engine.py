"""The SWIM engine: routes packets, streams, timers and commands to the parts that own the state.

It contains only the routing of packets, timers and commands; ``exchanges`` routes streams. The rules are in
``claims``, ``prober``, ``ping_responder``, ``verify``, ``push_pull``, ``join``, ``reconnect``, ``leave`` and
``user_messages``. Messages of one packet are handled in order; memberlist handles them concurrently.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from swim.addresses import Endpoint
from swim.commands import SendPing
from swim.config import Config
from swim.core.asked_pings import AskedPings
from swim.core.claims import Claims
from swim.core.context import Context, logger
from swim.core.delegate import Delegate
from swim.core.evidence import Source, packet_source
from swim.core.exchanges import Exchanges
from swim.core.gossip import Gossip
from swim.core.introduction import Introductions
from swim.core.join import Joins
from swim.core.leave import Leaving
from swim.core.member import INCARNATION_MAX, Record, State, pack_address
from swim.core.output import Finished, Output, StreamEnd
from swim.core.ping_responder import PingResponder
from swim.core.pings import Pings
from swim.core.prober import Prober
from swim.core.purposes import Periodic
from swim.core.push_pull import PushPulls
from swim.core.push_pull_schedule import PushPullSchedule
from swim.core.reconnect import Reconnects
from swim.core.refusals import Refusals
from swim.core.rng import Rng
from swim.core.streams import Streams
from swim.core.table import TableBase
from swim.core.timers import Timer, TimerKind
from swim.core.user_messages import UserMessages
from swim.core.verify import Verify
from swim.errors import CANNOT_JOIN, LocalError, RemoteError
from swim.events import ForceLeaveOutcome
from swim.metrics import Metrics
from swim.wire.codec import decode
from swim.wire.keyring import Keyring
from swim.wire.messages import (
    Ack,
    Alive,
    BroadcastHeader,
    Dead,
    IndirectPing,
    Message,
    Nack,
    Ping,
    Suspect,
    User,
)
from swim.wire.packet import PacketCodec, WireFactory

__all__ = ["Engine"]

_PROTOCOL_MIN, _PROTOCOL_MAX = 1, 5
_DELEGATE_MIN, _DELEGATE_MAX = 2, 5


class Engine:
    """One node's SWIM protocol, with a delegate above and a driver below."""

    def __init__(
        self,
        config: Config,
        *,
        advertise: Endpoint,
        bind_port: int,
        rng: Rng,
        metrics: Metrics,
        keyring: Keyring,
        nonce: Callable[[], bytes],
        incarnation: int = 1,
        wire: WireFactory = PacketCodec,
    ) -> None:
        host, port = advertise
        delegate = (_DELEGATE_MIN, _DELEGATE_MAX) if config.delegate_version else (0, 0)
        vsn = bytes(
            (_PROTOCOL_MIN, _PROTOCOL_MAX, config.protocol_version, *delegate, config.delegate_version)
        )
        incarnation = min(incarnation, INCARNATION_MAX)
        claim = Alive(incarnation, config.name, pack_address(host), port, None, vsn)
        context = Context(
            config,
            local=Record(claim, State.ALIVE, 0.0, verified=True),
            bind_port=bind_port,
            rng=rng,
            metrics=metrics,
            keyring=keyring,
            nonce=nonce,
            wire=wire,
        )
        self.context = context
        self.gossip: Gossip = Gossip(context)
        self.pings: Pings = Pings(context)
        self.verify: Verify = Verify(context, self.gossip, self.pings)
        self.claims: Claims = Claims(context, self.gossip, self.verify)
        self.streams: Streams = Streams(context)
        self.push_pulls: PushPulls = PushPulls(context, self.claims, self.streams)
        self._refusals = Refusals(context, self.claims, self.streams, self.gossip)
        self._prober = Prober(
            context, self.gossip, self.pings, self.claims, self.verify, self.streams, self._refusals
        )
        self.responder: PingResponder = PingResponder(context, self.gossip, self.pings)
        self._schedule = PushPullSchedule(context, lambda now: self.push_pull(now))
        self._joins = Joins(context, self.push_pulls)
        self.rejoining: Reconnects = Reconnects(context, self.push_pulls, self.gossip, self.pings)
        self._introductions = Introductions(context, self.gossip, self.pings, self.rejoining)
        self._departure = Leaving(context, self.gossip, self.claims, self.push_pulls)
        self.messages: UserMessages = UserMessages(context, self.streams, self.gossip, self.pings)
        self.asked_pings: AskedPings = AskedPings(context, self.gossip, self.pings, self.streams)
        Exchanges(
            context,
            self.streams,
            push_pulls=self.push_pulls,
            prober=self._prober,
            refusals=self._refusals,
            joins=self._joins,
            rejoining=self.rejoining,
            departure=self._departure,
            messages=self.messages,
            asked_pings=self.asked_pings,
        )
        self._origin: Source | None = None  # of the claims in the packet at hand
        self._grown = 0
        self._last_ticket = 0
        self._updates: dict[int, ForceLeaveOutcome | None] = {}
        self._update_end: Timer[int] = context.timers.kind(
            TimerKind.BROADCAST_END, lambda _, ticket: self.finish(ticket), self._updates.__contains__
        )

    # -- start

    def start(self, now: float, delegate: Delegate, base: TableBase | None = None) -> None:
        """Makes the local member alive and arms the periodic timers; ``base`` lists all members it knows."""
        context, table = self.context, self.context.table
        context.delegate = delegate
        context.status = "running"
        if base is not None:
            context.is_fresh = False
            table.start_from(base)
            context.contacts.start_from(base)
            self._prober.arm(now)
            self._schedule.arm(now)
        else:
            claim = table.local.alive_claim()._replace(meta=delegate.meta())
            table.add(Record(claim, State.ALIVE, now, verified=True))
        context.resized(now)
        self.rejoining.arm(now)

    def restart(self, now: float, advertise: Endpoint | None = None) -> None:
        """After a leave: the same member again, under the next incarnation, perhaps at another address."""
        context = self.context
        if context.status != "left" or self._departure.is_under_way:
            raise LocalError("rejoin is possible only after the leave has finished")
        context.status = "running"
        if advertise is not None:
            host, port = advertise
            claim = context.local.alive_claim()._replace(addr=pack_address(host), port=port)
            context.table.put(context.local.under(claim))
        local = context.local
        local = context.table.put(local.turned(State.ALIVE, now, local.next_incarnation))
        context.first_incarnation = local.incarnation
        self.messages.new_life()
        self.claims.announce_self(now)
        self.rejoining.arm(now)
        self._after(now)

    def ticket(self) -> int:
        """A new number for a command whose outcome follows later."""
        self._last_ticket += 1
        return self._last_ticket

    # -- inputs

    def receive_packet(self, now: float, data: bytes, source: Endpoint) -> None:
        """Handles one datagram; a malformed one is counted and dropped."""
        context, config = self.context, self.context.config
        counters = context.metrics.counters
        counters["swim.packets.received"] += 1
        counters["memberlist.udp.received"] += len(data)
        if context.networks is not None and not context.allows(source[0]):
            context.metrics.dropped("cidr")
            return
        context.new_members_left = config.max_new_members_per_packet
        context.corrections_left = 1
        context.elements.left = config.max_packet_elements
        context.answers_left = config.max_answers_per_packet
        try:
            messages = context.packets.open(data, context.metrics)
        except RemoteError as error:
            context.metrics.dropped(error.reason)
            context.decrypt_failures.dropped(now, error.reason, source[0])
            logger.debug("packet from %s:%d dropped: %s", *source, error)
            return
        if context.keyring.primary is not None and context.is_replay(data):
            context.metrics.dropped("replayed")
            return
        sender = context.table.at(source)
        if sender is not None and not sender.verified and sender.is_live:
            self.verify.packet_from(now, sender)
        self._origin = None
        for message in messages:
            try:
                self._handle(now, decode(message, context.elements), source, sender)
            except RemoteError as error:
                context.metrics.dropped(error.reason)
        self._after(now)

    def accept_stream(self, now: float, source: Endpoint) -> int | None:
        """Takes an inbound stream, or refuses it."""
        return self.streams.accept(now, source)

    def receive_stream(self, now: float, stream_id: int, data: bytes) -> None:
        """Handles bytes of a stream."""
        self.streams.receive(now, stream_id, data)
        self._after(now)

    def stream_ended(self, now: float, stream_id: int, end: StreamEnd, detail: str) -> None:
        """Handles the end of a stream."""
        self.streams.ended(now, stream_id, end, detail)
        self._after(now)

    def send_failed(self, now: float, endpoint: Endpoint, detail: str) -> None:
        """Handles a packet that could not be sent."""
        self.context.metrics.dropped("send")
        self._prober.send_failed(now, endpoint, detail)
        self._after(now)

    def resolved(self, now: float, address: str, endpoints: Sequence[Endpoint], error: str) -> None:
        """Handles the answer to a lookup."""
        self._joins.resolved(now, address, endpoints, error)
        self.rejoining.resolved(now, address, endpoints, error)
        self._after(now)

    def handle_timeout(self, now: float, overslept: float) -> None:
        """Fires due timers. After a gap, age-based decisions wait a round and the health score rises."""
        context = self.context
        config = context.config
        if overslept > max(config.probe_timeout, 0.05) / 2:
            context.metrics.count("swim.overslept")
            context.metrics.count("swim.overslept-ms", round(1000 * overslept))
            context.awareness.apply(1 + int(overslept / max(config.probe_interval, 0.1)))
            self.claims.hold(now, overslept)
            self._prober.hold(now)
        context.timers.fire_due(now)
        self._after(now)

    def cut_off(self, now: float, *, is_cut_off: bool) -> None:
        """Sets whether this node is unreachable; while it is, it accuses no member."""
        self.context.is_cut_off = is_cut_off
        self.claims.hold(now, 0.0)
        self._prober.hold(now)

    # -- commands

    def set_clock(self, now: float, offset: float) -> None:
        """Sets the seconds from the node's own clock to Unix time."""
        self._prober.set_clock(now, offset)

    def sends_from(self, host: str) -> None:
        """This node's output leaves from ``host``, which it does not advertise."""
        self.context.paths.source = host

    def join(self, now: float, addresses: Sequence[str], *, replay: bool = True) -> int:
        """Starts a join; its ``JoinResult`` follows under the returned ticket."""
        if self.context.status != "running":
            raise LocalError(CANNOT_JOIN)
        ticket = self.ticket()
        self._joins.begin(now, ticket, addresses, replay=replay)
        self._after(now)
        return ticket

    def ping(self, now: float, command: SendPing) -> int:
        """Pings one member; the seconds until its ack follow under the returned ticket."""
        if self.context.status != "running":
            raise LocalError("a ping is not possible after leaving")
        ticket = self.ticket()
        self.asked_pings.begin(now, ticket, command)
        self._after(now)
        return ticket

    def leave(self, now: float) -> int:
        """Starts the leave, or waits for the one in progress."""
        ticket = self.ticket()
        self._departure.begin(now, ticket)
        self._after(now)
        return ticket

    def update(self, now: float, meta: bytes | None) -> int:
        """Publishes new metadata; finishes once it was sent often enough, or after ``broadcast_timeout``."""
        if self.context.status != "running":
            raise LocalError("tags cannot change after leaving")
        ticket = self.ticket()
        self.claims.update_self(now, meta, ticket=ticket)
        self.wait(now, ticket)
        self._after(now)
        return ticket

    def wait(self, now: float, ticket: int, result: ForceLeaveOutcome | None = None) -> None:
        """Finishes ``ticket`` with ``result`` within ``broadcast_timeout``; at once if there is no peer."""
        self._updates[ticket] = result
        patience = self.context.config.broadcast_timeout if self.context.has_peers else 0.0
        self.context.timers.at(now + patience, self._update_end, ticket)

    def finish(self, ticket: int) -> None:
        """A broadcast that carried ``ticket`` was sent often enough."""
        if ticket in self._updates:
            self.context.output.finished.append(Finished(ticket, self._updates.pop(ticket)))

    def poll(self) -> Output:
        """Everything to be done since the last call."""
        output = self.context.output
        if output:
            self.context.output = Output()
        return output

    # -- routing

    def _handle(self, now: float, message: Message, source: Endpoint, sender: Record | None) -> None:
        match message:
            case Ping():
                self.responder.ping(now, message, source)
                self._refusals.called(source[0], message.source_node)
                if sender is None:
                    self._introductions.called(now, source, message.node, message.source_node)
            case Ack():
                self.pings.ack(now, message, source)
            case Alive() | Suspect() | Dead():
                self._claim(now, message, source, sender)
            case User():
                self.messages.in_packet(now, message.body, source)
            case IndirectPing():
                self.responder.indirect_ping(now, message, source)
            case Nack():
                self.pings.nack(now, message, source)
            case BroadcastHeader():
                self.messages.announced(message)
            case _:
                raise RemoteError("unknown-type", "stream message in a packet")

    def _claim(
        self, now: float, claim: Alive | Suspect | Dead, source: Endpoint, sender: Record | None
    ) -> None:
        if self._origin is None:
            self._origin = packet_source(source, sender)
        if sender is None and not isinstance(claim, Alive):
            self._introductions.called(now, source, claim.node)
        self.claims.apply(now, claim, self._origin)

    def push_pull(self, now: float) -> None:
        """Pushes/pulls with a random live member, beside the schedule."""
        self.push_pulls.with_random_member(now, Periodic())

    def _after(self, now: float) -> None:
        """Follows up on what an input changed: table growth, finished broadcasts."""
        context = self.context
        if self.claims.grown != self._grown:
            count = self.claims.grown - self._grown
            self._grown = self.claims.grown
            self._prober.arm(now, is_joining=True)
            self._schedule.grown(now, count)
            self.rejoining.arm(now)
            self.gossip.poke(now)
        if context.backlog.finished:
            for ticket in context.backlog.finished:
                self.finish(ticket)
            context.backlog.finished.clear()
