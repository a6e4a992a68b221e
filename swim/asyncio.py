"""Cluster membership on asyncio: the names, arguments, events and errors of ``swim.open_cluster`` on trio.

    async with swim.asyncio.open_cluster(swim.Config.local(seeds=["127.0.0.1:7946"])) as cluster:
        async for event in cluster.events():
            print(event)

The node runs in a thread of its own, or in a process of its own, so a blocked event loop does not make it
look dead. Every event loop works, uvloop as well. A cluster may be used by tasks of several event loops.
"""

# ruff: noqa: ASYNC109  a timeout here ends the wait, not the work, and often with a partial result

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from contextvars import Context
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Literal
from weakref import WeakMethod

from swim import checks
from swim.addresses import Endpoint
from swim.commands import Command, Outcome
from swim.config import Config
from swim.errors import LocalError
from swim.events import Event, Member
from swim.membership import Membership
from swim.net.faults import LinkFaults
from swim.net.files import Files
from swim.net.fronts.arguments import Arguments
from swim.net.fronts.bell import Bell
from swim.net.fronts.isolated import Belled, IsolatedCluster, Life, Mail
from swim.net.fronts.opening import Opening
from swim.net.fronts.replies import AwaitedReplies
from swim.net.isolated.handle import IsolatedNode

__all__ = ["Cluster", "Responses", "Subscription", "Ticket", "observe", "open_cluster"]

_LAST_SECONDS = 5.0
"""How long an opening that is given up waits for its node to end, without the event loop."""


class Ticket(Belled):
    """A command in progress, to wait for."""

    __slots__ = ()

    async def outcome(self) -> Outcome:
        """Waits for the outcome.

        Raises:
            LocalError: it was refused, or the cluster closed before there was one.
            ConfigError: as documented for the command's method.
        """
        self.origin.require()
        await _until(self.bell, lambda: self.is_done)
        return self.result


class Subscription:
    """One reader's view of the events since it subscribed; an async iterator that ends with the cluster.

    A reader that is too slow receives ``EventsLost(count)`` in place of the events that its buffer could not
    hold. ``close()``, the end of an ``async with`` block around it, or dropping the object ends the
    subscription. A cancelled wait loses no event.
    """

    __slots__ = ("_mail",)

    def __init__(self, mail: Mail) -> None:
        self._mail = mail

    def __aiter__(self) -> Subscription:
        return self

    async def __aenter__(self) -> Subscription:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def __anext__(self) -> Event:
        mail = self._mail
        while True:
            rings, is_over = mail.bell.rings, mail.is_over
            event = mail.take()
            if event is not None:
                return event
            if is_over:
                raise StopAsyncIteration
            await _next_ring(mail.bell, rings)

    def close(self) -> None:
        """Ends the subscription; buffered events can still be read."""
        self._mail.close()


class Responses(AwaitedReplies[Ticket]):
    """An async iterator over the replies to a query, in the order in which they come, until its deadline.

    ``aclose()``, or the end of an ``async with`` block around it, ends the query early. Each iteration begins
    with the first reply. If the query was refused, or the cluster closes before the deadline, the iteration
    ends with that error.
    """

    __slots__ = ()

    async def _news(self) -> None:
        self._ticket.origin.require()
        await _until(self._ticket.bell, self._has_news)


class Cluster(IsolatedCluster[Ticket, Subscription, Responses]):
    """The cluster as one member sees it. Made by ``open_cluster``; usable from every event loop and thread.

    Reading (``members``, ``member``, ``local``, ``history``, ``stats``) never waits. Every waiting method may
    be cancelled: the command that it began continues in the background. What only the node can refuse (sizes,
    its state) is raised by ``ticket.outcome()``, and by iterating over a query.

    Attributes:
        config: the settings it runs with.
        metrics: live counters and gauges.
        endpoint: the bound address and port.
        started_at: when it started, on the scale of ``now()``.
    """

    async def resolve(self, host: str, port: int) -> tuple[Endpoint, ...]:
        """Every address of a host name, in the resolver's order; give it a time limit.

        Raises:
            OSError: it has no address.
            ConfigError: ``host`` is not text, or ``port`` is not a port.
            LocalError: after the block was left.
        """
        host, port = checks.text("host", host), checks.port("port", port)
        self._check_open()
        bell, answer = Bell(), self._node.resolve(host, port)
        answer.add_done_callback(lambda _: bell.ring())
        await _until(bell, answer.done)
        return answer.result()

    def _submit(self, command: Command) -> Ticket:
        return Ticket(self._node, command)

    def _reader(self, mail: Mail) -> Subscription:
        return Subscription(mail)

    def _replies(self, ticket: Ticket) -> Responses:
        return Responses(ticket, Ticket._abandon)

    async def _finished(self, tickets: Sequence[Ticket], timeout: float | None) -> None:
        try:
            async with asyncio.timeout(timeout):
                for ticket in tickets:
                    await ticket.outcome()
        except TimeoutError:
            pass

    async def _next(self, events: Subscription, timeout: float) -> Event | None:
        try:
            async with asyncio.timeout(timeout):
                return await anext(events, None)
        except TimeoutError:
            return None


async def observe(
    addresses: Iterable[str], *, keys: Iterable[bytes] = (), label: str = "", timeout: float = 5.0
) -> tuple[Member, ...]:
    """Reads who is in a cluster from the first of its members that answers, without being a member.

    Arguments, result and errors are those of ``swim.blocking.observe``, which it calls in a thread.
    """
    from swim.net.observer import observe as observed  # few programs need it

    call = partial(observed, addresses, keys=keys, label=label, timeout=timeout)
    return await asyncio.to_thread(call)


def open_cluster(
    config: Config,
    *,
    faults: LinkFaults | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    snapshot_file: str | os.PathLike[str] | None = None,
    tags_file: str | os.PathLike[str] | None = None,
    keyring_file: str | os.PathLike[str] | None = None,
    leave_timeout: float = 5.0,
    isolation: Literal["thread", "process"] = "thread",
) -> AbstractAsyncContextManager[Cluster]:
    """Runs a member for the length of a block.

    Leaving the block normally leaves the cluster gracefully, within ``leave_timeout``; an exception or a
    cancellation closes everything at once, and the others see this member fail. The seeds in ``config`` are
    joined in the background. If the node ends by itself, the block is cancelled and its end raises why.

    Args:
        config: the settings.
        faults: switches that break this node's network on purpose; with ``isolation="thread"`` only.
        data_dir: directory for the snapshot, from which a restart recovers its clocks and past members.
        snapshot_file: path of the snapshot, in Serf's format, instead of the one in ``data_dir``.
        tags_file: path of a file of tags, in Serf's format; ``set_tags`` and ``update_tags`` rewrite it. Then
            ``config`` must have no tags.
        keyring_file: path of a file of gossip keys, in Serf's format, instead of ``keyring.json`` in
            ``data_dir``. Changes of the keyring rewrite it. Its keys are used in place of ``config.keys``.
        leave_timeout: seconds a graceful leave may take; 0 skips it.
        isolation: where the node runs. ``"thread"`` is not disturbed by a blocked event loop or by Python
            code that computes; ``"process"`` (a child process) not even by C code that holds the GIL.

    Raises:
        ConfigError: a wrong argument, a port in use, a name that does not resolve, an unusable directory.
        LocalError: not on asyncio; or another member has the same name and won the vote, or the child process
            died, which cancels the block first.
    """
    files = Files(data_dir, snapshot_file, tags_file, keyring_file)
    arguments = Arguments(config, faults, files, leave_timeout, isolation)
    return _Opening(arguments)


class _Opening(Opening, AbstractAsyncContextManager[Cluster, None]):
    how = "async with open_cluster(...) as cluster"
    gives = Cluster

    def __init__(self, arguments: Arguments) -> None:
        super().__init__()
        self._arguments = arguments
        self._task: asyncio.Task[object] | None = None
        self._cancels = 0
        self._was_cut = False

    async def __aenter__(self) -> Cluster:
        task = _current_task()
        self._enter()
        self._life = life = Life(self._arguments)
        node = life.node
        try:
            await _until(life.bell, lambda: node.is_running or node.is_ended)
            if node.failure is not None:
                raise node.failure
            self._cluster = Cluster(life)
        except BaseException:
            life.stop()
            life.join(_LAST_SECONDS)
            raise
        self._cancels, self._task = task.cancelling(), task
        cut = WeakMethod(self._cut)  # or the node would keep alive what ends it when it is dropped
        node.when_ended(partial(_call, asyncio.get_running_loop(), lambda: (call := cut()) and call()))
        return self._cluster

    def _cut(self) -> None:
        """The node ended; if that was not asked for, the block is over."""
        if self._task is not None and self._life.node.failure is not None:
            self._was_cut = True
            self._task.cancel("the node ended")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        cluster, node = self._cluster, self._life.node
        try:
            if error is None and not node.is_ended and self._arguments.leave_timeout > 0:
                await cluster.leave(timeout=self._arguments.leave_timeout)
        except LocalError:
            if node.failure is None:
                raise
        finally:
            self._life.stop()
            if kind is not GeneratorExit:  # after which nothing may be awaited
                await self._ended(node)
            self._life.join(_LAST_SECONDS)
        if self._was_cut and task is not None:
            is_ours = task.uncancel() <= self._cancels
            if error is not None and not (is_ours and kind is asyncio.CancelledError):
                return
        elif error is not None:
            return
        if node.failure is not None:
            raise node.failure from error

    async def _ended(self, node: IsolatedNode) -> None:
        """Waits until the node has ended, which takes milliseconds; a cancellation waits for it as well."""
        cancelled: BaseException | None = None
        while not node.is_ended:
            try:
                await _until(self._life.bell, lambda: node.is_ended)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None and not self._was_cut:
            raise cancelled


def _current_task() -> asyncio.Task[object]:
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    if task is None:
        raise LocalError(
            "swim.asyncio works in tasks of asyncio only: use swim.open_cluster on trio, and "
            "swim.blocking.open_cluster without an event loop"
        )
    return task


async def _until(bell: Bell, is_so: Callable[[], bool]) -> None:
    """Waits until a condition holds, which may change with every ring."""
    while True:
        rings = bell.rings
        if is_so():
            return
        await _next_ring(bell, rings)


async def _next_ring(bell: Bell, rings: int) -> None:
    """Waits for the next ring after ``rings``."""
    loop = asyncio.get_running_loop()
    wait = _Wait(loop=loop)
    wake = partial(_call, loop, wait.end)
    bell.add(wake)
    try:
        if bell.rings == rings:
            await wait
    finally:
        bell.discard(wake)


class _Wait(asyncio.Future[None]):
    """The wait of one task, which goes on within ``end``; with a plain future, a turn of the loop later."""

    _waiting: tuple[Callable[..., object], Context] | None = None

    def add_done_callback(self, call: Callable[..., object], *, context: Context | None = None) -> None:
        """Takes what has the task go on, as its ``await`` does."""
        assert context is not None
        self._waiting = call, context
        super().add_done_callback(call, context=context)

    def end(self) -> None:
        """Has the task go on, if it waits."""
        if self._waiting is not None and not self.done():
            call, context = self._waiting
            self.remove_done_callback(call)
            self.set_result(None)
            context.run(call, self)


def _call(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    """Calls something in a loop, from any thread; a loop that was closed has no task that waits."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(call)


if TYPE_CHECKING:
    _: type[Membership] = Cluster
