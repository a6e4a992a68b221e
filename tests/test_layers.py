"""Which module may import which: the layers of the architecture, and no I/O below the driver."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.source import PACKAGES, python_files, tree_of

LEAVES = (
    "swim.addresses",
    "swim.checks",
    "swim.commands",
    "swim.config",
    "swim.detection",
    "swim.errors",
    "swim.events",
    "swim.expressions",
    "swim.formatters",
    "swim.frozen",
    "swim.handlers.spec",
    "swim.listening",
    "swim.keyrings",
    "swim.metrics",
    "swim.runtime",
    "swim.text",
    "swim.values",
    "swim.verbosity",
    "swim.version",
    "swim.where",
)
LAYERS = (
    "swim.wire",
    "swim.core",
    "swim.serf",
    "swim.inspection",
    "swim.node",
    "swim.membership",
    "swim.coalescing",
    "swim.damping",
    "swim.policies",
    "swim.ring",
    "swim.trace",
    "swim.log",
    "swim.net",
    "swim.handlers",
    "swim.cli",
)
FACES = ("swim", "swim.asyncio", "swim.blocking", "swim.lowlevel", "swim.testing")
"""What programs import; no package of ours but ``agent_api`` does."""
SERVERS = ("agent_api", "swim.ipc")
"""They use the public names of ``swim`` and ``swim.policies`` only, as a program does."""
PURE = (
    "swim.wire",
    "swim.core",
    "swim.serf",
    "swim.inspection",
    "swim.node",
    "swim.membership",
    "swim.policies",
    "swim.coalescing",
    "swim.damping",
    "swim.ring",
    "swim.trace",
)
IMPURE_MODULES = ("asyncio", "os", "secrets", "socket", "subprocess", "threading", "time", "trio")


def module_of(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def imports_of(path: str) -> Iterator[tuple[str, int]]:
    """Every imported module as a dotted name (``from a.b import c`` gives ``a.b.c``), with its line."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}:{node.lineno} is a relative import"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def allowed(module: str, imported: str) -> bool:
    """May ``module`` import ``imported``? Only imports of our own packages are judged."""
    if not within(imported, *PACKAGES) or within(imported, *LEAVES):
        return not (within(module, *LEAVES) and within(imported, "agent_api", "sims"))
    if within(module, *LEAVES):
        return False
    for server in SERVERS:
        if within(module, server):
            return within(imported, server) or (
                within(imported, "swim")
                and not within(imported, *(set(LAYERS) - {"swim.policies"}), *SERVERS)
            )
    if within(module, "sims.bench"):
        return True
    if within(module, "sims"):
        return within(imported, "sims", *PURE)
    if within(module, "swim.cli", "swim.__main__"):
        return within(imported, "swim", "agent_api", "sims")
    if within(module, "swim.contrib"):  # like a program, and shows members as the agent does
        return within(imported, "swim", "agent_api") and not within(imported, "swim.cli")
    if module in FACES:
        return within(imported, "swim") and not within(imported, "swim.cli")
    layer = next(index for index, name in enumerate(LAYERS) if within(module, name))
    return within(imported, *LAYERS[: layer + 1])


def circle_in(imports: Mapping[str, set[str]]) -> list[str]:
    """Modules that import each other in a ring, the first one again at the end; [] if there are none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def test_no_modules_import_each_other_in_a_ring() -> None:
    """Imports inside functions and those for the type checker alone count as well."""
    files = {module_of(path): path for path in python_files(*PACKAGES)}
    imports: dict[str, set[str]] = {}
    for module, path in files.items():
        named = (name if name in files else name.rpartition(".")[0] for name, _ in imports_of(path))
        imports[module] = {name for name in named if name in files and name != module}
    assert not (found := circle_in(imports)), " -> ".join(found)


def test_a_ring_of_imports_is_found() -> None:
    assert circle_in({"a": {"b"}, "b": {"c", "d"}, "c": {"a"}, "d": set()}) in (
        ["a", "b", "c", "a"],
        ["b", "c", "a", "b"],
        ["c", "a", "b", "c"],
    )


def needs_trio_beside_the_server(path: str) -> Iterator[str]:
    """The application runs on asyncio as well, and on any ASGI server."""
    if not within(module_of(path), "agent_api.server"):
        yield from forbidden(path, "trio", "h11")


def imports_that_point_up(path: str) -> Iterator[str]:
    module = module_of(path)
    yield from (
        f"{path}:{line} imports {name}" for name, line in imports_of(path) if not allowed(module, name)
    )


def input_or_output(path: str) -> Iterator[str]:
    yield from forbidden(path, *IMPURE_MODULES)
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "random":
            if node.attr != "Random":
                yield f"{path}:{node.lineno} uses random.{node.attr}"
        elif isinstance(node, ast.ImportFrom) and node.module == "random":
            for alias in node.names:
                if alias.name != "Random":
                    yield f"{path}:{node.lineno} imports random.{alias.name}"


def needs_an_event_loop(path: str) -> Iterator[str]:
    yield from forbidden(path, "trio", "asyncio")


def private_reads(path: str) -> Iterator[str]:
    """What is inside a node is seen by ``Node.inspect``; a named tuple's methods begin with an underscore."""
    for node in ast.walk(tree_of(path)):
        if (
            isinstance(node, ast.Attribute)
            and node.attr.startswith("_")
            and not node.attr.startswith("__")
            and node.attr not in ("_replace", "_asdict", "_fields", "_make")
            and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls", "os"))
        ):
            yield f"{path}:{node.lineno} reads {node.attr}"


def forbidden(path: str, *modules: str) -> Iterator[str]:
    yield from (f"{path}:{line} imports {name}" for name, line in imports_of(path) if within(name, *modules))


LAWS: dict[Callable[[str], Iterator[str]], list[str]] = {
    needs_trio_beside_the_server: python_files("agent_api"),
    imports_that_point_up: python_files(*PACKAGES),
    input_or_output: [path for path in python_files("swim") if within(module_of(path), *PURE)],
    needs_an_event_loop: [path for path in python_files("sims") if not path.startswith("sims/bench/")],
    private_reads: python_files("sims"),
}
"""What no module may have, and the modules that are read for it."""


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_no_module_has(law: Callable[[str], Iterator[str]]) -> None:
    found = [problem for path in LAWS[law] for problem in law(path)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_what_a_law_forbids_is_found(
    law: Callable[[str], Iterator[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "swim/core/bad.py"
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_text("import trio\nimport swim.net.driver\nprint(trio._core)\n")
    monkeypatch.setattr("tests.source.ROOT", tmp_path)
    assert list(law(path))


def test_one_module_starts_processes_for_simulations() -> None:
    starters = {
        path
        for path in python_files("sims", "swim", "agent_api")
        for name, _ in imports_of(path)
        if within(name, "multiprocessing", "concurrent.futures.ProcessPoolExecutor")
    }
    assert starters == {"sims/workers.py"}


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("swim.core.probe", "swim.serf.tags"),
        ("swim.wire.packet", "swim.core.member"),
        ("swim.node", "swim.net.driver"),
        ("swim.net.driver", "swim.cli.main"),
        ("agent_api.routes", "swim.net.cluster"),
        ("swim.ipc.streams", "swim.net.cluster"),
        ("swim.net.driver", "swim.ipc"),
        ("agent_api.routes", "swim.ipc"),
        ("sims.world", "swim.net.driver"),
        ("swim.config", "swim.node"),
        ("swim", "swim.cli"),
    ],
)
def test_the_rule_itself_refuses(module: str, imported: str) -> None:
    assert not allowed(module, imported)
