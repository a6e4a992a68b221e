"""Serves the page of ``swim cluster`` from its own process, until cancelled."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial

import trio

from agent_api import AgentSettings, serve
from swim.cli.cluster.commands import Commands
from swim.cli.cluster.page.app import page_app
from swim.cli.cluster.page.board import Board
from swim.cli.cluster.page.tape import Tape
from swim.cli.cluster.run import LocalCluster

__all__ = ["serve_page"]


async def serve_page(
    cluster: LocalCluster,
    commands: Commands,
    listener: socket.socket,
    *,
    record_to: Callable[[str], object] | None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serves pages of a cluster.

    Args:
        cluster: which does not run yet.
        commands: carries out what pages send.
        listener: closed in the end.
        record_to: receives every line of the trace as well, packets included; None for no such trace.
        task_status: reports once pages are served.
    """
    board, tape = Board(cluster, commands), Tape(cluster, record_to)
    cluster.observers.append(board)
    host = listener.getsockname()[0]
    app = page_app(cluster, commands, board, tape, host)
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(serve, app, AgentSettings(), listener=listener))
        task_status.started()
