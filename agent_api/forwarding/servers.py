"""The servers of a client: pinned by an operator, kept over restarts, in the order in which to ask them."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

import anyio

from agent_api.cluster import ClusterLike
from agent_api.errors import HttpError
from agent_api.servers import Servers
from agent_api.settings import AgentSettings
from swim.text import shown

__all__ = ["PinnedServers"]

_log = logging.getLogger("swim.http")


class PinnedServers(Servers):
    """The list of one client. Nothing is asked of a server before a request needs it.

    Args:
        cluster: resolves names.
        settings: ``rpc_port`` is the HTTP port of addresses without one.
        addresses: ``HOST:PORT`` of each at the start; names are resolved when they are used.
        save: called with the whole list after each change.
    """

    __slots__ = ("_changes", "_order", "_save")

    def __init__(
        self,
        cluster: ClusterLike,
        settings: AgentSettings,
        addresses: Sequence[str],
        *,
        save: Callable[[Sequence[str]], Awaitable[None]],
    ) -> None:
        super().__init__(cluster, settings)
        self._pinned = tuple(dict.fromkeys(addresses))
        self._order = list(self._pinned)
        self._save = save
        self._changes = anyio.Lock()

    async def pin(self, addresses: Sequence[str]) -> None:
        """Replaces the list, and saves it. See ``Servers.pin``.

        Raises:
            HttpError: 400 as there; 500 if it could not be saved. It is in use nevertheless.
        """
        async with self._changes:  # so that the list in use is the one that was saved last
            await super().pin(addresses)
            self._order = list(self._pinned)
            _log.info("servers: %s", ", ".join(map(shown, self.known())))
            try:
                await self._save(self.known())
            except OSError as error:
                why = error.strerror or str(error)
                raise HttpError(500, f"the list is in use but could not be saved: {why}") from None

    def in_order(self) -> Sequence[str]:
        """The servers, those that failed last at the end."""
        return tuple(self._order)

    def failed(self, address: str) -> None:
        """Puts a server at the end; a list that was replaced meanwhile may be without it."""
        if address in self._order:
            self._order.remove(address)
            self._order.append(address)
