"""Iterating over the replies to a query, apart from the waiting: the same on every front."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, Self, TypeVar

from swim.commands import QueryReply, Ticket

__all__ = ["AwaitedReplies", "Replies"]

TicketT = TypeVar("TicketT", bound=Ticket)


class Replies(Generic[TicketT]):
    """Replies in the order in which they come, until the query's deadline.

    If the query was refused, or the cluster closes before the deadline, the iteration ends with that error.

    Args:
        ticket: of the query.
        abandon: ends a query early, if it has not ended.
    """

    __slots__ = ("_abandon", "_next", "_ticket")

    def __init__(self, ticket: TicketT, abandon: Callable[[TicketT], None]) -> None:
        self._ticket = ticket
        self._abandon = abandon
        self._next = 0

    def _again(self) -> Self:
        """The same replies, from the first one."""
        return type(self)(self._ticket, self._abandon)

    def _has_news(self) -> bool:
        """Whether ``_take`` has a reply or the end; changes with the ticket."""
        return self._ticket.is_done or self._next < len(self._ticket.replies)

    def _take(self) -> QueryReply | None:
        """The next reply, or None at the end; raises why, if it ended otherwise than by the deadline."""
        ticket = self._ticket
        if self._next == len(ticket.replies):
            _ = ticket.result
            return None
        self._next += 1
        return ticket.replies[self._next - 1]


class AwaitedReplies(Replies[TicketT], ABC):
    """An async iterator over replies. Each iteration begins with the first one."""

    __slots__ = ()

    def __aiter__(self) -> Self:
        return self._again()

    async def __anext__(self) -> QueryReply:
        await self._news()
        reply = self._take()
        if reply is None:
            raise StopAsyncIteration
        return reply

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Ends the query: no more replies are waited for. Those that came can still be read."""
        self._abandon(self._ticket)

    @abstractmethod
    async def _news(self) -> None:
        """Waits until there is a reply or the end."""
