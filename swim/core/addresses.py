"""The address syntax of a join: ``[NAME/]HOST[:PORT]`` (memberlist's, and Serf's in reconnects)."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from swim.config import split_host_port
from swim.core.output import Endpoint
from swim.errors import ConfigError

__all__ = ["Address", "parse_address"]


class Address(NamedTuple):
    """One address of a join: an optional node name, a host (name or IP, no brackets), a port."""

    name: str
    host: str
    port: int

    @property
    def literal(self) -> Endpoint | None:
        """The endpoint, if the host is an IP address and needs no resolving."""
        try:
            return str(ipaddress.ip_address(self.host)), self.port
        except ValueError:
            return None


def parse_address(text: str, default_port: int) -> Address:
    """Splits an address.

    Args:
        text: e.g. ``"node-a/10.0.0.1:7946"``, ``"[::1]:7946"``, ``"::1"``, ``"seed.example"``.
        default_port: used when no port is given.

    Raises:
        ConfigError: with a text that says what is wrong.
    """
    name, slash, rest = text.rpartition("/")
    if slash and not name:
        raise ConfigError("address", f"{text!r} has an empty node name before '/'")
    host, port = split_host_port("address", rest, default_port)
    return Address(name, host, port)
