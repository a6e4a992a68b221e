"""Hashes that are the same in every process, and a circle of points for consistent hashing."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from struct import unpack_from
from typing import NamedTuple, TypeAlias

from swim.errors import ConfigTypeError

__all__ = ["Key", "Place", "circle", "hash_of_key", "hash_of_name", "walk"]

Key: TypeAlias = str | bytes
"""What is owned. A string is the same key as its UTF-8 bytes."""

_POINTS = 128
"""Points on a consistent ring of a member of weight 1; shares then deviate by some 9 %."""
_PLACE_BITS = 20
"""The lowest bits of a point: which member's it is."""
_PLACE_MASK = 2**_PLACE_BITS - 1


class Place(NamedTuple):
    """All that decides which keys a member owns."""

    name: str
    weight: float
    zone: str


def _digest(data: bytes, person: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8, person=person).digest(), "big")


@lru_cache(maxsize=4096)
def hash_of_name(name: str) -> int:
    """64 bits for a member, odd."""
    return _digest(name.encode("utf-8", "surrogateescape"), b"swim.member") | 1


def hash_of_key(key: Key) -> int:
    """64 bits for a key.

    Raises:
        ConfigTypeError: naming ``key``, if it is neither a string nor bytes.
    """
    if isinstance(key, str):
        key = key.encode("utf-8", "surrogateescape")
    elif not isinstance(key, bytes):
        raise ConfigTypeError("key", f"must be a string or bytes, not {key!r}")
    return _digest(key, b"swim.key")


@lru_cache(maxsize=4096)
def _positions(name: str, count: int) -> array[int]:
    """A member's points on the circle, which depend on nothing else; the lowest bits are 0."""
    data = name.encode("utf-8", "surrogateescape")
    digests = (
        blake2b(data, salt=block.to_bytes(4, "big"), person=b"swim.point").digest()
        for block in range(-(-count // 8))
    )
    found = unpack_from(f">{count}Q", b"".join(digests))
    return array("Q", [one >> _PLACE_BITS << _PLACE_BITS for one in found])


@lru_cache(maxsize=8)
def circle(places: tuple[Place, ...]) -> array[int]:
    """All points in order, each with its member's place in the lowest bits."""
    points = array("Q")
    for number, place in enumerate(places):
        count = max(1, round(place.weight * _POINTS))
        points.extend(one | number for one in _positions(place.name, count))
    return array("Q", sorted(points))


def walk(key: int, points: array[int]) -> Iterator[int]:
    """The places after a key's position, round the circle, each once."""
    start, count = bisect_left(points, key >> _PLACE_BITS << _PLACE_BITS), len(points)
    seen: set[int] = set()
    for step in range(count):
        place = points[(start + step) % count] & _PLACE_MASK
        if place not in seen:
            seen.add(place)
            yield place
