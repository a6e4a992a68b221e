"""Claims sent directly to the node that they concern, and claims not sent because they are stale."""

from __future__ import annotations

import pytest

from swim.core.member import State
from swim.wire.codec import decode
from swim.wire.messages import Ack, Alive, Dead, Message, NodeRecord, Ping, Suspect
from tests.core.solo import PORT, VSN, Solo, key_of

HOME = ("127.0.0.2", PORT)


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (State.ALIVE, []),
        (State.SUSPECT, [Suspect(1, "node-b", "node-a")]),
        (State.DEAD, [Dead(1, "node-b", "node-a")]),
        (State.LEFT, []),
    ],
)
def test_a_member_that_pings_learns_from_the_ack_what_is_held_against_it(
    state: State, told: list[Message]
) -> None:
    solo = Solo(probe_interval=0, push_pull_interval=0)
    solo.meet("node-b", state=state)
    solo.forget_outputs()
    solo.hear(Ping(7, "node-a", key_of(HOME[0]), PORT, "node-b"), source=HOME)
    assert solo.sent() == [(HOME, [Ack(7), *told])]


@pytest.mark.parametrize("state", [State.SUSPECT, State.DEAD])
def test_the_ack_to_a_member_that_is_held_suspect_or_dead_carries_the_news_too(state: State) -> None:
    solo = Solo(probe_interval=0, push_pull_interval=0)
    solo.meet("node-b", state=state)
    solo.forget_outputs()
    refuted = Suspect(1, "node-a", "node-b")  # it accuses those it could not hear
    solo.hear(refuted, source=("127.0.1.7", PORT))
    solo.hear(Ping(7, "node-a", key_of(HOME[0]), PORT, "node-b"), source=HOME)
    [(to, parts)] = [sent for sent in solo.sent() if Ack(7) in sent[1]]
    assert to == HOME
    [refutation] = [part for part in parts if isinstance(part, Alive)]
    assert (refutation.node, refutation.incarnation) == ("node-a", 2)


def test_an_ack_does_not_put_an_old_alive_claim_in_place_of_a_suspicion() -> None:
    solo = Solo(probe_interval=0, push_pull_interval=0)
    solo.meet("node-c")
    solo.advance(60)
    solo.forget_outputs()
    stranger = NodeRecord("node-b", key_of(HOME[0]), PORT, None, 1, State.ALIVE, VSN)
    solo.answered([stranger])
    [ping] = [part for _, parts in solo.sent() for part in parts if isinstance(part, Ping)]
    solo.hear(Suspect(1, "node-b", "node-c"), source=("127.0.1.0", PORT))
    solo.hear(Ack(ping.seq_no), source=HOME)
    assert [decode(message) for message in solo.queued] == [Suspect(1, "node-b", "node-c")]
