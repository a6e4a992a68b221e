"""The API reference as Markdown, from the docstrings and signatures of public names."""

from __future__ import annotations

import ast
import dataclasses
import enum
import importlib
import inspect
import re
import textwrap
import typing
from collections.abc import Iterable, Iterator
from itertools import pairwise
from types import FunctionType, ModuleType
from typing import Any

__all__ = ["reference"]

_SECTION = re.compile(r"(Args|Attributes|Raises|Returns|Yields):$")
_ITEM = re.compile(r"    ((?:``)?[\w*, `.]+(?:``)?): (.*)$")
_LINE = 106
_MOST_PARAMETERS = 20
_SHOWN = (property, classmethod, staticmethod, FunctionType)
_OURS = ("swim", "agent_api", "sims")


def reference(modules: Iterable[str]) -> Iterator[str]:
    """The lines of the page: each module, its public names, and their public members."""
    faces = [found for name in modules for found in _with_submodules(importlib.import_module(name))]
    homes = {face.__name__: _homes(face) for face in faces}
    documented = {
        (home, name) for face in faces for name, home in homes[face.__name__].items() if name in face.__all__
    }
    for face in faces:
        yield from _section(f"## {face.__name__}", "", face.__doc__)
        for name in sorted(face.__all__, key=lambda name: (name.lower(), name)):
            if not name.startswith("_") and not isinstance(getattr(face, name), ModuleType):
                yield from _entry(
                    name, getattr(face, name), homes[face.__name__].get(name, face.__name__), documented
                )


def _with_submodules(face: ModuleType) -> Iterator[ModuleType]:
    yield face
    for name in sorted(face.__all__):
        if isinstance(getattr(face, name), ModuleType):
            yield from _with_submodules(getattr(face, name))


def _homes(face: ModuleType) -> dict[str, str]:
    """Where the names of a module come from, by its imports."""
    imports = (
        node for node in ast.walk(_tree(face.__name__)) if isinstance(node, ast.ImportFrom) and node.module
    )
    return {alias.asname or alias.name: str(node.module) for node in imports for alias in node.names}


def _tree(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(importlib.import_module(module)))


def _section(title: str, code: str, words: str | None) -> Iterator[str]:
    yield from ("", title)
    if code:
        yield from ("", *(f"    {line}" for line in code.split("\n")))
    if words:
        yield from ("", *_prose(words))


def _entry(name: str, value: Any, home: str, documented: set[tuple[str, str]]) -> Iterator[str]:
    if isinstance(value, type):
        yield from _class(name, value, documented)
    elif isinstance(value, FunctionType):
        yield from _section(f"### {name}", _signature(name, value), value.__doc__)
    else:
        text, words = _assigned(_tree(home).body, name)
        yield from _section(f"### {name}", f"{name} = {text}", words)


def _class(name: str, cls: type, documented: set[tuple[str, str]]) -> Iterator[str]:
    yield from _section(f"### class {name}", _constructor(name, cls), cls.__doc__)
    bases = [base.__name__ for base in cls.__mro__[1:] if (base.__module__, base.__name__) in documented]
    if bases:
        yield from ("", "Inherits from `" + "`, `".join(bases) + "`.")
    for text, words in _documented_attributes(cls):
        yield from ("", f"- `{text}`:", *("  " + line for line in _prose(words)))
    variables = _type_variables(cls)
    for member, value in _members(cls, documented):
        if isinstance(value, property):
            returns = inspect.signature(value.fget).return_annotation if value.fget else Any
            code, words = f"{member}: {_annotation(returns)}", value.__doc__ or ""
        else:
            function = inspect.unwrap(
                value.__func__ if isinstance(value, classmethod | staticmethod) else value
            )
            code = _signature(member, function, bound=not isinstance(value, staticmethod))
            code = re.sub(
                r" -> Request\[(.*)\]$", r" -> \1", code
            )  # of a client: see agent_api.client.requests
            code = re.sub(r" -> Stream\[(.*)\]$", r" -> Iterator[\1]", code)
            words = function.__doc__ or ""
        for variable, stands_for in variables.items():
            code = re.sub(rf"\b{variable}\b", stands_for, code)
        yield from _section(f"#### {name}.{member}", code, words)


def _constructor(name: str, cls: type) -> str:
    """How to make one; "" if programs don't."""
    if issubclass(cls, enum.Enum):
        return "\n".join(f"{name}.{member.name} = {member.value!r}" for member in cls)
    if issubclass(cls, Exception) or "Made by" in (cls.__doc__ or "") or getattr(cls, "_is_protocol", False):
        return ""
    fields = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
    if len(fields) > _MOST_PARAMETERS:
        return f"{name}(*, {fields[0].name}: {_annotation(fields[0].type)}, ...)"
    return _signature(name, cls)


def _members(cls: type, documented: set[tuple[str, str]]) -> Iterator[tuple[str, Any]]:
    """Public methods and properties: those of bases that the page does not show, then own ones."""
    shown: dict[str, Any] = {}
    for owner in reversed(cls.__mro__):
        is_elsewhere = owner is not cls and (owner.__module__, owner.__name__) in documented
        if not is_elsewhere and owner.__module__.partition(".")[0] in _OURS:
            shown |= vars(owner)
    for name, value in shown.items():
        if not name.startswith("_") and isinstance(getattr(value, "__wrapped__", value), _SHOWN):
            yield name, value


def _type_variables(cls: type) -> dict[str, str]:
    """What stands for the type variables of generic bases."""
    found: dict[str, str] = {}
    for base in getattr(cls, "__orig_bases__", ()):
        origin, arguments = typing.get_origin(base), typing.get_args(base)
        for variable, argument in zip(getattr(origin, "__parameters__", ()), arguments, strict=False):
            found[variable.__name__] = _annotation(argument).rpartition(".")[2]
    return found


def _documented_attributes(cls: type) -> Iterator[tuple[str, str]]:
    """Fields with a docstring below them: ``NAME: TYPE = DEFAULT`` and the words."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except OSError:
        return
    [body] = [node.body for node in tree.body if isinstance(node, ast.ClassDef)]
    for setting, after in pairwise(body):
        if isinstance(setting, ast.AnnAssign | ast.Assign):
            match after:
                case ast.Expr(ast.Constant(str(words))):
                    yield ast.unparse(setting), words


def _assigned(body: list[ast.stmt], name: str) -> tuple[str, str]:
    """What is assigned to a name of a module, and the docstring below it."""
    for statement, after in pairwise([*body, ast.Pass()]):
        target = (
            statement.targets[0] if isinstance(statement, ast.Assign) else getattr(statement, "target", None)
        )
        if isinstance(target, ast.Name) and target.id == name:
            words = (
                after.value.value
                if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                else ""
            )
            assert isinstance(statement, ast.Assign | ast.AnnAssign)
            assert statement.value is not None
            return ast.unparse(statement.value), str(words)
    raise AssertionError(f"{name} is assigned nowhere")


def _signature(name: str, function: Any, *, bound: bool = False) -> str:
    signature = inspect.signature(function)
    parameters = [p for p in signature.parameters.values() if not (bound and p.name in ("self", "cls"))]
    texts: list[str] = []
    for before, each in pairwise([None, *parameters, None]):
        if (
            before is not None
            and before.kind is before.POSITIONAL_ONLY
            and (each is None or each.kind is not each.POSITIONAL_ONLY)
        ):
            texts.append("/")
        if each is None:
            break
        is_first_keyword = each.kind is each.KEYWORD_ONLY and (
            before is None or before.kind not in (each.KEYWORD_ONLY, each.VAR_POSITIONAL)
        )
        texts += ["*"] * is_first_keyword + [_parameter(each)]
    prefix = "async def " if inspect.iscoroutinefunction(inspect.unwrap(function)) else ""
    returns = "" if isinstance(function, type) else f" -> {_annotation(signature.return_annotation)}"
    line = f"{prefix}{name}({', '.join(texts)}){returns}"
    if len(line) <= _LINE:
        return line
    return f"{prefix}{name}(\n" + "".join(f"    {text},\n" for text in texts) + f"){returns}"


def _parameter(parameter: inspect.Parameter) -> str:
    star = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
    text = f"{star}{parameter.name}"
    if parameter.annotation is not parameter.empty:
        text += f": {_annotation(parameter.annotation)}"
    if parameter.default is not parameter.empty:
        text += f" = {_value(parameter.default)}"
    return text


def _annotation(annotation: Any) -> str:
    if annotation is inspect.Signature.empty:
        return "Any"
    if isinstance(annotation, typing.ForwardRef):  # of a field of a named tuple
        return annotation.__forward_arg__
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _value(value: Any) -> str:
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}"
    if isinstance(value, type | FunctionType):
        return value.__name__
    text = repr(value)
    return "..." if text.startswith("<") or len(text) > 40 else text


def _prose(docstring: str) -> Iterator[str]:
    """A Google-style docstring as Markdown: its sections become lists."""
    in_section = False
    for line in inspect.cleandoc(docstring).split("\n"):
        if section := _SECTION.match(line):
            in_section = True
            yield f"**{section[1]}**"
            yield ""
            continue
        in_section = in_section and (not line or line.startswith("    "))
        item = _ITEM.match(line) if in_section else None
        if item:
            yield f"- `{item[1].strip('`')}`: {_ticks(item[2])}"
        elif in_section and line:
            yield f"  {_ticks(line.strip())}"
        else:
            yield _ticks(line)


def _ticks(line: str) -> str:
    return line if line.startswith("    ") else line.replace("``", "`")
