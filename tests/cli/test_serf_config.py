"""Configuration files of Serf's agent: every key, the merge rules, and mistakes."""

from __future__ import annotations

import base64
import json
import tempfile
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.cli.agent.options import OPTIONS
from swim.cli.agent.serf_config import parse_go_duration, read_serf_config
from swim.config import Config
from swim.errors import ConfigError
from tests.cli.test_plan import planned

KEY = base64.b64encode(bytes(range(16))).decode()

# key, value in the file, what it sets, to what
EVERY_KEY: list[tuple[str, Any, str, Any]] = [
    ("node_name", "web", "name", "web"),
    ("role", "web", "tag", ("role=web",)),
    ("tags", {"a": "1=2", "b": ""}, "tag", ("a=1=2", "b=")),
    ("tags_file", "/t", "tags_file", "/t"),
    ("bind", "10.0.0.1", "bind", "10.0.0.1:7946"),
    ("bind", "[::1]:7000", "bind", "[::1]:7000"),
    ("advertise", "10.0.0.1", "advertise", "10.0.0.1:7946"),
    ("interface", "eth0", "interface", "eth0"),
    ("encrypt_key", KEY, "encrypt", KEY),
    ("keyring_file", "/k", "keyring_file", "/k"),
    ("log_level", "TRACE", "log_level", "debug"),
    ("log_level", "err", "log_level", "error"),
    ("rpc_addr", "127.0.0.1:7374", "rpc", "127.0.0.1:7374"),
    ("rpc_auth", "secret", "rpc_auth", "secret"),
    ("protocol", 4, "delegate_version", "4"),
    ("replay_on_join", True, "replay_on_join", True),
    ("query_response_size_limit", 2000, "gossip.query_response_size_limit", 2000),
    ("query_size_limit", 2001, "gossip.query_size_limit", 2001),
    ("user_event_size_limit", 600, "gossip.user_event_size_limit", 600),
    ("start_join", ["10.0.0.2"], "join", ("10.0.0.2",)),
    ("retry_join", ["10.0.0.2:7000"], "retry_join", ("10.0.0.2:7000",)),
    ("retry_max_attempts", 3, "retry_max_attempts", 3),
    ("retry_interval", "15s", "retry_interval", 15.0),
    ("event_handlers", ["user:deploy=./x"], "event_handler", ("user:deploy=./x",)),
    ("profile", "wan", "profile", "wan"),
    ("snapshot_path", "/s", "snapshot", "/s"),
    ("rejoin_after_leave", True, "rejoin_after_leave", True),
    ("leave_on_terminate", True, "no_leave_on_terminate", False),
    ("leave_on_terminate", False, "no_leave_on_terminate", True),
    ("skip_leave_on_interrupt", True, "skip_leave_on_interrupt", True),
    ("discover", "web", "discover", "web"),
    ("mdns", {"interface": "eth0"}, "mdns_interface", "eth0"),
    ("mdns", {"disable_ipv4": True}, "mdns_disable_ipv4", True),
    ("mdns", {"disable_ipv6": True}, "mdns_disable_ipv6", True),
    ("enable_syslog", True, "syslog", True),
    ("syslog_facility", "LOCAL3", "syslog_facility", "LOCAL3"),
    ("reconnect_interval", "1m", "gossip.rejoin_interval", 60.0),
    ("reconnect_timeout", "72h", "gossip.reconnect_timeout", 72 * 3600.0),
    ("tombstone_timeout", "1h30m", "gossip.tombstone_timeout", 5400.0),
    ("broadcast_timeout", "2s", "gossip.broadcast_timeout", 2.0),
    ("disable_name_resolution", True, "gossip.enable_name_conflict_resolution", False),
    ("enable_compression", True, "gossip.enable_compression", True),
    ("disable_coordinates", True, "gossip.disable_coordinates", True),
    ("validate_node_names", True, "gossip.validate_node_names", True),
    ("statsite_addr", "127.0.0.1:8125", "statsite_addr", None),
    ("statsd_addr", "127.0.0.1:8125", "statsd_addr", None),
]
SUPPORTED = {option.name for option in OPTIONS} | {f"gossip.{field.name}" for field in fields(Config)}


def file(directory: Path, name: str = "serf.json", /, **document: Any) -> str:
    path = directory / name
    path.write_text(json.dumps(document))
    return str(path)


@pytest.mark.parametrize(("key", "value", "target", "expected"), EVERY_KEY)
def test_every_key_sets_its_option_or_is_named(
    key: str, value: Any, target: str, expected: Any, tmp_path: Path
) -> None:
    path = file(tmp_path, **{key: value})
    read = read_serf_config([path])
    found = {**read.values, **{f"gossip.{name}": each for name, each in read.gossip.items()}}
    if target not in SUPPORTED:
        [warning] = read.warnings
        assert warning.startswith(f"{path}: {key}")
        assert warning.endswith(" is not supported")
    else:
        assert (found[target], read.warnings) == (expected, [])
        assert read.origins[target].startswith(f"{path}: {key}")


def test_a_later_file_overrides_and_lists_tags_and_switches_are_merged(tmp_path: Path) -> None:
    directory = tmp_path / "conf"
    (directory / "inner.json").mkdir(parents=True)
    file(directory, "b.json", node_name="b", start_join=["y"], tags={"x": "2", "z": "3"},
         replay_on_join=False, leave_on_terminate=False, retry_max_attempts=0, log_level="")  # fmt: skip
    file(directory, "a.json", node_name="a", start_join=["x"], tags={"x": "1", "y": "2"}, replay_on_join=True,
         leave_on_terminate=True, retry_max_attempts=4, log_level="WARN", role="db")  # fmt: skip
    file(directory, "c.txt", node_name="ignored")
    last = file(tmp_path, "z.json", Event_Handlers=["last"])
    first = file(tmp_path, "first.json", event_handlers=["first"], bind="10.0.0.9:1")
    values = read_serf_config([first, str(directory), last]).values
    assert values == {
        "bind": "10.0.0.9:1", "name": "b", "join": ("x", "y"), "join_required": True, "replay_on_join": True,
        "tag": ("x=2", "y=2", "z=3", "role=db"), "no_leave_on_terminate": False, "retry_max_attempts": 4,
        "log_level": "warn", "event_handler": ("first", "last"),
    }  # fmt: skip


def test_it_is_a_member_like_serfs_and_any_other_layer_wins(tmp_path: Path) -> None:
    path = file(
        tmp_path, node_name="web", role="x", encrypt_key=KEY, reconnect_timeout="1h", start_join=["h"]
    )
    plan = planned("--serf-config", path)
    assert (plan.config.bind, plan.config.name, plan.config.tags) == ("0.0.0.0:7946", "web", {"role": "x"})
    assert (plan.config.keys, plan.config.reconnect_timeout) == ((bytes(range(16)),), 3600.0)
    assert (plan.join, plan.join_required, plan.api.leave_on_terminate) == (("h",), True, True)
    toml = tmp_path / "agent.toml"
    toml.write_text('bind = "127.0.0.1:1"\n[gossip]\nreconnect_timeout = 5\n')
    plan = planned("--serf-config", path, "--config", str(toml), "--name", "other")
    assert (plan.config.bind, plan.config.name, plan.config.reconnect_timeout) == (
        "127.0.0.1:1",
        "other",
        5.0,
    )


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({"node_nam": "x"}, "unknown key 'node_nam', did you mean 'node_name'?"),
        ({"mdns": {"ipv4": True}}, "unknown key 'mdns.ipv4'"),
        ({"mdns.interface": "x"}, "unknown key 'mdns.interface'"),
        ({"mdns": "x"}, "unknown key 'mdns'"),
        ({"node_name": 1}, "node_name: must be a string, not 1"),
        ({"start_join": "x"}, "start_join: must be a list of strings"),
        ({"tags": {"a": 1}}, "tags: must be an object with strings"),
        ({"replay_on_join": "yes"}, "replay_on_join: must be true or false"),
        ({"query_size_limit": 1.5}, "query_size_limit: must be a whole number"),
        ({"protocol": 9}, "protocol: must be 2 to 5"),
        ({"reconnect_timeout": "1 day"}, "reconnect_timeout: '1 day' is not a duration"),
        ({"reconnect_timeout": "-1s"}, "reconnect_timeout: '-1s' is not a duration"),
        ({"retry_interval": "500ms"}, "retry_interval: must be at least 1s"),
        ({"broadcast_timeout": "500ms"}, "broadcast_timeout: must be at least 1s"),
        ({"log_level": "loud"}, "log_level: must be one of TRACE"),
        ({"bind": "a:b"}, "bind: "),
        ({"encrypt_key": "short"}, "encrypt_key: "),
        ({"event_handlers": ["nonsense=x"]}, "event_handlers: Invalid event script: "),
        ({"user_event_size_limit": 10_000}, "user_event_size_limit: "),
        ({"profile": "moon"}, "profile: "),
        ({"interface": "no-such-interface"}, "interface: no interface named 'no-such-interface' is up"),
        ({"tags": {"a": "x" * 600}}, "tags: "),
        ({"node_name": ""} | {"node_nome": 1, "rolle": 2}, "unknown key 'rolle', did you mean 'role'?"),
    ],
)
def test_a_mistake_names_the_file_and_the_key(document: dict[str, Any], named: str, tmp_path: Path) -> None:
    path = file(tmp_path, **document)
    with pytest.raises(ConfigError) as refused:
        planned("--serf-config", path, "--name", "a", "--bind", "127.0.0.1:0") if "bind" not in document \
            else planned("--serf-config", path)  # fmt: skip
    assert path in str(refused.value)
    assert named in str(refused.value)


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "{", '{"a": NaN', "\udcff"])
def test_what_is_no_object_is_refused_by_name(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=r"x\.json"):
        read_serf_config([str(path)])
    with pytest.raises(ConfigError, match="missing"):
        read_serf_config([str(tmp_path / "missing")])


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    for key in ("encrypt_key", "rpc_auth"):
        with pytest.raises(ConfigError) as refused:
            read_serf_config([file(tmp_path, **{key: ["secret"]})])
        assert "secret" not in str(refused.value).replace(str(tmp_path), "")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("30s", 30), ("1h30m", 5400), ("1.5s", 1.5), ("+2m", 120), (".5s", 0.5), ("1m1ms", 60.001),
     ("1us", 1e-6), ("1µs", 1e-6), ("1.s", 1), ("100ns", 1e-7)],
)  # fmt: skip
def test_durations_are_gos(text: str, seconds: float) -> None:
    assert parse_go_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "+", "1", "s", "1d", "1s ", "-1s", "1h-1m", "1_0s", "\u0661s", ".s", "1e3s"]
)
def test_other_texts_are_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_go_duration(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(st.sampled_from([key for key, *_ in EVERY_KEY]) | st.text(max_size=8), JSON, max_size=4)
)
def test_any_document_is_read_or_refused(document: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = file(Path(directory), **document)
        with suppress(ConfigError):
            read_serf_config([path])
