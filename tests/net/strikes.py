"""Ctrl-C at a chosen step of a program."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from linecache import getline
from types import FrameType
from typing import Any

__all__ = ["Strike"]


class Strike:
    """Ctrl-C at the nth step that the main thread takes in ``swim`` or in one other file.

    A step is where CPython handles signals: not between the end of a ``with`` block and its ``__exit__``. In
    ``__del__`` it does, but no exception leaves that.
    """

    def __init__(self, nth: int, file: str) -> None:
        self.steps = 0
        self._nth = nth
        self._file = file
        self._blocks: set[tuple[FrameType, int]] = set()

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Counts steps, and strikes, within a block."""
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            yield
        finally:
            sys.settrace(before)
            self._blocks.clear()  # a frame keeps alive what the program has forgotten

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        file = frame.f_code.co_filename
        is_ours = file == self._file or "/swim/" in file
        return self._step if is_ours and frame.f_code.co_name != "__del__" else None

    def _step(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "return":  # also where a coroutine is suspended: no signal is handled there
            return self._step
        if event == "line" and "with " in getline(frame.f_code.co_filename, frame.f_lineno):
            # The second time its block ends: no signal is handled before __exit__ is called.
            if (frame, frame.f_lineno) in self._blocks:
                return self._step
            self._blocks.add((frame, frame.f_lineno))
        self.steps += 1
        if self.steps == self._nth:
            sys.settrace(None)
            signal.raise_signal(signal.SIGINT)
        return self._step
