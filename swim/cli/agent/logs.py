"""Log records of an agent on stderr: lines for people, or one JSON object per line."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from logging.handlers import MemoryHandler
from typing import Any, Literal

__all__ = ["LEVELS", "set_level", "start_logging"]

LEVELS = ("debug", "info", "warn", "error")

_PLAIN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_COLLECTED_RECORDS = 10_000
_NEVER = logging.CRITICAL + 1
_NAMES = {"WARNING": "WARN", "CRITICAL": "ERROR"}


def start_logging(level: str, log_format: Literal["text", "json"]) -> Callable[[], None]:
    """Collects everything under the root logger, to go to stderr.

    Args:
        level: one of ``LEVELS``.
        log_format: ``text`` mirrors Nomad's lines, ``json`` its ``@``-keys.

    Returns:
        A function that writes what was collected and lets later records through at once; may be called twice.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if log_format == "json" else _TextFormatter())
    collected = MemoryHandler(_COLLECTED_RECORDS, flushLevel=_NEVER, target=handler)
    root = logging.getLogger()
    root.handlers[:] = [collected]
    set_level(level)

    def release() -> None:
        collected.flush()
        root.handlers[:] = [handler]

    return release


def set_level(level: str) -> None:
    """Changes the level of the running log to one of ``LEVELS``; other packages stay at ``warn`` or above."""
    number = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}[
        level
    ]
    logging.getLogger("swim").setLevel(number)
    logging.getLogger().setLevel(max(number, logging.WARNING))


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _PLAIN_ATTRIBUTES}


def _timestamp(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        level = f"[{_NAMES.get(record.levelname, record.levelname)}]"
        line = f"{_timestamp(record)} {level:<7} {record.name}: {record.getMessage()}"
        if extra := _fields(record):
            line += ": " + " ".join(f"{key}={_quoted(value)}" for key, value in extra.items())
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        document: dict[str, Any] = {
            "@timestamp": _timestamp(record),
            "@level": _NAMES.get(record.levelname, record.levelname).lower(),
            "@module": record.name,
            "@message": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(document, default=str, ensure_ascii=False)


def _quoted(value: object) -> str:
    text = str(value)
    return (
        json.dumps(text, ensure_ascii=False)
        if not text or any(c.isspace() or c in '"=' for c in text)
        else text
    )
