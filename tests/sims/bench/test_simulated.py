"""The simulator next to real nodes: reports what the real trace does not contain."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sims.bench.options import Options
from sims.bench.simulated import simulated

OPTIONS = Options(nodes=3, profile="lan", runs=1, window=1.0, hogs=0, stopped=0, stop_seconds=0.0)


def test_a_trace_without_samples_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        [trace] = (part.removeprefix("--trace=") for part in command if part.startswith("--trace="))
        Path(trace).write_text("", encoding="ascii")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr("subprocess.run", run)
    with pytest.raises(RuntimeError, match="no sample of a travel"):
        simulated([], OPTIONS)
