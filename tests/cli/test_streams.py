"""Real commands with odd standard streams, small limits, missing packages: one sentence, the right code."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib

import pytest

from swim.cli.start import PACKAGES
from tests.cli.fake_agent import fake_agent
from tests.cli.processes import ROOT, environment
from tests.cli.test_remote import WEB

pytestmark = pytest.mark.slow


def shell(line: str, **extra: str) -> subprocess.CompletedProcess[bytes]:
    """One line for bash, in which ``swim`` is the command."""
    script = f'swim() {{ "{sys.executable}" -m swim "$@"; }}; {line}'
    return subprocess.run(
        ["bash", "-c", script],
        env=environment(**extra),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("version", 1),
        ("keygen --json", 1),
        ("--help", 1),
        ("help sim", 1),
        ("", 1),
        ("sim list", 1),
        ("nope", 2),
    ],
)
@pytest.mark.parametrize("stdout", [">/dev/full", ">&-"])
def test_stdout_that_cannot_be_written(command: str, code: int, stdout: str) -> None:
    finished = shell(f"swim {command} {stdout}")
    assert finished.returncode == code
    assert re.fullmatch(rb"swim: [^\n]+\n", finished.stderr)
    assert b"write" in finished.stderr or code == 2


@pytest.mark.parametrize("command", ["sim list", "--help", "sim list --json"])
def test_a_reader_that_has_enough(command: str) -> None:
    finished = shell(f"set -o pipefail; swim {command} | head -c 0")
    assert finished.stderr == b""
    assert finished.returncode in (0, 1)


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-", "2>&- <&-"])
def test_stderr_that_cannot_be_written_changes_no_exit_code(stderr: str) -> None:
    assert shell(f"swim nope {stderr}").returncode == 2
    assert shell(f"swim members --address http://127.0.0.1:1 {stderr}").returncode == 4
    finished = shell(f"swim version {stderr}")
    assert (finished.returncode, finished.stdout[:5]) == (0, b"swim ")


def test_an_agent_runs_without_any_standard_stream() -> None:
    command = f"timeout -s TERM 3 {sys.executable} -m swim agent --bind 127.0.0.1:0 --http 127.0.0.1:0"
    assert shell(f"{command} >&- 2>&- <&-").returncode in (0, 124)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_a_stream_that_lacks_characters(encoding: str) -> None:
    name = "b\xfccher-\u20ac-\u4e2d"
    with fake_agent() as agent:
        agent.answers["/v1/swim/members"] = (200, {"members": [WEB | {"name": name}]})
        for options in ("", "--plain"):
            finished = shell(f"swim members {options} --address {agent.url}", PYTHONIOENCODING=encoding)
            assert (finished.returncode, finished.stderr) == (0, b"")
            assert name.encode(encoding, "backslashreplace") in finished.stdout
        finished = shell(f"swim members --json --address {agent.url}", PYTHONIOENCODING=encoding)
        assert json.loads(finished.stdout)["members"][0]["name"] == name
    finished = shell(f"swim why {name} --address http://127.0.0.1:1", PYTHONIOENCODING=encoding)
    assert finished.returncode == 4


@pytest.mark.parametrize(
    "command",
    [
        "agent --bind 127.0.0.1:0 --http 127.0.0.1:0",
        "cluster --bind-base 0 --http-base 0",
        "members",
        "keygen",
    ],
)
@pytest.mark.parametrize("limit", [6, 8, 10])
def test_too_few_descriptors(command: str, limit: int) -> None:
    finished = shell(
        f"ulimit -n {limit}; timeout -s TERM 3 {sys.executable} -m swim {command} --json",
        SWIM_ADDRESS="http://127.0.0.1:1",
        PYTHONWARNINGS="ignore",
    )
    assert b"Traceback" not in finished.stderr
    lines = finished.stderr.splitlines()
    assert len(lines) <= 1 or lines[0].startswith(b"gossip ready on ")
    assert finished.returncode in (0, 1, 124) or command == "members"


@pytest.mark.parametrize(
    ("missing", "command", "words"),
    [
        ("click", "members", "swim-cluster"),
        ("click", "", "swim-cluster"),
        ("trio", "agent --bind 127.0.0.1:0 --http 127.0.0.1:0", "swim-cluster"),
        ("starlette", "agent --bind 127.0.0.1:0 --http 127.0.0.1:0", "swim-cluster"),
        ("h11", "agent --bind 127.0.0.1:0 --http 127.0.0.1:0", "swim-cluster"),
        ("rich", "cluster --bind-base 0 --http-base 0", "swim-cluster"),
        ("numpy", "explain", "'swim-cluster[sims]'"),
    ],
)
def test_a_missing_package_is_named(missing: str, command: str, words: str) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None; sys.argv = {['swim', *command.split()]!r};"
        "from swim.__main__ import run; sys.exit(run())"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 1, finished.stderr
    assert finished.stderr.count("\n") == 1
    assert finished.stderr.endswith(f"pip install {words}\n")


def test_the_packages_are_those_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for words, packages in PACKAGES.items():
        extra = re.search(r"\[(.+)\]", words)
        declared = project["optional-dependencies"][extra[1]] if extra else project["dependencies"]
        assert set(packages) == {re.split(r"[>=<]", text)[0] for text in declared}, words
