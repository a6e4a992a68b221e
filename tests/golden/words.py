"""The words of the stage's commands as values: times, settings, and messages out of nowhere."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from hashlib import blake2b
from typing import Any, NamedTuple

from sims.errors import UsageError
from sims.world import World
from sims.world.network import Link
from swim.addresses import Endpoint, split_host_port
from swim.config import Config
from swim.core.member import pack_address
from swim.serf.tags import encode_tags
from swim.wire.codec import encode
from swim.wire.keyring import Keyring
from swim.wire.messages import Alive, Dead, Message, Suspect
from swim.wire.packet import PacketCodec

__all__ = [
    "Told",
    "config_fields",
    "link_fields",
    "message_of",
    "names_of",
    "only",
    "options_of",
    "parse_number",
    "parse_seconds",
    "parse_whole",
    "some",
]

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_WORDS = {"true": True, "false": False}
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
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    if match is None:
        raise UsageError(f"{text!r} is not a time such as 200ms or 5s")
    return float(match[1]) * _SECONDS[match[2]]


def parse_number(text: str) -> float:
    """A decimal number."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"{text!r} is not a number")
    return number


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
    """Fields of ``Config``; ``key=WORD`` makes a gossip key of any word."""
    given = dict(options)
    key = given.pop("key", None)
    values = _typed(Config, given)
    if key is not None:
        values["keys"] = (blake2b(key.encode(), digest_size=16).digest(),)
    return values


def link_fields(options: Mapping[str, str]) -> dict[str, Any]:
    """Fields of ``Link``."""
    return _typed(Link, options)


def _typed(owner: Any, options: Mapping[str, str]) -> dict[str, Any]:
    kinds = {field.name: field.type for field in fields(owner) if field.init}
    values: dict[str, Any] = {}
    for name, text in options.items():
        match kinds.get(name):
            case "float" | "float | None":
                values[name] = parse_number(text)
            case "int" | "int | None":
                values[name] = parse_whole(text)
            case "bool" if text in _WORDS:
                values[name] = _WORDS[text]
            case "bool":
                raise UsageError(f"{name} is true or false, not {text!r}")
            case "str":
                values[name] = text
            case _:
                raise UsageError(f"there is no setting {name!r} that a command can give")
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
