"""The level of swim's log: what the program asked for, and readers that want more of it for a while."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["level", "listening", "set_level"]

_TOP = logging.getLogger("swim")
_lock = threading.Lock()
_listeners: list[logging.Handler] = []
_gated: list[logging.Handler] = []
_own_level = logging.NOTSET
"""The program's own level, while there are listeners."""


def level() -> int:
    """The level that the program asked for."""
    return _own_effective() if _listeners else _TOP.getEffectiveLevel()


def set_level(number: int) -> None:
    """Changes the program's own level; listeners keep theirs."""
    global _own_level
    with _lock:
        _own_level = number
        _apply()


@contextmanager
def listening(handler: logging.Handler) -> Iterator[None]:
    """For a block, ``handler`` receives the records of swim at and above its own level.

    Other handlers receive no more than before, however much this one wants.
    """
    with _lock:
        if not _listeners:
            _begin()
        _listeners.append(handler)
        _TOP.addHandler(handler)
        _apply()
    try:
        yield
    finally:
        with _lock:
            _TOP.removeHandler(handler)
            _listeners.remove(handler)
            _apply()
            if not _listeners:
                for gated in _gated:
                    gated.removeFilter(_is_for_all)
                _gated.clear()


def _begin() -> None:
    """Remembers the program's level, and keeps the handlers that it has from receiving more."""
    global _own_level
    _own_level = _TOP.level
    logger: logging.Logger | None = _TOP
    while logger is not None:
        for handler in logger.handlers:
            handler.addFilter(_is_for_all)
            _gated.append(handler)
        logger = logger.parent if logger.propagate else None


def _apply() -> None:
    _TOP.setLevel(min(_own_effective(), *(one.level for one in _listeners)) if _listeners else _own_level)


def _own_effective() -> int:
    if _own_level or _TOP.parent is None:
        return _own_level
    return _TOP.parent.getEffectiveLevel()


def _is_for_all(record: logging.LogRecord) -> bool:
    """Whether a record would be logged without listeners."""
    logger: logging.Logger | None = logging.getLogger(record.name)
    while logger is not None and logger is not _TOP:
        if logger.level:
            return True
        logger = logger.parent
    return logger is None or record.levelno >= _own_effective()
