from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from swim import Config
from tests.agent_api.fakes import FakeCluster
from tests.agent_api.http import Agent, served


@pytest.fixture
def cluster() -> FakeCluster:
    """The agent ``n1`` of the acceptance checks: region global, dc dc1, gossip 4648, RPC tag 4647."""
    tags = {"region": "global", "dc": "dc1", "port": "4647", "build": "0.1.0"}
    return FakeCluster(Config(name="n1.global", tags=tags, bind="127.0.0.1:4648"))


@pytest.fixture
async def agent(cluster: FakeCluster) -> AsyncIterator[Agent]:
    async with served(cluster) as agent:
        yield agent
