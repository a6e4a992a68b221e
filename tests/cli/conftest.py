"""Running ``swim`` in this process, and as a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

import pytest

from agent_api.client.environment import VARIABLES
from swim.cli.main import main
from tests.cli.processes import Processes


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


class InProcess:
    """Calls ``main`` and captures what it writes."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Outcome:
        self._capsys.readouterr()
        code = main(arguments)
        return Outcome(int(code), *self._capsys.readouterr())


@pytest.fixture
def swim(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> InProcess:
    for name in ("SWIM_ACL_FILE", *chain.from_iterable(VARIABLES.values())):
        monkeypatch.delenv(name, raising=False)
    return InProcess(capsys)


@pytest.fixture
def processes() -> Iterator[Processes]:
    with Processes() as started:
        yield started
