"""Both clients against the agent's own server, over a Unix socket and with mutual TLS, tokens on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from agent_api import AgentSettings, Tls, serve
from agent_api.client import AgentError, AgentUnreachable
from agent_api.client import Tls as ClientTls
from tests.agent_api.access.test_routes import control, secret
from tests.agent_api.client.test_calls import FRONTS, on
from tests.agent_api.fakes import FakeCluster


@asynccontextmanager
async def serving(cluster: Any, **settings: Any) -> AsyncIterator[tuple[str, int]]:
    async with trio.open_nursery() as nursery:
        yield await nursery.start(partial(serve, cluster, AgentSettings(access=control(), **settings)))
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("front", FRONTS)
async def test_a_unix_socket(front: str, cluster: FakeCluster, tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/agent.sock"
    async with serving(cluster, http=address):
        assert await on(front, lambda c: c.nomad.regions(), address) == ["global"]
        snapshot = await on(front, lambda c: c.watch(), address, token=secret("node:read"))
        assert snapshot["snapshot"]["name"] == "n1.global"
        with pytest.raises(AgentError, match="Permission denied"):
            await on(front, lambda c: c.members(), address)


@pytest.mark.parametrize("front", FRONTS)
async def test_mutual_tls(front: str, cluster: FakeCluster, tmp_path: Path) -> None:
    authority, files = (
        trustme.CA(),
        {name: str(tmp_path / name) for name in ("ca", "cert", "key", "own", "own.key")},
    )
    authority.cert_pem.write_to_path(files["ca"])
    for names, cert, key in ((("127.0.0.1",), "cert", "key"), (("a@example",), "own", "own.key")):
        issued = authority.issue_cert(*names)
        issued.private_key_pem.write_to_path(files[key])
        issued.cert_chain_pems[0].write_to_path(files[cert])
    tls = Tls(files["cert"], files["key"], ca_file=files["ca"], verify_https_client=True)
    own = ClientTls(ca_cert=files["ca"], client_cert=files["own"], client_key=files["own.key"])
    async with serving(cluster, http="127.0.0.1:0", tls=tls) as (host, port):
        address = f"https://{host}:{port}"
        settings = {"token": secret("node:read")}
        members = await on(front, lambda c: c.members(), address, tls=own, **settings)
        assert [member["name"] for member in members] == ["n1.global"]
        first = await on(front, lambda c: c.watch(), address, tls=own, **settings)
        assert first["event"] == "Snapshot"
        with pytest.raises(AgentUnreachable):
            await on(front, lambda c: c.members(), address, tls=ClientTls(ca_cert=files["ca"]), **settings)
