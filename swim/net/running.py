"""``open_cluster``: a node's tasks for the length of a block, which Ctrl-C ends as cleanly as anything else.

trio raises ``KeyboardInterrupt`` in whichever task is running. From one of our tasks it would leave the
nursery as a ``BaseExceptionGroup``, which ``except KeyboardInterrupt`` does not catch. So our tasks, and the
code that opens and closes, are protected: the program's main task gets the exception, without a group around
it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from types import TracebackType

import trio

from swim.config import Config
from swim.errors import ConfigError, LocalError
from swim.net.advertise import advertised_endpoint
from swim.net.cluster import Cluster
from swim.net.driver import Driver
from swim.net.faults import LinkFaults
from swim.net.files import Files, KeptFile, Open
from swim.net.fronts.arguments import Arguments
from swim.net.fronts.opening import Opening
from swim.net.keeping import keep
from swim.net.own_address import OwnAddress
from swim.net.start import make_node
from swim.net.transport import FaultyTransport, SocketTransport, Transport
from swim.node import Node

__all__ = ["build_node", "driving", "open_cluster", "require_trio", "run_cluster"]


class _Opening(Opening):
    """Its own code is not interrupted by Ctrl-C; the block is."""

    how = "async with open_cluster(...) as cluster"
    gives = Cluster

    def __init__(self, manager: AbstractAsyncContextManager[Cluster, bool | None]) -> None:
        super().__init__()
        self._manager = manager

    @trio.lowlevel.enable_ki_protection
    async def __aenter__(self) -> Cluster:
        self._enter()
        try:
            return await self._manager.__aenter__()
        except BaseExceptionGroup as group:
            raise _interrupt_in(group) or group from None

    @trio.lowlevel.enable_ki_protection
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        try:
            return await self._manager.__aexit__(kind, error, trace)
        except BaseExceptionGroup as group:
            if group is error:
                raise
            raise _interrupt_in(group) or group from None


def _interrupt_in(group: BaseExceptionGroup[BaseException]) -> KeyboardInterrupt | None:
    """The ``KeyboardInterrupt``, if the group contains nothing else."""
    interrupts, rest = group.split(KeyboardInterrupt)
    return None if interrupts is None or rest is not None else KeyboardInterrupt()


def open_cluster(
    config: Config,
    *,
    transport: Transport | None = None,
    faults: LinkFaults | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    snapshot_file: str | os.PathLike[str] | None = None,
    tags_file: str | os.PathLike[str] | None = None,
    keyring_file: str | os.PathLike[str] | None = None,
    leave_timeout: float = 5.0,
) -> AbstractAsyncContextManager[Cluster]:
    """Runs a member for the length of a block.

    Leaving the block normally leaves the cluster gracefully, within ``leave_timeout``; an exception or a
    cancellation closes everything at once, and the others see this member fail. The seeds in ``config`` are
    joined in the background.

    Args:
        config: the settings.
        transport: a bound network; None binds real sockets at ``config.bind``. Closed at the end.
        faults: switches that break this node's network on purpose.
        data_dir: directory for the snapshot, from which a restart recovers its clocks and past members.
        snapshot_file: path of the snapshot, in Serf's format, instead of the one in ``data_dir``.
        tags_file: path of a file of tags, in Serf's format; ``set_tags`` and ``update_tags`` rewrite it. Then
            ``config`` must have no tags.
        keyring_file: path of a file of gossip keys, in Serf's format, instead of ``keyring.json`` in
            ``data_dir``. Changes of the keyring rewrite it. Its keys are used in place of ``config.keys``.
        leave_timeout: seconds a graceful leave may take; 0 skips it.

    Raises:
        ConfigError: a wrong argument, a port in use, a name that does not resolve, an unusable directory.
        LocalError: not inside ``trio.run``; or another member has the same name and won the vote, which
            cancels the block first.
    """
    files = Files(data_dir, snapshot_file, tags_file, keyring_file)
    arguments = Arguments(config, faults, files, leave_timeout)
    return _Opening(_open(arguments, transport))


@asynccontextmanager
async def _open(arguments: Arguments, transport: Transport | None) -> AsyncIterator[Cluster]:
    require_trio()
    faults = arguments.faults
    async with AsyncExitStack() as stack:
        if transport is not None:
            stack.callback(transport.close)
        files = stack.enter_context(arguments.files.opened(arguments.config))
        config = files.config
        if transport is None:
            transport = await SocketTransport.bind(config.bind)
            stack.callback(transport.close)
        node = await build_node(config, transport, files.past)
        faulty = transport if faults is None else FaultyTransport(transport, faults)
        driver, own_address = await stack.enter_async_context(
            driving(node, faulty, faults=faults, files=files)
        )
        cluster = Cluster(driver, own_address, endpoint=transport.endpoint)
        try:
            yield cluster
            if arguments.leave_timeout > 0:
                await cluster.leave(timeout=arguments.leave_timeout)
        finally:
            cluster._stopped = True


async def run_cluster(
    config: Config,
    *,
    transport: Transport | None = None,
    faults: LinkFaults | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    snapshot_file: str | os.PathLike[str] | None = None,
    tags_file: str | os.PathLike[str] | None = None,
    keyring_file: str | os.PathLike[str] | None = None,
    task_status: trio.TaskStatus[Cluster] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Runs a member until cancelled: ``cluster = await nursery.start(run_cluster, config)``.

    Cancelling closes at once; call ``cluster.leave()`` before for a graceful departure. Arguments and errors
    are those of ``open_cluster``.
    """
    async with open_cluster(
        config,
        transport=transport,
        faults=faults,
        data_dir=data_dir,
        snapshot_file=snapshot_file,
        tags_file=tags_file,
        keyring_file=keyring_file,
    ) as cluster:
        task_status.started(cluster)
        await trio.sleep_forever()


def require_trio() -> None:
    """Makes sure that this runs inside ``trio.run``.

    Raises:
        LocalError: it does not; the message says what works instead.
    """
    try:
        trio.lowlevel.current_task()
    except RuntimeError:
        asyncio = sys.modules.get("asyncio")
        if asyncio is None or asyncio._get_running_loop() is None:
            raise LocalError(
                "swim.open_cluster works inside trio.run only: without it, use swim.blocking.open_cluster"
            ) from None
        raise LocalError(
            "swim.open_cluster works on trio, and this is asyncio: use swim.asyncio.open_cluster"
        ) from None


@asynccontextmanager
async def driving(
    node: Node,
    transport: Transport,
    *,
    faults: LinkFaults | None = None,
    files: Open | None = None,
) -> AsyncIterator[tuple[Driver, OwnAddress]]:
    """Runs the node's tasks for the length of a block; an exception of the block is raised unchanged.

    Raises:
        LocalError: another member has the same name and won the vote; the block is cancelled first.
    """
    failure: BaseException | None = None
    kept: list[KeptFile] = []
    async with _kept(node, kept), trio.open_nursery() as nursery:
        driver = Driver(node, transport, nursery, faults=faults)
        driver.start()
        if files is not None:
            kept += files.attach(driver)
        for file in kept:
            nursery.start_soon(keep, file)
        is_chosen = node.config.advertise is None and node.advertised[0] != transport.endpoint[0]
        own_address = OwnAddress(driver, is_chosen=is_chosen)
        try:
            yield driver, own_address
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            # Raised again outside the nursery, which would wrap it in a group.
            failure = error
        finally:
            driver.close()
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    if driver.stopped:
        raise LocalError(driver.stopped)


@asynccontextmanager
async def _kept(node: Node, files: Sequence[KeptFile]) -> AsyncIterator[None]:
    """Writes down what the node knows in the end, however it ends."""
    try:
        yield
    finally:
        if node.status != "idle":
            for file in files:
                file.finish()


async def build_node(config: Config, network: Transport, past: str = "") -> Node:
    """Chooses the advertised endpoint, and makes the node with what its last run wrote down."""
    try:
        with trio.fail_after(config.tcp_timeout):
            advertised, why = await advertised_endpoint(config, network)
    except trio.TooSlowError:
        raise ConfigError("advertise", f"cannot resolve {config.advertise}: no answer") from None
    return make_node(config, network.endpoint, advertised, why, snapshot=past)
