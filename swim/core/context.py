"""What the parts of the core share: settings, table, timers, the outgoing batch, the node's own status."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable
from typing import Literal

from swim.addresses import Endpoint, why_unreachable, why_unusable
from swim.config import Config
from swim.core.allowance import Allowance
from swim.core.awareness import Awareness
from swim.core.broadcast import Backlog, BroadcastQueue
from swim.core.contacts import Contacts
from swim.core.decrypt_failures import DecryptFailures
from swim.core.delegate import Delegate
from swim.core.member import Record
from swim.core.output import Output
from swim.core.paths import Paths
from swim.core.probed import Probed
from swim.core.rng import Rng
from swim.core.round_trips import RoundTrips
from swim.core.table import Table
from swim.core.timers import Timers
from swim.core.token_bucket import TokenBucket
from swim.metrics import Metrics
from swim.wire.go_msgpack import ElementBudget
from swim.wire.keyring import Keyring
from swim.wire.packet import PacketCodec, Wire, WireFactory
from swim.wire.replay import SeenNonces
from swim.wire.stream import StreamCodec

__all__ = ["Context", "NodeStatus", "logger"]

logger: logging.Logger = logging.getLogger("swim.core")

NodeStatus = Literal["idle", "running", "leaving", "left"]


class Context:
    """One node's shared state. The parts read and change it; nothing outside the core does.

    Attributes:
        backlog: what waits in all broadcast queues, those of the layer above included.
        bind_port: stands in for a port 0 in received messages.
        status: ``idle`` before the start, then ``running``, ``leaving``, ``left``.
        new_members_left: how many unknown members the packet at hand may still add.
        networks: the CIDR list; None admits every host.
        corrections_left: how many of its stale accusations may still be answered.
        elements: how many elements its messages may still announce.
        first_incarnation: the lowest that this run, or this life after a leave, ever had; messages to lower
            ones mean an earlier one.
        is_fresh: no peer knows of this run yet, so any claim about this node is from an earlier run.
        is_introduced: this run's state was sent to a peer, so claims in packets may be about this run.
        has_past: a snapshot of an earlier run was read, so events missed since then are wanted.
        newcomer_until: until when this node counts as having just found its first peer.
        answers_left: how many of its pings and relay requests may still be answered.
        contacts: addresses that streams may go to.
        paths: members that answer only pings or only streams.
        probed: how the last probe of each member ended.
        round_trips: how long a direct ping waits; without ``measured_timeouts``, it learns nothing.
        allowance: bytes that the packets of a host may still cause.
        decrypt_failures: sources of input that no key of this node decrypts.
        seen_nonces: nonces of the latest encrypted packets; None if they are not remembered.
    """

    def __init__(
        self,
        config: Config,
        *,
        local: Record,
        bind_port: int,
        rng: Rng,
        metrics: Metrics,
        keyring: Keyring,
        nonce: Callable[[], bytes],
        wire: WireFactory = PacketCodec,
    ) -> None:
        self.config = config
        self.rng = rng
        self.metrics = metrics
        self.keyring = keyring
        self.packets: Wire = wire(config, keyring, nonce)
        most = config.max_remembered_packets
        self.seen_nonces: SeenNonces | None = SeenNonces(most) if most else None
        self.streams: StreamCodec = StreamCodec(
            config, keyring, nonce, seen=SeenNonces(most) if most else None
        )
        self.timers: Timers = Timers()
        self.table: Table = Table(
            rng, local, max_tombstones=config.max_tombstones, interleaved=config.interleaved_probes
        )
        self.backlog: Backlog = Backlog()
        self.queue: BroadcastQueue = self.new_queue()
        self.awareness: Awareness = Awareness(config.awareness_max_multiplier)
        self.output: Output = Output()
        self.bind_port = bind_port
        self.status: NodeStatus = "idle"
        self.new_members_left: int = config.max_new_members_per_packet
        self.corrections_left = 0
        self.is_cut_off = False
        self.elements: ElementBudget = ElementBudget(config.max_packet_elements)
        self.first_incarnation: int = local.incarnation
        self.is_fresh = True
        self.is_introduced = False
        self.has_past = False
        self.newcomer_until: float = float("-inf")
        self.answers_left = 0
        self.contacts: Contacts = Contacts(config.max_members)
        self.paths: Paths = Paths(self.table)
        self.probed: Probed = Probed()
        self.round_trips: RoundTrips = RoundTrips(config.probe_timeout_min, config.probe_timeout)
        self.allowance: Allowance = Allowance(config.max_answer_bytes_per_second)
        self._warnings = TokenBucket(per_second=1.0, burst=20.0)
        self.decrypt_failures: DecryptFailures = DecryptFailures(self.warn)
        self.delegate: Delegate
        self.networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] | None = (
            None
            if config.cidrs_allowed is None
            else [ipaddress.ip_network(cidr, strict=False) for cidr in config.cidrs_allowed]
        )

    def new_queue(self) -> BroadcastQueue:
        """A broadcast queue by the settings."""
        config = self.config
        return BroadcastQueue(
            config.retransmit_mult,
            max_depth=config.max_queue_depth,
            max_bytes=config.max_queue_bytes,
            backlog=self.backlog,
        )

    @property
    def local(self) -> Record:
        """The node's own record."""
        return self.table.local

    @property
    def n(self) -> int:
        """memberlist's node-count estimate: self, live and unreaped dead members."""
        return len(self.table)

    @property
    def is_authenticated(self) -> bool:
        """Whether packets are accepted only from holders of a key."""
        return bool(self.keyring) and self.config.gossip_verify_incoming

    def warn(self, now: float, message: str, *values: object) -> None:
        """Warns of what is wrong with a peer: of some at once, then of one a second; metrics count all."""
        if self._warnings.spend(now):
            logger.warning(message, *values)

    def is_replay(self, data: bytes) -> bool:
        """Whether an encrypted packet was received before; plain packets may be equal by chance."""
        if self.seen_nonces is None or not self.is_authenticated:
            return False
        return not self.seen_nonces.admit(self.packets.nonce_of(data))

    def may_dial(self, endpoint: Endpoint) -> bool:
        """Whether streams may go to ``endpoint``: a ping was acked there, or an operator named it."""
        return self.contacts.is_known(endpoint) or not self.config.verify_second_hand

    def is_proven(self, record: Record) -> bool:
        """Whether a member was seen first-hand, or acked."""
        return record.verified or self.may_dial(record.endpoint)

    @property
    def has_peers(self) -> bool:
        """Whether any other member is alive or suspect."""
        table = self.table
        return table.live - table.local.is_live > 0

    @property
    def wants_past(self) -> bool:
        """Whether events of the past are wanted: always if this node took part before and missed them."""
        return self.config.replay_on_join or self.has_past or not self.is_fresh

    def is_newcomer(self, now: float) -> bool:
        """Whether it found its first peer just now, so its table cannot confirm second-hand claims yet."""
        return now < self.newcomer_until and self.has_peers

    def allows(self, host: str) -> bool:
        """Whether the CIDR list admits packets, streams and claims from ``host``."""
        if self.networks is None:
            return True
        address = ipaddress.ip_address(host)
        return any(address in network for network in self.networks)

    def why_unusable(self, host: str) -> str:
        """Why no member can be at ``host``, as seen from this node; "" if one can."""
        return why_unusable(host, self.local.endpoint[0])

    def why_unreachable(self, host: str) -> str:
        """Why nothing is sent to ``host``; "" if it may be."""
        return why_unreachable(host, self.local.endpoint[0])

    def endpoint_name(self, endpoint: Endpoint) -> str:
        """Name of the member at ``endpoint``, or ""."""
        record = self.table.at(endpoint)
        return record.name if record is not None else ""

    def resized(self, now: float) -> bool:
        """Adapts the queues to the table's size; True if broadcasts came back into the queue."""
        self.delegate.cluster_resized(now, self.n)
        return self.queue.resize(now, self.n)
