"""What the modules of the page import, read from their text."""

from __future__ import annotations

import posixpath
import re
from functools import cache

from agent_api.ui.files import static_files

__all__ = ["DYNAMIC", "IMPORT", "needed_by", "resolved"]

IMPORT = re.compile(
    r"(?:^|(?<=;))import\s*(?:\{(?P<names>[^}]*)\}|\*\s*as\s+(?P<all>\w+))\s*"
    r"from\s*[\"'](?P<path>[^\"']+)[\"'];?",
    re.MULTILINE,
)
"""An import that is resolved before a module runs."""
DYNAMIC = re.compile(r"\bimport\(\s*['\"](?P<path>[^'\"]+)['\"]\s*\)")
"""A module that is loaded once it is needed."""


def resolved(path: str, relative: str) -> str:
    """The path of a module that the one at ``path`` imports."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), relative))


@cache
def needed_by(entry: str) -> tuple[str, ...]:
    """The module ``entry`` and all that run before it, each after what it imports."""
    found: dict[str, None] = {}

    def visit(path: str) -> None:
        for each in IMPORT.finditer(static_files()[path].body.decode()):
            imported = resolved(path, each["path"])
            if imported not in found:
                visit(imported)
        found[path] = None

    visit(entry)
    return tuple(found)
