"""A lone node that others ping or accuse joins one of them, after an ack, and not too often."""

from __future__ import annotations

import pytest

from swim.core.member import pack_address
from swim.core.output import Dial
from swim.wire.messages import Ack, Dead, Message, Ping, Suspect
from tests.one_node import PORT, Solo

CALLERS = [(f"127.0.2.{number}", PORT) for number in range(1, 40)]


def ping_of(host: str, *, target: str = "node-a") -> Ping:
    return Ping(7, target, pack_address(host), PORT, "somebody")


CALLS = [
    pytest.param(ping_of(CALLERS[0][0]), id="ping"),
    pytest.param(Suspect(1, "node-a", "somebody"), id="suspect"),
    pytest.param(Dead(1, "node-a", "somebody"), id="dead"),
    pytest.param(Dead(1, "node-a", "node-a"), id="leave"),
]


def dials(solo: Solo) -> list[Dial]:
    return [action for action in solo.streams if isinstance(action, Dial)]


@pytest.mark.parametrize("call", CALLS)
def test_a_caller_that_acks_is_joined(call: Message) -> None:
    solo = Solo()
    solo.hear(call, source=CALLERS[0])
    [(to, ping)] = solo.sent_of(Ping)
    assert to == CALLERS[0]
    assert not dials(solo)
    solo.hear(Ack(ping.seq_no, b""), source=CALLERS[0])
    assert [dial.endpoint for dial in dials(solo)] == [CALLERS[0]]


@pytest.mark.parametrize("call", CALLS)
def test_a_caller_that_does_not_ack_costs_one_ping(call: Message) -> None:
    solo = Solo()
    solo.hear(call, source=CALLERS[0])
    solo.advance(5.0)
    assert len(solo.sent_of(Ping)) == 1
    assert not dials(solo)


def test_many_callers_cost_a_ping_for_each_interval() -> None:
    """However many there are: of those within an interval the first is asked."""
    solo = Solo(rejoin_interval_alone=5.0)
    for caller in CALLERS:
        solo.hear(ping_of(caller[0]), Suspect(1, "node-a", "somebody"), source=caller)
        solo.advance(1.0)
    assert len(solo.sent_of(Ping)) == -(-len(CALLERS) // 5)


@pytest.mark.parametrize("why", ["another is meant", "it has a peer", "it is switched off", "it has left"])
def test_nobody_is_asked_without_need(why: str) -> None:
    solo = Solo(rejoin_interval=0.0 if why == "it is switched off" else 30.0)
    if why == "it has a peer":
        solo.meet("node-b")
    if why == "it has left":
        solo.engine.leave(solo.now)
        solo.collect()
        solo.advance(10.0)
    solo.forget_outputs()
    solo.hear(
        ping_of(CALLERS[0][0], target="node-x" if why == "another is meant" else "node-a"), source=CALLERS[0]
    )
    assert not [to for to, _ in solo.sent_of(Ping) if to == CALLERS[0]]
