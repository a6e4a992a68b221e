"""The addresses of this machine's network interfaces, from the system's ``getifaddrs``.

The standard library does not list them. Of the packages that do, ifaddr does not say which interfaces are up
and psutil is compiled; the one call is less than either.
"""

from __future__ import annotations

import ctypes
import errno
import ipaddress
import socket
import sys
from typing import NamedTuple

from swim.addresses import Endpoint

__all__ = ["Interface", "interfaces", "is_local", "outward_address"]

_IFF_UP = 0x1
_IFF_RUNNING = 0x40
_HAS_LENGTH_BYTE = not sys.platform.startswith("linux")  # BSD's sockaddr begins with its length
_OFFSETS = {socket.AF_INET: (4, 4), socket.AF_INET6: (8, 16)}
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


class _IfAddrs(ctypes.Structure):
    pass


_IfAddrs._fields_ = [
    ("next", ctypes.POINTER(_IfAddrs)),
    ("name", ctypes.c_char_p),
    ("flags", ctypes.c_uint),
    ("addr", ctypes.c_void_p),
    ("netmask", ctypes.c_void_p),
]


def interfaces() -> tuple[Interface, ...]:
    """Every IP address of the interfaces that are up, in the system's order.

    Raises:
        OSError: the system has no such call, or it failed.
    """
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        getifaddrs, freeifaddrs = libc.getifaddrs, libc.freeifaddrs
    except (AttributeError, OSError, TypeError):
        raise OSError(errno.ENOSYS, "this system does not list its interfaces") from None
    head = ctypes.POINTER(_IfAddrs)()
    if getifaddrs(ctypes.byref(head)) != 0:
        raise OSError(ctypes.get_errno(), "cannot list the interfaces")
    found: list[Interface] = []
    try:
        entry = head
        while entry:
            one = entry.contents
            if one.flags & _IFF_UP and one.addr and (address := _address(one.addr, one.netmask)):
                is_running = bool(one.flags & _IFF_RUNNING)
                found.append(Interface(one.name.decode(errors="replace"), address, is_running))
            entry = one.next
    finally:
        freeifaddrs(head)
    return tuple(found)


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


def _address(addr: int, netmask: int) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface | None:
    """Reads a ``sockaddr`` and its mask; None if it is not an IP address."""
    family = ctypes.c_ubyte.from_address(addr + 1) if _HAS_LENGTH_BYTE else ctypes.c_ushort.from_address(addr)
    if family.value not in _OFFSETS:
        return None
    offset, size = _OFFSETS[socket.AddressFamily(family.value)]
    packed = ctypes.string_at(addr + offset, size)
    bits = int.from_bytes(ctypes.string_at(netmask + offset, size)).bit_count() if netmask else 8 * size
    return ipaddress.ip_interface((packed, bits))
