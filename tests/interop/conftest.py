"""The pen that holds every peer of a test, and lets none out."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import pytest
import trio

import swim
from tests.interop.alertmanager import Alertmanager
from tests.interop.engines import ENGINES, Engine
from tests.interop.peers import OurAgent, OurNode, SerfAgent, Subprocess
from tests.interop.processes import require

_PeerT = TypeVar("_PeerT", bound=Subprocess)


class Pen:
    """Makes peers; whatever they started is killed by pid when the test ends, however it ends."""

    def __init__(self, directory: Path, nursery: trio.Nursery, engines: Sequence[Engine]) -> None:
        self.directory = directory
        self._nursery = nursery
        self._engines = itertools.cycle(engines)
        self._subprocesses: list[Subprocess] = []

    def serf(self, name: str, **options: Any) -> SerfAgent:
        return self._keep(SerfAgent(self.directory, name, **options))

    def agent(self, name: str, **options: Any) -> OurAgent:
        return self._keep(OurAgent(self.directory, name, **options))

    def alertmanager(self, name: str) -> Alertmanager:
        return self._keep(Alertmanager(self.directory, name))

    def node(
        self,
        name: str,
        *,
        key: bytes | None = None,
        profile: str = "lan",
        engine: Engine | None = None,
        files: Mapping[str, Path] = MappingProxyType({}),
        answers: bool = False,
        thorough: bool = False,
        **changes: Any,
    ) -> OurNode:
        """A node of ours, on this engine or on those of the test in turn.

        A ``thorough`` one sends what it gossips in many more packets. In the local profile, a member of a
        small cluster sends a message in two: one member in ten misses it until a push/pull, a query for good.
        """
        keys = () if key is None else (key,)
        if thorough:
            changes["retransmit_mult"] = 20
        config = getattr(swim.Config, profile)(name=name, keys=keys, **changes)
        return OurNode(self._nursery, config, engine or next(self._engines), answers=answers, **files)

    def plain_node(self, name: str) -> OurNode:
        """A node of ours in a memberlist pool without Serf, with Alertmanager's timers."""
        config = swim.Config.lan(name=name, delegate_version=0, push_pull_interval=60.0)
        return OurNode(self._nursery, config)

    def _keep(self, peer: _PeerT) -> _PeerT:
        self._subprocesses.append(peer)
        return peer

    async def empty(self) -> None:
        for peer in self._subprocesses:
            for run in peer.runs:
                run.kill()
            if isinstance(peer, SerfAgent):
                await peer.aclose()


@pytest.fixture(autouse=True)
def _peers_installed(request: pytest.FixtureRequest) -> None:
    """Tests marked ``peers("PACKAGE", ...)`` need what these Debian packages install."""
    for marker in request.node.iter_markers("peers"):
        require(*marker.args)


@pytest.fixture
async def pen(request: pytest.FixtureRequest, tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Pen]:
    held = Pen(tmp_path, nursery, ENGINES[getattr(request, "param", "trio")])
    try:
        yield held
    finally:
        with trio.CancelScope(shield=True):
            await held.empty()


every_engine = pytest.mark.parametrize("pen", ENGINES, indirect=True)
"""Runs a test once with nodes on trio, and once with nodes in threads and processes of their own."""
