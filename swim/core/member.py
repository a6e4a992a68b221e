"""A member as the SWIM layer stores it."""

from __future__ import annotations

import ipaddress
from enum import IntEnum
from functools import lru_cache
from typing import Final

from swim.addresses import Endpoint
from swim.wire.codec import encode_record
from swim.wire.messages import Alive, Dead, NodeRecord, Suspect

__all__ = [
    "INCARNATION_MAX",
    "MAPPED_PREFIX",
    "Record",
    "State",
    "accusation",
    "endpoint_of",
    "pack_address",
    "same_address",
]

INCARNATION_MAX = 0xFFFFFFFF
"""Incarnations are 32 bits wide on the wire; the last one stays the last."""

MAPPED_PREFIX = bytes(10) + b"\xff\xff"
"""What makes 16 bytes of a 4-byte address."""


class State(IntEnum):
    """SWIM states, numbered as in push/pull records."""

    ALIVE = 0
    SUSPECT = 1
    DEAD = 2
    LEFT = 3


class Record:
    """One member at one moment, as a value. A newer one replaces it in the table, so nodes may share it.

    Attributes:
        addr: the bytes as received, for forwarding.
        endpoint: the address that packets and streams are sent to.
        changed_at: when ``state`` last changed, seconds.
        verified: this node has had first-hand evidence (an ack, a packet from it) since the member joined.
        is_live: alive or suspect.
        protocol_max: highest memberlist protocol the member understands (``pmax``).
    """

    __slots__ = (
        "_packed",
        "addr",
        "changed_at",
        "endpoint",
        "incarnation",
        "is_live",
        "meta",
        "name",
        "port",
        "protocol_max",
        "state",
        "verified",
        "vsn",
    )

    def __init__(self, claim: Alive, state: State, changed_at: float, *, verified: bool = False) -> None:
        incarnation, name, addr, port, meta, vsn = claim
        self.name: Final = name
        self.incarnation: Final = incarnation
        self.addr: Final = addr
        self.port: Final = port
        self.meta: Final = meta
        self.vsn: Final = vsn
        self.state: Final = state
        self.changed_at: Final = changed_at
        self.verified: Final = verified
        self.endpoint: Final = endpoint_of(addr, port)
        self.is_live: Final = state <= State.SUSPECT
        self.protocol_max: Final = vsn[1]
        self._packed = b""

    def under(self, claim: Alive) -> Record:
        """The same member, as ``claim`` describes it."""
        return Record(claim, self.state, self.changed_at, verified=self.verified)

    def witnessed(self) -> Record:
        """The same member, seen first-hand."""
        return Record(self.alive_claim(), self.state, self.changed_at, verified=True)

    def unseen(self) -> Record:
        """The same member, not yet seen first-hand again."""
        return Record(self.alive_claim(), self.state, self.changed_at)

    def turned(self, state: State, now: float, incarnation: int) -> Record:
        """The same member, in another state since ``now``."""
        claim = self.alive_claim()._replace(incarnation=incarnation)
        return Record(claim, state, now, verified=self.verified)

    @property
    def next_incarnation(self) -> int:
        """The incarnation after this one; the last one stays the last."""
        return min(self.incarnation + 1, INCARNATION_MAX)

    def alive_claim(self) -> Alive:
        """The alive claim with the contents of this record."""
        return Alive(self.incarnation, self.name, self.addr, self.port, self.meta, self.vsn)

    def as_wire(self) -> NodeRecord:
        """The push/pull form."""
        return NodeRecord(
            self.name, self.addr, self.port, self.meta, self.incarnation, int(self.state), self.vsn
        )

    def packed(self) -> bytes:
        """The push/pull form as bytes; encoded once."""
        if not self._packed:
            self._packed = encode_record(self.as_wire())
        return self._packed

    def says(self, record: NodeRecord) -> bool:
        """Whether a peer's record is identical."""
        name, addr, port, meta, incarnation, state, vsn = record
        return (
            self.incarnation == incarnation
            and self.state == state
            and self.port == port
            and self.addr == addr
            and self.meta == meta
            and self.vsn == vsn
            and self.name == name
        )


def accusation(record: Record, accuser: str) -> Suspect | Dead:
    """The accusation of a member that is not alive, sent to it so that it can refute."""
    if record.state is State.SUSPECT:
        return Suspect(record.incarnation, record.name, accuser)
    return Dead(record.incarnation, record.name, record.name if record.state is State.LEFT else accuser)


@lru_cache(maxsize=1 << 14)
def endpoint_of(addr: bytes, port: int) -> Endpoint:
    """``(text, port)`` of 4 or 16 raw bytes; IPv4 in mapped form comes out as IPv4."""
    plain = addr[12:] if addr.startswith(MAPPED_PREFIX) else addr
    if len(plain) == 4:
        return ".".join(map(str, plain)), port
    return str(ipaddress.IPv6Address(plain)), port


def pack_address(host: str) -> bytes:
    """Raw bytes of an IP address in text, 4 or 16; a zone is dropped (there are none on the wire)."""
    return ipaddress.ip_address(host.partition("%")[0]).packed


def same_address(one: bytes, other: bytes) -> bool:
    """Whether two raw addresses are the same host, whichever form of IPv4 they use.

    memberlist compares bytes, so to it the two forms are a name conflict.
    """
    if one == other:
        return True
    return len(one) != len(other) and one[-4:] == other[-4:] and MAPPED_PREFIX in (one[:-4], other[:-4])
