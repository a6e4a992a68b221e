"""Command lines of the simulator's own programs: a mistake is one line, as with ``swim``."""

from __future__ import annotations

import argparse
from typing import NoReturn

__all__ = ["ArgumentParser", "at_least_one"]


class ArgumentParser(argparse.ArgumentParser):
    """An ``argparse.ArgumentParser`` that reports a mistake in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        """Writes the line to standard error and ends the process with exit code 2.

        Args:
            message: what is wrong; names the argument.

        Raises:
            SystemExit: always.
        """
        self.exit(2, f"{self.prog}: {' '.join(message.split())} (see --help)\n")


def at_least_one(text: str) -> int:
    """A whole number from 1 on, as the type of an argument.

    Raises:
        argparse.ArgumentTypeError: it is not a whole number from 1 on.
    """
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number, at least 1, not {text}")
    return value
