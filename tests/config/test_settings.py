"""Every setting is documented with its unit, range and source, and the range is the one that is enforced."""

from __future__ import annotations

import ast
import inspect
import re
from itertools import pairwise

import pytest

from swim import Config, ConfigError
from swim.config.profiles import AT_LEAST

NOTE = re.compile(
    r"\[(?:(?P<unit>[a-z/ ]+), (?P<range>any|>= [\d.]+|\d+ to \d+); |(?P<values>[\w ,]+); )?"
    r"(?P<source>[^;\[\]]+)\]$"
)
UNITS = {
    *("answers", "broadcasts", "bytes", "bytes/s", "elements", "events", "factor", "intents", "layers"),
    *("members", "messages", "packets", "pings", "records", "seconds", "streams", "transitions"),
}
SOURCE = re.compile(r"swim|Lifeguard|(memberlist|Serf): [\w, ]+")
NUMBERS = ("int", "float")


def documented() -> dict[str, tuple[str, str]]:
    """Type and docstring of each setting."""
    tree = ast.parse(inspect.getsource(Config))
    [body] = [node.body for node in tree.body if isinstance(node, ast.ClassDef)]
    found = {}
    for setting, text in pairwise(body):
        match setting, text:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(words))):
                found[name] = ast.unparse(setting.annotation), words
    return found


SETTINGS = documented()


def note(name: str) -> re.Match[str]:
    text = re.sub(r"\s+", " ", SETTINGS[name][1])
    found = NOTE.search(text)
    assert found is not None, f"{name} says neither range nor source: {text}"
    return found


def test_every_setting_has_a_docstring() -> None:
    assert list(SETTINGS) == list(Config.__dataclass_fields__)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_says_what_it_does_and_where_it_comes_from(name: str) -> None:
    assert SOURCE.fullmatch(note(name)["source"]), note(name)["source"]
    assert len(SETTINGS[name][1].partition("[")[0]) > 15


@pytest.mark.parametrize("name", [name for name, (kind, _) in SETTINGS.items() if kind in NUMBERS])
def test_a_number_says_its_unit_and_the_range_that_is_enforced(name: str) -> None:
    said = note(name)
    if said["values"]:  # versions have no unit
        assert name in ("protocol_version", "delegate_version")
        for wrong in {-1, 0, 1, 2, 3, 4, 5, 6} - allowed(said["values"]):
            refused(name, wrong)
        for right in allowed(said["values"]):
            Config(name="n1", **{name: right})  # type: ignore[arg-type]
        return
    assert said["unit"] in UNITS
    if said["range"] == "any":
        assert name not in AT_LEAST
        Config(name="n1", **{name: -1.0})  # type: ignore[arg-type]
    else:
        low, _, high = said["range"].removeprefix(">= ").partition(" to ")
        least = float(low)
        assert least == AT_LEAST[name]
        if high:
            refused(name, int(high) + 1)
            Config(name="n1", **{name: int(high)})  # type: ignore[arg-type]
        refused(name, int(least) - 1 if SETTINGS[name][0] == "int" else least - 0.0001)


def allowed(text: str) -> set[int]:
    """The numbers of ``0, 2 to 5``."""
    numbers: set[int] = set()
    for part in text.split(", "):
        low, _, high = part.partition(" to ")
        numbers |= set(range(int(low), int(high or low) + 1))
    return numbers


def refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError) as error:
        Config(name="n1", **{name: value})  # type: ignore[arg-type]
    assert error.value.field == name
