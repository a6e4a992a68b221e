"""Log records of a command on stderr: lines for people, or one JSON object per line."""

from __future__ import annotations

import logging
import sys
import time
from datetime import UTC, datetime
from logging.handlers import MemoryHandler
from typing import Any, Literal, Self

from swim.cli.common import is_utf8
from swim.cli.writer import BackgroundWriter
from swim.log import SUMMARY, FloodLimit
from swim.text import json_text, printable

__all__ = ["LEVELS", "LogFormat", "LogOutput", "set_level"]

LEVELS = ("debug", "info", "warn", "error")
LogFormat = Literal["text", "json"]

_PLAIN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", SUMMARY}
_COLLECTED_RECORDS = 10_000
_FIELD_CHARACTERS = 1000
_NEVER = logging.CRITICAL + 1
_NUMBERS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
_NAMES = {"WARNING": "WARN", "CRITICAL": "ERROR"}


class LogOutput:
    """Takes everything under the root logger to stderr, by a thread, for the length of a block.

    Records are held back until ``release``, so that a command's own first lines come first. A kind of record
    that comes in floods is thinned out, and how many are missing is said.

    Args:
        level: one of ``LEVELS``.
        log_format: ``text`` mirrors Nomad's lines, ``json`` its ``@``-keys.
    """

    def __init__(self, level: str, log_format: LogFormat) -> None:
        handler = _Handler(
            _JsonFormatter(not is_utf8(sys.stderr)) if log_format == "json" else _TextFormatter()
        )
        self._handler = handler
        self._collected = MemoryHandler(_COLLECTED_RECORDS, flushLevel=_NEVER, target=handler)
        logging.getLogger().handlers[:] = [self._collected]
        set_level(level)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._handler.close()

    def say(self, line: str) -> None:
        """Writes one line of the command's own, past the log."""
        self._handler.writer.write(printable(line) + "\n")

    def release(self) -> None:
        """Writes what was held back, and lets later records through at once."""
        self._collected.flush()
        logging.getLogger().handlers[:] = [self._handler]


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
        return self.format(_own_record("%d log records were lost: nobody read them in time", count)) + "\n"


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
        if record.exc_info:
            lines = self.formatException(record.exc_info).splitlines()
            line += "".join(f"\n    {printable(text)}" for text in lines)
        return line


class _JsonFormatter(logging.Formatter):
    """The fields, and as message only what they do not say."""

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
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json_text(document, ascii_only=self._ascii_only)


def _cut(value: object) -> object:
    return value[:_FIELD_CHARACTERS] if isinstance(value, str) else value
