"""The system's ``getifaddrs``. In a module of its own: few nodes need it, and ``ctypes`` takes a megabyte."""

from __future__ import annotations

import ctypes
import errno
import ipaddress
import socket
import sys
from collections.abc import Iterator

__all__ = ["addresses"]

_IFF_UP = 0x1
_IFF_RUNNING = 0x40
_HAS_LENGTH_BYTE = not sys.platform.startswith("linux")  # BSD's sockaddr begins with its length
_OFFSETS = {socket.AF_INET: (4, 4), socket.AF_INET6: (8, 16)}

Address = ipaddress.IPv4Interface | ipaddress.IPv6Interface


class _IfAddrs(ctypes.Structure):
    pass


_IfAddrs._fields_ = [
    ("next", ctypes.POINTER(_IfAddrs)),
    ("name", ctypes.c_char_p),
    ("flags", ctypes.c_uint),
    ("addr", ctypes.c_void_p),
    ("netmask", ctypes.c_void_p),
]


def addresses() -> Iterator[tuple[str, Address, bool]]:
    """Name, IP address and connectedness of every interface that is up, in the system's order.

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
    try:
        entry = head
        while entry:
            one = entry.contents
            if one.flags & _IFF_UP and one.addr and (address := _address(one.addr, one.netmask)):
                is_running = bool(one.flags & _IFF_RUNNING)
                yield one.name.decode(errors="replace"), address, is_running
            entry = one.next
    finally:
        freeifaddrs(head)


def _address(addr: int, netmask: int) -> ipaddress.IPv4Interface | ipaddress.IPv6Interface | None:
    """Reads a ``sockaddr`` and its mask; None if it is not an IP address."""
    family = ctypes.c_ubyte.from_address(addr + 1) if _HAS_LENGTH_BYTE else ctypes.c_ushort.from_address(addr)
    if family.value not in _OFFSETS:
        return None
    offset, size = _OFFSETS[socket.AddressFamily(family.value)]
    packed = ctypes.string_at(addr + offset, size)
    bits = int.from_bytes(ctypes.string_at(netmask + offset, size)).bit_count() if netmask else 8 * size
    return ipaddress.ip_interface((packed, bits))
