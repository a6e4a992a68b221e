"""Every setting of a node in one frozen value, with memberlist's three profiles.

Names are memberlist's and Serf's in snake_case. Durations are float seconds. ``Config`` checks each field and
the combinations when it is built and names the offending field.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack, overload

from swim import checks
from swim.config import identity, limits
from swim.config.profiles import AT_LEAST, PROFILES, Changes, Settings
from swim.errors import ConfigError, ConfigTypeError
from swim.frozen import FrozenMap
from swim.text import closest
from swim.values import dataclass

if TYPE_CHECKING:
    from swim.config.merge_policy import MergePolicy

__all__ = ["Config", "default_name"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Settings of one node. Use ``Config.lan()``, ``.wan()`` or ``.local()`` and override by keyword.

    Brackets after each setting hold the unit and range of a number, and where the setting comes from: the
    name that memberlist or Serf has for it, or ``swim`` for one of our own.

    Raises:
        ConfigError: naming the field, when a value or a combination is impossible.
    """

    # -- identity and addresses
    name: str
    """The member's name in the cluster, 1 to 128 bytes; no two may share one. ``local`` makes one up.
    [memberlist: Name]"""
    bind: str = "127.0.0.1:7946"
    """``HOST:PORT`` or ``[V6]:PORT``; port 0 lets the system choose one for UDP and TCP alike, and
    ``FIRST-LAST`` takes the first that is free. Addresses without a port are at this one, of a range at its
    first. [memberlist: BindAddr, BindPort]"""
    advertise: str | None = None
    """Address sent to peers, ``HOST[:PORT]``; None picks one of the bind address's family.
    [memberlist: AdvertiseAddr, AdvertisePort]"""
    seeds: tuple[str, ...] = ()
    """Addresses to join, ``HOST[:PORT]``; names are resolved again at every attempt. [swim]"""
    tags: Mapping[str, str] = field(default_factory=FrozenMap)
    """Serf tags; at most 512 bytes once encoded. [Serf: Tags]"""

    # -- versions
    protocol_version: int = 2
    """memberlist's protocol spoken; every current peer speaks 2. [1 to 5; memberlist: ProtocolVersion]"""
    delegate_version: int = 5
    """Serf protocol spoken, or 0 for a plain memberlist pool without Serf (Alertmanager).
    [0, 2 to 5; memberlist: DelegateProtocolVersion]"""

    # -- packets and streams
    label: str = ""
    """Stands before every packet and stream; input with another label is dropped.
    [0 to 255 bytes; memberlist: Label]"""
    skip_inbound_label_check: bool = False
    """Accept input whose label was checked and removed before, as by a proxy.
    [memberlist: SkipInboundLabelCheck]"""
    send_label: bool = True
    """False sends without ``label`` until every node of a running cluster accepts it; only together with
    ``accept_unlabelled``. [swim]"""
    accept_unlabelled: bool = False
    """Also accept packets and streams without a label, while ``label`` is added to a running cluster.
    [swim]"""
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    """Gossip keys; the first one encrypts, all decrypt. [16, 24 or 32 bytes each; memberlist: Keyring]"""
    gossip_verify_incoming: bool = True
    """With keys: drop input that is not encrypted. [memberlist: GossipVerifyIncoming]"""
    gossip_verify_outgoing: bool = True
    """With keys: encrypt output. Both are off for a while when a pool moves to encryption.
    [memberlist: GossipVerifyOutgoing]"""
    accept_encryption_v0: bool = False
    """Read the unauthenticated-version form that nodes before protocol 2 send. [memberlist: always on]"""
    enable_compression: bool = False
    """Compress output; compressed input is always read. It costs ten times the rest of a packet's handling,
    so only ``wan`` turns it on; memberlist does in every profile. [memberlist: EnableCompression]"""
    udp_buffer_size: int = 1400
    """Largest packet sent, all layers included. [bytes, >= 512; memberlist: UDPBufferSize]"""
    cidrs_allowed: tuple[str, ...] | None = None
    """Networks that packets, streams and advertised addresses may come from; None allows all, () none.
    [memberlist: CIDRsAllowed]"""
    merge_policy: MergePolicy | None = None
    """Which members may join; None for all. Asked when a member is unknown, failed or left, for packets and
    push/pulls alike (``docs/policies.md``), and not again while it is alive. [swim]"""
    require_node_names: bool = False
    """Refuse to dial an address given without a ``NAME/`` prefix. [memberlist: RequireNodeNames]"""

    # -- failure detection (lan profile)
    probe_interval: float = 1.0
    """Time between two probe rounds; 0 disables probing. [seconds, >= 0; memberlist: ProbeInterval]"""
    probe_timeout: float = 0.5
    """Time to wait for a direct ack before relays are asked; at most ``probe_interval``.
    [seconds, >= 0; memberlist: ProbeTimeout]"""
    measured_timeouts: bool = False
    """Wait for a direct ack only as long as the member's earlier round trips suggest (RFC 6298), and at most
    ``probe_timeout``; relays and the stream ping have the rest of the period. [swim]"""
    probe_timeout_min: float = 0.1
    """With ``measured_timeouts``: the least wait, and the least by which it exceeds the mean round trip; at
    most ``probe_timeout``. [seconds, >= 0.001; swim]"""
    probe_alignment: float = 0.0
    """Start probe rounds at multiples of this time of the clock; 0 starts them at any moment. Nodes that
    share a process then wake together, which costs less than waking one by one. [seconds, >= 0; swim]"""
    interleaved_probes: bool = True
    """Probe in the order of a hash of the names, at a moment of the period that follows from it, so that each
    member is probed once in every period: within one after it died, where random orders take up to five.
    Needs wall clocks that agree within a fraction of ``probe_interval``; without that, and where views
    differ, it does what a round-robin does. [swim]"""
    indirect_checks: int = 3
    """Relays asked for an indirect ping when a direct ping gets no ack; 0 asks none.
    [members, >= 0; memberlist: IndirectChecks]"""
    disable_tcp_pings: bool = False
    """Do not fall back to a ping over a stream when packets get no ack. [memberlist: DisableTcpPings]"""
    suspicion_mult: int = 4
    """Minimum suspicion in probe intervals, times log10 of the cluster's size (Lifeguard: alpha).
    [factor, >= 1; memberlist: SuspicionMult]"""
    suspicion_max_timeout_mult: int = 6
    """Maximum suspicion as a multiple of the minimum, before other members confirm it (Lifeguard: beta).
    [factor, >= 1; memberlist: SuspicionMaxTimeoutMult]"""
    awareness_max_multiplier: int = 8
    """Health scores go from 0 to this minus 1; timeouts are stretched by the score + 1 (Lifeguard: S).
    [factor, >= 1; memberlist: AwarenessMaxMultiplier]"""
    awareness_stretches_suspicion: bool = True
    """Multiply the minimum suspicion, up to the maximum, by the health score + 1 (after Lifeguard's LHA).
    [swim]"""
    buddy_system: bool = True
    """Send a suspect member the suspect claim with the ping that probes it (Lifeguard), and a suspect or dead
    member that pings this node the claim with the ack. [Lifeguard]"""
    early_suspicion: bool = True
    """End a probe round as soon as every relay has sent a nack and the stream was refused, or did not connect
    in time for an ack. A suspicion that begins with a refused stream needs no confirmations, since this node
    is evidently heard. [swim]"""
    restart_grace: float = 1.0
    """How long the host of a suspect has to refuse streams until the suspect has failed, without waiting for
    the end of the suspicion. A process that comes back sooner has restarted. 0: refusals are no evidence, as
    in ``wan``. Has no effect with ``disable_tcp_pings``. [seconds, >= 0; swim]"""
    self_doubt_threshold: int = 3
    """Distinct targets failing in a row, with no ack, from which accusations are rate-limited; 0 is off.
    [members, >= 0; swim]"""

    # -- dissemination
    gossip_interval: float = 0.2
    """Time between two gossip rounds; 0 disables them. [seconds, >= 0; memberlist: GossipInterval]"""
    gossip_nodes: int = 3
    """Members that each gossip round goes to; 0 disables gossip rounds.
    [members, >= 0; memberlist: GossipNodes]"""
    gossip_to_the_dead_time: float = 30.0
    """How long a dead member still receives gossip, so that it can refute.
    [seconds, >= 0; memberlist: GossipToTheDeadTime]"""
    retransmit_mult: int = 4
    """Times a broadcast is sent, times log10 of the cluster's size + 1, rounded up (SWIM: lambda).
    [factor, >= 0; memberlist: RetransmitMult]"""
    eager_gossip_delay: float = 0.005
    """A fresh broadcast leaves after this time instead of at the next gossip round; negative is off.
    [seconds, any; swim]"""
    verify_second_hand: bool = True
    """Ping an unknown or tombstoned member before passing on another node's alive claim about it, and a
    member that this node does not suspect before believing another node's dead claim. [swim]"""
    answer_stale_accusations: bool = True
    """Answer a stale or refuted accusation directly to the accuser, with the current record. [swim]"""
    queue_check_interval: float = 30.0
    """Time between updates of the queue-depth gauges while something is queued; 0 disables them.
    [seconds, >= 0; memberlist: QueueCheckInterval]"""

    # -- push/pull and membership
    push_pull_interval: float = 30.0
    """Time between two periodic push/pulls; 0 disables them. [seconds, >= 0; memberlist: PushPullInterval]"""
    tcp_timeout: float = 10.0
    """Time limit for dialling a stream, and for each read and write.
    [seconds, >= 0.001; memberlist: TCPTimeout]"""
    dead_node_reclaim_time: float = 0.0
    """Time after which another address may take a dead member's name; 0 is never.
    [seconds, >= 0; memberlist: DeadNodeReclaimTime]"""
    reclaim_if_acked: bool = True
    """Let another address take a dead member's name at once if a node of that name acks there. [swim]"""
    rejoin_interval: float = 30.0
    """Mean time between attempts to reach seeds and past members that are not alive; 0 disables them.
    [seconds, >= 0; Serf: ReconnectInterval]"""
    rejoin_interval_alone: float = 2.0
    """The same right after the table shrank suddenly, and at first while this node is alone. Then each
    interval is a fifth longer than the last, up to ``rejoin_interval``. [seconds, >= 0.05; swim]"""

    replay_on_join: bool = False
    """Also receive user events from before the first join of a seed. [Serf: ReplayOnJoin]"""

    # -- Serf
    broadcast_timeout: float = 5.0
    """How long a command waits for its broadcast to be sent often enough.
    [seconds, >= 0; Serf: BroadcastTimeout]"""
    leave_propagate_delay: float = 1.0
    """Time between the last broadcast of this node's leave and its end, for it to spread.
    [seconds, >= 0; Serf: LeavePropagateDelay]"""
    reconnect_timeout: float = 24 * 3600.0
    """How long a failed member stays listed. [seconds, >= 0; Serf: ReconnectTimeout]"""
    tombstone_timeout: float = 24 * 3600.0
    """How long a left member stays listed. [seconds, >= 0; Serf: TombstoneTimeout]"""
    rejoin_after_leave: bool = False
    """Whether a restart with the snapshot of a node that left joins its past members again.
    [Serf: RejoinAfterLeave]"""
    recent_intent_timeout: float = 300.0
    """How long a join or leave intent about an unknown member is kept.
    [seconds, >= 0; Serf: RecentIntentTimeout]"""
    leaving_timeout: float = 60.0
    """Time after which a member still ``leaving`` but acking probes counts as alive again.
    [seconds, >= 0; swim]"""
    enable_name_conflict_resolution: bool = True
    """Ask the cluster who owns this node's name if another node claims it; the loser stops.
    [Serf: EnableNameConflictResolution]"""
    disable_coordinates: bool = False
    """Do without network coordinates: acks carry none, and no member has one. [Serf: DisableCoordinates]"""
    validate_node_names: bool = False
    """Accept only names of ``[A-Za-z0-9.-]``. [Serf: ValidateNodeNames]"""
    user_event_size_limit: int = 512
    """Largest user event that this node sends, encoded. [bytes, 0 to 9216; Serf: UserEventSizeLimit]"""
    query_size_limit: int = 1024
    """Largest query that this node sends, encoded. [bytes, >= 0; Serf: QuerySizeLimit]"""
    query_response_size_limit: int = 1024
    """Largest response to a query in a packet, encoded. [bytes, >= 0; Serf: QueryResponseSizeLimit]"""
    query_response_stream_limit: int = 1024 * 1024
    """Largest response by a stream, encoded, sent or taken; 0 for none. [bytes, >= 0; swim]"""
    broadcast_size_limit: int = 512
    """Largest message that this node broadcasts; it has to fit a packet, too. [bytes, >= 0; swim]"""
    query_timeout_mult: int = 16
    """Time for responses, in gossip intervals times log10 of N. [factor, >= 1; Serf: QueryTimeoutMult]"""

    # -- limits; each has a counter that shows when it was hit
    handoff_queue_depth: int = 1024
    """Packets handled before timers are checked again. [packets, >= 1; memberlist: HandoffQueueDepth]"""
    max_members: int = 100_000
    """Members listed, failed and left ones included; more are refused. [members, >= 1; swim]"""
    max_new_members_per_packet: int = 64
    """Unknown names that one packet may add. [members, >= 1; swim]"""
    max_messages_per_packet: int = 255
    """Parts of all compounds inside one packet; one compound holds no more than 255.
    [messages, >= 1; swim]"""
    max_packet_elements: int = 8192
    """Elements announced by the lists and maps of all longer messages inside one packet.
    [elements, >= 1; swim]"""
    max_answers_per_packet: int = 1
    """Pings and relay requests answered per packet; no peer sends more in one. [answers, >= 1; swim]"""
    max_answer_bytes_per_second: int = 65_536
    """Traffic that the packets of one host may cause; beyond it, only bare acks are sent.
    [bytes/s, >= 0; swim]"""
    max_relayed_pings: int = 1024
    """Outstanding pings for other nodes; at most half of them for non-members. [pings, >= 0; swim]"""
    max_relayed_pings_per_host: int = 64
    """The same for one requesting host. [pings, >= 0; swim]"""
    max_remembered_packets: int = 8192
    """Encrypted packets remembered, and as many streams, so that a copy is dropped; 0 remembers none.
    [packets, >= 0; swim]"""
    max_layers: int = 8
    """Nesting of compound and compressed messages inside one packet. [layers, >= 1; swim]"""
    max_packet_bytes: int = 65_536
    """Decompressed size of a packet. [bytes, >= 1024; swim]"""
    max_stream_bytes: int = 20 * 1024 * 1024
    """Size of one stream as received. [bytes, >= 1024; memberlist: maxPushStateBytes]"""
    max_inbound_bytes: int = 40 * 1024 * 1024
    """Memory that all unfinished inbound streams may use; beyond it the largest is closed.
    [bytes, >= 1024; swim]"""
    max_decompressed_stream_bytes: int = 40 * 1024 * 1024
    """Size of one stream after decompression. [bytes, >= 1024; swim]"""
    max_streams: int = 128
    """Inbound streams open at once, and outbound ones. [streams, >= 1; memberlist: maxPushPullRequests]"""
    max_push_pull_records: int = 1_048_576
    """Records in one push/pull. [records, >= 1; swim]"""
    max_tombstones: int = 10_000
    """Tombstones of reaped members, so that stale claims do not bring them back. [members, >= 0; swim]"""
    max_intents: int = 1024
    """Intents about unknown members kept. [intents, >= 0; swim]"""
    max_queue_depth: int = 4096
    """Broadcasts queued: claims, intents, queries and user events, each.
    [broadcasts, >= 1; Serf: MaxQueueDepth]"""
    max_queue_bytes: int = 2 * 1024 * 1024
    """Size of them, each. [bytes, >= 1024; swim]"""
    max_recent_event_bytes: int = 512 * 1024
    """Recent user events kept, to deliver each once and to send them in every push/pull.
    [bytes, >= 1024; swim]"""
    event_buffer_size: int = 1024
    """Events kept per slow subscriber before ``EventsLost``. [events, >= 1; swim]"""
    history_size: int = 16
    """Transitions kept per member. [transitions, >= 1; swim]"""

    def __new__(cls, **settings: Any) -> Self:
        """Refuses an unknown name, and suggests the closest one."""
        for name in settings.keys() - cls.__dataclass_fields__.keys():
            guess = closest(name, cls.__dataclass_fields__)
            hint = f"; did you mean {guess}?" if guess else ""
            raise ConfigTypeError(name, f"there is no such setting{hint}")
        return object.__new__(cls)

    def __post_init__(self) -> None:
        for setting in fields(self):
            read = _READERS[str(setting.type)]
            object.__setattr__(self, setting.name, read(setting.name, getattr(self, setting.name)))
        identity.check_name(self.name, validate=self.validate_node_names)
        identity.check_label(self.label)
        identity.check_keys(self.keys)
        identity.check_networks(self.cidrs_allowed or ())
        identity.check_addresses(self.bind, self.advertise, self.seeds)
        versions = self.protocol_version, self.delegate_version
        identity.check_policy(self.merge_policy, self.name, self.tags, *versions)
        limits.check(self)

    @overload
    @classmethod
    def profile(cls, profile: Literal["local"], /, **overrides: Unpack[Changes]) -> Self: ...
    @overload
    @classmethod
    def profile(cls, profile: str, /, **overrides: Unpack[Settings]) -> Self: ...
    @classmethod
    def profile(cls, profile: str, /, **overrides: Any) -> Self:
        """memberlist's settings for a kind of network, with some replaced.

        Args:
            profile: ``"lan"``, ``"wan"`` or ``"local"``.
            overrides: fields by name.

        Raises:
            ConfigError: naming ``profile`` or a field.
            ConfigTypeError: there is no such field; names the closest one.
        """
        if profile not in PROFILES:
            raise ConfigError("profile", f"must be one of {', '.join(PROFILES)}, not {profile!r}")
        if profile == "local":
            overrides.setdefault("name", _new_name())
        return cls(**{**PROFILES[profile], **overrides})

    @classmethod
    def lan(cls, **overrides: Unpack[Settings]) -> Self:
        """memberlist's DefaultLANConfig, for one data centre: a crashed process is known within 2.5 s, a host
        that vanished within some 6 to 11 s, by the size of the cluster."""
        return cls.profile("lan", **overrides)

    @classmethod
    def wan(cls, **overrides: Unpack[Settings]) -> Self:
        """memberlist's DefaultWANConfig: slower timers for links of 100 ms and more."""
        return cls.profile("wan", **overrides)

    @classmethod
    def local(cls, **overrides: Unpack[Changes]) -> Self:
        """memberlist's DefaultLocalConfig: fast timers for nodes on one machine.

        Without ``name``, each call makes one up: the host's name and four hex digits. Without ``bind``, a
        node takes the first free port of loopback from 7946 on, so the seed ``127.0.0.1:7946`` is the node
        that was started first.
        """
        return cls.profile("local", **overrides)

    def with_changes(self, **changes: Unpack[Changes]) -> Self:
        """A copy with some fields replaced, checked like a new one."""
        fields: dict[str, Any] = {**changes}
        return replace(self, **fields)


_READERS: dict[str, checks.Reader] = {
    "str": checks.text,
    "str | None": checks.optional(checks.text),
    "int": lambda name, value: checks.whole_number(name, value, at_least=int(AT_LEAST.get(name, 0))),
    "float": lambda name, value: checks.number(name, value, at_least=AT_LEAST.get(name, -math.inf)),
    "bool": checks.flag,
    "Mapping[str, str]": checks.text_map,
    "MergePolicy | None": checks.optional(identity.read_policy),
    "tuple[str, ...]": checks.texts,
    "tuple[str, ...] | None": checks.optional(checks.texts),
    "tuple[bytes, ...]": checks.secrets,
}
"""What a field takes, by its annotation."""


def default_name() -> str:
    """The host's name, memberlist's default ``Name``."""
    import socket

    return socket.gethostname()


def _new_name() -> str:
    """A name that Serf takes, for a node among others on this machine: ``HOST-4HEX``."""
    import os

    host = re.sub(r"[^A-Za-z0-9.-]", "-", default_name())[: identity.NAME_MAX_BYTES - 5]
    return f"{host or 'node'}-{os.urandom(2).hex()}"
