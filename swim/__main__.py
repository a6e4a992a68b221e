"""The console script ``swim``, which is the same as ``python -m swim``."""

from __future__ import annotations

import sys

from swim.cli.start import explain_failure, prepare_streams

__all__ = ["run"]


def run() -> int:
    """One command, from the standard streams to its exit code."""
    prepare_streams()
    try:
        from swim.cli.main import main
    except (OSError, ImportError) as error:
        return explain_failure(error)
    return main()


if __name__ == "__main__":
    sys.exit(run())
