"""The replies to a query as lines of JSON, as they come, and a last line that counts them."""

from __future__ import annotations

from typing import Any

import anyio

from agent_api.cluster import ClusterLike, RepliesLike
from agent_api.shapes import dumps, reply_shape
from agent_api.streams.lines import Feed
from swim import QueryAck, SwimError

__all__ = ["ReplySource"]


class ReplySource:
    """The replies to one query that was sent; the query ends with the client.

    Args:
        cluster: which sent it.
        replies: as ``cluster.query`` returned them.
    """

    def __init__(self, cluster: ClusterLike, replies: RepliesLike) -> None:
        self._cluster = cluster
        self._replies = replies

    async def __call__(self, feed: Feed) -> None:
        """Puts a line for each reply; then ``QueryDone``, with their number and perhaps an error."""
        began, acks, responses, error = self._cluster.now(), 0, 0, ""
        try:
            async for reply in self._replies:
                if isinstance(reply, QueryAck):
                    acks += 1
                else:
                    responses += 1
                feed.put(dumps(reply_shape(reply)) + b"\n")
        except SwimError as failure:
            error = str(failure)
        finally:
            with anyio.CancelScope(shield=True):
                await self._replies.aclose()
        done: dict[str, Any] = {
            "event": "QueryDone",
            "acks": acks,
            "responses": responses,
            "lost": feed.lost,
            "seconds": self._cluster.now() - began,
            "error": error,
        }
        feed.end_gap(dumps(done) + b"\n")
