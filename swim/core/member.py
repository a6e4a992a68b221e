"""A member as the SWIM layer stores it."""

from __future__ import annotations

import ipaddress
from enum import IntEnum

from swim.core.output import Endpoint
from swim.wire.messages import Alive, NodeRecord

__all__ = ["INCARNATION_MAX", "Record", "State", "endpoint_of", "pack_address", "same_address"]

INCARNATION_MAX = 0xFFFFFFFF
"""Incarnations are 32 bits wide on the wire; the last one stays the last."""

_MAPPED_PREFIX = bytes(10) + b"\xff\xff"


class State(IntEnum):
    """SWIM states, numbered as in push/pull records."""

    ALIVE = 0
    SUSPECT = 1
    DEAD = 2
    LEFT = 3


class Record:
    """One member. ``addr`` keeps the bytes as received, for forwarding; ``endpoint`` is what we dial.

    Attributes:
        changed_at: when ``state`` last changed, seconds.
        position: index in the table's probe order; the table owns it.
        verified: first-hand evidence (an ack, a packet of its own) was seen since the record was made.
    """

    __slots__ = (
        "addr",
        "changed_at",
        "endpoint",
        "incarnation",
        "meta",
        "name",
        "port",
        "position",
        "state",
        "verified",
        "vsn",
    )

    def __init__(self, claim: Alive, state: State, changed_at: float) -> None:
        self.name = claim.node
        self.state = state
        self.changed_at = changed_at
        self.position = -1
        self.verified = False
        self.adopt(claim)

    def adopt(self, claim: Alive) -> None:
        """Takes over what an alive claim says about the member."""
        self.incarnation = claim.incarnation
        self.addr = claim.addr
        self.port = claim.port
        self.meta = claim.meta
        self.vsn = claim.vsn
        self.endpoint = endpoint_of(claim.addr, claim.port)

    def raise_incarnation(self) -> None:
        """Moves on to the next incarnation, if there is one."""
        self.incarnation = min(self.incarnation + 1, INCARNATION_MAX)

    @property
    def protocol_max(self) -> int:
        """Highest memberlist protocol the member understands (``pmax``)."""
        return self.vsn[1]

    @property
    def is_live(self) -> bool:
        """Alive or suspect."""
        return self.state <= State.SUSPECT

    def alive_claim(self) -> Alive:
        """The claim that says what this record says."""
        return Alive(self.incarnation, self.name, self.addr, self.port, self.meta, self.vsn)

    def as_wire(self) -> NodeRecord:
        """The push/pull form."""
        return NodeRecord(
            self.name, self.addr, self.port, self.meta, self.incarnation, int(self.state), self.vsn
        )


def endpoint_of(addr: bytes, port: int) -> Endpoint:
    """``(text, port)`` of 4 or 16 raw bytes; IPv4 in mapped form comes out as IPv4."""
    plain = addr[12:] if addr.startswith(_MAPPED_PREFIX) else addr
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
    return len(one) != len(other) and one[-4:] == other[-4:] and _MAPPED_PREFIX in (one[:-4], other[:-4])
