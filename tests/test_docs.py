"""What the documents name exists: commands, their options, environment variables, metrics, settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import click
import pytest

from sims.scenarios.registry import scenarios
from swim.cli.main import swim
from tests.source import PACKAGES, ROOT, python_files, text_of

DOCUMENTS = [
    str(path.relative_to(ROOT)) for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
]
CODE = re.compile(r"`([^`\n]+)`|^ {4}(?:\$ )?(.+)$", re.MULTILINE)
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]+")
OTHERS = "apt-get|celery|curl|docker|gunicorn|kubectl|pip|promtool|pytest|uvicorn|uwsgi"
OTHER_PROGRAMS = re.compile(rf"(^|[ /(])({OTHERS}) ")
OF_HOSTS = {
    *("--enable-threads", "--max-tasks-per-child", "--preload", "--reload", "--timeout-graceful-shutdown"),
    *("--without-gossip", "--without-heartbeat", "--without-mingle"),
}
"""Options of the programs that a cluster is embedded in."""


@cache
def commands() -> dict[str, click.Command]:
    """Every command of the tool by its words."""

    def found(command: click.Command, words: str) -> Iterator[tuple[str, click.Command]]:
        yield words, command
        if isinstance(command, click.Group):
            for word in command.list_commands(click.Context(command)):
                inner = command.get_command(click.Context(command), word)
                assert inner is not None
                yield from found(inner, f"{words} {word}")

    return dict(found(swim, "swim"))


@cache
def flags() -> set[str]:
    """Every option of every command, and of the modules that ``python -m`` runs."""
    of_commands = {name for each in commands().values() for name in flags_of(each)}
    written = "".join(map(text_of, [*python_files(*PACKAGES), "tests/conftest.py"]))
    of_scenarios = {
        f"--{option.replace('_', '-')}" for scenario in scenarios().values() for option in scenario.options
    }
    return of_commands | of_scenarios | set(FLAG.findall(written)) | OF_HOSTS


def flags_of(command: click.Command) -> set[str]:
    of_parents = {"--json", "--plain", "--delimiter", "--address", "--help", "--version"}
    names = [name for each in command.params for name in (*each.opts, *each.secondary_opts)]
    return of_parents | {name for name in names if name.startswith("--")}


def code_of(document: str) -> list[str]:
    """The code in a document: between backquotes, and the lines of indented blocks."""
    text = re.sub(r"^```.*?^```", "", text_of(document), flags=re.MULTILINE | re.DOTALL)
    return [inline or line for inline, line in CODE.findall(text)]


def command_in(code: str) -> str:
    """The words of the command that a line of code runs; "" if it runs none of ours."""
    words = code.split()
    if not words or words[0] != "swim":
        return ""
    name = "swim"
    for word in words[1:]:
        if f"{name} {word}" not in commands():
            break
        name += f" {word}"
    return name


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_and_option_exists(document: str) -> None:
    wrong = []
    for code in code_of(document):
        if OTHER_PROGRAMS.search(code):
            continue
        name = command_in(code)
        group = commands().get(name)
        if isinstance(group, click.Group) and re.match(rf"{name} [a-z]", code):
            wrong.append(code)
        is_one = not isinstance(group, click.Group) and name != "swim sim swarm"  # passes its options on
        known = flags_of(group) if group is not None and is_one else flags()
        if name == "swim sim run":
            scenario = scenarios().get(code.split()[3])
            known |= set() if scenario is None else {f"--{option}" for option in scenario.options}
        wrong += [f"{flag} in: {code}" for flag in FLAG.findall(code) if flag not in known]
    assert not wrong


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_variable_and_metric_exists(document: str) -> None:
    sources = "".join(map(text_of, python_files(*PACKAGES)))
    options = {f"SWIM_{flag[2:].replace('-', '_').upper()}" for flag in flags()}
    text = text_of(document)
    variables = set(re.findall(r"\bSWIM_[A-Z_]+[A-Z]\b", text)) - options - {"SWIM_COMPLETE"}
    reasons = set(re.findall(r"`swim\.dropped\.([a-z0-9-]+[a-z0-9])`", text))
    assert not [name for name in variables if f'"{name}"' not in sources and f"_{name}" not in sources]
    assert not [reason for reason in reasons if f'"{reason}"' not in sources]
