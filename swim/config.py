"""Every setting of a node in one frozen value, with memberlist's three profiles.

Names are memberlist's and Serf's in snake_case. Durations are float seconds. ``Config`` checks each field and
the combinations when it is built and names the offending field.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Self

from swim import checks
from swim.addresses import parse_address, plain_ip, split_host_port, why_unusable
from swim.errors import ConfigError

__all__ = ["Config", "default_name"]

_KEY_SIZES = (16, 24, 32)
_DELEGATE_VERSIONS = (0, 2, 3, 4, 5)
_META_MAX_BYTES = 512
_NAME_MAX_BYTES = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Settings of one node. Use ``Config.lan()``, ``.wan()`` or ``.local()`` and override by keyword.

    Raises:
        ConfigError: naming the field, when a value or a combination is impossible.
    """

    # -- identity and addresses
    name: str
    bind: str = "127.0.0.1:7946"
    """``HOST:PORT`` or ``[V6]:PORT``; port 0 lets the system choose one for UDP and TCP alike."""
    advertise: str | None = None
    """Address told to peers, ``HOST[:PORT]``; None picks one of the bind address's family."""
    seeds: tuple[str, ...] = ()
    """Addresses to join, ``HOST[:PORT]``; names are resolved anew at every attempt."""
    tags: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Serf tags; at most 512 bytes once encoded."""

    # -- versions
    protocol_version: int = 2
    delegate_version: int = 5
    """Serf protocol spoken: 2..5, or 0 for a plain memberlist pool without Serf (Alertmanager)."""

    # -- packets and streams
    label: str = ""
    skip_inbound_label_check: bool = False
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    """Gossip keys, 16, 24 or 32 bytes each; the first one encrypts, all decrypt."""
    gossip_verify_incoming: bool = True
    gossip_verify_outgoing: bool = True
    accept_encryption_v0: bool = False
    """Read the unauthenticated-version form that nodes before protocol 2 send."""
    enable_compression: bool = False
    """Compress what is sent; compressed input is always read. memberlist does so in every profile; here it
    costs ten times the rest of a packet's handling, so only ``wan`` turns it on."""
    udp_buffer_size: int = 1400
    """Largest packet sent, bytes, all layers included."""
    cidrs_allowed: tuple[str, ...] | None = None
    """Networks that packets, streams and advertised addresses may come from; None allows all, () nobody."""
    require_node_names: bool = False
    """Refuse to dial an address given without a ``NAME/`` prefix."""

    # -- failure detection (lan profile)
    probe_interval: float = 1.0
    """0 disables probing."""
    probe_timeout: float = 0.5
    probe_alignment: float = 0.0
    """Start probe rounds at multiples of this many seconds of the clock, 0 at any moment. Nodes that share a
    process then wake together, which costs less than waking one by one."""
    indirect_checks: int = 3
    disable_tcp_pings: bool = False
    suspicion_mult: int = 4
    suspicion_max_timeout_mult: int = 6
    awareness_max_multiplier: int = 8
    awareness_stretches_suspicion: bool = True
    """Multiply the shortest suspicion, up to the longest, by the health score + 1 (after Lifeguard's LHA)."""
    buddy_system: bool = True
    """Tell a suspect about the suspicion in the very ping that probes it (Lifeguard), and a suspect or dead
    member that pings us in the ack."""
    early_verdict: bool = True
    """End a probe round as soon as every relay sent its nack and the stream was refused."""
    self_doubt_threshold: int = 3
    """Distinct targets failing in a row, nobody acking, from which accusations are rate-limited; 0 is off."""

    # -- dissemination
    gossip_interval: float = 0.2
    """0 disables gossip rounds."""
    gossip_nodes: int = 3
    """0 disables gossip rounds."""
    gossip_to_the_dead_time: float = 30.0
    retransmit_mult: int = 4
    eager_gossip_delay: float = 0.005
    """A fresh broadcast leaves after this long instead of at the next gossip round; negative is off."""
    verify_second_hand: bool = True
    """Ping an unknown or tombstoned member that others call alive before passing the claim on, and one that
    others call dead, though nobody here suspected it, before believing them."""
    answer_stale_accusations: bool = True
    """Answer an accusation older than what is known of its member with that, straight to the accuser."""
    queue_check_interval: float = 30.0
    """Seconds between updates of the queue-depth gauges while something is queued; 0 disables them."""

    # -- push/pull and membership
    push_pull_interval: float = 30.0
    """0 disables periodic push/pull."""
    tcp_timeout: float = 10.0
    dead_node_reclaim_time: float = 0.0
    """Seconds after which a dead member's name may be taken by another address; 0 is never."""
    reclaim_if_acked: bool = True
    """Let another address take a dead member's name at once if a node of that name answers there."""
    rejoin_interval: float = 30.0
    """Mean seconds between attempts to reach seeds and past members that are not alive; 0 disables them."""
    rejoin_interval_alone: float = 2.0
    """The same while this node is alone, or right after its table shrank suddenly."""

    # -- Serf
    broadcast_timeout: float = 5.0
    leave_propagate_delay: float = 1.0
    reconnect_timeout: float = 24 * 3600.0
    """Seconds a failed member stays listed."""
    tombstone_timeout: float = 24 * 3600.0
    """Seconds a left member stays listed."""
    recent_intent_timeout: float = 300.0
    leaving_timeout: float = 60.0
    """Seconds after which a member still ``leaving`` but acking probes counts as alive again."""
    enable_name_conflict_resolution: bool = True
    validate_node_names: bool = False
    """Accept only names of ``[A-Za-z0-9.-]``, as Serf's option of that name."""
    query_timeout_mult: int = 16

    # -- limits; each has a counter that tells when it was hit
    handoff_queue_depth: int = 1024
    """Packets handled between two looks at the timers."""
    max_members: int = 100_000
    max_new_members_per_packet: int = 64
    max_messages_per_packet: int = 255
    """Parts of all compounds inside one packet; one compound holds no more than 255."""
    max_packet_elements: int = 8192
    """Elements announced by the lists and maps of all longer messages inside one packet."""
    max_answers_per_packet: int = 1
    """Pings and relay requests answered in one packet; no peer puts more in."""
    max_answer_bytes_per_second: int = 65_536
    """Bytes that the packets of one host may cause; beyond it acks go out bare, and nothing else does."""
    max_relayed_pings: int = 1024
    """Pings under way for others; at most half of them for non-members."""
    max_relayed_pings_per_host: int = 64
    max_remembered_packets: int = 8192
    """Encrypted packets remembered, so that a copy of one is dropped; 0 remembers none."""
    max_layers: int = 8
    """Nesting of compound and compressed messages inside one packet."""
    max_packet_bytes: int = 65_536
    """Decompressed size of a packet."""
    max_stream_bytes: int = 20 * 1024 * 1024
    """Bytes of one stream as received."""
    max_inbound_bytes: int = 40 * 1024 * 1024
    """Bytes of memory that all unfinished inbound streams keep together; beyond it the largest is closed."""
    max_decompressed_stream_bytes: int = 40 * 1024 * 1024
    max_streams: int = 128
    """Inbound streams open at once, and outbound ones."""
    max_push_pull_records: int = 1_048_576
    max_tombstones: int = 10_000
    max_intents: int = 1024
    max_queue_depth: int = 4096
    """Broadcasts queued: claims, intents, queries and user events, each."""
    max_queue_bytes: int = 2 * 1024 * 1024
    """Bytes of them, each."""
    max_recent_event_bytes: int = 512 * 1024
    """Recent user events kept, to deliver each once and to tell them in every push/pull."""
    event_buffer_size: int = 1024
    """Events kept per slow subscriber before ``EventsLost``."""
    history_size: int = 16
    """Transitions kept per member."""

    def __post_init__(self) -> None:
        for setting in fields(self):
            read = _READERS[str(setting.type)]
            object.__setattr__(self, setting.name, read(setting.name, getattr(self, setting.name)))
        _check_identity(self)
        _check_addresses(self)
        _check_ranges(self)
        _check_combinations(self)

    @classmethod
    def lan(cls, **overrides: Any) -> Self:
        """memberlist's DefaultLANConfig: detects a failure in 5 to 12 s, for one data centre."""
        return cls(**overrides)

    @classmethod
    def wan(cls, **overrides: Any) -> Self:
        """memberlist's DefaultWANConfig: slower timers for links of 100 ms and more."""
        return cls(**(_WAN | overrides))

    @classmethod
    def local(cls, **overrides: Any) -> Self:
        """memberlist's DefaultLocalConfig: fast timers for nodes on one machine."""
        return cls(**(_LOCAL | overrides))

    def with_changes(self, **changes: Any) -> Self:
        """A copy with some fields replaced, checked like a new one."""
        return replace(self, **changes)


_WAN: dict[str, Any] = {
    "enable_compression": True,
    "tcp_timeout": 30.0,
    "suspicion_mult": 6,
    "push_pull_interval": 60.0,
    "probe_timeout": 3.0,
    "probe_interval": 5.0,
    "gossip_nodes": 4,
    "gossip_interval": 0.5,
    "gossip_to_the_dead_time": 60.0,
}
_LOCAL: dict[str, Any] = {
    "tcp_timeout": 1.0,
    "indirect_checks": 1,
    "retransmit_mult": 2,
    "suspicion_mult": 3,
    "push_pull_interval": 15.0,
    "probe_timeout": 0.2,
    "probe_interval": 1.0,
    "gossip_interval": 0.1,
    "gossip_to_the_dead_time": 15.0,
}

_AT_LEAST: dict[str, float] = {
    "probe_interval": 0,
    "probe_timeout": 0,
    "probe_alignment": 0,
    "indirect_checks": 0,
    "suspicion_mult": 1,
    "suspicion_max_timeout_mult": 1,
    "awareness_max_multiplier": 1,
    "self_doubt_threshold": 0,
    "gossip_interval": 0,
    "gossip_nodes": 0,
    "gossip_to_the_dead_time": 0,
    "retransmit_mult": 0,
    "queue_check_interval": 0,
    "push_pull_interval": 0,
    "tcp_timeout": 0.001,
    "dead_node_reclaim_time": 0,
    "rejoin_interval": 0,
    "rejoin_interval_alone": 0.05,
    "broadcast_timeout": 0,
    "leave_propagate_delay": 0,
    "reconnect_timeout": 0,
    "tombstone_timeout": 0,
    "recent_intent_timeout": 0,
    "leaving_timeout": 0,
    "query_timeout_mult": 1,
    "udp_buffer_size": 512,
    "handoff_queue_depth": 1,
    "max_members": 1,
    "max_new_members_per_packet": 1,
    "max_messages_per_packet": 1,
    "max_packet_elements": 1,
    "max_answers_per_packet": 1,
    "max_answer_bytes_per_second": 0,
    "max_relayed_pings": 0,
    "max_relayed_pings_per_host": 0,
    "max_remembered_packets": 0,
    "max_layers": 1,
    "max_packet_bytes": 1024,
    "max_stream_bytes": 1024,
    "max_inbound_bytes": 1024,
    "max_decompressed_stream_bytes": 1024,
    "max_streams": 1,
    "max_push_pull_records": 1,
    "max_tombstones": 0,
    "max_intents": 0,
    "max_queue_depth": 1,
    "max_queue_bytes": 1024,
    "max_recent_event_bytes": 1024,
    "event_buffer_size": 1,
    "history_size": 1,
}


def _or_none(read: Callable[[str, object], Any]) -> Callable[[str, object], Any]:
    return lambda name, value: None if value is None else read(name, value)


_READERS: dict[str, Callable[[str, object], Any]] = {
    "str": checks.text,
    "str | None": _or_none(checks.text),
    "int": lambda name, value: checks.whole_number(name, value, at_least=int(_AT_LEAST.get(name, 0))),
    "float": lambda name, value: checks.number(name, value, at_least=_AT_LEAST.get(name, -math.inf)),
    "bool": checks.flag,
    "Mapping[str, str]": checks.text_map,
    "tuple[str, ...]": checks.texts,
    "tuple[str, ...] | None": _or_none(checks.texts),
    "tuple[bytes, ...]": checks.secrets,
}
"""What a field takes, by its annotation."""


def default_name() -> str:
    """The host's name, memberlist's default ``Name``."""
    import socket

    return socket.gethostname()


def _check_addresses(config: Config) -> None:
    """What is wrong with an address by itself; which fit together shows once the node is bound."""
    host, _ = split_host_port("bind", config.bind)
    bound = plain_ip(host)
    if bound is not None and not bound.is_unspecified and (wrong := why_unusable(str(bound), str(bound))):
        raise ConfigError("bind", f"{host} is {wrong}")
    if config.advertise is not None:
        host, _ = split_host_port("advertise", config.advertise, 0)
        if (told := plain_ip(host)) is not None and (wrong := why_unusable(str(told), str(told))):
            raise ConfigError("advertise", f"{host} is {wrong}")
    for seed in config.seeds:
        literal = parse_address(seed, 0, field="seeds").literal
        if literal is not None and (wrong := why_unusable(literal[0], literal[0])):
            raise ConfigError("seeds", f"{seed!r} is {wrong}")


def _check_identity(config: Config) -> None:
    name_bytes = config.name.encode("utf-8", "surrogateescape")
    if not name_bytes or len(name_bytes) > _NAME_MAX_BYTES:
        raise ConfigError("name", f"must be 1 to {_NAME_MAX_BYTES} bytes, not {len(name_bytes)}")
    if config.validate_node_names and not all(
        c.isascii() and (c.isalnum() or c in "-.") for c in config.name
    ):
        raise ConfigError("name", f"{config.name!r} has characters outside [A-Za-z0-9.-]")
    label_bytes = len(config.label.encode("utf-8", "surrogatepass"))
    if any("\ud800" <= c <= "\udfff" for c in config.label):
        raise ConfigError("label", f"{config.label!r} is not UTF-8")
    if label_bytes > 255:
        raise ConfigError("label", f"must be at most 255 bytes, not {label_bytes}")
    for secret in config.keys:
        if len(secret) not in _KEY_SIZES:
            raise ConfigError("keys", "each key must be 16, 24 or 32 bytes")
    for cidr in config.cidrs_allowed or ():
        try:
            ipaddress.ip_network(cidr, strict=False)
        except ValueError as error:
            raise ConfigError("cidrs_allowed", str(error)) from None


def _check_ranges(config: Config) -> None:
    if not 1 <= config.protocol_version <= 5:
        raise ConfigError("protocol_version", f"must be 1 to 5, not {config.protocol_version!r}")
    if config.delegate_version not in _DELEGATE_VERSIONS:
        raise ConfigError(
            "delegate_version", f"must be one of {_DELEGATE_VERSIONS}, not {config.delegate_version!r}"
        )


def _check_combinations(config: Config) -> None:
    if config.probe_interval and config.probe_timeout > config.probe_interval:
        raise ConfigError(
            "probe_timeout",
            f"{config.probe_timeout:g} s is longer than probe_interval ({config.probe_interval:g} s)",
        )
    if config.udp_buffer_size > config.max_packet_bytes:
        raise ConfigError("udp_buffer_size", f"is larger than max_packet_bytes ({config.max_packet_bytes})")
    if config.max_new_members_per_packet > config.max_members:
        raise ConfigError("max_new_members_per_packet", f"is larger than max_members ({config.max_members})")
    if config.keys and config.protocol_version < 2 and not config.accept_encryption_v0:
        raise ConfigError(
            "accept_encryption_v0", "must be on for protocol_version 1 with keys, which writes that form"
        )
