"""``NodeThread``: a node in a daemon thread, which goes on while the program's own loop is blocked."""

from __future__ import annotations

import logging
import selectors
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any, TypeVar

from swim.addresses import Endpoint, split_bind, version_of
from swim.commands import Command
from swim.config import Config
from swim.errors import NO_DESCRIPTORS, ConfigError, InternalError, LocalError, SwimError
from swim.net.advertise import advertised_endpoint
from swim.net.faults import LinkFaults
from swim.net.files import NO_FILES, Files
from swim.net.isolated.board import Board
from swim.net.isolated.handle import IsolatedNode, nothing
from swim.net.isolated.keeper import Keeper
from swim.net.isolated.loop import Loop
from swim.net.isolated.network import SocketNetwork
from swim.net.isolated.waker import Waiter
from swim.net.pump import Ticket
from swim.net.sockets import bind_pair
from swim.net.start import make_node

__all__ = ["NodeThread"]

_logger = logging.getLogger("swim.net")

_BIND_LOOKUP_SECONDS = 10.0

T = TypeVar("T")


class NodeThread(IsolatedNode):
    """A node in a thread of this process, which binds the sockets too: that may take seconds.

    Args:
        config: the settings.
        faults: switches that break this node's network on purpose.
        files: those that it keeps.
        opened: called by the thread once the node runs, or has failed to start.
    """

    def __init__(
        self,
        config: Config,
        *,
        faults: LinkFaults | None = None,
        files: Files = NO_FILES,
        opened: Callable[[], None] = nothing,
    ) -> None:
        super().__init__(config, opened)
        self._faults = faults
        self._files = files
        self._loop: Loop | None = None
        self._attention: Waiter = Waiter()

    # -- for any thread

    @property
    def endpoint(self) -> Endpoint:
        """The bound address and port."""
        return self._running.network.endpoint

    @property
    def board(self) -> Board:
        """What it publishes."""
        return self._running.board

    def submit(self, command: Command, ticket: Ticket) -> None:
        """Gives the node a command; see ``IsolatedNode``."""
        loop = self._running
        if not self._ask(partial(loop.take, command, ticket)):
            ticket.finish(self._ending())

    def abandon(self, ticket: Ticket) -> None:
        """No more replies to this query are wanted; see ``IsolatedNode``."""
        self._ask(partial(self._running.abandon, ticket))

    def stop(self) -> None:
        """Ends the node without leaving: peers see it fail; see ``IsolatedNode``."""
        self._is_stopping = True
        self._attention.wake()
        loop = self._loop
        if loop is not None:
            self._ask(loop.halt)

    def forget(self) -> None:
        """In a forked child: closes its copies of sockets, so that the port is free when the parent ends.

        The selector goes first, and whole: taking a socket out of it would take it out of the parent's.
        """
        loop = self._loop
        if loop is not None and not self.is_ended:
            loop.selector.close()
            loop.streams.drop()
            loop.network.close()

    @property
    def _running(self) -> Loop:
        if self._loop is None:
            raise LocalError("the node has not started")
        return self._loop

    def _ask(self, action: Callable[[], None]) -> bool:
        """Has the loop do something; False if it has ended."""
        with self._lock:
            if self.is_ended or self._loop is None:
                return False
            self._loop.soon(action)
            return True

    # -- the thread

    def _run(self) -> None:
        try:
            with ExitStack() as stack:
                loop = self._open(stack)
                self.is_running = True
                self._opened()
                loop.run()
                if loop.stopped:
                    self.failure = LocalError(loop.stopped)
        except Exception as error:
            if not self.is_running and isinstance(error, SwimError | OSError):
                self.failure = error
            else:
                self.failure = InternalError(
                    f"the node's thread failed, please report this: {type(error).__name__}: {error}"
                )
                self.failure.__cause__ = error
                with suppress(Exception):  # what failed may be a log handler of the program
                    _logger.exception("node %s ends: a bug in swim", self.config.name)
        self._end()

    def _close(self, error: LocalError | InternalError) -> None:
        if self._loop is not None:
            self._loop.end(error)

    def _open(self, stack: ExitStack) -> Loop:
        files = stack.enter_context(self._files.opened(self.config))
        config = files.config
        network = SocketNetwork(*self._bound_sockets())
        stack.callback(network.close)
        advertised, why = _at_once(
            advertised_endpoint(
                config, _Naming(network.endpoint, partial(self._resolved, config.tcp_timeout))
            )
        )
        node = make_node(config, network.endpoint, advertised, why, snapshot=files.past)
        loop = self._loop = Loop(
            node,
            network,
            clock=time.monotonic,
            selector=selectors.DefaultSelector(),
            resolver=self._resolver,
            faults=self._faults,
        )
        keepers = [Keeper(loop, file) for file in files.attach(loop)]
        for keeper in keepers:
            stack.callback(keeper.end)
        loop.start()
        for keeper in keepers:
            keeper.start()
        loop.board.keep_first()
        if self._is_stopping:
            loop.halt()
        return loop

    def _bound_sockets(self) -> Any:
        host, ports = split_bind("bind", self.config.bind)
        try:
            found = [endpoint[0] for endpoint in self._resolved(_BIND_LOOKUP_SECONDS, host, ports[0])]
        except OSError as error:
            if error.errno in NO_DESCRIPTORS:
                raise
            raise ConfigError("bind", f"cannot resolve {host}: {error.strerror or error}") from None
        return bind_pair(min(found, key=version_of), ports, host)

    def _resolved(self, timeout: float, host: str, port: int) -> Sequence[Endpoint]:
        """Every address of a host; waits for it, but not longer than until ``stop``."""
        future = self.resolve(host, port)
        future.add_done_callback(lambda _: self._attention.wake())
        self._attention.wait(timeout)
        if self._is_stopping:
            raise self._ending()
        if not future.done():
            raise TimeoutError(None, "no answer")
        return future.result()


class _Naming:
    """A network that looks up names and waits for the answer."""

    def __init__(self, endpoint: Endpoint, resolve: Callable[[str, int], Sequence[Endpoint]]) -> None:
        self.endpoint = endpoint
        self._resolve = resolve

    async def resolve(self, host: str, port: int) -> Sequence[Endpoint]:
        return self._resolve(host, port)


def _at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("it waits")
