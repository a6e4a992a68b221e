"""Hosts that can vanish: network namespaces on the cables of one bridge. As root, with ``ip``, on Linux."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import NamedTuple, Self

__all__ = ["FarHost", "Lan"]

_NEW_NETWORK = 0x4000_0000
"""``CLONE_NEWNET`` of Linux."""


class FarHost(NamedTuple):
    """A host on a cable of its own, as long as its ``Lan.host`` lasts.

    Attributes:
        address: where the others reach it.
        namespace: its network, for ``ip netns exec``.
    """

    address: str
    namespace: str

    def unplug(self) -> None:
        """The host is gone: what is sent to it vanishes, and it sends nothing."""
        _inside(self, "link", "set", "far", "down")

    def plug(self) -> None:
        """The host is there."""
        _inside(self, "link", "set", "far", "up")


class Lan:
    """A local network of this host and any number of far ones; a context manager that takes it away.

    This process and its children move for good to a network of their own. No route leads from there to any
    other.

    Attributes:
        near: address of this host.

    Raises:
        SystemExit: where such networks cannot be made.
    """

    near = "10.77.0.1"

    def __init__(self) -> None:
        if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("ip") is None:
            raise SystemExit("this needs root and ip (apt-get install iproute2)")
        if ctypes.CDLL(None).unshare(_NEW_NETWORK):
            raise SystemExit("the system allows no network namespaces")
        self._free = list(range(254, 1, -1))

    def __enter__(self) -> Self:
        _ip("link", "set", "lo", "up")
        _ip("link", "add", "near", "type", "bridge")
        _ip("address", "add", f"{self.near}/24", "dev", "near")
        _ip("link", "set", "near", "up")
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        _ip("link", "del", "near")

    @contextmanager
    def host(self) -> Iterator[FarHost]:
        """One host more, plugged in; at most 253 at a time."""
        number = self._free.pop()
        host = FarHost(f"10.77.0.{number}", f"far{os.getpid()}-{number}")
        _ip("netns", "add", host.namespace)
        try:
            end = f"port{number}"
            _ip("link", "add", end, "type", "veth", "peer", "name", "far", "netns", host.namespace)
            _ip("link", "set", end, "master", "near", "up")
            _inside(host, "link", "set", "lo", "up")
            _inside(host, "address", "add", f"{host.address}/24", "dev", "far")
            host.plug()
            yield host
        finally:
            _ip("netns", "del", host.namespace)
            _ip("link", "del", f"port{number}", check=False)  # goes with its peer, but not at once
            self._free.append(number)


def _inside(host: FarHost, *words: str) -> None:
    _ip("-n", host.namespace, *words)


def _ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=True)
