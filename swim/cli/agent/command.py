"""``swim agent``: one node with its HTTP API, from start to graceful leave."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import asdict, replace
from functools import partial

import click
import trio

import swim.ipc
from agent_api import listen, serve
from swim.addresses import Endpoint, join_host_port
from swim.cli.agent.client_mode import ClientAgent
from swim.cli.agent.discovery import Discovery
from swim.cli.agent.options import options
from swim.cli.agent.plan import AgentPlan, plan_of, with_origin
from swim.cli.agent.readiness import STATES, Readiness, State
from swim.cli.agent.reporting import dump, url_of
from swim.cli.agent.service_manager import ServiceManager
from swim.cli.agent.settings import Settings, settings_of
from swim.cli.common import ExitCode, globals_of, json_option, unwrapped
from swim.cli.logs import LogOutput, set_level
from swim.errors import ConfigError, SwimError
from swim.handlers import EventHandlers
from swim.listening import socket_file
from swim.log import report
from swim.net.cluster import Cluster
from swim.net.running import open_cluster
from swim.text import json_text, shown

__all__ = ["agent"]

_LEAVE_SECONDS = 8.0
# timeout(1) and others signal the process and its group: that is one request to stop, not two.
_SAME_SIGNAL_SECONDS = 0.1
_SEEN_IN_PS = {
    "encrypt": "--key-file",
    "rpc_auth": "SWIM_RPC_AUTH or the --config file",
    "views_token": "SWIM_VIEWS_TOKEN or the --config file",
}
_ENDING = (signal.SIGINT, signal.SIGTERM)
_SIGNALS = (*_ENDING, signal.SIGHUP, signal.SIGUSR1)
_log = logging.getLogger("swim.agent")


@click.command()
@options
@json_option
def agent(**_: object) -> int:
    """Run one node with its HTTP API until a signal stops it.

    Each option can also be set by an environment variable (SWIM_BIND, SWIM_RETRY_JOIN, ...) or by a key of
    the --config file (bind, retry_join, ...), whose [gossip] table also takes every field of swim.Config.
    A flag wins over a variable, a variable over the file. Files of Serf's agent are accepted as they are, by
    --serf-config.

    SIGINT and SIGTERM make the agent leave gracefully; a second one stops it at once. SIGHUP reloads the log
    level, the event handlers and the tags from the files (the tags from --tags-file), the tokens from the
    --acl-file, and the certificate of HTTPS; SIGUSR1 writes all metrics to stderr. With --json, the bound
    addresses are printed to stdout as one line once all are ready.
    """
    ctx = click.get_current_context()
    settings = settings_of(ctx)
    plan = plan_of(settings)
    try:
        with unwrapped(), LogOutput(plan.log_level, plan.log_format, syslog=plan.syslog) as log:
            for name, instead in _SEEN_IN_PS.items():
                if settings.origins.get(name) == f"--{name.replace('_', '-')}":
                    _log.warning("every user of this machine can see the key (ps): use %s instead", instead)
            for warning in settings.warnings:
                _log.warning("%s", warning)
            if plan.client is not None:
                return trio.run(ClientAgent(ctx, plan, plan.client, log).run)
            return trio.run(_Agent(ctx, settings, plan, log).run)
    except ConfigError as error:
        raise with_origin(error, settings) from None


class _Agent:
    """One run of the agent."""

    def __init__(self, ctx: click.Context, settings: Settings, plan: AgentPlan, log: LogOutput) -> None:
        self._ctx = ctx
        self._settings = settings
        self._plan = plan
        self._output = log
        self._cluster: Cluster | None = None
        self._handlers: EventHandlers | None = None
        self._manager = ServiceManager(os.environ)
        self._state: State = "listening"
        self._stopped = trio.Event()
        self._code = ExitCode.DONE

    async def run(self) -> int:
        """Runs until a signal or an operator's leave; the exit code."""
        plan = self._plan
        with (
            trio.open_signal_receiver(*_SIGNALS) as signals,
            ExitStack() as stack,
        ):
            stack.callback(self._manager.close)
            # Before the node starts: if an address is not available, nothing must start.
            listener = listen(plan.api.http, mode=plan.api.http_socket_mode) if plan.serves_http else None
            if listener is not None:
                stack.enter_context(listener)
                stack.enter_context(socket_file(listener))
            rpc = self._listen_for_rpc()
            if rpc is not None:
                stack.enter_context(rpc)
            async with trio.open_nursery() as whole:
                whole.start_soon(self._obey, signals, whole)
                async with (
                    open_cluster(plan.config, **asdict(plan.files), leave_timeout=0) as self._cluster,
                    self._handling(self._cluster) as self._handlers,
                    trio.open_nursery() as nursery,
                ):
                    await self._announce(self._cluster, listener, rpc, nursery)
                    self._start(self._cluster, nursery)
                    # What exists now stays until the end; the garbage collector need not scan it again.
                    gc.collect()
                    gc.freeze()
                    await self._stopped.wait()
                    self._manager.stopping()
                    nursery.cancel_scope.cancel()
                whole.cancel_scope.cancel()
        return self._code

    def _handling(self, cluster: Cluster) -> AbstractAsyncContextManager[EventHandlers]:
        plan = self._plan
        return EventHandlers(
            cluster,
            plan.handlers,
            timeout=plan.handler_timeout,
            forbid_remote=plan.api.disable_remote_exec,
        ).running()

    async def _announce(
        self,
        cluster: Cluster,
        listener: socket.socket | None,
        rpc: socket.socket | None,
        nursery: trio.Nursery,
    ) -> None:
        """Starts the servers, prints a line for each endpoint that is ready, then releases the log."""
        api = replace(self._plan.api, serf_rpc=join_host_port(*rpc.getsockname()[:2]) if rpc else "")
        ready = {"name": cluster.config.name, "gossip": join_host_port(*cluster.endpoint)}
        self._output.say(f"gossip ready on {ready['gossip']}")
        if listener is not None:
            serving = partial(
                serve,
                cluster,
                api,
                on_leave=self._stopped.set,
                on_reload=partial(self._apply_settings, cluster),
                readiness=lambda: self._state,
                listener=listener,
            )
            ready["http"] = url_of(await nursery.start(serving), api)
            self._output.say(f"http ready on {ready['http']}")
        if rpc is not None:
            ready["rpc"] = join_host_port(*await nursery.start(self._serve_rpc, cluster, rpc))
            self._output.say(f"rpc ready on {ready['rpc']}")
        if globals_of(self._ctx).json:
            click.echo(json_text(ready, ascii_only=True))
        self._output.release()

    def _listen_for_rpc(self) -> socket.socket | None:
        """None without RPC, which may be because another agent on this machine has its usual port."""
        if self._plan.rpc is None:
            return None
        try:
            return swim.ipc.listen(self._plan.rpc.rpc)
        except ConfigError as error:
            if self._plan.is_rpc_wanted:
                raise
            _log.warning("the serf command cannot reach this agent: %s", error.reason)
            return None

    async def _serve_rpc(
        self, cluster: Cluster, listener: socket.socket, *, task_status: trio.TaskStatus[Endpoint]
    ) -> None:
        await swim.ipc.serve(
            cluster,
            self._plan.rpc,
            recent_log=self._output.recent,
            on_leave=self._stopped.set,
            event_handlers=self._scripts,
            listener=listener,
            task_status=task_status,
        )

    def _scripts(self) -> dict[str, str]:
        """The script for each filter of the event handlers, as Serf names them."""
        handlers = self._handlers.handlers if self._handlers is not None else ()
        return {f"{one.type}:{one.name}": each.script for each in handlers for one in each.filters}

    def _start(self, cluster: Cluster, nursery: trio.Nursery) -> None:
        plan = self._plan
        asked = bool(plan.join or plan.config.seeds or plan.discover)
        nursery.start_soon(Readiness(cluster, is_asked_to_join=asked, reached=self._reached).run)
        nursery.start_soon(self._manager.keep_alive)
        if plan.discover is not None:
            nursery.start_soon(Discovery(cluster, plan.discover).run)
        if plan.join:
            nursery.start_soon(self._join, cluster)
        if plan.config.seeds and plan.api.retry_max_attempts:
            nursery.start_soon(self._give_up, cluster)

    def _reached(self, state: State) -> None:
        self._state = state
        report(_log, logging.INFO, "readiness", "now %s", state, readiness=state)
        self._notify(state)

    def _notify(self, state: State) -> None:
        """Every state is the service's status; from the one that was asked for, the service is ready."""
        if STATES.index(state) < STATES.index(self._plan.ready_at):
            self._manager.status(state)
        else:
            self._manager.ready(state)

    async def _obey(self, signals: AsyncIterator[int], nursery: trio.Nursery) -> None:
        leaving_since = None
        async for number in signals:
            cluster, name = self._cluster, signal.Signals(number).name
            if cluster is None:
                if number in _ENDING:  # a name that is looked up may take long
                    self._code = ExitCode.FAILED
                    _log.warning("stopping before the start, on signal %s", name)
                    nursery.cancel_scope.cancel()
            elif number == signal.SIGHUP:
                nursery.start_soon(self._reload, cluster)
            elif number == signal.SIGUSR1:
                dump(self._output, cluster.metrics)
            elif leaving_since is not None:
                if trio.current_time() - leaving_since >= _SAME_SIGNAL_SECONDS:
                    self._stop_at_once("on a second signal")
            elif not self._leaves_on(number):
                self._stop_at_once(f"without a leave, on signal {name}")
            else:
                leaving_since = trio.current_time()
                _log.info("leaving the cluster, on signal %s", name)
                self._manager.stopping()
                nursery.start_soon(self._leave, cluster)

    def _leaves_on(self, number: int) -> bool:
        api = self._plan.api
        return api.leave_on_interrupt if number == signal.SIGINT else api.leave_on_terminate

    def _stop_at_once(self, why: str) -> None:
        self._code = ExitCode.FAILED
        _log.warning("stopping at once, %s", why)
        if self._handlers is not None:
            self._handlers.grace = 0.0
        self._stopped.set()

    async def _leave(self, cluster: Cluster) -> None:
        await cluster.leave(timeout=_LEAVE_SECONDS)
        self._stopped.set()

    async def _join(self, cluster: Cluster) -> None:
        result = await cluster.join(self._plan.join, replay=cluster.config.replay_on_join)
        for outcome in result.outcomes:
            if outcome.ok:
                _log.info("joined %s", outcome.address)
            else:
                _log.error("%s", outcome.error)
        if self._plan.join_required and not result.joined:
            self._stop_at_once("since none of the addresses to join answers")

    async def _give_up(self, cluster: Cluster) -> None:
        """Ends the agent once each seed failed too often; never after a first success."""
        attempts = self._plan.api.retry_max_attempts
        while cluster.is_alone:
            if all(seed.failures >= attempts for seed in cluster.seeds()):
                self._stop_at_once(f"since no seed could be joined in {attempts + 1} attempts")
                return
            await trio.sleep(cluster.config.rejoin_interval_alone / 2)

    async def _reload(self, cluster: Cluster) -> None:
        """``_apply_settings`` on a signal."""
        self._manager.reloading()
        try:
            await self._apply_settings(cluster)
        except SwimError as error:
            _log.error("not reloaded: %s", error)
        finally:
            self._notify(self._state)

    async def _apply_settings(self, cluster: Cluster) -> None:
        """Reads the settings again and applies those in ``RELOADED``; a mistake in them changes nothing.

        Raises:
            SwimError: something in them is wrong.
        """
        settings = settings_of(self._ctx)
        plan = plan_of(settings)
        tags = plan.files.kept_tags(plan.config.tags)
        await cluster.set_tags(tags)
        if self._handlers is not None:
            self._handlers.replace(plan.handlers)
        self._plan.adopt(plan)
        set_level(plan.log_level)
        text = ", ".join(f"{shown(key)}={shown(value)}" for key, value in sorted(tags.items()))
        report(
            _log, logging.INFO, "reloaded", "reloaded: log level %s, tags %s", plan.log_level, text,
            log_level=plan.log_level, tags=dict(tags),
        )  # fmt: skip
        ignored = self._settings.differences(settings, self._plan.config.keys != plan.config.keys)
        if (self._plan.api.tls is None) != (plan.api.tls is None):
            ignored.append("tls_cert_file")
        if ignored:
            names = ", ".join(ignored)
            report(
                _log,
                logging.WARNING,
                "not reloaded",
                "changed, but needs a restart: %s",
                names,
                names=ignored,
            )
