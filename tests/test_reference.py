"""docs/api.md shows every public name, as its docstring and signature describe it."""

from __future__ import annotations

import pytest

from tests.reference import reference
from tests.source import ROOT
from tests.test_layers import FACES

PAGE = ROOT / "docs" / "api.md"
HEAD = """\
# API reference

Everything that programs may import, as its docstring says; `pytest tests/test_reference.py --rewrite` writes
this page. Every front has the same names, arguments, events and errors. Durations are float seconds.
"""


pytest.importorskip("fastapi")


def test_the_reference_shows_every_public_name(pytestconfig: pytest.Config) -> None:
    modules = [*FACES, "swim.contrib.fastapi", "swim.ipc", "agent_api", "agent_api.client"]
    expected = HEAD + "\n".join(reference(modules)) + "\n"
    if pytestconfig.getoption("--rewrite"):
        PAGE.write_text(expected)
    assert PAGE.read_text() == expected, "pytest tests/test_reference.py --rewrite"
