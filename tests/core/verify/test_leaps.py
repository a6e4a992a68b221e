"""Claims far above what is known of a member are checked with the member before anything is believed."""

from __future__ import annotations

import pytest

from swim.core.member import pack_address
from swim.core.output import Dial
from swim.core.precedence import LEAP
from swim.wire.messages import Alive, Dead, Message, NodeRecord, Suspect
from tests.one_node import NON_MEMBER, PORT, VSN, Solo

HOME, OTHER = ("127.0.0.2", PORT), ("127.0.1.1", PORT)
LAST = 2**32 - 1


def acquainted() -> Solo:
    solo = Solo(probe_interval=0, push_pull_interval=0)
    solo.meet("node-b", "node-c")
    solo.forget_outputs()
    solo.sent()
    return solo


def claims(incarnation: int) -> list[Message]:
    return [
        Alive(incarnation, "node-b", pack_address(HOME[0]), PORT, b"forged", VSN),
        Suspect(incarnation, "node-b", "node-c"),
        Dead(incarnation, "node-b", "node-c"),
        Dead(incarnation, "node-b", "node-b"),
    ]


def dialled(solo: Solo) -> list[tuple[str, int]]:
    return [action.endpoint for action in solo.streams if isinstance(action, Dial)]


@pytest.mark.parametrize("source", [OTHER, HOME, NON_MEMBER], ids=["a member", "its address", "a non-member"])
@pytest.mark.parametrize("incarnation", [LEAP + 2, LAST])
@pytest.mark.parametrize("kind", range(4), ids=["alive", "suspect", "dead", "leave"])
def test_a_leap_changes_nothing_and_the_member_is_asked(
    kind: int, incarnation: int, source: tuple[str, int]
) -> None:
    solo = acquainted()
    before = solo.record("node-b")
    solo.hear(claims(incarnation)[kind], source=source)
    assert (solo.record("node-b"), solo.queued, solo.upstairs.events) == (before, [], [])
    assert dialled(solo) == [HOME]
    assert solo.metrics.counters["swim.ignored.leap"] == 1


@pytest.mark.parametrize("kind", range(4))
def test_a_step_up_to_the_limit_is_believed_or_checked_as_ever(kind: int) -> None:
    solo = acquainted()
    solo.hear(claims(LEAP + 1)[kind], source=OTHER)
    assert not dialled(solo)
    assert not solo.metrics.counters["swim.ignored.leap"]


def test_many_leaps_cost_few_streams() -> None:
    solo = Solo(probe_interval=0, push_pull_interval=0)
    names = [f"node-{number}" for number in range(40)]
    solo.meet(*names)
    solo.forget_outputs()
    for name in [*names, *names]:
        solo.hear(Suspect(LAST, name, "accuser"))
    assert len(dialled(solo)) == 16


def test_what_the_member_itself_pushes_is_believed() -> None:
    solo = acquainted()
    record = NodeRecord("node-b", pack_address(HOME[0]), PORT, b"real", 10 * LEAP, 0, VSN)
    solo.pushed([record], host=HOME[0])
    known = solo.record("node-b")
    assert known is not None
    assert (known.incarnation, known.meta) == (10 * LEAP, b"real")


@pytest.mark.parametrize("kind", range(4))
def test_a_non_member_cannot_bring_a_node_to_the_last_incarnation(kind: int) -> None:
    solo = acquainted()
    claim = claims(LAST - 1)[kind]._replace(node="node-a")  # type: ignore[union-attr]
    if isinstance(claim, Alive):
        claim = claim._replace(addr=pack_address("127.0.0.1"))
    if kind == 3:
        claim = claim._replace(accuser="node-a")  # type: ignore[union-attr,call-arg]
    solo.hear(claim)
    assert solo.table.local.incarnation == 1
    assert solo.metrics.counters["swim.ignored.leap"] == 1
