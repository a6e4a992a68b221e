"""Text from a network, a user or the system, made safe to show.

A member's name, a tag, a path or an error may contain line ends, which forge log lines, and control
characters, which a terminal executes. Code that shows such text to people escapes it with these functions;
values for machines stay unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["brief", "closest", "json_text", "of_bytes", "printable", "shown"]

_SHOWN_CHARACTERS = 200
_UNPRINTABLE_IN_JSON = re.compile(r"[^ -~\n]")


def printable(value: object) -> str:
    """``str(value)`` with every character that is not printable written as its escape, such as ``\\x1b``."""
    text = str(value)
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def brief(value: object) -> str:
    """``printable``, cut after 200 characters, escapes counted as long as they are."""
    text = str(value)
    head = printable(text[:_SHOWN_CHARACTERS])
    if len(text) <= _SHOWN_CHARACTERS >= len(head):
        return head
    return f"{head[:_SHOWN_CHARACTERS]}... ({len(text)} characters)"


def shown(value: object) -> str:
    """One value inside a sentence: ``brief``, in quotes unless it is one plain word."""
    text = brief(value)
    is_word = bool(text) and not any(c.isspace() or c in "\"'=()" for c in text)
    return text if is_word else '"' + text.replace('"', '\\"') + '"'


def of_bytes(count: int) -> str:
    """A size as people read it: ``1 byte``, ``2 bytes``."""
    return "1 byte" if count == 1 else f"{count} bytes"


def json_text(document: object, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """``document`` as JSON; characters that a terminal might obey are written as ``\\uXXXX``.

    Args:
        document: of JSON's types; anything else is written as its ``str``.
        indent: spaces per level; None writes one line.
        ascii_only: for a stream that cannot carry other characters.
    """
    import json

    text = json.dumps(document, indent=indent, ensure_ascii=ascii_only, default=str)
    return text if ascii_only else _UNPRINTABLE_IN_JSON.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    import json

    character = found[0]
    return character if character.isprintable() else json.dumps(character)[1:-1]


def closest(word: str, known: Iterable[str]) -> str:
    """The one of ``known`` that ``word`` was probably meant to be, or ""."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(known), 1)), "")
