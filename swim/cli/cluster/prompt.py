"""Reads commands from a terminal key by key, so that typing doesn't disturb the live table."""

from __future__ import annotations

import os
import sys
import termios
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import trio

__all__ = ["edit", "keys", "raw_keys"]

_BACKSPACE = ("\x7f", "\x08")
_KILL_LINE = "\x15"


@contextmanager
def raw_keys() -> Iterator[None]:
    """Delivers each key as it is typed, without echo; Ctrl-C still interrupts. Finally restores the mode."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


async def keys() -> AsyncIterator[str]:
    """The characters typed, until the terminal closes."""
    descriptor = sys.stdin.fileno()
    while True:
        await trio.lowlevel.wait_readable(descriptor)
        data = os.read(descriptor, 1024)
        if not data:
            return
        for character in data.decode("utf-8", "replace"):
            yield character


def edit(typed: str, key: str) -> tuple[str, str | None]:
    """The prompt's text after ``key``, and the finished line if it was Enter."""
    if key in "\r\n":
        return "", typed
    if key in _BACKSPACE:
        return typed[:-1], None
    if key == _KILL_LINE:
        return "", None
    return (typed + key if key.isprintable() else typed), None
