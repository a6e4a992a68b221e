"""Log records of a command on stderr: lines for people, or one JSON object per line."""

from __future__ import annotations

import logging
import sys
import time
from typing import Literal, Self

from swim import verbosity
from swim.cli.common import is_utf8
from swim.cli.syslog import Syslog
from swim.cli.writer import BackgroundWriter
from swim.formatters import JsonFormatter, SerfFormatter, TextFormatter
from swim.log import FloodLimit, LogRing, Unread
from swim.text import printable

__all__ = ["LEVELS", "LogFormat", "LogOutput", "set_level"]

LEVELS = ("debug", "info", "warn", "error")
LogFormat = Literal["text", "json", "serf"]

_COLLECTED_BYTES = 1 << 24
"""How much of the log is held back before a command's own first lines are out."""
_KEPT_BYTES = 1 << 20
"""How much of the log is kept for those that read it later."""
_NUMBERS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


class LogOutput:
    """Writes everything under the root logger to stderr, from a thread, for the length of a block.

    Records are held until ``release``, so that a command's own first lines come first. Floods of one kind of
    record are rate-limited, and the number of missing records is logged.

    Args:
        level: one of ``LEVELS``.
        log_format: ``text`` mirrors Nomad's lines, ``json`` its ``@``-keys, ``serf`` Serf's lines.
        syslog: facility of the local syslog, which gets every record too; "" for none.

    """

    def __init__(self, level: str, log_format: LogFormat, *, syslog: str = "") -> None:
        handler = _Handler(_formatter(log_format), Syslog(syslog) if syslog else None)
        self._handler = handler
        self._kept = LogRing(max_bytes=_KEPT_BYTES)
        collected = LogRing(max_bytes=_COLLECTED_BYTES)
        self._collected = collected.reader()
        logging.getLogger().handlers[:] = [self._kept, collected]
        set_level(level)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        self._handler.close()

    def say(self, line: str) -> None:
        """Writes one line of the command itself, not through the log."""
        self._handler.writer.write(printable(line) + "\n")

    def recent(self, level: int) -> tuple[logging.LogRecord, ...]:
        """The latest records at a level and above, oldest first."""
        return self._kept.reader(level).read().records

    def release(self) -> None:
        """Writes the held records; later ones are written at once."""
        logging.getLogger().handlers[:] = [self._kept, self._handler]
        self._handler.catch_up(self._collected.read())


def _formatter(log_format: LogFormat) -> logging.Formatter:
    match log_format:
        case "json":
            return JsonFormatter(ascii_only=not is_utf8(sys.stderr))
        case "serf":
            return SerfFormatter()
    return TextFormatter()


def set_level(level: str) -> None:
    """Changes the level of the running log to one of ``LEVELS``; other packages stay at ``warn`` or above."""
    verbosity.set_level(_NUMBERS[level])
    logging.getLogger().setLevel(max(_NUMBERS[level], logging.WARNING))


class _Handler(logging.Handler):
    def __init__(self, formatter: logging.Formatter, syslog: Syslog | None) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._syslog = syslog
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
        if self._syslog is not None:
            self._syslog.close()
        super().close()

    def _write(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:
            self.handleError(record)
        else:
            self.writer.write(line + "\n")
            if self._syslog is not None:
                text = f"{record.name}: {printable(record.getMessage())}"
                self._syslog.send(record.levelno, record.created, text)

    def _dropped_line(self, count: int) -> str:
        return self.format(_lost(count)) + "\n"


def _lost(count: int) -> logging.LogRecord:
    return _own_record("%d log records were lost: the reader was too slow", count)


def _own_record(message: str, *values: object) -> logging.LogRecord:
    return logging.LogRecord("swim.log", logging.WARNING, __file__, 0, message, values, None)
