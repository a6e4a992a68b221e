"""The pytest plugin: simulated clusters as fixtures, and how to reproduce a failure.

pytest loads it once the distribution is installed (or by ``-p sims.testing.pytest_plugin``). Until a test
uses a fixture, only this file is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from hashlib import blake2b
from shlex import quote
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sims.swarm import SwarmResult
    from sims.world import World

__all__ = ["swim_cluster", "swim_swarm", "swim_world"]

_SEEDS = pytest.StashKey[list[int]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--swim-seed``."""
    parser.getgroup("swim", "simulated clusters").addoption(
        "--swim-seed",
        type=int,
        metavar="N",
        help="run seed of the swim_world, swim_cluster and swim_swarm fixtures, in place of their own",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker."""
    config.addinivalue_line(
        "markers",
        "swim_swarm(seeds=20, start=0): runs the test with this many seeds; see the fixture swim_swarm",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that uses ``swim_swarm`` runs once for each seed of its marker."""
    if "swim_swarm" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--swim-seed")
    marker = metafunc.definition.get_closest_marker("swim_swarm")
    seeds = _marked_seeds(**(marker.kwargs if marker is not None else {})) if chosen is None else (chosen,)
    metafunc.parametrize("swim_swarm", seeds, indirect=True, ids=[f"seed-{seed}" for seed in seeds])


def _marked_seeds(seeds: int = 20, start: int = 0) -> range:
    return range(start, start + seeds)


@pytest.fixture
def swim_world(request: pytest.FixtureRequest) -> Callable[..., World]:
    """Makes simulated clusters: ``swim_world(nodes=5)``, with the arguments of ``sims.world.World``.

    The run seed is derived from the test's node id, so a test sees the same run every time; ``--swim-seed N``
    and the argument ``seed`` override it. The safety checkers observe it unless ``checked=False``.
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


@pytest.fixture
def swim_swarm(request: pytest.FixtureRequest) -> Callable[..., SwarmResult]:
    """Runs one swarm seed: ``swim_swarm(observers=[Applications(Cache, invariants=[one_owner])])``.

    The test runs once for each seed of its marker ``@pytest.mark.swim_swarm(seeds=20)``. A seed picks a
    cluster, its settings and a schedule of faults; the test fails with all of that if a checker or an
    invariant does not hold. Takes the arguments of ``sims.swarm.run_swarm`` except the seed.
    """
    from sims.swarm import run_swarm
    from sims.workers import quiet_nodes

    def run(**options: Any) -> SwarmResult:
        request.node.stash.setdefault(_SEEDS, []).append(request.param)
        with quiet_nodes():
            result = run_swarm(request.param, **options)
        if result.violations:
            pytest.fail(str(result).rpartition("\n  replay")[0], pytrace=False)
        return result

    return run


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Reports the seed of a failed test, and the command that runs it again."""
    report = yield
    seeds = item.stash.get(_SEEDS, None)
    if report.failed and seeds:
        shown = ", ".join(map(str, seeds))
        again = f"pytest {quote(item.nodeid)} --swim-seed {seeds[0]}"
        report.sections.append(("swim", f"run seed: {shown}\nreplay: {again}"))
    return report


def _seed_of(nodeid: str) -> int:
    return int.from_bytes(blake2b(nodeid.encode(), digest_size=4).digest(), "big")
