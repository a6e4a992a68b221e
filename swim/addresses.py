"""Addresses: reads and writes ``HOST:PORT``, and decides which can be a member's. Resolves no names.

The syntax is defined only here: an IPv6 host is in brackets if a port follows, a host that ends in a number
is an IP address or wrong, and a name is one that a resolver accepts.
"""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple

from swim.errors import ConfigError

__all__ = [
    "Address",
    "Endpoint",
    "IPAddress",
    "is_loopback",
    "join_bind",
    "join_host_port",
    "parse_address",
    "plain_ip",
    "split_bind",
    "split_host_port",
    "version_of",
    "why_not_advertised",
    "why_unreachable",
    "why_unusable",
]

Endpoint = tuple[str, int]
"""IP address in text (no brackets, no zone) and port."""

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_PORT_MAX = 65_535
_PORT_RANGE = re.compile(r"(?P<host>\[[^\]]*\]|[^:]*):(?P<first>[^:-]*)-(?P<last>[^:-]*)")
_LABEL_MAX_BYTES = 63
_NAME_MAX_BYTES = 253
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")
_HINT = "; set bind and advertise"
_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")


class Address(NamedTuple):
    """One address of a join: an optional node name, a host (name or IP, no brackets), a port."""

    name: str
    host: str
    port: int

    @property
    def literal(self) -> Endpoint | None:
        """The endpoint, if the host is an IP address and needs no resolving."""
        address = plain_ip(self.host)
        return None if address is None else (str(address), self.port)


def join_host_port(host: str, port: int) -> str:
    """``HOST:PORT``, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split_host_port(field: str, text: str, default_port: int | None = None) -> Endpoint:
    """Splits ``HOST``, ``HOST:PORT``, ``V6`` or ``[V6]:PORT``; HOST is a name or an IP address.

    Args:
        field: the setting or argument, named in errors.
        text: to split.
        default_port: used when ``text`` has none; None demands one.

    Raises:
        ConfigError: naming ``field``, for text of another form, a host that is neither an IP address nor a
            valid name, or a port outside 0..65535.
    """
    if not isinstance(text, str):
        raise ConfigError(field, f"must be text like HOST:PORT, not {text!r}")
    host, port = text, ""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ConfigError(field, f"{text!r} has an unbalanced bracket")
        if not isinstance(_ip(host), ipaddress.IPv6Address):
            raise ConfigError(field, f"{host!r} in {text!r} is not an IPv6 address")
        port, has_port = rest[1:], bool(rest)
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
        has_port = True
    else:
        has_port = False
    if not host:
        raise ConfigError(field, f"{text!r} has no host")
    if wrong := _why_no_host(host):
        raise ConfigError(field, f"{text!r} is not HOST, HOST:PORT or [IPV6]:PORT: {wrong}")
    if not has_port:
        if default_port is None:
            raise ConfigError(field, f"{text!r} has no port")
        return host, default_port
    if not port:
        raise ConfigError(field, f"{text!r} ends in ':' without a port")
    if not (port.isascii() and port.isdigit()) or len(port) > 5 or int(port) > _PORT_MAX:
        raise ConfigError(field, f"port {port!r} in {text!r} is not a number from 0 to {_PORT_MAX}")
    return host, int(port)


def split_bind(field: str, text: str, default_port: int | None = None) -> tuple[str, range]:
    """Splits ``HOST:PORT`` or ``HOST:FIRST-LAST`` into the host and the ports to try, in this order.

    Raises:
        ConfigError: as ``split_host_port``; or the range runs backwards or contains port 0.
    """
    found = _PORT_RANGE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        host, port = split_host_port(field, text, default_port)
        return host, range(port, port + 1)
    place = found["host"]
    (host, first), (_, last) = (split_host_port(field, f"{place}:{found[end]}") for end in ("first", "last"))
    if not 0 < first <= last:
        raise ConfigError(field, f"{first}-{last} in {text!r} is not a range of ports, such as 7946-7999")
    return host, range(first, last + 1)


def join_bind(host: str, ports: range) -> str:
    """The text that ``split_bind`` splits."""
    text = join_host_port(host, ports[0])
    return text if len(ports) == 1 else f"{text}-{ports[-1]}"


def parse_address(text: str, default_port: int, *, field: str = "address") -> Address:
    """Reads an address to join: ``[NAME/]HOST[:PORT]`` (memberlist's form).

    Args:
        text: e.g. ``"node-a/10.0.0.1:7946"``, ``"[::1]:7946"``, ``"::1"``, ``"seed.example"``.
        default_port: used when no port is given.
        field: the setting or argument, named in errors.

    Raises:
        ConfigError: naming ``field``, with a text that says what is wrong and what is expected.
    """
    if not isinstance(text, str):
        raise ConfigError(field, f"must be text like HOST:PORT, not {text!r}")
    if "://" in text:
        raise ConfigError(field, f"{text!r} is a URL; give HOST:PORT, the gossip address of a member")
    if "," in text:
        raise ConfigError(field, f"{text!r} holds several addresses; give each one by itself")
    name, slash, rest = text.rpartition("/")
    if slash and not name:
        raise ConfigError(field, f"{text!r} has an empty node name before '/'")
    return Address(name, *split_host_port(field, rest, default_port))


def plain_ip(host: str) -> IPAddress | None:
    """The IP address that ``host`` is, without a zone, IPv4 out of its mapped form; None for a name."""
    address = _ip(host.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def version_of(host: str) -> int:
    """4 or 6, the family of an IP address in text."""
    return 6 if ":" in host else 4


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the IP address ``host``."""
    address = plain_ip(host)
    return address is not None and address.is_loopback


@lru_cache(maxsize=1 << 14)
def why_unusable(host: str, own: str) -> str:
    """Why no member can be at an IP address, in a few words; "" if one can.

    Unreachable addresses are refused. A node on a network also refuses loopback, which is each host itself,
    and link-local addresses, where clouds have their own services (169.254.169.254).

    Args:
        host: IP address of the member, in text.
        own: the address that this node advertises.
    """
    why = why_unreachable(host, own)
    if not why and is_loopback(host) and not is_loopback(own):
        return f"a loopback address, and this node is on a network{_HINT}"
    if not why and _is_link_local(host) and not _is_link_local(own):
        return f"a link-local address, and this node is at {own}"
    return why


@lru_cache(maxsize=1 << 14)
def why_unreachable(host: str, own: str) -> str:
    """Why nothing is sent from this node's address to an IP address, in a few words; "" if it may be.

    Refused are addresses that belong to no single host, those of the other family, and, for a node on
    loopback, all others.
    """
    address, mine = plain_ip(host), plain_ip(own)
    if address is None or mine is None:
        return "not an IP address"
    if address.is_unspecified or address in _THIS_NETWORK:
        return "an unspecified address"
    if address.is_multicast:
        return "a multicast address"
    if address == _BROADCAST:
        return "the broadcast address"
    if address.version == 6 and address.is_link_local:
        return "a link-local address, which needs a zone"
    if address.version != mine.version:
        return f"an IPv{address.version} address, and this node uses IPv{mine.version}{_HINT}"
    if mine.is_loopback and not address.is_loopback:
        return f"an address beyond loopback, and this node is at {own}{_HINT}"
    return ""


def why_not_advertised(host: str, bound: str) -> str:
    """Why a node bound to ``bound`` (perhaps every address) cannot advertise ``host``; "" if it can."""
    mine = plain_ip(bound)
    if mine is None or not mine.is_unspecified:
        return why_unusable(host, bound)
    why = why_unusable(host, host)
    if not why and version_of(host) != mine.version:
        return f"an IPv{version_of(host)} address, and this node is bound to IPv{mine.version}{_HINT}"
    return why


def _is_link_local(host: str) -> bool:
    address = plain_ip(host)
    return address is not None and address.is_link_local


def _ip(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _why_no_host(host: str) -> str:
    """Why no resolver accepts ``host``; "" for an IP address or a valid name.

    Python encodes a name by its IDNA codec before it asks, and that refuses with ``UnicodeError``.
    """
    if _ip(host) is not None:
        return ""
    if ":" in host:
        return f"{host!r} is not an IPv6 address"
    if wrong := [c for c in host if not (c.isalnum() or c in "-._")]:
        return f"a host name has no {wrong[0]!r}"
    labels = host.removesuffix(".").split(".")
    if labels[-1].isdigit() or labels[-1].lower().startswith("0x"):
        return f"{host!r} is not an IPv4 address"
    try:
        encoded = host.encode("ascii" if host.isascii() else "idna").decode("ascii")
    except UnicodeError as error:
        return f"{host!r} is not a host name ({error})"
    labels = encoded.removesuffix(".").split(".")
    if any(not 0 < len(label) <= _LABEL_MAX_BYTES for label in labels):
        return f"the parts of a host name have 1 to {_LABEL_MAX_BYTES} letters"
    return "" if len(encoded) <= _NAME_MAX_BYTES else f"a host name has at most {_NAME_MAX_BYTES} letters"
