"""memberlist's three profiles, the range of each number, and the settings as keyword arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Required, TypedDict

if TYPE_CHECKING:
    from swim.config.merge_policy import MergePolicy

__all__ = ["AT_LEAST", "PROFILES", "Changes", "Settings"]

_WAN: dict[str, Any] = {
    "enable_compression": True,
    "tcp_timeout": 30.0,
    "suspicion_mult": 6,
    "restart_grace": 0.0,
    "push_pull_interval": 60.0,
    "probe_timeout": 3.0,
    "probe_interval": 5.0,
    "gossip_nodes": 4,
    "gossip_interval": 0.5,
    "gossip_to_the_dead_time": 60.0,
}
_LOCAL: dict[str, Any] = {
    "bind": "127.0.0.1:7946-8945",
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
PROFILES: dict[str, dict[str, Any]] = {"lan": {}, "wan": _WAN, "local": _LOCAL}
"""What each profile changes of ``Config``'s defaults, which are memberlist's for a local network (lan).

On one machine every node needs a port of its own, so ``local`` takes the first that is free.
"""

AT_LEAST: dict[str, float] = {
    "probe_interval": 0,
    "probe_timeout": 0,
    "probe_timeout_min": 0.001,
    "probe_alignment": 0,
    "indirect_checks": 0,
    "suspicion_mult": 1,
    "suspicion_max_timeout_mult": 1,
    "awareness_max_multiplier": 1,
    "restart_grace": 0,
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
    "user_event_size_limit": 0,
    "query_size_limit": 0,
    "query_response_size_limit": 0,
    "query_response_stream_limit": 0,
    "broadcast_size_limit": 0,
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
"""Least value of each number."""


class _Optional(TypedDict, total=False):
    bind: str
    advertise: str | None
    seeds: Iterable[str]
    tags: Mapping[str, str]
    protocol_version: int
    delegate_version: int
    label: str
    skip_inbound_label_check: bool
    send_label: bool
    accept_unlabelled: bool
    keys: Iterable[bytes]
    gossip_verify_incoming: bool
    gossip_verify_outgoing: bool
    accept_encryption_v0: bool
    enable_compression: bool
    udp_buffer_size: int
    cidrs_allowed: Iterable[str] | None
    merge_policy: MergePolicy | None
    require_node_names: bool
    probe_interval: float
    probe_timeout: float
    measured_timeouts: bool
    probe_timeout_min: float
    probe_alignment: float
    interleaved_probes: bool
    indirect_checks: int
    disable_tcp_pings: bool
    suspicion_mult: int
    suspicion_max_timeout_mult: int
    awareness_max_multiplier: int
    awareness_stretches_suspicion: bool
    buddy_system: bool
    early_suspicion: bool
    restart_grace: float
    self_doubt_threshold: int
    gossip_interval: float
    gossip_nodes: int
    gossip_to_the_dead_time: float
    retransmit_mult: int
    eager_gossip_delay: float
    verify_second_hand: bool
    answer_stale_accusations: bool
    queue_check_interval: float
    push_pull_interval: float
    tcp_timeout: float
    dead_node_reclaim_time: float
    reclaim_if_acked: bool
    rejoin_interval: float
    rejoin_interval_alone: float
    replay_on_join: bool
    broadcast_timeout: float
    leave_propagate_delay: float
    reconnect_timeout: float
    tombstone_timeout: float
    rejoin_after_leave: bool
    recent_intent_timeout: float
    leaving_timeout: float
    enable_name_conflict_resolution: bool
    disable_coordinates: bool
    validate_node_names: bool
    user_event_size_limit: int
    query_size_limit: int
    query_response_size_limit: int
    query_response_stream_limit: int
    broadcast_size_limit: int
    query_timeout_mult: int
    handoff_queue_depth: int
    max_members: int
    max_new_members_per_packet: int
    max_messages_per_packet: int
    max_packet_elements: int
    max_answers_per_packet: int
    max_answer_bytes_per_second: int
    max_relayed_pings: int
    max_relayed_pings_per_host: int
    max_remembered_packets: int
    max_layers: int
    max_packet_bytes: int
    max_stream_bytes: int
    max_inbound_bytes: int
    max_decompressed_stream_bytes: int
    max_streams: int
    max_push_pull_records: int
    max_tombstones: int
    max_intents: int
    max_queue_depth: int
    max_queue_bytes: int
    max_recent_event_bytes: int
    event_buffer_size: int
    history_size: int


class Changes(_Optional, total=False):
    """Any fields of ``Config``."""

    name: str


class Settings(_Optional, total=False):
    """Fields of ``Config`` for a new one."""

    name: Required[str]
