"""The replies to one query, for ``async for``."""

from __future__ import annotations

import trio

from swim.commands import QueryReply
from swim.net.driver import Driver, Ticket

__all__ = ["Responses"]


class Responses:
    """An async iterator over the replies to a query, in the order in which they come, until its deadline.

    ``aclose()``, or the end of an ``async with`` block around it, ends the query early. Each iteration begins
    with the first reply. If the cluster closes before the deadline, the iteration ends with a ``LocalError``.
    """

    def __init__(self, driver: Driver, ticket: Ticket) -> None:
        self._driver = driver
        self._ticket = ticket
        self._next = 0

    def __aiter__(self) -> Responses:
        return Responses(self._driver, self._ticket)

    async def __anext__(self) -> QueryReply:
        ticket = self._ticket
        await trio.lowlevel.checkpoint()
        while self._next == len(ticket.replies):
            if ticket.is_done:
                _ = ticket.result  # raises, if it ended otherwise
                raise StopAsyncIteration
            await ticket.changed()
        self._next += 1
        return ticket.replies[self._next - 1]

    async def __aenter__(self) -> Responses:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the query: no more replies are waited for. Those that came can still be read."""
        if not self._ticket.is_done:
            self._driver.call(self._driver.node.abandon, self._ticket.number)
        await trio.lowlevel.checkpoint()
