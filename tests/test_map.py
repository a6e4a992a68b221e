"""CONTRIBUTING.md shows every module with the first line of its docstring."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from tests.source import PACKAGES, ROOT, python_files, tree_of

PAGE = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- map -->\n", "<!-- end of map -->\n"


def first_line(path: str) -> str:
    return (ast.get_docstring(tree_of(path)) or "").partition("\n")[0]


def map_lines() -> Iterator[str]:
    paths = sorted(map(Path, python_files(*PACKAGES)), key=lambda path: (path.parent, path.name))
    for folder, modules in groupby(paths, key=lambda path: path.parent):
        yield f"    {folder}/: {first_line(str(folder / '__init__.py'))}"
        for path in modules:
            if path.name != "__init__.py":
                yield f"        {path.name}: {first_line(str(path))}"


def test_the_map_shows_every_module(pytestconfig: pytest.Config) -> None:
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    expected = before + BEGIN + "\n" + "\n".join(map_lines()) + "\n\n" + END + after
    if pytestconfig.getoption("--rewrite"):
        PAGE.write_text(expected)
    assert PAGE.read_text() == expected, "pytest tests/test_map.py --rewrite"
