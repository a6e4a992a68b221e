"""The pytest plugin: simulated clusters as fixtures, and how to see a failure again.

Loaded by pytest on its own once the distribution is installed (or by ``-p sims.testing.pytest_plugin``).
Until a test asks for a fixture nothing but this file is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from hashlib import blake2b
from shlex import quote
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sims.world import World

__all__ = ["swim_cluster", "swim_world"]

_SEEDS = pytest.StashKey[list[int]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--swim-seed``."""
    parser.getgroup("swim", "simulated clusters").addoption(
        "--swim-seed",
        type=int,
        metavar="N",
        help="run seed of the swim_world and swim_cluster fixtures, instead of one made from the test's name",
    )


@pytest.fixture
def swim_world(request: pytest.FixtureRequest) -> Callable[..., World]:
    """Makes simulated clusters: ``swim_world(nodes=5)``, with the arguments of ``sims.world.World``.

    The run seed comes from the test's node id, so a test sees the same run every time; ``--swim-seed N`` and
    the argument ``seed`` override it. The safety checkers watch unless ``checked=False``.
    """
    from sims.checkers import safety_checkers
    from sims.world import World

    chosen = request.config.getoption("--swim-seed")
    usual = chosen if chosen is not None else _seed_of(request.node.nodeid)
    seeds = request.node.stash.setdefault(_SEEDS, [])

    def make(*, seed: int = usual, checked: bool = True, **options: Any) -> World:
        if seed not in seeds:
            seeds.append(seed)
        watchers = [*(safety_checkers() if checked else ()), *options.pop("observers", ())]
        return World(seed, observers=watchers, **options)

    return make


@pytest.fixture
def swim_cluster(swim_world: Callable[..., World]) -> World:
    """Five nodes, ``n1`` to ``n5``, that know each other already, on the ``local`` profile."""
    from swim.config import Config

    world = swim_world(nodes=5, config=Config.local)
    world.settle()
    return world


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tells the seed of a failed test, and the command that runs it again."""
    report = yield
    seeds = item.stash.get(_SEEDS, None)
    if report.failed and seeds:
        shown = ", ".join(map(str, seeds))
        again = f"pytest {quote(item.nodeid)} --swim-seed {seeds[0]}"
        report.sections.append(("swim", f"run seed: {shown}\nreplay: {again}"))
    return report


def _seed_of(nodeid: str) -> int:
    return int.from_bytes(blake2b(nodeid.encode(), digest_size=4).digest(), "big")
