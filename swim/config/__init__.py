"""Every setting of a node in one frozen value, with memberlist's three profiles.

Names are memberlist's and Serf's in snake_case. Durations are float seconds. ``Config`` checks each field and
the combinations when it is built and names the offending field.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self, Unpack

from swim import checks
from swim.addresses import parse_address, plain_ip, split_host_port, why_unusable
from swim.config.profiles import AT_LEAST, PROFILES, Changes, Settings
from swim.errors import ConfigError, ConfigTypeError
from swim.frozen import FrozenMap
from swim.text import closest

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
    """The member's name in the cluster, 1 to 128 bytes; no two may share one (memberlist: ``Name``)."""
    bind: str = "127.0.0.1:7946"
    """``HOST:PORT`` or ``[V6]:PORT``; port 0 lets the system choose one for UDP and TCP alike."""
    advertise: str | None = None
    """Address told to peers, ``HOST[:PORT]``; None picks one of the bind address's family."""
    seeds: tuple[str, ...] = ()
    """Addresses to join, ``HOST[:PORT]``; names are resolved anew at every attempt."""
    tags: Mapping[str, str] = field(default_factory=FrozenMap)
    """Serf tags; at most 512 bytes once encoded."""

    # -- versions
    protocol_version: int = 2
    """memberlist's protocol spoken, 1 to 5; every current peer speaks 2."""
    delegate_version: int = 5
    """Serf protocol spoken: 2..5, or 0 for a plain memberlist pool without Serf (Alertmanager)."""

    # -- packets and streams
    label: str = ""
    """Up to 255 bytes before every packet and stream; input with another label is dropped (memberlist)."""
    skip_inbound_label_check: bool = False
    """Take input whose label was checked and removed before, as a proxy does."""
    send_label: bool = True
    """False sends without ``label``, as long as not every node of a running cluster accepts it; only together
    with ``accept_unlabelled``."""
    accept_unlabelled: bool = False
    """Accept packets and streams without a label, too, while a running cluster takes on ``label``."""
    keys: tuple[bytes, ...] = field(default=(), repr=False)
    """Gossip keys, 16, 24 or 32 bytes each; the first one encrypts, all decrypt."""
    gossip_verify_incoming: bool = True
    """With keys: drop what is not encrypted."""
    gossip_verify_outgoing: bool = True
    """With keys: encrypt what is sent. Both are off for a while when a pool moves to encryption."""
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
    """Seconds to wait for a direct ack before others are asked; at most ``probe_interval``."""
    probe_alignment: float = 0.0
    """Start probe rounds at multiples of this many seconds of the clock, 0 at any moment. Nodes that share a
    process then wake together, which costs less than waking one by one."""
    indirect_checks: int = 3
    """Members asked to ping for us when a direct ping goes unanswered; 0 asks none."""
    disable_tcp_pings: bool = False
    """Do not fall back to a ping over a stream where packets go unanswered."""
    suspicion_mult: int = 4
    """Shortest suspicion in probe intervals, times log10 of the cluster's size (Lifeguard: alpha)."""
    suspicion_max_timeout_mult: int = 6
    """Longest suspicion as a multiple of the shortest, before others confirm it (Lifeguard: beta)."""
    awareness_max_multiplier: int = 8
    """Health scores go from 0 to this minus 1; timeouts are stretched by the score + 1 (Lifeguard: S)."""
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
    """Seconds a dead member is still sent gossip, so that it can refute."""
    retransmit_mult: int = 4
    """Times a broadcast is sent, times log10 of the cluster's size + 1, rounded up (SWIM: lambda)."""
    eager_gossip_delay: float = 0.005
    """A fresh broadcast leaves after this long instead of at the next gossip round; negative is off."""
    verify_second_hand: bool = True
    """Ping an unknown or tombstoned member that others call alive before passing the claim on, and one that
    others call dead, though nobody here suspected it, before believing them."""
    answer_stale_accusations: bool = True
    """Answer an accusation that is out of date, or refuted, straight to the accuser, with what is known."""
    queue_check_interval: float = 30.0
    """Seconds between updates of the queue-depth gauges while something is queued; 0 disables them."""

    # -- push/pull and membership
    push_pull_interval: float = 30.0
    """0 disables periodic push/pull."""
    tcp_timeout: float = 10.0
    """Seconds for dialling a stream and for each read and write of it."""
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
    """Seconds that a command waits for its news to be sent often enough."""
    leave_propagate_delay: float = 1.0
    """Seconds between the last news of the own leave and the end, for it to spread (Serf)."""
    reconnect_timeout: float = 24 * 3600.0
    """Seconds a failed member stays listed."""
    tombstone_timeout: float = 24 * 3600.0
    """Seconds a left member stays listed."""
    recent_intent_timeout: float = 300.0
    """Seconds that a join or leave intent about an unknown member is kept (Serf)."""
    leaving_timeout: float = 60.0
    """Seconds after which a member still ``leaving`` but acking probes counts as alive again."""
    enable_name_conflict_resolution: bool = True
    """Ask the cluster who owns the own name if another member claims it; the loser stops (Serf)."""
    validate_node_names: bool = False
    """Accept only names of ``[A-Za-z0-9.-]``, as Serf's option of that name."""
    query_timeout_mult: int = 16
    """Time that a query is answered, in gossip intervals, times log10 of the cluster's size (Serf)."""

    # -- limits; each has a counter that tells when it was hit
    handoff_queue_depth: int = 1024
    """Packets handled between two looks at the timers."""
    max_members: int = 100_000
    """Members listed, failed and left ones included; more are refused."""
    max_new_members_per_packet: int = 64
    """Unknown names that one packet may bring."""
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
    """The same for one host that asks."""
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
    """Bytes of one stream after decompression."""
    max_streams: int = 128
    """Inbound streams open at once, and outbound ones."""
    max_push_pull_records: int = 1_048_576
    """Records in one push/pull."""
    max_tombstones: int = 10_000
    """Forgotten members remembered, so that old news does not bring them back."""
    max_intents: int = 1024
    """Intents about unknown members kept."""
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

    def __new__(cls, **settings: Any) -> Self:
        """Refuses an unknown name, and says which one was probably meant."""
        for name in settings.keys() - cls.__dataclass_fields__.keys():
            guess = closest(name, cls.__dataclass_fields__)
            hint = f"; did you mean {guess}?" if guess else ""
            raise ConfigTypeError(name, f"there is no such setting{hint}")
        return object.__new__(cls)

    def __post_init__(self) -> None:
        for setting in fields(self):
            read = _READERS[str(setting.type)]
            object.__setattr__(self, setting.name, read(setting.name, getattr(self, setting.name)))
        _check_identity(self)
        _check_addresses(self)
        _check_ranges(self)
        _check_combinations(self)

    @classmethod
    def profile(cls, profile: str, /, **overrides: Unpack[Settings]) -> Self:
        """memberlist's settings for a kind of network, with some replaced.

        Args:
            profile: ``"lan"``, ``"wan"`` or ``"local"``.
            overrides: fields by name.

        Raises:
            ConfigError: naming ``profile`` or a field.
            ConfigTypeError: there is no such field; names the one that was probably meant.
        """
        if profile not in PROFILES:
            raise ConfigError("profile", f"must be one of {', '.join(PROFILES)}, not {profile!r}")
        return cls(**{**PROFILES[profile], **overrides})

    @classmethod
    def lan(cls, **overrides: Unpack[Settings]) -> Self:
        """memberlist's DefaultLANConfig: detects a failure in 5 to 12 s, for one data centre."""
        return cls.profile("lan", **overrides)

    @classmethod
    def wan(cls, **overrides: Unpack[Settings]) -> Self:
        """memberlist's DefaultWANConfig: slower timers for links of 100 ms and more."""
        return cls.profile("wan", **overrides)

    @classmethod
    def local(cls, **overrides: Unpack[Settings]) -> Self:
        """memberlist's DefaultLocalConfig: fast timers for nodes on one machine."""
        return cls.profile("local", **overrides)

    def with_changes(self, **changes: Unpack[Changes]) -> Self:
        """A copy with some fields replaced, checked like a new one."""
        fields: dict[str, Any] = {**changes}
        return replace(self, **fields)


def _or_none(read: Callable[[str, object], Any]) -> Callable[[str, object], Any]:
    return lambda name, value: None if value is None else read(name, value)


_READERS: dict[str, Callable[[str, object], Any]] = {
    "str": checks.text,
    "str | None": _or_none(checks.text),
    "int": lambda name, value: checks.whole_number(name, value, at_least=int(AT_LEAST.get(name, 0))),
    "float": lambda name, value: checks.number(name, value, at_least=AT_LEAST.get(name, -math.inf)),
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
    if not config.send_label and not config.accept_unlabelled:
        raise ConfigError("send_label", "can be off only while accept_unlabelled is on")
    if config.udp_buffer_size > config.max_packet_bytes:
        raise ConfigError("udp_buffer_size", f"is larger than max_packet_bytes ({config.max_packet_bytes})")
    if config.max_new_members_per_packet > config.max_members:
        raise ConfigError("max_new_members_per_packet", f"is larger than max_members ({config.max_members})")
    if config.keys and config.protocol_version < 2 and not config.accept_encryption_v0:
        raise ConfigError(
            "accept_encryption_v0", "must be on for protocol_version 1 with keys, which writes that form"
        )
