"""Network coordinates: every member places itself so that distances match round-trip times (Vivaldi).

They take no message of their own: the ack of a probe carries the coordinate of the member that acks. The
arithmetic is Serf's ``coordinate`` package, operation by operation, so that equal samples give equal bits; do
not reorder a sum. One thing differs: where two nodes are at one point, Serf draws the direction in which
they part, and here it follows from their names, so that a simulated run needs no random numbers for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce
from itertools import takewhile
from math import isfinite, sqrt
from operator import add, sub
from struct import Struct, unpack_from
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from swim.errors import ConfigError, ConfigTypeError, RemoteError
from swim.metrics import Metrics
from swim.wire.go_msgpack import struct, unpack

__all__ = ["DIMENSIONS", "RTT_MAX", "Coordinate", "Coordinates", "decode_coordinate", "encode_coordinate"]

DIMENSIONS = 8
RTT_MAX = 10.0
"""Longest round-trip time that counts as a sample, seconds."""

_ERROR_MAX = 1.5
_ERROR_WEIGHT = 0.25
_STEP = 0.25
_ADJUSTMENT_SAMPLES = 20
_HEIGHT_MIN = 10e-6
_LATENCIES = 3
_GRAVITY = 150.0
_TINY = 1e-6
_WHOLE_NANOSECONDS_MAX = 2.0**63 / 1e9

_VERSION = b"\1"
_ADJUSTMENT, _ERROR = _VERSION + b"\x84\xaaAdjustment\xcb", b"\xa5Error\xcb"
_HEIGHT, _VEC, _NUMBER = b"\xa6Height\xcb", b"\xa3Vec\x98\xcb", b"\xcb"
_FRAMES = (_ADJUSTMENT, _ERROR, _HEIGHT, _VEC, *[_NUMBER] * (DIMENSIONS - 1))
_LAYOUT = Struct(">" + "".join(f"{len(frame)}sd" for frame in _FRAMES))
"""A payload as Serf and this module write it; any other is read the long way."""
_ORDER = (b"Vec", b"Error", b"Adjustment", b"Height")
_Vector: TypeAlias = tuple[float, float, float, float, float, float, float, float]


class Coordinate(NamedTuple):
    """A point in the space of round-trip times, as Serf's ``coordinate.Coordinate``.

    Attributes:
        vec: seconds in each of eight dimensions.
        error: how much the member trusts it: 0 for full confidence to 1.5 for none, a ratio.
        adjustment: seconds added to each distance, which may be negative.
        height: seconds that every path to the member takes in addition, such as its access link; > 0.
    """

    vec: _Vector = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    error: float = _ERROR_MAX
    adjustment: float = 0.0
    height: float = _HEIGHT_MIN

    def distance_to(self, other: Coordinate) -> float:
        """The estimated round-trip time to ``other``, in seconds.

        Raises:
            ConfigError: naming ``other``: it has another number of dimensions, or is no ``Coordinate``
                (a ``ConfigTypeError`` then).
        """
        if not isinstance(other, Coordinate):
            raise ConfigTypeError("other", f"must be a swim.Coordinate, not {other!r}")
        for name, coordinate in (("self", self), ("other", other)):
            if len(coordinate.vec) != DIMENSIONS:
                raise ConfigError(name, f"has {len(coordinate.vec)} dimensions, not {DIMENSIONS}")
        a, b, c, d, e, f, g, h = map(sub, self.vec, other.vec)
        length = _length((a, b, c, d, e, f, g, h))
        return _rtt(length + self.height + other.height, self.adjustment, other.adjustment)


_ORIGIN = Coordinate()


def _length(a: _Vector) -> float:
    a0, a1, a2, a3, a4, a5, a6, a7 = a
    return sqrt(a0 * a0 + a1 * a1 + a2 * a2 + a3 * a3 + a4 * a4 + a5 * a5 + a6 * a6 + a7 * a7)


def _is_finite(coordinate: Coordinate) -> bool:
    (a, b, c, d, e, f, g, h), error, adjustment, height = coordinate
    total = a + b + c + d + e + f + g + h + error + adjustment + height
    if total - total == 0.0:  # otherwise a sum of finite numbers may be too large, too
        return True
    return all(map(isfinite, (*coordinate.vec, error, adjustment, height)))


def _rtt(raw: float, adjustment: float, other: float = 0.0) -> float:
    """The estimate of a distance in whole nanoseconds, as Go holds it; a longer one stays as it is."""
    seconds = raw + adjustment + other
    if not seconds > 0:
        seconds = raw
    if 0 <= seconds < 1:
        return int(seconds * 1e9) / 1e9
    if not 0 <= seconds < _WHOLE_NANOSECONDS_MAX:
        return -_rtt(-seconds, 0.0) if seconds < 0 else seconds
    whole, rest = divmod(int(seconds * 1e9), 1_000_000_000)
    return whole + rest / 1e9


class Coordinates:
    """The coordinate of one node, and those of the members that acked its probes.

    Args:
        name: of the node.
        metrics: counts what is rejected.

    Attributes:
        own: the node's coordinate.
        resets: how often it was no longer finite and began at the origin again.
    """

    def __init__(self, name: str, metrics: Metrics, own: Coordinate = _ORIGIN) -> None:
        self._name = name
        self._metrics = metrics
        self.own: Coordinate = own
        self.resets: int = 0
        self._payload = b""
        self._latencies: dict[str, tuple[float, ...]] = {}
        self._errors = [0.0] * _ADJUSTMENT_SAMPLES
        self._next_error = 0
        self._peers: dict[str, Coordinate] = {}  # the one heard of last is last

    @property
    def peers(self) -> Mapping[str, Coordinate]:
        """The last coordinate heard of each member."""
        return MappingProxyType(self._peers)

    def get(self, name: str) -> Coordinate | None:
        """The node's own coordinate, or the last one heard of a member."""
        return self.own if name == self._name else self._peers.get(name)

    def since(self, last: Coordinate | None) -> Iterator[tuple[str, Coordinate]]:
        """The coordinates heard of after ``last``, newest first; all if that is forgotten."""
        return takewhile(lambda item: item[1] is not last, reversed(self._peers.items()))

    def forget(self, name: str) -> None:
        """Forgets a member that is no longer listed."""
        self._peers.pop(name, None)
        self._latencies.pop(name, None)

    def payload(self) -> bytes:
        """What acks carry."""
        if not self._payload:
            self._payload = encode_coordinate(self.own)
        return self._payload

    def acked(self, peer: str, rtt: float, payload: bytes) -> None:
        """Takes the payload of a direct ack, which came ``rtt`` seconds after its ping."""
        try:
            other = decode_coordinate(payload)
        except RemoteError as error:
            self._metrics.dropped(error.reason)
            return
        if not self.update(peer, rtt, other):
            self._metrics.count("serf.coordinate.rejected")

    def update(self, peer: str, rtt: float, other: Coordinate) -> bool:
        """Moves this node by one sample; returns False, and changes nothing, if the sample is not valid.

        Args:
            peer: the member's name.
            rtt: seconds, 0 to ``RTT_MAX``.
            other: the member's coordinate; each number in it has to be finite.
        """
        if not 0 <= rtt <= RTT_MAX or len(other.vec) != DIMENSIONS or not _is_finite(other):
            return False
        if not rtt:
            self._metrics.count("serf.coordinate.zero-rtt")
        latencies = self._latencies[peer] = (*self._latencies.get(peer, ())[1 - _LATENCIES :], rtt)
        own = self._sampled(peer, sorted(latencies)[len(latencies) // 2], other)
        if not _is_finite(own):
            self.resets += 1
            own = _ORIGIN
        self.own = own
        self._payload = b""
        self._peers.pop(peer, None)
        self._peers[peer] = other
        return True

    def _sampled(self, peer: str, rtt: float, other: Coordinate) -> Coordinate:
        """Where this node is after one sample. Spelled out, since every ack passes here."""
        (a0, a1, a2, a3, a4, a5, a6, a7), error, adjustment, height = self.own
        (b0, b1, b2, b3, b4, b5, b6, b7), other_error, other_adjustment, other_height = other
        # Vivaldi's step: away from the other if it seems nearer than it is, else towards it.
        d0, d1, d2, d3 = a0 - b0, a1 - b1, a2 - b2, a3 - b3
        d4, d5, d6, d7 = a4 - b4, a5 - b5, a6 - b6, a7 - b7
        length = sqrt(d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3 + d4 * d4 + d5 * d5 + d6 * d6 + d7 * d7)
        distance = _rtt(length + height + other_height, adjustment, other_adjustment)
        at_least = rtt if rtt > _TINY else _TINY
        wrong = abs(distance - at_least) / at_least
        both = error + other_error
        weight = error / (both if both > _TINY else _TINY)
        error = min(_ERROR_WEIGHT * weight * wrong + error * (1.0 - _ERROR_WEIGHT * weight), _ERROR_MAX)
        force, scale = _STEP * weight * (at_least - distance), 1.0
        if length > _TINY:
            height = max((height + other_height) * force / length + height, _HEIGHT_MIN)
            scale /= length
        else:
            d0, d1, d2, d3, d4, d5, d6, d7 = _direction(self._name, peer)
        a0 += d0 * scale * force
        a1 += d1 * scale * force
        a2 += d2 * scale * force
        a3 += d3 * scale * force
        a4 += d4 * scale * force
        a5 += d5 * scale * force
        a6 += d6 * scale * force
        a7 += d7 * scale * force
        # Half the mean error of the last samples is this node's to make up for, half the others'.
        d0, d1, d2, d3 = a0 - b0, a1 - b1, a2 - b2, a3 - b3
        d4, d5, d6, d7 = a4 - b4, a5 - b5, a6 - b6, a7 - b7
        length = sqrt(d0 * d0 + d1 * d1 + d2 * d2 + d3 * d3 + d4 * d4 + d5 * d5 + d6 * d6 + d7 * d7)
        self._errors[self._next_error] = rtt - (length + height + other_height)
        self._next_error = (self._next_error + 1) % _ADJUSTMENT_SAMPLES
        adjustment = reduce(add, self._errors) / (2.0 * _ADJUSTMENT_SAMPLES)  # sum() rounds differently
        # Gravity keeps all nodes together near the origin.
        length = sqrt(a0 * a0 + a1 * a1 + a2 * a2 + a3 * a3 + a4 * a4 + a5 * a5 + a6 * a6 + a7 * a7)
        pull = _rtt(length + _HEIGHT_MIN + height, adjustment) / _GRAVITY
        force, scale = -(pull * pull), 1.0
        if length > _TINY:
            height = max((height + _HEIGHT_MIN) * force / length + height, _HEIGHT_MIN)
            scale /= length
            d0, d1, d2, d3, d4, d5, d6, d7 = a0, a1, a2, a3, a4, a5, a6, a7
        else:
            d0, d1, d2, d3, d4, d5, d6, d7 = _direction(self._name, "")
        a0 += d0 * scale * force
        a1 += d1 * scale * force
        a2 += d2 * scale * force
        a3 += d3 * scale * force
        a4 += d4 * scale * force
        a5 += d5 * scale * force
        a6 += d6 * scale * force
        a7 += d7 * scale * force
        return Coordinate((a0, a1, a2, a3, a4, a5, a6, a7), error, adjustment, height)


def _direction(name: str, peer: str) -> _Vector:
    """A unit vector, another one for each pair of names."""
    from hashlib import blake2b  # seldom needed

    names = f"{name}\0{peer}".encode("utf-8", "surrogateescape")
    words = unpack_from(f">{DIMENSIONS}Q", blake2b(names, digest_size=8 * DIMENSIONS).digest())
    a, b, c, d, e, f, g, h = apart = tuple(word * 2.0**-64 - 0.5 for word in words)
    length = _length((a, b, c, d, e, f, g, h))
    if length <= _TINY:
        return (1.0, *_ORIGIN.vec[1:])
    a, b, c, d, e, f, g, h = (part * (1.0 / length) for part in apart)
    return a, b, c, d, e, f, g, h


def encode_coordinate(coordinate: Coordinate) -> bytes:
    """The payload of an ack: a version byte, and Serf's ``Coordinate`` as a map."""
    (a, b, c, d, e, f, g, h), error, adjustment, height = coordinate
    return _LAYOUT.pack(
        *(_ADJUSTMENT, adjustment, _ERROR, error, _HEIGHT, height, _VEC, a),
        *(_NUMBER, b, _NUMBER, c, _NUMBER, d, _NUMBER, e, _NUMBER, f, _NUMBER, g, _NUMBER, h),
    )


def decode_coordinate(payload: bytes) -> Coordinate:
    """The coordinate in the payload of an ack. Its numbers need not be finite.

    Raises:
        RemoteError: ``coordinate-version`` or ``coordinate``, for a payload that cannot be read.
    """
    if len(payload) == _LAYOUT.size:
        values = _LAYOUT.unpack(payload)
        if values[::2] == _FRAMES:
            adjustment, error, height, a, b, c, d, e, f, g, h = values[1::2]
            return Coordinate((a, b, c, d, e, f, g, h), error, adjustment, height)
    if payload[:1] != _VERSION:
        raise RemoteError("coordinate-version", f"version {payload[0] if payload else None}")
    try:
        fields = struct(unpack(payload[1:]), _ORDER)
        vec = fields.get(b"Vec")
        if type(vec) is not tuple or len(vec) != DIMENSIONS:
            raise RemoteError("coordinate", f"not {DIMENSIONS} dimensions")
        a, b, c, d, e, f, g, h = map(_number, vec)
        return Coordinate((a, b, c, d, e, f, g, h), *(_number(fields.get(name)) for name in _ORDER[1:]))
    except RemoteError as error:
        raise RemoteError("coordinate", str(error)) from None


def _number(value: object) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        return float(value)
    if value is None:
        return 0.0
    raise RemoteError("coordinate", f"{type(value).__name__} instead of a number")
