"""Log records of a command on stderr: lines for people, or one JSON object per line."""

from __future__ import annotations

import logging
import sys
import time
from datetime import UTC, datetime
from typing import Any, Literal, Self

from swim.cli.common import is_utf8
from swim.cli.writer import BackgroundWriter
from swim.log import SUMMARY, FloodLimit, LogRing, Unread
from swim.text import json_text, printable

__all__ = ["LEVELS", "LogFormat", "LogOutput", "set_level"]

LEVELS = ("debug", "info", "warn", "error")
LogFormat = Literal["text", "json"]

_PLAIN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", SUMMARY}
_COLLECTED_BYTES = 1 << 24
"""How much of the log is held back before a command's own first lines are out."""
_KEPT_BYTES = 1 << 20
"""How much of the log is kept for those that read it later."""
_FIELD_CHARACTERS = 1000
_NUMBERS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_NAMES = {"WARNING": "WARN", "CRITICAL": "ERROR"}


class LogOutput:
    """Writes everything under the root logger to stderr, from a thread, for the length of a block.

    Records are held until ``release``, so that a command's own first lines come first. Floods of one kind of
    record are rate-limited, and the number of missing records is logged.

    Args:
        level: one of ``LEVELS``.
        log_format: ``text`` mirrors Nomad's lines, ``json`` its ``@``-keys.

    Attributes:
        ring: the latest records, for any number of readers.
    """

    def __init__(self, level: str, log_format: LogFormat) -> None:
        handler = _Handler(
            _JsonFormatter(not is_utf8(sys.stderr)) if log_format == "json" else _TextFormatter()
        )
        self._handler = handler
        self.ring = LogRing(max_bytes=_KEPT_BYTES)
        collected = LogRing(max_bytes=_COLLECTED_BYTES)
        self._collected = collected.reader()
        logging.getLogger().handlers[:] = [self.ring, collected]
        set_level(level)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._handler.close()

    def say(self, line: str) -> None:
        """Writes one line of the command itself, not through the log."""
        self._handler.writer.write(printable(line) + "\n")

    def release(self) -> None:
        """Writes the held records; later ones are written at once."""
        logging.getLogger().handlers[:] = [self.ring, self._handler]
        self._handler.catch_up(self._collected.read())


def set_level(level: str) -> None:
    """Changes the level of the running log to one of ``LEVELS``; other packages stay at ``warn`` or above."""
    logging.getLogger("swim").setLevel(_NUMBERS[level])
    logging.getLogger().setLevel(max(_NUMBERS[level], logging.WARNING))


class _Handler(logging.Handler):
    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.writer = BackgroundWriter(sys.stderr, self._dropped_line)
        self._floods = FloodLimit()

    def emit(self, record: logging.LogRecord) -> None:
        now = time.monotonic()
        for suppressed in self._floods.overdue(now):
            self._write(_own_record("suppressed %d records of %s in a flood", *suppressed))
        if self._floods.admits(record, now):
            self._write(record)

    def catch_up(self, unread: Unread) -> None:
        """Writes what was held back."""
        if unread.lost:
            self._write(_lost(unread.lost))
        for record in unread.records:
            self.handle(record)

    def close(self) -> None:
        for suppressed in self._floods.overdue(float("inf")):
            self._write(_own_record("suppressed %d records of %s in a flood", *suppressed))
        self.writer.close()
        super().close()

    def _write(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:
            self.handleError(record)
        else:
            self.writer.write(line + "\n")

    def _dropped_line(self, count: int) -> str:
        return self.format(_lost(count)) + "\n"


def _lost(count: int) -> logging.LogRecord:
    return _own_record("%d log records were lost: the reader was too slow", count)


def _own_record(message: str, *values: object) -> logging.LogRecord:
    return logging.LogRecord("swim.log", logging.WARNING, __file__, 0, message, values, None)


def _timestamp(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _TextFormatter(logging.Formatter):
    """The message alone, on one line whatever is in it; a traceback follows indented."""

    def format(self, record: logging.LogRecord) -> str:
        level = f"[{_NAMES.get(record.levelname, record.levelname)}]"
        line = f"{_timestamp(record)} {level:<7} {record.name}: {printable(record.getMessage())}"
        lines = _traceback(self, record).splitlines()
        return line + "".join(f"\n    {printable(text)}" for text in lines)


class _JsonFormatter(logging.Formatter):
    """The fields, and a message without the values that are fields."""

    def __init__(self, ascii_only: bool) -> None:
        super().__init__()
        self._ascii_only = ascii_only

    def format(self, record: logging.LogRecord) -> str:
        document: dict[str, Any] = {
            "@timestamp": _timestamp(record),
            "@level": _NAMES.get(record.levelname, record.levelname).lower(),
            "@module": record.name,
            "@message": getattr(record, SUMMARY, None) or record.getMessage(),
        }
        document |= {key: _cut(value) for key, value in vars(record).items() if key not in _PLAIN_ATTRIBUTES}
        if traceback := _traceback(self, record):
            document["exception"] = traceback
        return json_text(document, ascii_only=self._ascii_only)


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """The traceback as text, which it is already if the record was held back."""
    return formatter.formatException(record.exc_info) if record.exc_info else record.exc_text or ""


def _cut(value: object) -> object:
    return value[:_FIELD_CHARACTERS] if isinstance(value, str) else value
