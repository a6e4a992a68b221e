"""The words of the stage's commands as values: times, settings, and messages out of nowhere."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from sims.errors import UsageError
from sims.settings import read_settings
from sims.world import World
from swim.addresses import Endpoint, split_host_port
from swim.checks import parse_duration
from swim.core.member import pack_address
from swim.serf.tags import encode_tags
from swim.wire.codec import encode
from swim.wire.keyring import Keyring
from swim.wire.messages import Alive, Dead, Message, Suspect
from swim.wire.packet import PacketCodec

__all__ = [
    "Told",
    "config_fields",
    "message_of",
    "names_of",
    "only",
    "options_of",
    "parse_seconds",
    "parse_whole",
    "some",
]

_CLAIM = re.compile(
    r"(\w[\w-]*) from (\S+): (alive|suspect|dead|left) (\S+)@(\d+)(?: by (\S+))?(?: at (\S+))?"
)


class Told(NamedTuple):
    """A packet out of nowhere: who hears it, from whose address, its bytes, and in words."""

    target: str
    source: str
    data: bytes
    words: str


def some(words: list[str], least: int, most: int, usage: str) -> list[str]:
    """The words, if there are as many as that."""
    if not least <= len(words) <= most:
        raise UsageError(usage)
    return words


def only(words: list[str], usage: str) -> str:
    """The word, if there is one alone."""
    return some(words, 1, 1, usage)[0]


def parse_seconds(text: str) -> float:
    """``200ms``, ``5s``, ``2m``, ``1h``."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(str(error)) from None


def parse_whole(text: str, *, least: float = -math.inf) -> int:
    """A whole number."""
    try:
        number = int(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a whole number") from None
    if number < least:
        raise UsageError(f"{text!r} is less than {least}")
    return number


def names_of(words: Iterable[str]) -> list[str]:
    """The words that are not ``KEY=VALUE``."""
    return [word for word in words if "=" not in word]


def options_of(words: Iterable[str]) -> dict[str, str]:
    """The words that are ``KEY=VALUE``."""
    return {word.partition("=")[0]: word.partition("=")[2] for word in words if "=" in word}


def config_fields(options: Mapping[str, str]) -> dict[str, Any]:
    """Fields of ``Config``; ``label=WORD``, and ``key=WORD`` makes a gossip key of any word."""
    numbers = {name: value for name, value in options.items() if name not in ("key", "label")}
    values = read_settings(numbers)
    if "label" in options:
        values["label"] = options["label"]
    if "key" in options:
        values["keys"] = (blake2b(options["key"].encode(), digest_size=16).digest(),)
    return values


def message_of(words: list[str], world: World) -> Told:
    """``NODE from NODE: CLAIM MEMBER@INCARNATION [by ACCUSER] [at ADDRESS]``, sealed as the hearer reads it.

    An alive claim describes the member's host as it is, but for the incarnation and the address.
    """
    match = _CLAIM.fullmatch(" ".join(words))
    if match is None:
        raise UsageError(
            "tell NODE from NODE: alive|suspect|dead|left MEMBER@INCARNATION [by M] [at ADDRESS]"
        )
    target, source, kind, member, incarnation, accuser, address = match.groups()
    hearer = world.host(target)
    try:
        claim = encode(_claim(world, kind, member, int(incarnation), accuser or source, address))
    except (ValueError, OverflowError) as error:  # no address, or too high an incarnation
        raise UsageError(str(error)) from None
    codec = PacketCodec(hearer.config, Keyring(hearer.config.keys), lambda: bytes(12))
    data = codec.seal([claim], crc=False)
    return Told(target, source, data, " ".join(words).partition(": ")[2])


def _claim(
    world: World, kind: str, member: str, incarnation: int, accuser: str, address: str | None
) -> Message:
    if kind == "suspect":
        return Suspect(incarnation, member, accuser)
    if kind in ("dead", "left"):
        return Dead(incarnation, member, member if kind == "left" else accuser)
    host = world.nodes.get(member)
    endpoint: Endpoint = split_host_port("at", address, 7946) if address else ("10.0.0.99", 7946)
    if host is not None and not address:
        endpoint = host.endpoint
    config = host.config if host is not None else next(iter(world.nodes.values())).config
    return Alive(
        incarnation,
        member,
        pack_address(endpoint[0]),
        endpoint[1],
        encode_tags(config.tags, delegate_version=config.delegate_version),
        bytes((1, 5, config.protocol_version, 2, 5, config.delegate_version)),
    )
