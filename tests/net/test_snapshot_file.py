"""The snapshot file: atomic, private, debounced."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from swim.errors import ConfigError
from swim.net.snapshot_file import SnapshotFile


def test_a_missing_file_reads_as_empty_and_the_directory_is_made(tmp_path: Path) -> None:
    assert SnapshotFile(tmp_path / "deep" / "data").text == ""
    assert (tmp_path / "deep" / "data").stat().st_mode & 0o777 == 0o700


def test_what_was_written_comes_back_private_and_without_leftovers(tmp_path: Path) -> None:
    file = SnapshotFile(tmp_path)
    for text in ("first\n" * 100, "second: \udcff\n"):
        file.write(text)
        assert SnapshotFile(tmp_path).text == text
    assert [path.name for path in tmp_path.iterdir()] == ["members.snapshot"]
    assert (tmp_path / "members.snapshot").stat().st_mode & 0o777 == 0o600


def test_a_write_that_fails_keeps_the_old_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = SnapshotFile(tmp_path)
    file.write("old\n")

    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    file.write("new\n")
    assert SnapshotFile(tmp_path).text == file.text == "old\n"
    assert "No space left on device" in caplog.text


def test_a_path_that_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="data_dir: cannot use"):
        SnapshotFile(tmp_path / "file")


async def test_a_burst_of_changes_is_one_write(tmp_path: Path, autojump_clock: MockClock) -> None:
    file = SnapshotFile(tmp_path)
    asked: list[float] = []

    def snapshot() -> str:
        asked.append(trio.current_time())
        return f"version {len(asked)}\n"

    async with trio.open_nursery() as nursery:
        nursery.start_soon(file.keep, snapshot)
        for _ in range(10):
            file.changed()
            await trio.sleep(0.01)
        while not file.text:  # noqa: ASYNC110  a thread writes, in real time
            await trio.sleep(0.01)
        nursery.cancel_scope.cancel()
    assert len(asked) == 1
    assert SnapshotFile(tmp_path).text == "version 1\n"
