"""Sweeps: every row once, resumed after anything, on cores or on Dask, and clear about mistakes."""

from __future__ import annotations

import csv
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sims.errors import SimError, UsageError
from sims.experiments.rows import RowFile
from sims.experiments.sweep import Grid, Work, parse_axes, parse_seeds, play, run_sweep
from sims.workers import Outcome, compute
from swim.cli.main import main
from swim.version import __version__

AXES = {"nodes": ("10", "20"), "loss": ("0", "0.1")}
GRID = Grid("vector", AXES, (1, 2))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def fill(path: Path, grid: Grid, function: Callable[..., dict[str, float]]) -> RowFile:
    """As a sweep does, without its processes."""
    with RowFile(path, grid.what, tuple(grid.axes)) as file:
        done = {file.key(row) for row in file.rows}
        for work in grid:
            if (str(work.seed), *work.options.values()) not in done:
                file.append(work.seed, work.options, function(*work))
    return file


def product(_what: str, options: dict[str, str], seed: int) -> dict[str, float]:
    return {"product": float(options["nodes"]) * seed}


def test_a_grid_is_every_combination() -> None:
    assert len(GRID) == 8
    assert list(GRID)[:3] == [
        Work("vector", {"nodes": "10", "loss": "0"}, 1),
        Work("vector", {"nodes": "10", "loss": "0"}, 2),
        Work("vector", {"nodes": "10", "loss": "0.1"}, 1),
    ]


def test_a_row_is_a_pure_function() -> None:
    options = {"nodes": "20"}
    assert play("vector", options, 3) == play("vector", options, 3) != play("vector", options, 4)
    measures = play("kill-k", {"nodes": "5", "kill": "1"}, 3)
    assert measures["ok"] == 1.0
    assert measures["virtual_seconds"] > 0


@pytest.mark.slow
def test_a_sweep_on_two_cores_and_what_a_second_one_adds(tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    told: list[tuple[int, int]] = []
    small = Grid("vector", {"nodes": ("10",), "loss": ("0",)}, (1, 2))
    first = run_sweep(small, path, workers=2, progress=lambda done, total: told.append((done, total)))
    assert (first.rows, first.new, first.failed) == (2, 2, ())
    assert told == [(0, 2), (1, 2), (2, 2)]
    again = run_sweep(GRID, path, workers=2)
    assert (again.rows, again.new) == (8, 6)
    found = {(row["seed"], row["nodes"], row["loss"]): float(row["failed_all"]) for row in rows_of(path)}
    assert len(found) == 8
    assert found["2", "20", "0.1"] == play("vector", {"nodes": "20", "loss": "0.1"}, 2)["failed_all"]
    assert run_sweep(GRID, path).new == 0


def test_a_row_cut_short_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    fill(path, GRID, product)
    whole = path.read_text()
    path.write_text(whole[:-9])
    with RowFile(path, "vector", tuple(AXES)) as file:
        assert len(file.rows) == 7
    fill(path, GRID, product)
    assert path.read_text() == whole


def test_a_measure_that_comes_late_gets_a_column(tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    fill(path, GRID, lambda what, options, seed: {"a": 1.0} | ({"late": 2.0} if seed == 2 else {}))
    assert [row["late"] for row in rows_of(path)] == ["", "2.0"] * 4


def test_a_measure_may_have_the_name_of_an_option(tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    fill(path, GRID, lambda what, options, seed: {"nodes": 7.0})
    assert {row["m.nodes"] for row in rows_of(path)} == {"7.0"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (f"1/{__version__}", "1/0.0.1", "made by version 1/0.0.1"),
        ("vector", "kill-k", "sweep of 'kill-k'"),
        (",loss,", ",delay,", "another grid"),
        ("sweep,", "sleep,", "not the file of a sweep"),
    ],
)
def test_files_of_something_else(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "sweep.csv"
    fill(path, GRID, product)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UsageError, match=message):
        run_sweep(GRID, path)


def test_a_file_with_other_rows_is_of_another_grid(tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    fill(path, Grid("vector", AXES, (9,)), product)
    with pytest.raises(UsageError, match=r"seed=9, nodes=10, loss=0"):
        run_sweep(GRID, path)


def test_a_binary_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    path.write_bytes(b"\xff\xfe\x00\n")
    with pytest.raises(UsageError, match="not the file of a sweep"):
        run_sweep(GRID, path)
    assert path.read_bytes() == b"\xff\xfe\x00\n"


def chatty(_what: str, _options: dict[str, str], seed: int) -> dict[str, float]:
    logging.getLogger("swim.core").error("noise")
    return {"seed": float(seed)}


@pytest.mark.slow
def test_nodes_in_other_processes_log_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    for workers in (0, 1):
        assert len(list(compute(chatty, [Work("anything", {}, 1)], workers=workers))) == 1
    assert "noise" not in capfd.readouterr().err


def fragile(_what: str, options: dict[str, str], seed: int) -> dict[str, float]:
    if seed == 2:
        raise ArithmeticError("two")
    return {"seed squared": float(seed * seed)}


@pytest.mark.slow
def test_a_run_that_fails_costs_its_row_alone(tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    swept = run_sweep(GRID, path, workers=1, function=fragile)
    assert (swept.rows, swept.new) == (4, 4)
    assert [outcome.work.seed for outcome in swept.failed] == [2] * 4
    assert {row["seed"] for row in rows_of(path)} == {"1"}


@pytest.mark.slow
def test_a_value_that_does_not_fit_ends_the_sweep(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="loss: must be a chance"):
        run_sweep(Grid("vector", {"loss": ("3",)}, (1,)), tmp_path / "sweep.csv", workers=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["moon"], "no scenario 'moon'"),
        (["vector", "node=5"], "no option 'node'"),
        (["vector", "nodes"], "OPTION=VALUE"),
        (["vector", "nodes=1,,2"], "OPTION=VALUE"),
        (["vector", "nodes=5", "nodes=6"], "given twice"),
        (["vector", "--seeds", "few"], "list of seeds"),
        (["vector", "--seeds", "5-1"], "no seeds"),
        (["vector", "--out", "rows.txt"], "does not end in .csv"),
        (["vector", "--on", "http://127.0.0.1:1"], "dask://HOST:PORT"),
        (["vector", "--out", "/nowhere/rows.csv"], "No such file"),
    ],
)
def test_mistakes_take_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["sim", "sweep", *arguments]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert message in line


def test_a_missing_library_takes_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert main(["sim", "sweep", "vector", "nodes=5", "--seeds=1", "--on=dask://h:1"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "pip install 'swim-cluster[" in line


def test_seeds_and_axes() -> None:
    assert parse_seeds("3,1,5-7,6") == (3, 1, 5, 6, 7)
    assert parse_axes(["nodes=5,6,5", "loss=0"]) == {"nodes": ("5", "6"), "loss": ("0",)}


def is_gone(group: int, deadline: float) -> bool:
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.slow
def test_ctrl_c_leaves_a_file_to_go_on_with(tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    command = [
        sys.executable,
        "-m",
        "swim",
        "sim",
        "sweep",
        "vector",
        "nodes=2000",
        "--seeds=0-199",
        f"--out={path}",
    ]
    child = subprocess.Popen([*command, "--workers=2"], stderr=subprocess.PIPE, start_new_session=True)
    deadline = time.monotonic() + 60
    while not (path.exists() and path.read_text().count("\n") > 1):
        assert time.monotonic() < deadline
        assert child.poll() is None
        time.sleep(0.05)
    os.killpg(child.pid, signal.SIGINT)
    _, told = child.communicate(timeout=30)
    assert child.returncode == 130
    assert told.decode().strip() == f"swim: interrupted; run the same command to continue from {path}"
    assert is_gone(child.pid, deadline)
    before = path.read_text()
    assert 2 <= before.count("\n") < 201
    assert before.endswith("\n")
    grid = Grid("vector", {"nodes": ("2000",)}, tuple(range(200)))
    fill(path, grid, lambda what, options, seed: {})
    assert path.read_text().startswith(before)
    assert run_sweep(grid, path).rows == 200


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_same_grid_on_a_dask_cluster(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        dashboard_address=None,
        host="127.0.0.1",
        protocol="tcp",
    ) as cluster:
        address = cluster.scheduler_address.removeprefix("tcp://")
        swept = run_sweep(GRID, tmp_path / "dask.csv", on=f"dask://{address}")
        assert (swept.rows, swept.failed) == (8, ())
    fill(tmp_path / "here.csv", GRID, play)
    there, here = (
        {(r["seed"], r["nodes"], r["loss"]): r for r in rows_of(tmp_path / n)}
        for n in ("dask.csv", "here.csv")
    )
    assert there == here


@pytest.mark.slow
def test_a_scheduler_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("sims.workers._CONNECT_SECONDS", 1)
    with pytest.raises(SimError, match=r"cannot reach a Dask scheduler at 127\.0\.0\.1:1:"):
        next(compute(product, iter(GRID), on="dask://127.0.0.1:1"))


@pytest.mark.slow
def test_work_is_taken_as_fast_as_it_is_done() -> None:
    taken = 0

    def endless() -> object:
        nonlocal taken
        while True:
            taken += 1
            yield Work("vector", {"nodes": "5"}, taken)

    outcomes = compute(product, endless(), workers=1)  # type: ignore[arg-type]
    first = next(outcomes)
    assert isinstance(first, Outcome)
    assert taken < 10
    outcomes.close()  # type: ignore[attr-defined]
