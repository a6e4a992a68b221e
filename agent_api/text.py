"""Outgoing text: always valid UTF-8."""

from __future__ import annotations

__all__ = ["utf8"]


def utf8(text: str) -> bytes:
    """``text`` in UTF-8; bytes of another encoding (kept as surrogates) become U+FFFD, as in Go."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace").encode()
