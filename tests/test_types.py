"""Every public symbol has a type that all type checkers agree on, as pyright verifies."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.source import ROOT

PYRIGHT = shutil.which("pyright", path=Path(sys.executable).parent)
AT_LEAST = 0.99


@pytest.mark.slow
@pytest.mark.skipif(PYRIGHT is None, reason="needs pyright (pip install 'pyright[nodejs]')")
@pytest.mark.parametrize("package", ["swim", "agent_api"])
def test_public_symbols_have_known_types(package: str) -> None:
    command = [str(PYRIGHT), "--verifytypes", package, "--ignoreexternal", "--outputjson"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    output = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout
    found = json.loads(output)["typeCompleteness"]
    wrong = [
        symbol["name"] for symbol in found["symbols"] if symbol["isExported"] and not symbol["isTypeKnown"]
    ]
    assert found["completenessScore"] >= AT_LEAST, wrong
    assert found["exportedSymbolCounts"]["withKnownType"] > 100
