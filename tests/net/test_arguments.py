"""Every public function checks its arguments before it does anything, and its error names the argument."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

import swim
from tests.net.conftest import Pool
from tests.net.memory import MemoryNetwork

HALF_PAIR = "half a pair \ud800"
WRONG_TYPE: list[tuple[str, str, dict[str, Any]]] = [
    ("join", "addresses", {"addresses": "ab:1"}),
    ("join", "addresses", {"addresses": b"ab:1"}),
    ("join", "addresses", {"addresses": 7}),
    ("join", "addresses", {"addresses": ["a:1", 7]}),
    ("join", "timeout", {"addresses": ["a:1"], "timeout": "3"}),
    ("join", "timeout", {"addresses": ["a:1"], "timeout": True}),
    ("leave", "timeout", {"timeout": "3"}),
    ("rejoin", "timeout", {"timeout": [3]}),
    ("force_leave", "name", {"name": None}),
    ("force_leave", "name", {"name": b"n1"}),
    ("force_leave", "prune", {"name": "n1", "prune": "yes"}),
    ("force_leave", "timeout", {"name": "n1", "timeout": "1"}),
    ("set_tags", "tags", {"tags": {"port": 8080}}),
    ("set_tags", "tags", {"tags": {8080: "port"}}),
    ("set_tags", "tags", {"tags": {"port": None}}),
    ("set_tags", "tags", {"tags": {"port": b"80"}}),
    ("set_tags", "tags", {"tags": [("port", "80")]}),
    ("set_tags", "tags", {"tags": "port=80"}),
    *[(method, "key", {"key": "k" * 16}) for method in ("install_key", "use_key", "remove_key")],
    ("member", "name", {"name": 7}),
    ("resolve", "host", {"host": b"localhost", "port": 0}),
    ("resolve", "port", {"host": "localhost", "port": "7946"}),
    ("resolve", "port", {"host": "localhost", "port": True}),
    ("ping", "name", {"name": None}),
    ("ping", "via", {"name": "n2", "via": 7}),
    ("ping", "timeout", {"name": "n2", "timeout": "1"}),
    ("history", "name", {"name": None}),
    ("coordinate", "name", {"name": 7}),
    ("detection", "name", {"name": 7}),
]
WRONG_VALUE: list[tuple[str, str, dict[str, Any]]] = [
    ("join", "addresses", {"addresses": [HALF_PAIR]}),
    ("join", "timeout", {"addresses": ["a:1"], "timeout": -1}),
    ("leave", "timeout", {"timeout": float("nan")}),
    ("rejoin", "timeout", {"timeout": float("inf")}),
    ("force_leave", "name", {"name": HALF_PAIR}),
    ("ping", "via", {"name": "n2", "via": "tcp"}),
    ("force_leave", "timeout", {"name": "n1", "timeout": -0.5}),
    ("set_tags", "tags", {"tags": {HALF_PAIR: ""}}),
    ("set_tags", "tags", {"tags": {"a": HALF_PAIR}}),
    ("set_tags", "tags", {"tags": {"a": "x" * 600}}),
    *[(method, "key", {"key": b"short"}) for method in ("install_key", "use_key", "remove_key")],
    ("resolve", "host", {"host": HALF_PAIR, "port": 0}),
    ("resolve", "port", {"host": "localhost", "port": 70_000}),
    ("resolve", "port", {"host": "localhost", "port": -1}),
]


async def call(cluster: swim.Cluster, method: str, arguments: dict[str, Any]) -> None:
    result = getattr(cluster, method)(**arguments)
    if hasattr(result, "__await__"):
        await result


@pytest.mark.parametrize(("method", "argument", "given"), WRONG_TYPE)
async def test_a_wrong_type_is_a_type_error_that_names_it(
    pool: Pool, autojump_clock: MockClock, method: str, argument: str, given: dict[str, Any]
) -> None:
    one = await pool.start("n1", tags={"role": "web"})
    with pytest.raises(TypeError, match=rf"^{argument}\b") as raised:
        await call(one, method, given)
    assert isinstance(raised.value, swim.ConfigError)
    assert (one.status, one.local.tags) == ("running", {"role": "web"})


@pytest.mark.parametrize(("method", "argument", "given"), WRONG_VALUE)
async def test_a_wrong_value_is_an_error_that_names_it(
    pool: Pool, autojump_clock: MockClock, method: str, argument: str, given: dict[str, Any]
) -> None:
    one = await pool.start("n1", tags={"role": "web"})
    with pytest.raises(swim.ConfigError, match=rf"^{argument}\b"):
        await call(one, method, given)
    assert (one.status, one.local.tags) == ("running", {"role": "web"})


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("config", {"config": "web-1"}),
        ("config", {"config": {"name": "web-1"}}),
        ("faults", {"faults": 0.5}),
        ("data_dir", {"data_dir": 7}),
        ("snapshot_file", {"snapshot_file": 7}),
        ("tags_file", {"tags_file": b"tags"}),
        ("leave_timeout", {"leave_timeout": "5"}),
        ("leave_timeout", {"leave_timeout": None}),
        ("leave_timeout", {"leave_timeout": -1}),
    ],
)
async def test_opening_checks_its_arguments(
    network: MemoryNetwork, argument: str, given: dict[str, Any]
) -> None:
    arguments = {"config": swim.Config.local(name="n1"), "transport": network.transport("10.0.0.1")} | given
    with pytest.raises(swim.ConfigError, match=rf"^{argument}\b"):
        swim.open_cluster(**arguments)
    if argument != "leave_timeout":
        with pytest.raises(swim.ConfigError, match=rf"^{argument}\b"):
            await swim.run_cluster(**arguments)


async def test_a_data_directory_may_be_text(network: MemoryNetwork, tmp_path: Path) -> None:
    config = swim.Config.local(name="n1")
    async with swim.open_cluster(
        config, transport=network.transport("10.0.0.1"), data_dir=str(tmp_path / "kept")
    ):
        pass
    assert (tmp_path / "kept" / "members.snapshot").exists()


SETTINGS = {setting.name: str(setting.type) for setting in fields(swim.Config)}
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.lists(st.one_of(st.integers(), st.text(), st.binary()), max_size=3),
    st.dictionaries(st.one_of(st.text(), st.integers()), st.one_of(st.text(), st.none()), max_size=2),
    st.just(HALF_PAIR),
    st.just(object()),
)


KEPT: dict[str, Any] = {
    "int": int,
    "float": (int, float),
    "bool": bool,
    "str": str,
    "str | None": (str, type(None)),
    "Mapping[str, str]": Mapping,
}


@given(st.sampled_from(sorted(SETTINGS)), JUNK)
def test_every_setting_takes_its_own_type_or_is_named(name: str, value: object) -> None:
    named = ""
    try:
        kept = getattr(swim.Config(**({"name": "n1"} | {name: value})), name)  # type: ignore[arg-type]
    except swim.ConfigError as error:
        named = error.field
    if named:
        assert named in SETTINGS
    else:
        assert isinstance(kept, KEPT.get(SETTINGS[name], object))
        assert isinstance(kept, bool) == (SETTINGS[name] == "bool")


@pytest.mark.parametrize("name", ["seeds", "cidrs_allowed"])
def test_one_string_is_no_sequence_of_strings(name: str) -> None:
    with pytest.raises(TypeError, match=rf"^{name}: .*\['seed.example'\]$"):
        swim.Config.local(name="n1", **{name: "seed.example"})


def test_a_key_is_in_no_error() -> None:
    for wrong in (b"secret", "secret", ["secret"], [b"secret"]):
        with pytest.raises(swim.ConfigError) as raised:
            swim.Config.local(name="n1", keys=wrong)
        assert not re.search("secret", str(raised.value))
