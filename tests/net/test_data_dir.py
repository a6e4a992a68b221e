"""The data directory: one agent at a time, and no file made or read through a link."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import swim
from swim.errors import ConfigError
from swim.net.data_dir import locked
from swim.net.snapshot_file import SnapshotFile


def test_a_second_agent_is_told_who_uses_the_directory(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with locked(directory, "web-1"):
        assert directory.stat().st_mode & 0o777 == 0o700
        with pytest.raises(ConfigError) as refusal, locked(directory, "web-2"):
            pass
    assert refusal.value.field == "data_dir"
    assert str(directory) in refusal.value.reason
    assert f"in use by node web-1, process {os.getpid()}" in refusal.value.reason
    with locked(directory, "web-2"):
        pass


def test_the_lock_of_a_killed_agent_ends_with_it(tmp_path: Path) -> None:
    program = "import sys, os; from pathlib import Path; from swim.net.data_dir import locked\n"
    program += "with locked(Path(sys.argv[1]), 'killed'): os._exit(9)"
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False).returncode == 9
    with locked(tmp_path, "next"):
        pass


async def test_two_clusters_on_one_directory(tmp_path: Path) -> None:
    config = swim.Config.local(name="first", bind="127.0.0.1:0")
    async with swim.open_cluster(config, data_dir=tmp_path, leave_timeout=0):
        with pytest.raises(ConfigError, match=r"data_dir: .* is in use by node first"):
            async with swim.open_cluster(config.with_changes(name="second"), data_dir=tmp_path):
                pass
    async with swim.open_cluster(config, data_dir=tmp_path, leave_timeout=0):
        pass


@pytest.mark.parametrize("name", ["lock", "members.snapshot"])
def test_links_are_not_followed(tmp_path: Path, name: str) -> None:
    directory, target = tmp_path / "data", tmp_path / "target"
    directory.mkdir()
    target.write_text("precious")
    (directory / name).symlink_to(target)
    with pytest.raises(ConfigError, match=r"data_dir: cannot use .*link"), locked(directory, "web-1"):
        SnapshotFile(directory / "members.snapshot")
    assert target.read_text() == "precious"


@pytest.mark.parametrize("kind", ["symlink", "hard link", "dangling"])
def test_a_link_where_the_new_file_is_written_is_replaced(tmp_path: Path, kind: str) -> None:
    directory, target = tmp_path / "data", tmp_path / "target"
    directory.mkdir()
    temporary = directory / "members.snapshot.tmp"
    if kind != "dangling":
        target.write_text("precious")
    temporary.hardlink_to(target) if kind == "hard link" else temporary.symlink_to(target)
    SnapshotFile(directory / "members.snapshot").write("clock: 1\n")
    assert SnapshotFile(directory / "members.snapshot").text == "clock: 1\n"
    assert not temporary.exists()
    assert not (directory / "members.snapshot").is_symlink()
    assert target.exists() == (kind != "dangling")
    assert kind == "dangling" or target.read_text() == "precious"


def test_a_link_put_in_the_snapshots_place_is_replaced_not_followed(tmp_path: Path) -> None:
    directory, target = tmp_path / "data", tmp_path / "target"
    directory.mkdir()
    file = SnapshotFile(directory / "members.snapshot")
    target.write_text("precious")
    (directory / "members.snapshot").symlink_to(target)
    file.write("clock: 1\n")
    assert SnapshotFile(directory / "members.snapshot").text == "clock: 1\n"
    assert target.read_text() == "precious"


def test_what_is_no_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "members.snapshot")
    with pytest.raises(ConfigError, match="not a regular file"):
        SnapshotFile(tmp_path / "members.snapshot")


@pytest.mark.parametrize("kind", ["fifo", "directory", "hard link"])
def test_a_lock_that_is_no_file_of_its_own_is_refused_and_left_alone(tmp_path: Path, kind: str) -> None:
    directory, target = tmp_path / "data", tmp_path / "target"
    directory.mkdir()
    target.write_text("precious")
    lock = directory / "lock"
    {"fifo": lambda: os.mkfifo(lock), "directory": lock.mkdir, "hard link": lambda: lock.hardlink_to(target)}[
        kind
    ]()
    with pytest.raises(ConfigError, match="data_dir: cannot use"), locked(directory, "web-1"):
        pass
    assert target.read_text() == "precious"


async def test_an_empty_name_is_no_directory() -> None:
    """It would be the current one."""
    with pytest.raises(ConfigError, match="data_dir: must not be empty"):
        async with swim.open_cluster(swim.Config.local(name="n", bind="127.0.0.1:0"), data_dir=""):
            pass
