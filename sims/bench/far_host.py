"""A host that can vanish: a network namespace at the other end of a cable. As root, with ``ip``, on Linux."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from types import TracebackType
from typing import Self

__all__ = ["FarHost"]

_NEW_NETWORK = 0x4000_0000
"""``CLONE_NEWNET`` of Linux."""


class FarHost:
    """Two hosts and a cable; a context manager that takes them away.

    This process and its children move for good to a network of their own, one of the two. No route leads from
    there to any other.

    Attributes:
        near: address of this end.
        address: address of the other end.
        namespace: name of the other network, for ``ip netns exec``.

    Raises:
        SystemExit: where such networks cannot be made.
    """

    near = "10.77.0.1"
    address = "10.77.0.2"

    def __init__(self) -> None:
        if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("ip") is None:
            raise SystemExit("this needs root and ip (apt-get install iproute2)")
        if ctypes.CDLL(None).unshare(_NEW_NETWORK):
            raise SystemExit("the system allows no network namespaces")
        self.namespace = f"far{os.getpid()}"

    def __enter__(self) -> Self:
        _ip("link", "set", "lo", "up")
        _ip("netns", "add", self.namespace)
        _ip("link", "add", "near", "type", "veth", "peer", "name", "far", "netns", self.namespace)
        _ip("address", "add", f"{self.near}/24", "dev", "near")
        _ip("link", "set", "near", "up")
        self._far("link", "set", "lo", "up")
        self._far("address", "add", f"{self.address}/24", "dev", "far")
        self.plug()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        _ip("netns", "del", self.namespace)
        _ip("link", "del", "near", check=False)  # went with its peer, as a rule

    def unplug(self) -> None:
        """The far host is gone: what is sent to it vanishes, and it sends nothing."""
        self._far("link", "set", "far", "down")

    def plug(self) -> None:
        """The far host is there."""
        self._far("link", "set", "far", "up")

    def _far(self, *words: str) -> None:
        _ip("-n", self.namespace, *words)


def _ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=True)
