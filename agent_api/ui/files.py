"""The static files of the page, read once: their bytes, types, tags, and compressed forms."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["File", "file_of", "static_files"]

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_OTHER_TYPE = "text/plain; charset=utf-8"


class File(NamedTuple):
    """One file as it is sent.

    Attributes:
        body: as it is.
        packed: with gzip.
        etag: the same for the same bytes, in quotes.
        media_type: with the charset.
    """

    body: bytes
    packed: bytes
    etag: str
    media_type: str


def file_of(name: str, body: bytes) -> File:
    """The file called ``name`` with these bytes."""
    suffix = name[name.rindex(".") :] if "." in name else ""
    digest = hashlib.sha256(body).hexdigest()[:20]
    return File(body, gzip.compress(body, mtime=0), f'"{digest}"', _TYPES.get(suffix, _OTHER_TYPE))


@cache
def static_files() -> Mapping[str, File]:
    """Every file of the page by its path below ``/ui/``. What is not in here is not served."""
    found = _read(files(__package__) / "static", "")
    return MappingProxyType({name: file_of(name, body) for name, body in sorted(found.items())})


def _read(folder: Traversable, prefix: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for entry in folder.iterdir():
        if entry.is_dir():
            found |= _read(entry, f"{prefix}{entry.name}/")
        else:
            found[prefix + entry.name] = entry.read_bytes()
    return found
