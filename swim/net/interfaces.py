"""The addresses of this machine's network interfaces.

The standard library does not list them. Of the packages that do, ifaddr does not say which interfaces are up
and psutil is compiled; the one call is less than either.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import NamedTuple

from swim.addresses import Endpoint

__all__ = ["Interface", "interfaces", "is_local", "outward_address"]

_UNROUTED = {4: "192.0.2.1", 6: "2001:db8::1"}
"""Documentation addresses: connecting a UDP socket to one asks for a route and sends nothing."""


class Interface(NamedTuple):
    """One address of one interface that is up.

    Attributes:
        name: e.g. ``eth0``.
        address: the address with its network.
        is_running: whether the interface is connected to something.
    """

    name: str
    address: ipaddress.IPv4Interface | ipaddress.IPv6Interface
    is_running: bool = True


def interfaces() -> tuple[Interface, ...]:
    """Every IP address of the interfaces that are up, in the system's order.

    Raises:
        OSError: the system has no such call, or it failed.
    """
    from swim.net.getifaddrs import addresses

    return tuple(Interface(*found) for found in addresses())


def is_local(host: str) -> bool:
    """Whether ``host`` is an address of this machine now; cheap however many interfaces there are."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except OSError as error:
        return error.errno != errno.EADDRNOTAVAIL
    return True


def outward_address(version: int) -> str:
    """This machine's address on the default route, or "" without such a route."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((_UNROUTED[version], 9))
            endpoint: Endpoint = probe.getsockname()[:2]
    except OSError:
        return ""
    return endpoint[0].partition("%")[0]
