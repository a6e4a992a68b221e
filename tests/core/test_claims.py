"""Every state transition of memberlist's golden vectors, on one engine."""

from __future__ import annotations

from typing import Any

import pytest

from swim.core.member import State, pack_address
from swim.wire.codec import encode
from swim.wire.messages import Alive, Dead, NodeRecord, Suspect
from tests.one_node import PORT, VSN, Solo
from tests.vectors.differences import differing
from tests.vectors.of_memberlist import load, select, some

NAMES = {"self": "node-a", "other": "node-b"}
PUSH_PULL_OF_ONE = b"\x06\x83\xa4Join\xc2\xa5Nodes\x01\xacUserStateLen\x00"
OTHERS = ("other-0", "other-1", "other-2", "other-3")


def prepared(before: dict[str, Any], options: dict[str, Any], meta: bytes | None) -> Solo:
    """An engine in the vector's situation: six members with the subject, SuspicionMult 4."""
    incarnation = before["incarnation"]
    is_self = before["who"] == "self"
    solo = Solo(
        incarnation=incarnation if is_self else 1,
        meta=meta,
        verify_second_hand=False,
        dead_node_reclaim_time=float(options.get("reclaim_s", 0)),
    )
    solo.meet(*OTHERS)
    peer = NodeRecord(OTHERS[0], pack_address("127.0.1.0"), PORT, b"m1", 1, State.ALIVE, VSN)
    solo.pushed([peer])  # from now on claims about the node may be about this run
    if not is_self and before["state"] != "absent":
        solo.meet("node-b", meta=meta, incarnation=incarnation, state=State[before["state"].upper()])
    if before.get("local_leaving"):
        solo.engine.leave(solo.now)
        if before["state"] == "left":
            solo.advance(0)
    assert solo.state(NAMES[before["who"]]) == before["state"]
    solo.now += options.get("dead_for_s", 0)
    solo.forget_outputs()
    return solo


def observed(solo: Solo, name: str, expected: dict[str, Any], suspicion: object) -> dict[str, Any]:
    """The engine's state in the form of the vector's ``after``; reading the queue empties it."""
    record = solo.record(name)
    running = solo.inside.suspicions.get(name)
    messages = solo.queued
    found: dict[str, Any] = {
        "broadcasts": ["hex:" + message.hex() for message in messages],
        "events": solo.upstairs.events,
        "health_score": solo.score,
        "local_incarnation": solo.table.local.incarnation,
        "state": solo.state(name),
        "suspicion_timer": running is not None,
        "timer_is_new": running is not suspicion,
    }
    if record is not None:
        found |= {
            "incarnation": record.incarnation,
            "addr": record.endpoint[0],
            "meta": (record.meta or b"").decode(),
        }
    if running is not None:
        found["confirmations"] = len(running.accusers) - 1
    waiting = solo.inside.broadcasts.waiting
    names = [b["queue_name"] for b in expected["broadcasts"] if b["queue_name"] in waiting]
    return found | {"queue_names": names}


def wanted(after: dict[str, Any]) -> dict[str, Any]:
    broadcasts = after["broadcasts"]
    return after | {
        "broadcasts": [broadcast["message"] for broadcast in broadcasts],
        "queue_names": [broadcast["queue_name"] for broadcast in broadcasts],
    }


def differences(found: dict[str, Any], expected: dict[str, Any]) -> set[str]:
    return {key for key, value in expected.items() if found.get(key) != value}


@pytest.mark.parametrize("vector", select(load("states"), lambda v: "after" in v["fields"]))
def test_state(vector: dict[str, Any]) -> None:
    fields = vector["fields"]
    name = NAMES[fields["before"]["who"]]
    is_packet = "message" in fields
    options = fields["message"]["options"] if is_packet else {}
    solo = prepared(fields["before"], options, b"m1" if is_packet else None)
    suspicion = solo.inside.suspicions.get(name)
    data = bytes.fromhex(vector["hex"])
    if is_packet:
        solo.receive(data)
    else:
        solo.dialled(PUSH_PULL_OF_ONE + data)
    found = observed(solo, name, fields["after"], suspicion)
    assert differences(found, wanted(fields["after"])) == differing(f"states/{vector['name']}"), found


@pytest.mark.parametrize("vector", select(load("states"), lambda v: "stored_addr" in v["fields"]))
def test_address_form(vector: dict[str, Any]) -> None:
    fields = vector["fields"]
    solo = Solo(verify_second_hand=False)
    solo.hear(Alive(5, "node-b", some(fields["stored_addr"]), PORT, None, VSN))
    solo.forget_outputs()
    solo.receive(bytes.fromhex(vector["hex"]))
    record = solo.record("node-b")
    assert record is not None
    found = {
        "after_addr": "hex:" + record.addr.hex(),
        "after_incarnation": record.incarnation,
        "events": solo.upstairs.events,
    }
    expected = {key: fields[key] for key in found}
    assert differences(found, expected) == differing(f"states/{vector['name']}"), found


def test_an_alive_claim_without_an_incarnation_makes_no_member() -> None:
    solo = Solo()
    solo.hear(Alive(0, "node-b", pack_address("127.0.0.2"), PORT, None, VSN))
    assert solo.record("node-b") is None
    assert not solo.queued


def test_an_accusation_at_the_last_incarnation_does_not_wrap() -> None:
    solo = Solo(incarnation=5)
    solo.meet("node-b")
    solo.forget_outputs()
    member = ("127.0.0.2", PORT)
    solo.hear(Suspect(2**32 - 1, "node-a", "node-b"), source=member)
    local = solo.table.local
    assert (local.incarnation, solo.queued) == (5, [])
    assert solo.metrics.counters["swim.dropped.incarnation-wrap"] == 1
    solo.hear(Suspect(2**32 - 2, "node-a", "node-b"), source=member)
    local = solo.table.local
    assert local.incarnation == 2**32 - 1
    assert solo.queued == [encode(local.alive_claim())]


@pytest.mark.parametrize("length", [1, 128, 129, 255])
def test_names_as_long_as_go_pools_use_are_members_whatever_is_said_of_them(length: int) -> None:
    """Our own names end at 128 bytes, as Serf has it; memberlist's are as long as their users like."""
    name, solo = "n" * length, Solo()
    solo.meet(name)
    assert solo.state(name) == "alive"
    solo.hear(Suspect(1, name, "node-b"))
    assert solo.state(name) == "suspect"
    solo.hear(Dead(1, name, "node-b"))
    assert solo.state(name) == "dead"
    solo.hear(Dead(1, name, name))
    assert solo.state(name) == "left"


@pytest.mark.parametrize("length", [129, 255])
def test_a_long_name_comes_by_push_pull_too(length: int) -> None:
    name, solo = "n" * length, Solo()
    record = NodeRecord(name, pack_address("127.0.1.1"), PORT, b"", 1, State.ALIVE, VSN)
    solo.answered([record], host="127.0.1.1")
    assert solo.state(name) == "alive"
