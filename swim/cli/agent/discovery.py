"""Finds members of one network name on the local network by mDNS, and joins them, as Serf does."""

from __future__ import annotations

import ipaddress
import logging
import re
import socket
from importlib.util import find_spec
from typing import Any, NamedTuple

import trio

from swim.addresses import Endpoint, join_host_port
from swim.errors import ConfigError
from swim.net.cluster import Cluster
from swim.net.interfaces import interfaces

__all__ = ["Discovery", "DiscoverySettings"]

_NAME = re.compile(r"[A-Za-z0-9_-]{1,57}")
"""The names that fit a label of DNS behind Serf's prefix."""
_INTERVAL = 60.0
_INTERVAL_ALONE = 10.0
_WINDOW = 1.5
_RESOLVE_MILLISECONDS = 500
_FOUND_MAX = 64
_JOIN_SECONDS = 10.0
_CLOSE_SECONDS = 2.0

_log = logging.getLogger("swim.discovery")


class DiscoverySettings(NamedTuple):
    """Which nodes find each other, and where.

    Attributes:
        name: of the network; only nodes with the same name find each other.
        interface: the name of the only interface used; "" for all.
        ipv4: whether IPv4 is used.
        ipv6: whether IPv6 is used.
    """

    name: str
    interface: str = ""
    ipv4: bool = True
    ipv6: bool = True

    def check(self) -> None:
        """Raises ``ConfigError``, naming ``discover`` or ``mdns_interface``, if it cannot work here."""
        if not _NAME.fullmatch(self.name):
            raise ConfigError("discover", "must be 1 to 57 of the characters A-Z, a-z, 0-9, - and _")
        if not (self.ipv4 or self.ipv6):
            raise ConfigError("discover", "needs IPv4 or IPv6, and both are disabled")
        if find_spec("zeroconf") is None:
            raise ConfigError("discover", "needs the package zeroconf: pip install 'swim-cluster[mdns]'")


class Discovery:
    """Announces this node, and looks for others every minute; every ten seconds while it is alone.

    An announced address at which no alive member is, is joined, every time until that works. Nothing that
    goes wrong here touches the node: it is one warning, and tried again.

    Args:
        cluster: from ``open_cluster``.
        settings: which nodes find each other, and where.
    """

    def __init__(self, cluster: Cluster, settings: DiscoverySettings) -> None:
        self._cluster = cluster
        self._settings = settings
        self._type = f"_serf_{settings.name}._tcp.local."
        self._trouble = ""

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            try:
                await self._take_part()
            except Exception as error:
                self._report(f"mDNS does not work: {str(error) or type(error).__name__}")
            await trio.sleep(_INTERVAL_ALONE if self._cluster.is_alone else _INTERVAL)

    async def _take_part(self) -> None:
        """Announces this node and looks for others, until something fails."""
        service, announced = await trio.to_thread.run_sync(self._open), self._cluster.advertised
        try:
            try:
                await trio.to_thread.run_sync(self._announce, service, announced, abandon_on_cancel=True)
            except Exception as error:
                self._report(f"not announced by mDNS: {str(error) or type(error).__name__}")
            while announced == self._cluster.advertised:
                await self._join(await self._look(service))
                await trio.sleep(_INTERVAL_ALONE if self._cluster.is_alone else _INTERVAL)
        finally:
            with trio.move_on_after(_CLOSE_SECONDS, shield=True):
                await trio.to_thread.run_sync(service.close, abandon_on_cancel=True)

    async def _look(self, service: Any) -> set[Endpoint]:
        """The endpoints that are announced now."""
        names: set[str] = set()
        browser = await trio.to_thread.run_sync(self._browse, service, names)
        try:
            await trio.sleep(_WINDOW)
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(browser.cancel)
        return await trio.to_thread.run_sync(self._resolve, service, names, abandon_on_cancel=True)

    async def _join(self, found: set[Endpoint]) -> None:
        members = {member.endpoint for member in self._cluster.alive()}
        if not (missing := sorted(found - members - {self._cluster.advertised})):
            return
        addresses = [join_host_port(*endpoint) for endpoint in missing]
        result = await self._cluster.join(
            addresses, replay=self._cluster.config.replay_on_join, timeout=_JOIN_SECONDS
        )
        for outcome in result.outcomes:
            if outcome.ok:
                _log.info("joined %s, found by mDNS", outcome.address)
            else:
                self._report(f"found by mDNS: {outcome.error}")

    def _report(self, trouble: str) -> None:
        """Logs it, unless it is the same again."""
        if trouble != self._trouble:
            self._trouble = trouble
            _log.warning("%s", trouble)

    # -- in threads

    def _open(self) -> Any:
        from zeroconf import InterfaceChoice, IPVersion, Zeroconf

        versions = {(True, False): IPVersion.V4Only, (False, True): IPVersion.V6Only}
        version = versions.get((self._settings.ipv4, self._settings.ipv6), IPVersion.All)
        if not self._settings.interface:
            return Zeroconf(InterfaceChoice.All, ip_version=version)
        addresses = [
            str(one.address.ip)
            for one in interfaces()
            if one.name == self._settings.interface
            and (self._settings.ipv4 if one.address.version == 4 else self._settings.ipv6)
        ]
        if not addresses:
            raise OSError(f"the interface {self._settings.interface} is not up, or has no address")
        return Zeroconf(addresses, ip_version=version)

    def _announce(self, service: Any, endpoint: Endpoint) -> None:
        from zeroconf import ServiceInfo

        host, port = endpoint
        text = f"Serf '{self._settings.name}' cluster".encode()
        service.register_service(
            ServiceInfo(
                self._type,
                f"{self._cluster.config.name}.{self._type}",
                port,
                addresses=[ipaddress.ip_address(host).packed],
                properties=bytes([len(text)]) + text,
                server=f"{socket.gethostname()}.local.",
            ),
            strict=False,
        )

    def _browse(self, service: Any, names: set[str]) -> Any:
        """Begins to collect the names that are announced."""
        from zeroconf import ServiceBrowser, ServiceStateChange

        def changed(zeroconf: Any, service_type: str, name: str, state_change: Any) -> None:
            (names.discard if state_change is ServiceStateChange.Removed else names.add)(name)

        return ServiceBrowser(service, self._type, handlers=[changed])

    def _resolve(self, service: Any, names: set[str]) -> set[Endpoint]:
        """The endpoints of the first ``_FOUND_MAX`` names."""
        found: set[Endpoint] = set()
        for name in sorted(names)[:_FOUND_MAX]:
            info = service.get_service_info(self._type, name, timeout=_RESOLVE_MILLISECONDS)
            if info is not None and info.port:
                found |= {(text.partition("%")[0], info.port) for text in info.parsed_addresses()}
        return found
