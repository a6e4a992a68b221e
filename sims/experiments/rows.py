"""The file of a sweep: one row per finished run, on disk at once, so that it survives an interruption."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from sims.errors import UsageError
from swim.version import __version__

__all__ = ["RowFile"]

_FORMAT = "1"
_HEAD = ("sweep", "what", "seed")


class RowFile:
    """A CSV file with the columns ``sweep`` (version), ``what``, ``seed``, the options, then the measures.

    Opening an existing file reads its rows; a row truncated by a crash is dropped. A measure that only later
    rows have gets its own column, empty in the rows before.

    Args:
        path: the file; it need not exist.
        what: name of the scenario or model.
        options: names of the options, in order.

    Attributes:
        rows: all rows so far, values as text.

    Raises:
        UsageError: the file cannot be written, or it is of another version or grid.
    """

    def __init__(self, path: Path, what: str, options: Sequence[str]) -> None:
        self.path = path
        self._what = what
        self._options = tuple(options)
        self._mark = f"{_FORMAT}/{__version__}"
        self._header: list[str] = [*_HEAD, *options]
        self.rows: list[dict[str, str]] = []
        try:
            self._restore()
            self._file: TextIO = path.open("a", newline="", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def key(self, row: Mapping[str, str]) -> tuple[str, ...]:
        """What identifies a row: its seed and options."""
        return (row["seed"], *(row[name] for name in self._options))

    def append(self, seed: int, options: Mapping[str, str], measures: Mapping[str, float]) -> None:
        """Writes one row and syncs it to disk."""
        row = {"sweep": self._mark, "what": self._what, "seed": str(seed), **options}
        row |= {f"m.{name}" if name in row else name: repr(float(value)) for name, value in measures.items()}
        new = [name for name in row if name not in self._header]
        self.rows.append(row)
        if new or len(self.rows) == 1:
            self._header += new
            self._rewrite()
        else:
            csv.DictWriter(self._file, self._header, restval="").writerow(row)
        self._file.flush()
        os.fsync(self._file.fileno())

    def _restore(self) -> None:
        if not self.path.exists() or not self.path.stat().st_size:
            return
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        try:
            reader = csv.DictReader(whole.decode("utf-8").splitlines())
            rows = list(reader)
        except (UnicodeDecodeError, csv.Error):
            raise UsageError(f"{self.path} is not the file of a sweep") from None
        header = list(reader.fieldnames or ())
        if header[: len(_HEAD)] != list(_HEAD):
            raise UsageError(f"{self.path} is not the file of a sweep")
        if header[: len(self._header)] != self._header:
            raise UsageError(f"{self.path} is of another grid: its columns are {', '.join(header)}")
        for row in rows:
            if row["sweep"] != self._mark:
                raise UsageError(f"{self.path} was made by version {row['sweep']}, this is {self._mark}")
            if row["what"] != self._what:
                raise UsageError(f"{self.path} is a sweep of {row['what']!r}, not of {self._what!r}")
        self._header = header
        self.rows = rows
        if len(whole) < len(data):
            os.truncate(self.path, len(whole))

    def _rewrite(self) -> None:
        """Rewrites everything next to the file and replaces the file."""
        beside = self.path.with_name(self.path.name + ".new")
        with beside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, self._header, restval="")
            writer.writeheader()
            writer.writerows(self.rows)
        self._file.close()
        beside.replace(self.path)
        self._file = self.path.open("a", newline="", encoding="utf-8")
