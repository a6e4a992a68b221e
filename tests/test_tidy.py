"""Style as a test: sizes, docstrings, and calls that have no place where they stand."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator

import pytest

from tests.source import PACKAGES, ROOT, python_files, text_of, tree_of

MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 70
MAX_LINE_CHARACTERS = 110

SHIPPED = python_files(*PACKAGES)
EVERY_FILE = [*SHIPPED, *python_files("tests")]
PAGES = sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
PLAINER = {
    r"told|tells?|telling": "send, report, notify or record",
    r"whoever|whomever|(?:some|any|every)(?:body|one)|nobody": "a member, a node; no, any or every one",
    r"strangers?": "a non-member or an unknown member",
    r"cure[ds]?": "a fix",
    r"heirs?": "a successor",
    r"hearsay": "second-hand",
    r"(?:former|present) li(?:fe|ves)": "an earlier run, the current run",
    r"in vain": "without an ack, without an answer",
    r"(?:think|thinks|thought) (?:ill|well|what)": "list as alive, suspect, failed",
    r"bury|buries|buried": "declare failed",
}
"""Words that are hard to read in this field, and what to write instead."""
VERDICT = re.compile(r"\bverdicts?\b", re.IGNORECASE)
VERDICTS = {"swim/core/precedence.py", "swim/core/claims.py", "docs/precedence.md"}
"""Where a verdict is the outcome of the table of claims, and so may be called one."""
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def public_definitions(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.AST]]:
    """Classes, functions and methods without a leading underscore; no overloads, none inside functions."""
    for node in body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            if any(ast.unparse(decorator) == "overload" for decorator in node.decorator_list):
                continue
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


def prose(path: str) -> Iterator[tuple[int, str]]:
    """The lines that people read, with their numbers: of a page, or the comments and texts of a Python file.

    Code is left out: in backquotes, indented on a page, a text of one word, the name that an argument's line
    begins with. Of a test only comments and docstrings count.
    """
    if path.endswith(".md"):
        found = [(n, line) for n, line in enumerate(text_of(path).splitlines(), 1) if line[:4].strip()]
    else:
        tokens = tokenize.generate_tokens(io.StringIO(text_of(path)).readline)
        found = [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]
        nodes = list(ast.walk(tree_of(path)))
        if path.startswith("tests/"):
            nodes = [node.value for node in nodes if isinstance(node, ast.Expr)]
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
                found += enumerate(node.value.splitlines(), node.lineno)
    for number, line in found:
        yield number, re.sub(r"(`+)[^`]*\1|^ *\w+: ", "", line)


@pytest.mark.parametrize("path", [*EVERY_FILE, *PAGES])
def test_words_are_plain(path: str) -> None:
    found = []
    for number, line in prose(path):
        for word, better in PLAINER.items():
            found += [
                f"{path}:{number}: not {hit[0]!r} but {better}: {line.strip()}"
                for hit in re.finditer(rf"\b(?:{word})\b", line, re.IGNORECASE)
            ]
        if path not in VERDICTS and not path.startswith("tests/") and VERDICT.search(line):
            found.append(f"{path}:{number}: a verdict is an outcome of the table of claims: {line.strip()}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", PAGES)
def test_pages_have_no_conflict_markers(path: str) -> None:
    assert not re.search(r"^(<{7}|>{7}) ", text_of(path), re.MULTILINE)
