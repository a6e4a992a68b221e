"""memberlist's formulas, against its own results."""

from __future__ import annotations

from typing import Any

import pytest

from swim.addresses import join_host_port, parse_address
from swim.core.awareness import Awareness
from swim.core.broadcast import retransmit_limit
from swim.core.push_pull_schedule import push_pull_scale
from swim.core.suspicion import remaining, suspicion_timeout
from swim.core.versions import version_conflict
from swim.errors import ConfigError
from swim.wire import crypto
from swim.wire.messages import NodeRecord
from tests.vectors.differences import differing
from tests.vectors.of_memberlist import load, select, some

SECOND = 1_000_000_000


def record(name: str, state: int, vsn: bytes) -> NodeRecord:
    return NodeRecord(name, b"", 0, None, 1, state, vsn)


def formulas(*prefixes: str) -> list[Any]:
    return select(load("formulas"), lambda vector: vector["name"].startswith(prefixes))


@pytest.mark.parametrize("vector", formulas("suspicion-timeout"))
def test_suspicion_timeout(vector: dict[str, Any]) -> None:
    f = vector["fields"]
    seconds = suspicion_timeout(f["mult"], f["n"], f["interval_ns"] / SECOND)
    assert round(seconds * SECOND) == f["timeout_ns"]


@pytest.mark.parametrize("vector", formulas("suspicion-remaining"))
def test_suspicion_remaining(vector: dict[str, Any]) -> None:
    f = vector["fields"]
    seconds = remaining(f["n"], f["k"], f["elapsed_ns"] / SECOND, f["min_ns"] / SECOND, f["max_ns"] / SECOND)
    assert round(seconds * SECOND) == f["remaining_ns"]


@pytest.mark.parametrize("vector", formulas("retransmit-limit"))
def test_retransmit_limit(vector: dict[str, Any]) -> None:
    f = vector["fields"]
    assert retransmit_limit(f["mult"], f["n"]) == f["limit"]


@pytest.mark.parametrize("vector", formulas("push-pull-scale"))
def test_push_pull_scale(vector: dict[str, Any]) -> None:
    f = vector["fields"]
    assert round(push_pull_scale(f["interval_ns"] / SECOND, f["n"]) * SECOND) == f["scaled_ns"]


@pytest.mark.parametrize("vector", formulas("encrypted-length"))
def test_encrypted_length(vector: dict[str, Any]) -> None:
    f = vector["fields"]
    for version in (0, 1):
        sealed = crypto.seal(bytes(16), bytes(f["n"]), b"", bytes(12), version)
        assert (len(sealed), crypto.sealed_size(f["n"], version), crypto.overhead(version)) == (
            f[f"v{version}"],
            f[f"v{version}"],
            f[f"overhead_v{version}"],
        )


def test_awareness_steps() -> None:
    vectors = [parameter.values[0]["fields"] for parameter in formulas("awareness-step")]
    awareness = Awareness(vectors[0]["max"])
    for f in vectors:
        awareness.apply(f["delta"])
        assert (awareness.score, awareness.scale(1.0)) == (f["score"], f["scaled_1s_ns"] / SECOND)


@pytest.mark.parametrize("vector", formulas("ensure-port"))
def test_default_port(vector: dict[str, Any]) -> None:
    f = vector["fields"]
    try:
        parsed = parse_address(f["in"], f["default_port"])
        found = join_host_port(parsed.host, parsed.port)
    except ConfigError:
        found = "refused"
    assert ({"out"} if found != f["out"] else set()) == differing(f"formulas/{vector['name']}"), found


@pytest.mark.parametrize("vector", formulas("resolve"))
def test_address(vector: dict[str, Any]) -> None:
    f = vector["fields"]
    try:
        parsed = parse_address(f["in"], f["bind_port"])
    except ConfigError:
        assert f["error"]
        return
    [expected] = f["result"]
    found = {
        "name": parsed.name,
        "ip": parsed.literal[0] if parsed.literal else parsed.host,
        "port": parsed.port,
    }
    if parsed.literal is None:
        expected = expected | {"ip": "localhost"}
    assert found == expected


@pytest.mark.parametrize("vector", load("verify_protocol"))
def test_version_conflict(vector: dict[str, Any]) -> None:
    f = vector["fields"]
    local = [record("node-a", 0, some(f["local_vsn"]))]
    remote = [record(r["Name"], r["State"], some(r["Vsn"])) for r in f["remote"]]
    conflict = version_conflict(local, remote)
    assert bool(conflict) == bool(f.get("error") or f.get("panic"))
    if f.get("error"):
        subject, _, numbers = f["error"].removeprefix("Node ").partition(" ")
        assert subject in conflict
        assert numbers.partition("[")[2].rstrip("]").replace(", ", "..") in conflict
        assert ("delegate" in numbers) == ("delegate" in conflict)
