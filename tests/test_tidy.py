"""Style as a test: sizes, docstrings, and calls that have no place where they stand."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path

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
ANY_HARD = re.compile(rf"\b(?:{'|'.join(PLAINER)})\b", re.IGNORECASE)
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


def oversized(path: str) -> Iterator[str]:
    lines = text_of(path).splitlines()
    if len(lines) > MAX_FILE_LINES:
        yield f"{path} has {len(lines)} lines"
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE_CHARACTERS:
            yield f"{path}:{number} has {len(line)} characters"
        if UNFINISHED.search(line):
            yield f"{path}:{number} is unfinished"
    for node in ast.walk(tree_of(path)):
        if isinstance(node, Function):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield f"{path}:{node.lineno} {node.name} has {length} lines"


def undocumented(path: str) -> Iterator[str]:
    tree = tree_of(path)
    if tree.body and not ast.get_docstring(tree):
        yield f"{path}: no docstring on the module"
    for name, node in public_definitions(tree.body, ""):
        if not ast.get_docstring(node):
            yield f"{path}: no docstring on {name}"


def misplaced_calls(path: str) -> Iterator[str]:
    banned = {"time.sleep", "breakpoint", "input"}
    if not path.startswith("sims/"):
        banned.add("print")
    yield from (f"{path}:{line} calls {name}" for name, line in called_names(path) if name in banned)


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


def hard_words(path: str) -> Iterator[str]:
    for number, line in prose(path):
        if ANY_HARD.search(line):
            for word, better in PLAINER.items():
                for hit in re.finditer(rf"\b(?:{word})\b", line, re.IGNORECASE):
                    yield f"{path}:{number}: not {hit[0]!r} but {better}: {line.strip()}"
        if path not in VERDICTS and not path.startswith("tests/") and VERDICT.search(line):
            yield f"{path}:{number}: a verdict is an outcome of the table of claims: {line.strip()}"


def conflict_markers(path: str) -> Iterator[str]:
    yield from (f"{path}: {hit[0]}" for hit in re.finditer(r"^(<{7}|>{7}) ", text_of(path), re.MULTILINE))


LAWS: dict[Callable[[str], Iterator[str]], list[str]] = {
    oversized: EVERY_FILE,
    undocumented: SHIPPED,
    misplaced_calls: SHIPPED,
    hard_words: [*EVERY_FILE, *PAGES],
    conflict_markers: PAGES,
}
"""What no file may have, and the files that are read for it."""


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_no_file_has(law: Callable[[str], Iterator[str]]) -> None:
    found = [problem for path in LAWS[law] for problem in law(path)]
    assert not found, "\n".join(found)


def test_what_a_law_forbids_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = f"def f(): # {'nobody'}\n    print({'x' * MAX_LINE_CHARACTERS!r})\n"
    page = f"{'<' * 7} ours\n"
    for path in ("swim/bad.py", "bad.md"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(bad if path.endswith(".py") else page)
    monkeypatch.setattr("tests.source.ROOT", tmp_path)
    for law in LAWS:
        assert list(law("bad.md" if law is conflict_markers else "swim/bad.py")), law.__name__
