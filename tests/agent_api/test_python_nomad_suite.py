"""python-nomad's own tests for agent, status, regions, metrics and its base, against an agent with tokens."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from swim.cli.main import main
from tests.cli.processes import Agent, Processes

pytestmark = [pytest.mark.slow, pytest.mark.peers]

SUITE = Path(sys.prefix) / "python-nomad" / "tests"
FILES = ("test_agent.py", "test_status.py", "test_regions.py", "test_metrics.py", "test_base.py")
LEFT_OUT = [f"test_base_{verb}_connection_error" for verb in ("get", "put", "delete")]
"""They dial an address on the internet."""
GET_IT = (
    "python-nomad's tests are missing: pip download --no-deps --no-binary python-nomad -d DIR python-nomad,"
    f" and unpack it into {SUITE.parent}"
)
SUPPORT = {
    "__init__.py": "",
    "common.py": (
        "import os\n"
        "IP, NOMAD_PORT, NOMAD_TOKEN = (os.environ[f'NOMAD_{name}'] for name in ('IP', 'PORT', 'TOKEN'))\n"
        "NOMAD_NAMESPACE = 'admin'\n"
    ),
    "conftest.py": (
        "import nomad, pytest\n"
        "import tests.common as common\n"
        "@pytest.fixture\n"
        "def nomad_setup():\n"
        "    where = {'host': common.IP, 'port': common.NOMAD_PORT}\n"
        "    return nomad.Nomad(**where, verify=False, token=common.NOMAD_TOKEN)\n"
    ),
}
"""What the tests import, and their source package is without."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    if not SUITE.is_dir():
        if os.environ.get("SWIM_REQUIRE_PEERS") == "1":
            pytest.fail(GET_IT)
        pytest.skip(GET_IT)
    folder = tmp_path / "tests"
    folder.mkdir()
    for name, text in SUPPORT.items():
        (folder / name).write_text(text)
    for name in FILES:
        shutil.copy(SUITE / name, folder)
    return tmp_path


@pytest.fixture
def token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    made = main(
        ["token", "create", "all", "--policy", "management", "--acl-file", str(tmp_path / "acl"), "--plain"]
    )
    assert made == 0
    return capsys.readouterr().out.strip().split("\t")[-1]


@pytest.fixture
def agent(processes: Processes, token: str, tmp_path: Path) -> Agent:
    return processes.agent(
        "n1",
        "--name-with-region",
        "--region",
        "global",
        "--rpc-port",
        "4647",
        "--acl-file",
        str(tmp_path / "acl"),
    )


@pytest.fixture
def processes() -> Iterator[Processes]:
    with Processes() as started:
        yield started


def test_they_pass(agent: Agent, token: str, folder: Path) -> None:
    where = urlsplit(agent.http)
    variables = {"IP": str(where.hostname), "PORT": str(where.port), "TOKEN": token, "VERSION": "1.10.0"}
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(folder),
               *(f"tests/{name}" for name in FILES),
               *(f"--deselect=tests/test_base.py::{name}" for name in LEFT_OUT)]  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NOMAD_", "PYTEST_"))}
    environment = kept | {f"NOMAD_{name}": value for name, value in variables.items()} | {
        "PYTHONPATH": str(folder), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }  # fmt: skip
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    tests = sum(len(re.findall(r"^def test_", (SUITE / name).read_text(), re.MULTILINE)) for name in FILES)
    summary = done.stdout.strip().splitlines()[-1]
    assert summary.startswith(f"{tests - 3} passed, 3 deselected"), done.stdout
    assert done.returncode == 0
