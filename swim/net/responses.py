"""The replies to one query, for ``async for``."""

from __future__ import annotations

import trio

from swim.net.driver import Ticket
from swim.net.fronts.replies import AwaitedReplies

__all__ = ["Responses"]


class Responses(AwaitedReplies[Ticket]):
    """An async iterator over the replies to a query, in the order in which they come, until its deadline.

    ``aclose()``, or the end of an ``async with`` block around it, ends the query early. Each iteration begins
    with the first reply. If the cluster closes before the deadline, the iteration ends with a ``LocalError``.
    """

    __slots__ = ()

    async def aclose(self) -> None:
        """Ends the query: no more replies are waited for. Those that came can still be read."""
        await super().aclose()
        await trio.lowlevel.checkpoint()

    async def _news(self) -> None:
        await trio.lowlevel.checkpoint()
        while not self._has_news():
            await self._ticket.changed()
