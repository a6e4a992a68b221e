"""Running ``swim`` in this process, and as a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

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
    for name in ("SWIM_ADDRESS", "NOMAD_ADDR", "SWIM_TOKEN", "NOMAD_TOKEN", "SWIM_ACL_FILE"):
        monkeypatch.delenv(name, raising=False)
    return InProcess(capsys)


@pytest.fixture
def processes() -> Iterator[Processes]:
    with Processes() as started:
        yield started
