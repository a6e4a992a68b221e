"""A real Alertmanager, a pool of plain memberlist."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import trio

from sims.bench.ports import free_port
from tests.interop.peers import Subprocess
from tests.interop.processes import eventually


class Alertmanager(Subprocess):
    """A real Alertmanager: plain memberlist, and a new random name at every start."""

    async def start(self, *join: str) -> None:
        self._http = f"127.0.0.1:{free_port()}"
        config = self._directory / "alertmanager.yml"
        config.write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
        argv = [
            "prometheus-alertmanager",
            f"--config.file={config}",
            f"--web.listen-address={self._http}",
        ]
        argv += [f"--cluster.listen-address={self.address}", f"--storage.path={self._directory / self.name}"]
        argv += ["--cluster.reconnect-interval=1s", "--cluster.settle-timeout=1s"]
        argv += ["--cluster.pushpull-interval=5s"]  # a minute, if not said: brings what gossip missed
        argv += [f"--cluster.peer={address}" for address in join]
        self.run(argv)
        await eventually(self._ready, describe=self.logs)

    async def _ready(self) -> bool:
        assert self.process.returncode is None, self.logs()
        try:
            return bool(await self.peers())
        except OSError:
            return False

    async def peers(self) -> dict[str, str]:
        """Addresses by name of all that it counts as peers, itself included."""
        cluster = (await self._status())["cluster"]
        return {peer["name"]: peer["address"] for peer in cluster["peers"]}

    async def own_name(self) -> str:
        """The random name of this run."""
        return (await self._status())["cluster"]["name"]

    async def _status(self) -> Any:
        def ask() -> Any:
            with urllib.request.urlopen(f"http://{self._http}/api/v2/status", timeout=5) as response:
                return json.load(response)

        return await trio.to_thread.run_sync(ask)
