"""Log records as lines: for people, or one JSON object per line."""

from __future__ import annotations

import logging
import time
from typing import Any

from swim.text import json_text, printable

__all__ = ["SERF_LEVELS", "SUMMARY", "JsonFormatter", "SerfFormatter", "TextFormatter", "serf_line"]

SUMMARY = "summary"
"""The attribute of a record with its message without the values that are fields."""

SERF_LEVELS = {
    "TRACE": logging.DEBUG - 5,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERR": logging.ERROR,
}
"""Serf's log levels by name."""

_PLAIN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", SUMMARY}
_FIELD_CHARACTERS = 1000
_NAMES = {"WARNING": "WARN", "CRITICAL": "ERROR"}


class TextFormatter(logging.Formatter):
    """Nomad's lines: the message alone, on one line whatever is in it; a traceback follows indented."""

    def format(self, record: logging.LogRecord) -> str:
        """One record, without a final newline."""
        level = f"[{_NAMES.get(record.levelname, record.levelname)}]"
        line = f"{_timestamp(record)} {level:<7} {record.name}: {printable(record.getMessage())}"
        lines = _traceback(self, record).splitlines()
        return line + "".join(f"\n    {printable(text)}" for text in lines)


class JsonFormatter(logging.Formatter):
    """Nomad's ``@``-keys, the fields, and a message without the values that are fields.

    Args:
        ascii_only: for a stream that cannot carry other characters.
    """

    def __init__(self, *, ascii_only: bool) -> None:
        super().__init__()
        self._ascii_only = ascii_only

    def format(self, record: logging.LogRecord) -> str:
        """One record, without a final newline."""
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


class SerfFormatter(logging.Formatter):
    """Serf's lines, in local time; a traceback follows indented."""

    def format(self, record: logging.LogRecord) -> str:
        """One record, without a final newline."""
        lines = _traceback(self, record).splitlines()
        return serf_line(record) + "".join(f"\n    {printable(text)}" for text in lines)


def serf_line(record: logging.LogRecord) -> str:
    """A record as one line of Serf's: local time, level, component and message."""
    when = time.strftime("%Y/%m/%d %H:%M:%S", time.localtime(record.created))
    level = next((name for name, least in reversed(SERF_LEVELS.items()) if record.levelno >= least), "TRACE")
    return printable(f"{when} [{level}] {record.name}: {record.getMessage()}")


def _timestamp(record: logging.LogRecord) -> str:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{moment}.{int(1000 * record.created) % 1000:03d}Z"


def _traceback(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """The traceback as text, which it is already if the record was held back."""
    return formatter.formatException(record.exc_info) if record.exc_info else record.exc_text or ""


def _cut(value: object) -> object:
    return value[:_FIELD_CHARACTERS] if isinstance(value, str) else value
