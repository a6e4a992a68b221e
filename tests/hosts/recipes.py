"""The programs that docs/embedding.md prints, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.source import ROOT

__all__ = ["RECIPES", "write_recipes"]

_CODE_AFTER_WORDS = re.compile(r"((?:[^\n]+\n)+)\n```python\n(.*?)```\n", re.DOTALL)
_TITLE = re.compile(r"`([a-z.]+\.py|[a-z]+ cell)`")


def _recipes() -> dict[str, str]:
    page = (ROOT / "docs" / "embedding.md").read_text()
    return {_TITLE.findall(words)[-1]: code for words, code in _CODE_AFTER_WORDS.findall(page)}


RECIPES = _recipes()
"""The code of each file, or cell, by the last name in the paragraph before it."""


def write_recipes(directory: Path, *names: str) -> None:
    """Makes files of some recipes."""
    for name in names:
        (directory / name).write_text(RECIPES[name])
