"""A node of ours in a thread of the test's process, for tests with real peers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio

import swim
from sims.bench.ports import free_port
from swim.commands import Command, ForceLeave, Join, Leave
from swim.net.event_buffer import ALL_KINDS
from swim.net.isolated.board import Mailbox
from swim.net.isolated.thread import NodeThread
from swim.net.pump import Ticket
from tests.interop.peers import Seen, seen_by_us

__all__ = ["ThreadNode"]


class ThreadNode:
    """Like ``OurNode``, with the engine of the asyncio and blocking fronts."""

    def __init__(self, config: swim.Config) -> None:
        self.name = config.name
        self.faults = swim.testing.LinkFaults()
        self._config = config
        self._node: NodeThread | None = None
        self._mailbox: Mailbox | None = None
        self._events: list[swim.Event] = []
        self.move()

    def move(self) -> None:
        """Takes another port for the next start."""
        self.address = f"127.0.0.1:{free_port()}"

    @property
    def node(self) -> NodeThread:
        assert self._node is not None, f"{self.name} was not started"
        return self._node

    async def start(self, *join: str) -> None:
        opened = _Callback()
        config = self._config.with_changes(bind=self.address)
        node = self._node = NodeThread(config, faults=self.faults, opened=opened.call)
        node.start()
        await opened.called()
        assert node.failure is None, node.failure
        self._mailbox = node.open_mailbox(ALL_KINDS)
        if join:
            result = await self._do(Join(join))
            assert result.joined, result

    async def members(self) -> dict[str, Seen]:
        return {member.name: seen_by_us(member) for member in self.node.view.members()}

    def kill(self) -> None:
        if self._node is not None:
            self._node.stop()
            assert self._node.join(20.0)

    async def leave(self) -> None:
        await self._do(Leave())
        self.kill()

    async def force_leave(self, name: str, *, prune: bool = False) -> None:
        await self._do(ForceLeave(name, prune=prune))

    def failed(self) -> list[str]:
        while self._mailbox is not None and (event := self._mailbox.take()) is not None:
            self._events.append(event)
        return [event.member.name for event in self._events if isinstance(event, swim.MemberFailed)]

    async def _do(self, command: Command) -> Any:
        done = _Callback()
        ticket = Ticket(changed=done.call)
        self.node.submit(command, ticket)
        await done.called()
        return ticket.result


class _Callback:
    """A call by another thread, to wait for."""

    def __init__(self) -> None:
        self._event = trio.Event()
        self._token = trio.lowlevel.current_trio_token()
        self.call: Callable[[], None] = lambda: self._token.run_sync_soon(self._event.set)

    async def called(self) -> None:
        with trio.fail_after(60.0):
            await self._event.wait()
