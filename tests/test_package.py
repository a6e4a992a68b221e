"""The package page: complete metadata, and a readme whose links and pictures lead somewhere."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.source import PACKAGES, ROOT, python_files, tree_of

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT: dict[str, Any] = PYPROJECT["project"]
LINK = re.compile(r"(!?)\[[^\]]*\]\(([^)#]+)")
MARKDOWN = sorted(path.relative_to(ROOT) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_links_of_the_readme_are_absolute_on_the_package_page() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(LINK.findall(text)) > 10
    for each in PYPROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(each["pattern"], each["replacement"], text)
    source = PROJECT["urls"]["Source"]
    for picture, target in LINK.findall(text):
        home = source.replace("github.com", "raw.githubusercontent.com") if picture else f"{source}/blob"
        assert target.startswith(f"{home}/v$HFPR_VERSION/"), target
        assert (ROOT / target.partition("$HFPR_VERSION/")[2]).is_file(), target


def test_links_between_documents_lead_to_files() -> None:
    for path in MARKDOWN:
        for _, target in LINK.findall((ROOT / path).read_text()):
            assert "://" in target or (ROOT / path.parent / target).exists(), f"{path}: {target}"


BASE = {re.split(r"[<>=!~ \[;]", each)[0] for each in PROJECT["dependencies"]}
FOR_AN_EXTRA = ("swim/contrib/", "agent_api/client/asynchronous.py")
"""What is of use only with an extra."""
CODE = [path for path in python_files("swim", "agent_api") if not path.startswith(FOR_AN_EXTRA)]


@pytest.mark.slow
def test_the_base_installation_has_what_it_imports() -> None:
    """What only an extra brings is imported where it is used, by a function that can do without."""
    found = [f"{path}: {name}" for path in CODE for name in imported_at_once(path)]
    known = sys.stdlib_module_names | BASE | {*PACKAGES}
    assert not [each for each in found if each.rpartition(" ")[2] not in known]


def imported_at_once(path: str) -> Iterator[str]:
    """The packages that a module imports when it is imported itself."""
    tree = tree_of(path)
    inside = {
        node
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in set(ast.walk(tree)) - inside:
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        yield from (name.partition(".")[0] for name in names)


def test_the_metadata_is_complete() -> None:
    assert {"Homepage", "Documentation", "Changelog", "Source", "Issues"} <= set(PROJECT["urls"])
    assert all(url.startswith(PROJECT["urls"]["Source"]) for url in PROJECT["urls"].values())
    assert PROJECT["keywords"]
    assert PROJECT["authors"]
    assert {f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13)} <= set(
        PROJECT["classifiers"]
    )
