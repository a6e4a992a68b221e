"""The scenario ``embed`` with few programs: every kind runs, is measured and ends."""

from __future__ import annotations

import os

import pytest

from sims.bench.embed import embed
from sims.bench.options import Options

OPTIONS = Options(nodes=2, profile="local", runs=1, window=1.0, hogs=0, stopped=0, stop_seconds=0.0)


@pytest.mark.deep
def test_programs_of_each_kind_are_measured() -> None:
    results = embed([], OPTIONS)
    assert set(results) >= {"swim", "swim, process", "swim, trio", "no membership"}
    for kind, samples in results.items():
        assert all(len(values) == 1 and values[0] >= 0 for values in samples.values())
        assert ("packet to reader, p50, us" in samples) == kind.startswith("swim")
        assert ("node to reader, p50, us" in samples) == (kind in ("swim", "swim, trio"))
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.deep
def test_without_kinship_ours_is_measured_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sims.bench.embed.find_spec", lambda name: None)
    assert "kinship" not in embed([], OPTIONS)
    assert "pip install kinship==0.4.0" in capsys.readouterr().err
