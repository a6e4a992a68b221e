"""``swim explain``: expectations by formula and by simulation."""

from __future__ import annotations

import json

import pytest

from swim.cli.main import main


@pytest.mark.slow
def test_formula_and_simulation_stand_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--nodes", "8", "--runs", "3", "--profile", "local", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in document["expectations"]}
    assert document["nodes"] == 8
    detection = next(row for row in document["expectations"] if "says failed" in row["text"])
    assert detection["unit"] == "s"
    for source in ("formula", "model", "world"):
        assert detection[source] == pytest.approx(detection["formula"], rel=0.5)
    assert len(rows) == len(document["expectations"])


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--nodes", "1"], "--nodes"),
        (["--probe", "3"], "has no option 'probe'"),
        (["--probe-timeout", "3"], "probe_timeout: 3 s is longer than probe_interval (1 s)"),
        (["--probe-interval", "0"], "probe_interval must be above 0"),
        (["--loss", "0.1"], "No such option '--loss'"),
        (["--profile", "moon"], "'moon' is none of lan, wan, local"),
    ],
)
def test_a_mistake_is_named(capsys: pytest.CaptureFixture[str], words: list[str], complaint: str) -> None:
    assert main(["explain", *words]) == 2
    said = capsys.readouterr()
    assert complaint in said.err
    assert said.out == ""
