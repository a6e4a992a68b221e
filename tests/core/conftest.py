"""Worlds that are checked when their test is over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.world import World


@pytest.fixture
def new_world() -> Iterator[Callable[..., World]]:
    """Makes worlds; at the end, the events of every node in them must fold to its table."""
    worlds: list[World] = []

    def make(seed: int = 1, **options: Any) -> World:
        worlds.append(World(seed, **options))
        return worlds[-1]

    yield make
    for world in worlds:
        world.check()
