"""``GET /v1/cluster/watch``: the state, then every change, as lines of JSON."""

from __future__ import annotations

import trio

from agent_api.streams.lines import Feed
from swim.cli.cluster.page.board import Board

__all__ = ["BoardSource"]


class BoardSource:
    """The state first, then every change after that; the state once more after every gap.

    Between the two nothing is missed and nothing comes twice: changes are put into the feed from the very
    moment at which the state is read.
    """

    def __init__(self, board: Board) -> None:
        self._board = board

    async def __call__(self, feed: Feed) -> None:
        """Puts lines into the feed until cancelled."""
        board = self._board
        caught_up = trio.Event()

        def resume() -> None:
            caught_up.set()

        feed.on_caught_up = resume
        board.add(feed)
        try:
            feed.insert(board.snapshot())
            while True:
                await caught_up.wait()
                caught_up = trio.Event()
                if feed.lost:
                    feed.end_gap(board.snapshot(feed.lost))
        finally:
            board.remove(feed)
