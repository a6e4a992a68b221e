"""Every test here runs once with each driver."""

from __future__ import annotations

import pytest

from tests.net.rigs import ON_SOCKETS, RIGS, Driving, OnSockets


@pytest.fixture(params=RIGS)
def driving(request: pytest.FixtureRequest) -> Driving:
    return RIGS[request.param]


@pytest.fixture(params=ON_SOCKETS)
def on_sockets(request: pytest.FixtureRequest) -> OnSockets:
    return ON_SOCKETS[request.param]
