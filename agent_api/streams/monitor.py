"""``/v1/agent/monitor``: the log as it is written, in Nomad's frames or as plain lines."""

from __future__ import annotations

import base64
import logging
from collections import deque

import anyio

from agent_api.shapes import dumps
from agent_api.streams.lines import STREAM_LINES_MAX, Feed
from agent_api.text import utf8
from swim.formatters import JsonFormatter, TextFormatter
from swim.verbosity import listening

__all__ = ["LEVELS", "MonitorSource"]

LEVELS = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "off": logging.CRITICAL + 1,
}
"""Nomad's levels; we log nothing below debug."""
_LOOK_SECONDS = 0.2
"""Records may come from any thread, so the log is looked at so often."""


class _Tap(logging.Handler):
    """Keeps the latest lines until they are taken; counts the others."""

    def __init__(self, level: int, formatter: logging.Formatter) -> None:
        super().__init__(level)
        self.setFormatter(formatter)
        self._lines: deque[str] = deque()
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        if len(self._lines) >= STREAM_LINES_MAX:
            self._lost += 1
            return
        try:
            self._lines.append(self.format(record))
        except Exception:
            self.handleError(record)

    def take(self) -> tuple[list[str], int]:
        """The lines, and how many are missing after them."""
        with self.lock:  # type: ignore[union-attr]
            lines, lost = list(self._lines), self._lost
            self._lines.clear()
            self._lost = 0
        return lines, lost


class MonitorSource:
    """The lines that are logged from now on, at any level whatever the agent's own is.

    Args:
        level: one of ``LEVELS``.
        is_json: an object for each line, instead of text.
        is_plain: bare lines instead of Nomad's frames.
    """

    def __init__(self, level: str, *, is_json: bool, is_plain: bool) -> None:
        self._tap = _Tap(LEVELS[level], JsonFormatter(ascii_only=False) if is_json else TextFormatter())
        self._is_plain = is_plain

    async def __call__(self, feed: Feed) -> None:
        """Puts a line or frame into the feed for each record; returns never."""
        with listening(self._tap):
            while True:
                lines, lost = self._tap.take()
                for line in lines:
                    feed.put(self._frame(line))
                feed.lose(lost)
                if feed.lost and feed.is_empty:
                    feed.end_gap(self._frame(self._notice(feed.lost)))
                await anyio.sleep(_LOOK_SECONDS)

    def _notice(self, count: int) -> str:
        text = f"Monitor dropped {count} logs during monitor request"
        record = logging.LogRecord("swim.http", logging.WARNING, __file__, 0, text, None, None)
        return self._tap.format(record)

    def _frame(self, line: str) -> bytes:
        data = utf8(line) + b"\n"
        if self._is_plain:
            return data
        return dumps({"Data": base64.b64encode(data).decode(), "FileEvent": "log"}) + b"\n"
