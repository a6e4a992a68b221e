"""The traffic of a cluster: packets and bytes per node, from the sizes of encoded messages."""

from __future__ import annotations

from typing import NamedTuple

from sims.theory.formulas import push_pull_period, suspicions, transmit_limit
from swim.config import Config
from swim.serf.coordinates import Coordinate, encode_coordinate
from swim.serf.push_pull import PushPullState, encode_state
from swim.serf.tags import encode_tags
from swim.wire.codec import encode
from swim.wire.keyring import Keyring
from swim.wire.messages import Ack, Dead, NodeRecord, Ping, PushPull
from swim.wire.packet import PacketCodec
from swim.wire.stream import StreamCodec

__all__ = ["HEADER_BYTES", "Traffic", "packet_bytes", "push_pull_bytes", "traffic"]

HEADER_BYTES = 28
"""IP and UDP headers of a packet."""
_VSN = bytes((1, 5, 2, 2, 5, 5))
_INCARNATION = 1000
_STAMP = 1000


class Traffic(NamedTuple):
    """Traffic of one node of an idle cluster, and the addition for a death. Packet bytes include headers.

    Attributes:
        packets_per_second: pings and acks.
        packet_bytes_per_second: of these.
        push_pull_bytes_per_second: sent on streams, those it dialled and those it answers.
        packets_per_death: maximum gossip packets per node about one crashed member: the suspicion and its
            confirmations, unless a newer one replaces them in the queue, and the dead claim.
        bytes_per_death: of these.
    """

    packets_per_second: float
    packet_bytes_per_second: float
    push_pull_bytes_per_second: float
    packets_per_death: float
    bytes_per_death: float


def traffic(config: Config, n: int) -> Traffic:
    """Traffic of one node of ``n``.

    A probe round is one ping and one ack per node and interval. Each node dials one push/pull per period and
    answers one on average.
    """
    name = _name(n)
    ping = encode(Ping(_INCARNATION, name, bytes(4), 7946, name))
    has_coordinate = config.delegate_version and not config.disable_coordinates
    ack = encode(Ack(_INCARNATION, encode_coordinate(Coordinate()) if has_coordinate else b""))
    claim = encode(Dead(_INCARNATION, name, name))
    rate = 1 / config.probe_interval if config.probe_interval else 0.0
    period = push_pull_period(config, n)
    transmits = (
        transmit_limit(config, n) * (2 + suspicions(config, n).confirmations) if config.gossip_nodes else 0
    )
    return Traffic(
        2 * rate,
        rate * (packet_bytes(config, ping) + packet_bytes(config, ack)),
        2 * push_pull_bytes(config, n) / period if period else 0.0,
        transmits,
        transmits * packet_bytes(config, claim),
    )


def packet_bytes(config: Config, message: bytes) -> int:
    """Size of one packet with this message, headers included."""
    codec = PacketCodec(config, Keyring(config.keys), lambda: bytes(12))
    return HEADER_BYTES + len(codec.seal([message], crc=True))


def push_pull_bytes(config: Config, n: int) -> float:
    """Bytes that one side of a push/pull sends in a cluster of ``n``, without TCP and IP headers."""
    # The message is linear in the members; a million of them need not be encoded.
    few, more = _state_bytes(config, n, 32), _state_bytes(config, n, 64)
    return few + (more - few) / 32 * (n - 32)


def _state_bytes(config: Config, n: int, count: int) -> int:
    """Sealed size of a state with ``count`` members whose names are as long as those of ``n``."""
    names = [_name(n)[:1] + str(k).rjust(len(_name(n)) - 1, "0") for k in range(count)]
    meta = (
        encode_tags(config.tags, delegate_version=config.delegate_version) if config.delegate_version else b""
    )
    records = tuple(NodeRecord(name, bytes(4), 7946, meta, _INCARNATION, 0, _VSN) for name in names)
    user = b""
    if config.delegate_version:
        user = encode_state(PushPullState(_STAMP, dict.fromkeys(names, _STAMP), (), 1, (), 1))
    codec = StreamCodec(config, Keyring(config.keys), lambda: bytes(12))
    return len(codec.seal(encode(PushPull(False, records, user)), label_header=True))


def _name(n: int) -> str:
    return f"n{n}"
