"""The page's own modules, as TypeScript reads them and their comments; there is no build step."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.interop.processes import require

PROJECT = Path(__file__).with_name("types") / "tsconfig.json"


@pytest.mark.peers("node-typescript")
@pytest.mark.slow
def test_the_modules_have_no_errors_of_types() -> None:
    require("node-typescript")
    done = subprocess.run(
        ["tsc", "--pretty", "false", "-p", str(PROJECT)], capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1, 2), done.stderr
    said = done.stdout.splitlines()
    assert not [line for line in said if "error TS" in line and "/static/vendor/" not in line]
    assert any("/static/vendor/" in line for line in said), (
        "lit is not typed: without its errors nothing was read"
    )
