"""The snapshot file: private, appended to in batches, replaced atomically, and indifferent to full disks."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from swim.config import Config
from swim.errors import ConfigError
from swim.net.files import Files
from swim.net.keeping import keep
from swim.net.snapshot_file import SnapshotFile


def snapshot_in(directory: Path) -> SnapshotFile:
    return SnapshotFile(directory / "members.snapshot")


def test_a_missing_file_reads_as_empty_and_the_directory_is_made(tmp_path: Path) -> None:
    with Files(data_dir=tmp_path / "deep" / "data").opened(Config.local(name="n1")) as files:
        assert files.past == ""
    assert (tmp_path / "deep" / "data").stat().st_mode & 0o777 == 0o700


def test_what_was_written_comes_back_private_and_without_leftovers(tmp_path: Path) -> None:
    file = snapshot_in(tmp_path)
    for text in ("first\n" * 100, "second: \udcff\n"):
        file.write(text)
        assert snapshot_in(tmp_path).text == text
    assert [path.name for path in tmp_path.iterdir()] == ["members.snapshot"]
    assert (tmp_path / "members.snapshot").stat().st_mode & 0o777 == 0o600


def test_a_write_that_fails_keeps_the_old_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = snapshot_in(tmp_path)
    file.write("old\n")

    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    file.write("new\n")
    assert snapshot_in(tmp_path).text == "old\n"
    assert "No space left on device" in caplog.text


def test_a_path_that_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="data_dir: cannot use"):
        snapshot_in(tmp_path / "file")


class Disk:
    """Counts what is synced, and refuses when it is full."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        self.synced = self.refused = 0
        self._sync = os.fsync
        patch.setattr(os, "fsync", self._fsync)

    def _fsync(self, handle: int) -> None:
        if self.is_full:
            self.refused += 1
            raise OSError(28, "No space left on device")
        self.synced += stat.S_ISREG(os.fstat(handle).st_mode)
        self._sync(handle)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@asynccontextmanager
async def kept(file: SnapshotFile, whole: Callable[[], str]) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        file.whole = whole
        nursery.start_soon(keep, file)
        yield
        nursery.cancel_scope.cancel()


async def eventually(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  a thread writes, in real time
        await trio.sleep(0.01)


def text_in(directory: Path) -> str:
    return snapshot_in(directory).text


async def test_a_life_begins_with_the_whole_state_and_appends_what_changes(
    tmp_path: Path, autojump_clock: MockClock, disk: Disk
) -> None:
    (tmp_path / "members.snapshot").write_text("alive: former 10.0.0.9:1\nalive: cut of")
    file = snapshot_in(tmp_path)
    async with kept(file, lambda: "whole\n"):
        await eventually(lambda: text_in(tmp_path) == "whole\n")
        for number in range(10):
            file.append([f"line {number}", "another"])
            await trio.sleep(0.01)
        await eventually(lambda: "line 9" in text_in(tmp_path))
        burst = "".join(f"line {number}\nanother\n" for number in range(10))
        assert text_in(tmp_path) == "whole\n" + burst
        await eventually(lambda: disk.synced == 2)
        inode = (tmp_path / "members.snapshot").stat().st_ino
        await trio.sleep(1000.0)
        assert (disk.synced, (tmp_path / "members.snapshot").stat().st_ino) == (2, inode)


@pytest.mark.slow
async def test_a_file_that_grew_is_written_anew_and_no_line_is_missing(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    written: list[str] = []
    wholes: list[int] = []
    file = snapshot_in(tmp_path)

    def whole() -> str:
        wholes.append(len(written))
        return "".join(f"{line}\n" for line in written[-500:])

    async with kept(file, whole):
        for turn in range(60):
            lines = [f"{turn} {number} {'x' * 60}" for number in range(100)]
            written += lines
            file.append(lines)
            await eventually(lambda last=lines[-1]: text_in(tmp_path).endswith(f"{last}\n"))
            assert text_in(tmp_path).splitlines()[-100:] == lines
            assert (tmp_path / "members.snapshot").stat().st_size < 128 * 1024 + 100 * 70
    assert 3 <= len(wholes) <= 8
    assert os.listdir(tmp_path) == ["members.snapshot"]


async def test_a_full_disk_is_one_warning_and_forgets_nothing_once_there_is_room(
    tmp_path: Path, autojump_clock: MockClock, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "swim.cluster")
    written = ["first"]
    file = snapshot_in(tmp_path)
    async with kept(file, lambda: "".join(f"{line}\n" for line in written)):
        await eventually(lambda: text_in(tmp_path) == "first\n")
        disk.is_full = True
        while disk.refused < 3:
            written.append(f"line {len(written)}")
            file.append(written[-1:])
            await trio.sleep(5.0)
        assert text_in(tmp_path).startswith("first\n")
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "No space left on device" in caplog.text
        disk.is_full = False
        await eventually(lambda: text_in(tmp_path).splitlines() == written)
        written.append("last")
        file.append(["last"])
        await eventually(lambda: text_in(tmp_path).splitlines() == written)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


@pytest.mark.parametrize("damage", ["truncated", "removed", "replaced by a link", "grown"])
async def test_a_file_that_somebody_else_changed_is_written_anew(
    tmp_path: Path, autojump_clock: MockClock, damage: str
) -> None:
    directory, path, other = tmp_path / "data", tmp_path / "data" / "members.snapshot", tmp_path / "other"
    directory.mkdir()
    other.write_text("first\n")
    written = ["first"]
    file = snapshot_in(directory)
    async with kept(file, lambda: "".join(f"{line}\n" for line in written)):
        await eventually(path.exists)
        match damage:
            case "truncated":
                os.truncate(path, 2)
            case "grown":
                path.write_text("first\ngarbage")
            case _:
                path.unlink()
        if damage == "replaced by a link":
            path.hardlink_to(other)
        written.append("second")
        file.append(["second"])
        await eventually(lambda: path.exists() and text_in(directory).splitlines() == written)
    assert other.read_text() == "first\n"
