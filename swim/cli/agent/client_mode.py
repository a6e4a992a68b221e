"""``swim agent --client``: an agent that is no member, from start to stop."""

from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import click
import trio

from agent_api import create_client_app, listen, serve
from swim.addresses import split_host_port
from swim.cli.agent.plan import AgentPlan, ClientPlan, plan_of
from swim.cli.agent.reporting import dump, url_of
from swim.cli.agent.service_manager import ServiceManager
from swim.cli.agent.settings import settings_of
from swim.cli.common import ExitCode, globals_of
from swim.cli.logs import LogOutput, set_level
from swim.errors import SwimError
from swim.listening import socket_file
from swim.net import data_dir
from swim.text import json_text

__all__ = ["ClientAgent", "servers_in"]

_FILE = "servers.json"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
_log = logging.getLogger("swim.agent")


class ClientAgent:
    """One run of such an agent.

    Args:
        ctx: the command's, from which settings are read again.
        plan: what to start.
        log: where it writes.
    """

    def __init__(self, ctx: click.Context, plan: AgentPlan, client: ClientPlan, log: LogOutput) -> None:
        self._ctx = ctx
        self._plan = plan
        self._client = client
        self._output = log
        self._manager = ServiceManager(os.environ)
        self._path = Path(plan.api.data_dir) / _FILE if plan.api.data_dir else None
        self._stopped = trio.Event()

    async def run(self) -> int:
        """Runs until a signal or an operator's leave; the exit code."""
        api, name = self._plan.api, self._plan.config.name
        with trio.open_signal_receiver(*_SIGNALS) as signals, ExitStack() as stack:
            stack.callback(self._manager.close)
            if self._path is not None:
                stack.enter_context(data_dir.locked(self._path.parent, name))
            servers = self._kept()
            listener = stack.enter_context(listen(api.http, mode=api.http_socket_mode))
            stack.enter_context(socket_file(listener))
            app = create_client_app(
                name,
                api,
                self._client.servers if servers is None else servers,
                save=self._save,
                tls=self._client.tls,
                tls_name=self._client.tls_name,
                on_leave=self._stopped.set,
                on_reload=self._reload,
            )
            async with trio.open_nursery() as nursery:
                bound = await nursery.start(partial(serve, app, api, listener=listener))
                url = url_of(bound, api)
                self._output.say(f"http ready on {url}")
                if globals_of(self._ctx).json:
                    click.echo(json_text({"name": name, "http": url}, ascii_only=True))
                self._output.release()
                self._manager.ready("client")
                nursery.start_soon(self._manager.keep_alive)
                nursery.start_soon(
                    self._obey, signals, partial(dump, self._output, app.state.agent.cluster.metrics)
                )
                await self._stopped.wait()
                self._manager.stopping()
                nursery.cancel_scope.cancel()
        return ExitCode.DONE

    def _kept(self) -> Sequence[str] | None:
        """The list that was set over HTTP before the restart; None if there is none that can be used."""
        if self._path is None:
            _log.warning("a list of servers set over HTTP is lost at a restart: there is no --data-dir")
            return None
        text = data_dir.read(self._path)
        if text is None:
            return None
        try:
            servers = servers_in(text)
        except ValueError as error:
            _log.warning("%s: not the list of servers that was kept there: %s", self._path, error)
            return None
        _log.info("servers: %s, as set over HTTP", ", ".join(servers))
        return servers

    async def _save(self, servers: Sequence[str]) -> None:
        if self._path is not None:
            text = json.dumps({"servers": list(servers)}, indent=2) + "\n"
            await trio.to_thread.run_sync(data_dir.replace, self._path, text.encode())

    async def _obey(self, signals: AsyncIterator[int], show: partial[None]) -> None:
        async for number in signals:
            if number == signal.SIGHUP:
                try:
                    await self._reload()
                except SwimError as error:
                    _log.error("not reloaded: %s", error)
            elif number == signal.SIGUSR1:
                show()
            else:
                _log.info("stopping, on signal %s", signal.Signals(number).name)
                self._stopped.set()

    async def _reload(self) -> None:
        """Reads the tokens, the certificate and the log level again.

        Raises:
            SwimError: something in the settings is wrong; nothing has changed.
        """
        plan = plan_of(settings_of(self._ctx))
        self._plan.adopt(plan)
        set_level(plan.log_level)
        _log.info("reloaded: log level %s", plan.log_level)


def servers_in(text: str) -> list[str]:
    """The addresses in the file of the list.

    Raises:
        ValueError: it is not such a file.
    """
    try:
        document = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    servers = document.get("servers") if isinstance(document, dict) else None
    if not isinstance(servers, list) or not all(isinstance(address, str) for address in servers):
        raise ValueError("it is no object with a list of addresses")
    for address in servers:
        split_host_port("servers", address)
    return servers
