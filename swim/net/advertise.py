"""The address that this node advertises: chosen, checked and logged."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from swim.addresses import (
    Endpoint,
    is_loopback,
    parse_address,
    plain_ip,
    split_host_port,
    version_of,
    why_not_advertised,
    why_unreachable,
)
from swim.config import Config
from swim.errors import ConfigError
from swim.net.interfaces import Interface, interfaces, outward_address

__all__ = ["advertised_endpoint", "best_address", "warn_if_exposed"]

_logger = logging.getLogger("swim.net")

_PRIVATE = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)
"""RFC 1918, 6598 and 4193."""


class Bound(Protocol):
    """A bound network that can look up names."""

    @property
    def endpoint(self) -> Endpoint:
        """The bound address and port."""
        ...

    async def resolve(self, host: str, port: int) -> Sequence[Endpoint]:
        """Every address of a name, the preferred first; ``OSError`` if there is none or no answer."""
        ...


async def advertised_endpoint(
    config: Config,
    network: Bound,
    *,
    found: Callable[[], Sequence[Interface]] = interfaces,
    outward: Callable[[int], str] = outward_address,
) -> tuple[Endpoint, str]:
    """The endpoint to advertise, and why it was chosen.

    Explicit ``advertise``, else the bound address, else (bound to every address) the best of the interfaces'.

    Args:
        config: of the node.
        network: bound.
        found: lists the machine's interfaces.
        outward: the address on the default route of a family, or "".

    Raises:
        ConfigError: field ``advertise``: the name does not resolve, no peer could reach the address, or no
            interface has one; ``seeds``: one cannot be reached from the advertised address.
    """
    bound_host, bound_port = network.endpoint
    if config.advertise is not None:
        advertised, why = await _explicit(config, network), "set by advertise"
        if wrong := why_not_advertised(advertised[0], bound_host):
            raise ConfigError("advertise", f"{advertised[0]} is {wrong}")
        if name := _broadcast_of(advertised[0], found):
            raise ConfigError("advertise", f"{advertised[0]} is the broadcast address of {name}")
    elif not ipaddress.ip_address(bound_host).is_unspecified:
        advertised, why = network.endpoint, "the bound address"
    else:
        host, why = best_address(version_of(bound_host), found, outward)
        advertised = host, bound_port
    for seed in config.seeds:
        literal = parse_address(seed, bound_port, field="seeds").literal
        if literal is not None and (wrong := why_unreachable(literal[0], advertised[0])):
            raise ConfigError("seeds", f"{seed} is {wrong}")
    return advertised, why


def best_address(
    version: int,
    found: Callable[[], Sequence[Interface]] = interfaces,
    outward: Callable[[int], str] = outward_address,
) -> tuple[str, str]:
    """The address of this machine that others can best reach, and why it was chosen.

    memberlist's rule (go-sockaddr ``GetPrivateIP``), and public addresses after the private ones: interfaces
    that are connected, then private addresses, then those on the interface of the default route, then larger
    networks. Loopback is never chosen.

    Raises:
        ConfigError: field ``advertise``: no interface that is up has an address other than loopback.
    """
    default = outward(version)
    try:
        listed = [one for one in found() if one.address.version == version]
    except OSError:
        listed = [Interface("", ipaddress.ip_interface(default))] if default else []
    routed = {one.name for one in listed if str(one.address.ip) == default}
    usable = [
        one
        for one in listed
        if not one.address.is_loopback and not (version == 6 and one.address.is_link_local)
    ]
    if not usable:
        raise ConfigError(
            "advertise",
            f"bound to every address, but no interface has an IPv{version} address other than loopback; "
            "set advertise, or bind to loopback",
        )

    def rank(one: Interface) -> tuple[bool, int, bool, int]:
        return not one.is_running, _kind(one), one.name not in routed, one.address.network.prefixlen

    best, *others = sorted(usable, key=rank)
    kind = ("private", "public", "link-local")[_kind(best)]
    why = f"bound to every address; {kind}, of {best.name or 'the default route'}"
    if others:
        why += f", before {', '.join(f'{one.address.ip} of {one.name}' for one in others)}"
    return str(best.address.ip), why


def warn_if_exposed(config: Config, *endpoints: Endpoint) -> None:
    """Logs one loud warning if other hosts can reach the node and nothing is encrypted."""
    exposed = sorted({host for host, _ in endpoints if not is_loopback(host)})
    if exposed and not config.keys:
        _logger.warning(
            "INSECURE: gossip on %s is neither encrypted nor authenticated: any host that reaches it can "
            "join, read and remove members. Set a gossip key, or bind to loopback",
            ", ".join(exposed),
            extra={"node": config.name},
        )


def _kind(one: Interface) -> int:
    """0 for a private address, 1 for a public one, 2 for a link-local one."""
    if one.address.is_link_local:
        return 2
    return 0 if any(one.address.version == net.version and one.address.ip in net for net in _PRIVATE) else 1


def _broadcast_of(host: str, found: Callable[[], Sequence[Interface]]) -> str:
    """The interface whose network has ``host`` as its broadcast address, or ""."""
    with contextlib.suppress(OSError):
        for name, address, _ in found():
            network = address.network
            is_shared = network.version == 4 and network.prefixlen < 31
            if is_shared and str(network.broadcast_address) == host:
                return name
    return ""


async def _explicit(config: Config, network: Bound) -> Endpoint:
    bound_host, bound_port = network.endpoint
    host, port = split_host_port("advertise", config.advertise or "", bound_port)
    if (address := plain_ip(host)) is not None:
        return str(address), port or bound_port
    try:
        found = await network.resolve(host, port or bound_port)
    except OSError as error:
        raise ConfigError("advertise", f"cannot resolve {host}: {error.strerror or error}") from None
    for endpoint in found:
        if version_of(endpoint[0]) == version_of(bound_host):
            return endpoint
    version = version_of(bound_host)
    raise ConfigError("advertise", f"{host} has no IPv{version} address, the family this node is bound to")
