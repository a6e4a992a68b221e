"""What simulated nodes log says which node it was, and when: in one process they share their loggers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sims.world.context import Context

__all__ = ["named_logs"]


@contextmanager
def named_logs(context: Context) -> Iterator[None]:
    """Meanwhile log records below ``swim`` begin with the host that is being handled and the virtual time.

    They carry both as the attributes ``node`` and ``virtual_time``, too.
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
