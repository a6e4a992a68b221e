"""Style as a test: sizes, docstrings, and calls that have no place where they stand."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.source import PACKAGES, python_files, text_of, tree_of

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 70
MAX_LINE_CHARACTERS = 110

SHIPPED = python_files(*PACKAGES)
EVERY_FILE = [*SHIPPED, *python_files("tests")]
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def public_definitions(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.AST]]:
    """Classes, functions and methods without a leading underscore, not those inside functions."""
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield f"{prefix}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node.body, f"{prefix}{node.name}.")


def called_names(path: str) -> Iterator[tuple[str, int]]:
    """Every ``name(...)`` and ``module.name(...)`` in a file but for a script's last block, with its line."""
    for statement in tree_of(path).body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "__name__ == '__main__'":
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                yield ast.unparse(node.func), node.lineno


@pytest.mark.parametrize("path", EVERY_FILE)
def test_sizes(path: str) -> None:
    lines = text_of(path).splitlines()
    assert len(lines) <= MAX_FILE_LINES, f"{path} has {len(lines)} lines"
    for number, line in enumerate(lines, 1):
        assert len(line) <= MAX_LINE_CHARACTERS, f"{path}:{number} has {len(line)} characters"
        assert not UNFINISHED.search(line), f"{path}:{number} is unfinished"
    for node in ast.walk(tree_of(path)):
        if isinstance(node, Function):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= MAX_FUNCTION_LINES, f"{path}:{node.lineno} {node.name} has {length} lines"


@pytest.mark.parametrize("path", SHIPPED)
def test_public_names_are_documented(path: str) -> None:
    tree = tree_of(path)
    missing = [name for name, node in public_definitions(tree.body, "") if not ast.get_docstring(node)]
    if tree.body and not ast.get_docstring(tree):
        missing.insert(0, "the module")
    assert not missing, f"{path}: no docstring on {', '.join(missing)}"


@pytest.mark.parametrize("path", SHIPPED)
def test_no_call_blocks_or_writes_where_it_should_not(path: str) -> None:
    banned = {"time.sleep", "breakpoint", "input"}
    if not path.startswith("sims/"):
        banned.add("print")
    found = [f"{path}:{line} calls {name}" for name, line in called_names(path) if name in banned]
    assert not found
