"""The pytest plugin, in a pytest of its own: fixtures, seeds of failures, no cost for others."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sims.testing import pytest_plugin
from sims.world import World
from tests.source import ROOT

pytestmark = pytest.mark.slow

CLUSTER = """
def test_seed(swim_world):
    world = swim_world(nodes=3)
    world.settle()
    assert world.seed == -1

def test_other(swim_world):
    assert swim_world(nodes=1, seed=5).seed == -1

def test_plain():
    assert 0
"""
NOTHING_ELSE = """
import sys

def test_nothing_was_imported(request):
    heavy = ("sims.world", "sims.checkers", "hypothesis", "numpy", "matplotlib", "swim", "trio", "msgpack")
    assert request.config.pluginmanager.hasplugin("sims.testing.pytest_plugin")
    assert [name for name in heavy if name in sys.modules] == []
"""
WITHOUT_THE_EXTRA = """
import sys

for missing in ("hypothesis", "numpy", "matplotlib"):
    sys.modules[missing] = None

def test_it_works(swim_cluster):
    swim_cluster.crash("n3")
    swim_cluster.settle()
    assert swim_cluster.host("n1").status_of("n3") == "failed"
"""


def run_pytest(folder: Path, source: str, *options: str) -> str:
    (folder / "test_it.py").write_text(source, encoding="utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-psims.testing.pytest_plugin",
            "-pno:cacheprovider",
            *options,
            "test_it.py",
        ],
        cwd=folder,
        env=os.environ
        | {"PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout + done.stderr


def test_a_failure_shows_its_seed_and_the_command_that_replays_it(tmp_path: Path) -> None:
    said = run_pytest(tmp_path, CLUSTER)
    assert "3 failed" in said
    sections = re.findall(r"run seed: (\d+)\nreplay: pytest (\S+) --swim-seed (\d+)", said)
    assert [nodeid for _, nodeid, _ in sections] == ["test_it.py::test_seed", "test_it.py::test_other"]
    (usual, _, replayed), (given, _, _) = sections
    assert usual == replayed
    assert given == "5"
    assert f"run seed: {usual}\n" in run_pytest(tmp_path, CLUSTER)
    assert "run seed: 77\n" in run_pytest(tmp_path, CLUSTER, "--swim-seed", "77")


def test_who_does_not_use_it_does_not_pay_for_it(tmp_path: Path) -> None:
    assert "1 passed" in run_pytest(tmp_path, NOTHING_ELSE, "-Werror")


def test_it_needs_no_extra(tmp_path: Path) -> None:
    assert "1 passed" in run_pytest(tmp_path, WITHOUT_THE_EXTRA, "-Werror")


def test_the_distribution_registers_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pytest11"] == {"swim": pytest_plugin.__name__}


def test_a_cluster_is_settled_and_watched(swim_cluster: World) -> None:
    assert swim_cluster.converged
    assert [node.id for node in swim_cluster.running()] == ["n1", "n2", "n3", "n4", "n5"]
    assert swim_cluster.watches("stepped")


SWARM = """
import pytest
from sims import Applications

def few(world, applications):
    return len(world.nodes) < 3

@pytest.mark.swim_swarm(seeds=3, start=4)
def test_marked(swim_swarm):
    assert swim_swarm().outcome == "ok"

@pytest.mark.swim_swarm(seeds=1)
def test_broken(swim_swarm):
    swim_swarm(observers=[Applications(invariants=[few])])
"""


def test_the_swarm_runs_a_test_once_for_each_seed_of_its_marker(tmp_path: Path) -> None:
    said = run_pytest(tmp_path, SWARM, "--strict-markers", "-vv")
    for seed in (4, 5, 6):
        assert f"test_marked[seed-{seed}] PASSED" in said
    assert "1 failed, 3 passed" in said
    assert "few at 0.000000 s on n" in said
    assert ": returned False" in said
    assert "run seed: 0\nreplay: pytest 'test_it.py::test_broken[seed-0]' --swim-seed 0" in said
    assert "test_broken[seed-77]" in run_pytest(tmp_path, SWARM, "-vv", "--swim-seed", "77")
