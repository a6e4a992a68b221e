"""``swim.values.dataclass`` makes what ``dataclasses.dataclass`` makes of the same class."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

import pytest

import swim.values

CLASSES = {
    "plain": """
@dataclass(frozen=True, slots=True)
class Value:
    '''Two fields.'''

    one: int
    two: str = "b"
""",
    "empty": """
@dataclass(frozen=True, slots=True)
class Value:
    '''None.'''
""",
    "named": """
@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    '''Secrets are not shown.'''

    one: int = 1
    two: tuple[str, ...] = ()
    three: dict[str, int] = field(default_factory=dict)
    key: bytes = field(default=b"", repr=False)
""",
    "mixed": """
@dataclass(frozen=True, slots=True, repr=False)
class Value:
    '''Positional and named; checks itself; a repr of its own.'''

    one: int
    two: list[int] = field(default_factory=list)
    _: KW_ONLY
    three: int = field(default=3)
    four: int = 4

    def __post_init__(self):
        object.__setattr__(self, "one", int(self.one))

    def __repr__(self):
        return f"<{self.one}>"
""",
}
ARGUMENTS: dict[str, list[tuple[list[Any], dict[str, Any]]]] = {
    "plain": [
        ([1], {}),
        ([1, "c"], {}),
        ([], {"two": "b", "one": 1}),
        ([], {}),
        ([1], {"x": 2}),
        ([1, 2, 3], {}),
    ],
    "empty": [([], {}), ([1], {})],
    "named": [([], {}), ([], {"one": 2, "key": b"k"}), ([], {"three": {"a": 1}}), ([1], {})],
    "mixed": [(["7"], {}), ([7, [1]], {"four": 5}), ([7, [], 3], {}), (["a"], {}), ([], {"one": 1})],
}


def made(name: str, dataclass: Any) -> Any:
    module = ModuleType(f"{__name__}.{name}")
    vars(module).update(dataclass=dataclass, field=dataclasses.field, KW_ONLY=dataclasses.KW_ONLY)
    sys.modules[module.__name__] = module  # for pickle
    exec("from __future__ import annotations\n" + CLASSES[name], vars(module))
    return module.Value


def outcome(action: Any) -> str:
    try:
        return repr(action())
    except Exception as error:
        return f"{type(error).__name__}: {error}"


ACTIONS: list[Callable[[Any, Any, Any], Any]] = [
    lambda kind, derived, make: make(),
    lambda kind, derived, make: dataclasses.asdict(make()),
    lambda kind, derived, make: dataclasses.replace(make(), one=5),
    lambda kind, derived, make: hash(make()) == hash(make()),
    lambda kind, derived, make: (make() == make(), make() != 1, make().__eq__(1)),
    lambda kind, derived, make: make() == derived(*make.args, **make.keywords),
    lambda kind, derived, make: derived(*make.args, **make.keywords),
    lambda kind, derived, make: copy.deepcopy(make()) == pickle.loads(pickle.dumps(make())) == make(),
    lambda kind, derived, make: setattr(make(), "one", 1),
    lambda kind, derived, make: delattr(make(), "one"),
]


def of(kind: Any, name: str) -> list[str]:
    """All that can be seen of a class and its values."""

    class Derived(kind):  # type: ignore[misc]
        pass

    seen = [str(inspect.signature(kind)), kind.__doc__ or "", str(kind.__init__).partition(" at ")[0]]
    seen += [str((kind.__slots__, kind.__match_args__, kind.__dictoffset__, kind.__weakrefoffset__))]
    fields = dataclasses.fields(kind)
    seen += [repr((each.name, each.type, each.repr, each.kw_only)) for each in fields]
    actions = ACTIONS if fields else ACTIONS[:-2]
    for arguments, named in ARGUMENTS[name]:
        seen += [
            outcome(partial(action, kind, Derived, partial(kind, *arguments, **named))) for action in actions
        ]
    return seen


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_and_its_values_are_as_those_of_the_standard_library(name: str) -> None:
    ours, theirs = (of(made(name, library.dataclass), name) for library in (swim.values, dataclasses))
    assert ours == theirs


@pytest.mark.parametrize("name", CLASSES)
def test_a_value_takes_no_other_attributes(name: str) -> None:
    kind = made(name, swim.values.dataclass)
    value = kind(1) if name in {"plain", "mixed"} else kind()
    for change in (lambda: setattr(value, "other", 1), lambda: delattr(value, "other")):
        with pytest.raises(dataclasses.FrozenInstanceError, match="other"):
            change()
