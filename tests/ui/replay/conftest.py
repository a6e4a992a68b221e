"""One node for all tests of the player."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ui.javascript import Program, running


@pytest.fixture(scope="session")
def js() -> Iterator[Program]:
    with running(Path(__file__).with_name("driver.mjs")) as program:
        yield program
