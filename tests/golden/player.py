"""Golden traces: text scenarios in, text out, kept side by side in one file and compared.

A file is made of blocks: commands (see ``tests.golden.script``), a line ``----``, and what the commands said,
up to an empty line. Lines that start with ``#`` are for the reader. ``play`` runs a file's commands and
returns the file as it should be; who accepts the difference writes that back.
"""

from __future__ import annotations

from difflib import unified_diff

from sims.errors import SimError, UsageError
from tests.golden.script import Stage

__all__ = ["GoldenError", "difference", "play"]

_RULE = "----"


class GoldenError(UsageError):
    """A command is unknown, wrong, or expected something that is not so; names the file and line."""


def play(text: str, name: str) -> str:
    """Runs the commands of a golden file.

    Args:
        text: the file's content.
        name: of the file, for errors.

    Returns:
        The same text with what the commands say now.

    Raises:
        GoldenError: see there. A command's error cannot be accepted into the file.
    """
    stage = Stage()
    written: list[str] = []
    said: list[str] | None = None
    skips = False
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            skips = False
        if skips:
            continue
        is_command = bool(line.strip()) and not line.startswith("#") and line != _RULE
        if is_command:
            said = [] if said is None else said
            said += _do(stage, line, name, number)
        elif said is not None:
            written += [_RULE, *said]
            said, skips = None, line == _RULE
        elif line == _RULE:
            raise GoldenError(f"{name}:{number}: {_RULE} without commands before it")
        if line != _RULE:
            written.append(line)
    if said is not None:
        written += [_RULE, *said]
    return "\n".join(written).rstrip("\n") + "\n"


def _do(stage: Stage, command: str, name: str, number: int) -> list[str]:
    try:
        return stage.do(command)
    except SimError as error:
        raise GoldenError(f"{name}:{number}: {command}: {error}") from error


def difference(before: str, after: str, name: str) -> str:
    """What changed in a file, as a unified diff; "" if nothing did."""
    lines = unified_diff(
        before.splitlines(), after.splitlines(), f"{name} (kept)", f"{name} (now)", lineterm="", n=5
    )
    return "\n".join(lines)
