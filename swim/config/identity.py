"""What is wrong with a node's name, label, keys and addresses, each by itself."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from swim import checks
from swim.addresses import parse_address, plain_ip, split_bind, split_host_port, why_unusable
from swim.errors import ConfigError

if TYPE_CHECKING:
    from swim.config.merge_policy import MergePolicy

__all__ = [
    "NAME_MAX_BYTES",
    "check_addresses",
    "check_keys",
    "check_label",
    "check_name",
    "check_networks",
    "check_policy",
    "read_policy",
]

NAME_MAX_BYTES = 128
"""memberlist's limit of a name."""
_LABEL_MAX_BYTES = 255


def check_name(name: str, *, validate: bool) -> None:
    """Refuses a name that no member can have; if asked to ``validate``, one that Serf would refuse, too."""
    name_bytes = len(name.encode("utf-8", "surrogateescape"))
    if not 0 < name_bytes <= NAME_MAX_BYTES:
        raise ConfigError("name", f"must be 1 to {NAME_MAX_BYTES} bytes, not {name_bytes}")
    if validate and not all(c.isascii() and (c.isalnum() or c in "-.") for c in name):
        raise ConfigError("name", f"{name!r} has characters outside [A-Za-z0-9.-]")


def check_label(label: str) -> None:
    """Refuses a label that has no bytes, or too many."""
    if any("\ud800" <= c <= "\udfff" for c in label):
        raise ConfigError("label", f"{label!r} is not UTF-8")
    label_bytes = len(label.encode())
    if label_bytes > _LABEL_MAX_BYTES:
        raise ConfigError("label", f"must be at most {_LABEL_MAX_BYTES} bytes, not {label_bytes}")


def check_keys(keys: Sequence[bytes]) -> None:
    """Refuses keys that AES does not take."""
    if any(len(secret) not in checks.KEY_SIZES for secret in keys):
        raise ConfigError("keys", "each key must be 16, 24 or 32 bytes")


def check_networks(cidrs: Sequence[str]) -> None:
    """Refuses what is no network."""
    for cidr in cidrs:
        try:
            ipaddress.ip_network(cidr, strict=False)
        except ValueError as error:
            raise ConfigError("cidrs_allowed", str(error)) from None


def read_policy(name: str, value: object) -> MergePolicy:
    """A merge policy; its class is loaded when there is one."""
    from swim.config.merge_policy import MergePolicy

    checks.instance("a MergePolicy", MergePolicy)(name, value)
    return cast("MergePolicy", value)


def check_policy(
    policy: MergePolicy | None, name: str, tags: Mapping[str, str], protocol: int, delegate: int
) -> None:
    """Refuses a policy that refuses the node itself."""
    if policy is not None:
        why = policy.objection(name, tags if delegate else {}, protocol, delegate)
        if why:
            raise ConfigError("merge_policy", f"refuses this node itself: {why}")


def check_addresses(bind: str, advertise: str | None, seeds: Sequence[str]) -> None:
    """Refuses addresses wrong by themselves; whether two fit together is checked once the node is bound."""
    host, _ = split_bind("bind", bind)
    bound = plain_ip(host)
    if bound is not None and not bound.is_unspecified and (wrong := why_unusable(str(bound), str(bound))):
        raise ConfigError("bind", f"{host} is {wrong}")
    if advertise is not None:
        host, _ = split_host_port("advertise", advertise, 0)
        if (plain := plain_ip(host)) is not None and (wrong := why_unusable(str(plain), str(plain))):
            raise ConfigError("advertise", f"{host} is {wrong}")
    for seed in seeds:
        literal = parse_address(seed, 0, field="seeds").literal
        if literal is not None and (wrong := why_unusable(literal[0], literal[0])):
            raise ConfigError("seeds", f"{seed!r} is {wrong}")
