"""Adds node and virtual time to the log records of simulated nodes, which share their loggers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sims.world.context import Context

__all__ = ["named_logs"]


@contextmanager
def named_logs(context: Context) -> Iterator[None]:
    """Within the block, log records below ``swim`` begin with the current host and the virtual time.

    They also have both as the attributes ``node`` and ``virtual_time``.
    """
    make = logging.getLogRecordFactory()

    def make_named(name: str, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(name, *args, **kwargs)
        if name.startswith("swim.") and context.current:
            shown = f"{context.current} at {context.now:.3f} s: "
            record.msg = (shown.replace("%", "%%") if record.args else shown) + str(record.msg)
            record.node, record.virtual_time = context.current, context.now
        return record

    logging.setLogRecordFactory(make_named)
    try:
        yield
    finally:
        logging.setLogRecordFactory(make)
