"""Member names on the command line: click's protocol, and bash and fish themselves where they are there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from swim.cli.main import swim
from tests.cli.fake_agent import FakeAgent, fake_agent
from tests.cli.test_remote import WEB

ROOT = Path(__file__).parents[2]
ODD = ("two\nlines", "we b", "we$(id)", "we`id`", "we;id", "we'", "we\\", "we,b", "we*", "-we", "~we", "")
"""Names that a shell would not take as they are; some would run a command."""


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAgent]:
    with fake_agent() as running:
        members = [WEB | {"name": name} for name in ("web-1", "web-2", "db", *ODD)]
        members[2]["status"] = "failed"
        running.answers["/v1/swim/members"] = (200, {"members": members})
        monkeypatch.setenv("SWIM_ADDRESS", running.url)
        yield running


def completed(*words: str) -> list[tuple[str, str | None]]:
    shell = ShellComplete(swim, {}, "swim", "_SWIM_COMPLETE")
    *before, last = words
    return [(item.value, item.help) for item in shell.get_completions(before, last)]


@pytest.mark.parametrize(
    "before",
    [
        ["force-leave"],
        ["why"],
        ["rtt"],
        ["rtt", "db"],
        ["reachability"],
        ["reachability", "db"],
        ["members", "--name"],
        ["query", "load", "--node"],
        ["--json", "force-leave", "--prune"],
    ],
)
def test_names_are_completed(agent: FakeAgent, before: list[str]) -> None:
    assert completed(*before, "we") == [("web-1", "alive"), ("web-2", "alive")]
    assert completed(*before, "d") in ([("db", "failed")], [])
    assert completed(*before, "x") == []
    assert not {*ODD} & {name for name, _ in completed(*before, "")}


def test_letters_of_any_language_and_what_addresses_contain_are_plain(agent: FakeAgent) -> None:
    names = ["grün", "web-1.global", "a:b", "10.0.0.1:7946", "x@y", "a_b", "dc1/web"]
    agent.answers["/v1/swim/members"] = (200, {"members": [WEB | {"name": name} for name in names]})
    assert [name for name, _ in completed("why", "")] == names


def test_a_name_that_was_given_is_not_offered_again(agent: FakeAgent) -> None:
    assert [name for name, _ in completed("reachability", "web-1", "")] == ["web-2", "db"]


def test_the_address_on_the_command_line_counts(agent: FakeAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWIM_ADDRESS", "http://127.0.0.1:9")
    assert completed("why", "--address", agent.url, "d") == [("db", "failed")]


@pytest.mark.parametrize("answer", [(200, {"members": 7}), (404, "no"), (500, "broken"), (200, "text")])
def test_what_is_no_agent_completes_nothing(agent: FakeAgent, answer: tuple[int, object]) -> None:
    agent.answers["/v1/swim/members"] = answer
    assert completed("why", "") == []


def test_without_an_agent_there_is_nothing_and_no_word(monkeypatch: pytest.MonkeyPatch) -> None:
    for address in ("http://127.0.0.1:9", "not an address", "ftp://x"):
        monkeypatch.setenv("SWIM_ADDRESS", address)
        assert completed("why", "") == []


def test_commands_are_completed_without_importing_them() -> None:
    script = (
        "import sys; from swim.cli.main import swim; from click.shell_completion import ShellComplete as S;"
        "print([i.value for i in S(swim, {}, 'swim', 'X').get_completions([], 'ke')]);"
        "assert not [m for m in sys.modules if m.startswith('swim.cli.keys') or m.startswith('trio')]"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert "'keygen'" in done.stdout


@pytest.fixture
def bin_directory(tmp_path: Path) -> Path:
    """A directory with the console script."""
    script = tmp_path / "swim"
    script.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m swim "$@"\n')
    script.chmod(0o755)
    return tmp_path


def asked_by(shell: type[ShellComplete], bin_directory: Path, agent: FakeAgent | None, **words: str) -> str:
    """What the console script answers to a shell that completes ``swim force-leave we``."""
    environment = os.environ | {"_SWIM_COMPLETE": f"{shell.name}_complete", **words}
    environment["SWIM_ADDRESS"] = "http://127.0.0.1:9" if agent is None else agent.url
    done = subprocess.run(
        [bin_directory / "swim"], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shell", "words", "lines"),
    [
        (
            BashComplete,
            {"COMP_WORDS": "swim force-leave we", "COMP_CWORD": "2"},
            "plain,web-1\nplain,web-2\n",
        ),
        (
            ZshComplete,
            {"COMP_WORDS": "swim force-leave we", "COMP_CWORD": "2"},
            "plain\nweb-1\nalive\nplain\nweb-2\nalive\n",
        ),
        (
            FishComplete,
            {"COMP_WORDS": "swim force-leave we", "COMP_CWORD": "we"},
            "plain,web-1\talive\nplain,web-2\talive\n",
        ),
    ],
)
def test_each_shell_is_answered_in_its_own_form(
    bin_directory: Path, agent: FakeAgent, shell: type[ShellComplete], words: dict[str, str], lines: str
) -> None:
    assert asked_by(shell, bin_directory, agent, **words) == lines
    assert not asked_by(shell, bin_directory, None, **words).strip()


BASH = r"""
eval "$(_SWIM_COMPLETE=bash_source swim)"
COMP_WORDS=(swim force-leave we); COMP_CWORD=2
_swim_completion swim; printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_itself(bin_directory: Path, agent: FakeAgent) -> None:
    environment = os.environ | {"PATH": f"{bin_directory}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", BASH], env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("web-1\nweb-2\n", "")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
def test_fish_itself(bin_directory: Path, agent: FakeAgent) -> None:
    environment = os.environ | {"PATH": f"{bin_directory}:{os.environ['PATH']}"}
    script = "_SWIM_COMPLETE=fish_source swim | source; complete -C 'swim force-leave we'"
    done = subprocess.run(["fish", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["web-1", "alive", "web-2", "alive"]
