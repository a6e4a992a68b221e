"""Which module may import which: the layers of the architecture, and no I/O below the driver."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

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


@pytest.mark.parametrize("path", python_files("agent_api"))
def test_only_the_http_server_needs_trio(path: str) -> None:
    """The application runs on asyncio as well, and on any ASGI server."""
    if not within(module_of(path), "agent_api.server"):
        wrong = [
            f"{path}:{line} imports {name}" for name, line in imports_of(path) if within(name, "trio", "h11")
        ]
        assert not wrong


@pytest.mark.parametrize("path", python_files(*PACKAGES))
def test_imports_point_down(path: str) -> None:
    module = module_of(path)
    wrong = [f"{path}:{line} imports {name}" for name, line in imports_of(path) if not allowed(module, name)]
    assert not wrong


@pytest.mark.parametrize("path", [path for path in python_files("swim") if within(module_of(path), *PURE)])
def test_pure_layers_do_no_io(path: str) -> None:
    wrong = [
        f"{path}:{line} imports {name}" for name, line in imports_of(path) if within(name, *IMPURE_MODULES)
    ]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "random":
            if node.attr != "Random":
                wrong.append(f"{path}:{node.lineno} uses random.{node.attr}")
        elif isinstance(node, ast.ImportFrom) and node.module == "random":
            wrong += [
                f"{path}:{node.lineno} imports random.{a.name}" for a in node.names if a.name != "Random"
            ]
    assert not wrong


@pytest.mark.parametrize(
    "path", [path for path in python_files("sims") if not path.startswith("sims/bench/")]
)
def test_simulator_needs_no_trio(path: str) -> None:
    wrong = [
        f"{path}:{line} imports {name}" for name, line in imports_of(path) if within(name, "trio", "asyncio")
    ]
    assert not wrong


@pytest.mark.parametrize("path", python_files("sims"))
def test_the_simulator_reads_the_public_parts_of_a_node(path: str) -> None:
    """What is inside a node is seen by ``Node.inspect``; a named tuple's methods begin with an underscore."""
    wrong = [
        f"{path}:{node.lineno} reads {node.attr}"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute)
        and node.attr.startswith("_")
        and not node.attr.startswith("__")
        and node.attr not in ("_replace", "_asdict", "_fields", "_make")
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls", "os"))
    ]
    assert not wrong


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
