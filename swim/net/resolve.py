"""From address texts to endpoints: names to dial, and the address this node tells its peers."""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Callable, Sequence

import trio

from swim.addresses import Address, Endpoint, parse_address, split_host_port
from swim.config import Config
from swim.errors import ConfigError
from swim.net.transport import Transport

__all__ = ["Lookups", "choose_advertise", "is_loopback", "warn_if_exposed"]

_logger = logging.getLogger("swim.net")

_CONCURRENT_LOOKUPS = 16
_UNROUTED = {4: "192.0.2.1", 6: "2001:db8::1"}
"""Documentation addresses: connecting a UDP socket to one asks for a route and sends nothing."""

Report = Callable[[str, Sequence[Endpoint], str], None]


class Lookups:
    """Resolves ``[NAME/]HOST[:PORT]`` texts in tasks, a bounded number at a time, none twice at once.

    Args:
        transport: resolves the names; a node bound to one address family dials only that one.
        default_port: for addresses without a port, as memberlist: the own bind port.
        timeout: seconds for one name.
        report: called with the address as given, its endpoints, and why there are none ("" if there are).
    """

    def __init__(self, transport: Transport, *, default_port: int, timeout: float, report: Report) -> None:
        self._transport = transport
        self._default_port = default_port
        self._timeout = timeout
        self._report = report
        self._pending: set[str] = set()
        self._limit = trio.CapacityLimiter(_CONCURRENT_LOOKUPS)

    def start(self, nursery: trio.Nursery, address: str) -> None:
        """Begins one lookup unless the same one is under way."""
        if address not in self._pending:
            self._pending.add(address)
            nursery.start_soon(self._look_up, address)

    async def _look_up(self, address: str) -> None:
        endpoints: Sequence[Endpoint] = ()
        error = ""
        try:
            endpoints = await self._endpoints(address)
        except ConfigError as wrong:
            error = wrong.reason
        except trio.TooSlowError:
            error = "the name lookup timed out"
        except OSError as wrong:
            error = wrong.strerror or str(wrong)
        finally:
            self._pending.discard(address)
        self._report(address, endpoints, error)

    async def _endpoints(self, address: str) -> Sequence[Endpoint]:
        parsed = parse_address(address, self._default_port)
        if parsed.literal is not None:
            found: Sequence[Endpoint] = (parsed.literal,)
        else:
            async with self._limit:
                with trio.fail_after(self._timeout):
                    found = await self._transport.resolve(parsed.host, parsed.port)
        own = _version(self._transport.endpoint[0])
        reachable = tuple(endpoint for endpoint in found if _version(endpoint[0]) == own)
        if not reachable:
            raise ConfigError(
                "address", f"{parsed.host} has no IPv{own} address, the family this node is bound to"
            )
        return reachable


async def choose_advertise(config: Config, transport: Transport) -> tuple[Endpoint, str]:
    """The endpoint to tell peers, and why it is that one.

    Explicit ``advertise``, else the bound address, else (bound to every address) the one that the system
    would use to reach other networks, else loopback.

    Raises:
        ConfigError: field ``advertise``: the name does not resolve, or to the wrong address family.
    """
    bound_host, bound_port = transport.endpoint
    version = _version(bound_host)
    if config.advertise is not None:
        return await _explicit(config.advertise, transport), "set by advertise"
    if not ipaddress.ip_address(bound_host).is_unspecified:
        return transport.endpoint, "the bound address"
    outward = _outward_address(version)
    if outward:
        return (outward, bound_port), "bound to every address; this one routes to other networks"
    loopback = "127.0.0.1" if version == 4 else "::1"
    _logger.warning(
        "no route to any other network: advertising %s, which only this machine reaches", loopback
    )
    return (loopback, bound_port), "bound to every address; none routes to other networks"


def is_loopback(host: str) -> bool:
    """True if a literal IP address is reachable from this machine alone."""
    return ipaddress.ip_address(host).is_loopback


def warn_if_exposed(config: Config, *endpoints: Endpoint) -> None:
    """One loud warning when the node is reachable from elsewhere and nothing is encrypted."""
    exposed = sorted({host for host, _ in endpoints if not is_loopback(host)})
    if exposed and not config.keys:
        _logger.warning(
            "INSECURE: gossip on %s is neither encrypted nor authenticated: anyone who reaches it can join, "
            "read and remove members. Set a gossip key, or bind to loopback",
            ", ".join(exposed),
            extra={"node": config.name},
        )


async def _explicit(advertise: str, transport: Transport) -> Endpoint:
    bound_host, bound_port = transport.endpoint
    version = _version(bound_host)
    host, port = split_host_port("advertise", advertise, 0)
    address = Address("", host, port or bound_port)
    if address.literal is not None:
        return address.literal
    try:
        found = await transport.resolve(host, address.port)
    except OSError as error:
        raise ConfigError("advertise", f"cannot resolve {host}: {error.strerror or error}") from None
    for endpoint in found:
        if _version(endpoint[0]) == version:
            return endpoint
    raise ConfigError("advertise", f"{host} has no IPv{version} address, the family this node is bound to")


def _version(host: str) -> int:
    return 6 if ":" in host else 4


def _outward_address(version: int) -> str:
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((_UNROUTED[version], 9))
            host: str = probe.getsockname()[0]
    except OSError:
        return ""
    return host.partition("%")[0]
