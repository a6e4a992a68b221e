"""How far a node believes what others say of members that it does not know."""

from __future__ import annotations

import pytest

from swim.core.member import State, pack_address
from swim.wire.codec import decode, encode
from swim.wire.messages import Ack, Alive, Dead, IndirectPing, NodeRecord, Ping, Suspect
from tests.one_node import PORT, VSN, Solo

MEMBER = ("127.0.0.2", PORT)
HOME = ("127.0.0.50", PORT)
CLAIM = Alive(3, "node-x", pack_address(HOME[0]), PORT, None, VSN)
RECORD = NodeRecord("node-x", pack_address(HOME[0]), PORT, None, 3, State.ALIVE, VSN)
LONG = 60.0
REAL = {"127.0.0.2", "127.0.1.1", "127.0.1.2", "127.0.1.3"}


def acquainted(*, since: float = LONG, **settings: object) -> Solo:
    """A node that met three members ``since`` seconds ago."""
    solo = Solo(probe_interval=0, push_pull_interval=0, **settings)
    solo.meet("node-b", "node-c", "node-d")
    solo.advance(since)
    solo.forget_outputs()
    return solo


def ghosts(count: int, first: int = 0) -> list[Alive]:
    return [
        Alive(1, f"ghost-{n}", bytes((127, 9, n >> 8, n & 255)), PORT, None, VSN)
        for n in range(first, first + count)
    ]


def test_what_a_member_says_of_itself_is_passed_on_at_once() -> None:
    solo = acquainted()
    solo.hear(CLAIM, source=HOME)
    assert (solo.state("node-x"), solo.queued, solo.sent_of(Ping)) == ("alive", [encode(CLAIM)], [])


def test_what_a_member_gossips_is_listed_and_passed_on_without_a_ping() -> None:
    solo = acquainted()
    solo.hear(CLAIM, source=MEMBER)
    assert (solo.state("node-x"), solo.queued, solo.sent_of(Ping)) == ("alive", [encode(CLAIM)], [])


def test_a_non_member_is_not_believed_before_the_subject_acks() -> None:
    solo = acquainted()
    solo.hear(CLAIM)
    assert (solo.state("node-x"), solo.queued) == ("absent", [])
    [(to, ping)] = solo.sent_of(Ping)
    assert (to, ping.node) == (HOME, "node-x")
    solo.hear(Ack(ping.seq_no), source=HOME)
    assert (solo.state("node-x"), solo.queued) == ("alive", [encode(CLAIM)])


def test_without_an_ack_a_non_member_s_claim_costs_one_ping_and_leaves_nothing() -> None:
    solo = acquainted()
    solo.hear(CLAIM)
    solo.advance(LONG)
    assert [to for to, _ in solo.sent_of(Ping)] == [HOME]
    assert (solo.state("node-x"), solo.queued, solo.streams) == ("absent", [], [])


def test_what_somebody_pushes_about_others_is_checked_like_a_non_member_s_word() -> None:
    solo = acquainted()
    solo.pushed([RECORD, RECORD._replace(name="node-y", addr=pack_address("127.0.0.51"))])
    assert (solo.state("node-x"), solo.state("node-y")) == ("absent", "absent")
    assert {ping.node for _, ping in solo.sent_of(Ping)} == {"node-x", "node-y"}


def test_what_a_peer_answers_is_listed_but_passed_on_after_an_ack() -> None:
    solo = acquainted()
    solo.answered([RECORD])
    assert (solo.state("node-x"), solo.queued) == ("alive", [])
    [(_, ping)] = solo.sent_of(Ping)
    solo.hear(Ack(ping.seq_no), source=HOME)
    assert solo.queued == [encode(CLAIM)]


def test_any_packet_of_its_own_vouches_for_a_member() -> None:
    solo = acquainted()
    solo.answered([RECORD])
    solo.hear(Ping(1, "node-a"), source=HOME)
    assert solo.queued == [encode(CLAIM)]


def test_what_is_held_back_goes_when_its_member_dies() -> None:
    solo = acquainted()
    solo.answered([RECORD])
    [(_, ping)] = solo.sent_of(Ping)
    dead = Dead(3, "node-x", "node-b")
    solo.hear(dead, source=MEMBER)
    solo.hear(Ack(ping.seq_no), source=HOME)
    assert solo.queued == [encode(dead)]


def test_a_newcomer_takes_over_the_table_of_the_peer_that_it_joined() -> None:
    """The peer's peers know all that: neither a ping nor a packet is due."""
    solo = Solo(probe_interval=0, push_pull_interval=0)
    records = [RECORD._replace(name=f"m{n}", addr=bytes((127, 1, 0, n))) for n in range(200)]
    solo.answered([RECORD._replace(name="node-b", addr=pack_address("127.0.0.77")), *records])
    solo.advance(0.05)
    assert len(solo.table) == 202
    assert (solo.queued, solo.sent_of(Ping)) == (
        [encode(Alive(3, "node-b", pack_address("127.0.0.77"), PORT, None, VSN))],
        [],
    )


def test_a_newcomer_believes_non_members_too_since_all_may_be_new() -> None:
    solo = acquainted(since=1.0)
    solo.hear(CLAIM)
    assert (solo.state("node-x"), solo.queued, solo.sent_of(Ping)) == ("alive", [encode(CLAIM)], [])


def test_a_lone_node_believes_no_non_member() -> None:
    solo = Solo(probe_interval=0, push_pull_interval=0)
    solo.hear(*ghosts(60))
    assert len(solo.table) == 1


@pytest.mark.parametrize("since", [LONG, 1.0])
def test_members_that_nobody_saw_have_a_quota(since: float) -> None:
    solo = acquainted(since=since)
    for number in range(0, 600, 30):
        solo.hear(*ghosts(30, number), source=MEMBER if since == LONG else ("127.0.0.99", 9999))
    assert len(solo.table) == 4 + 32
    for _ in range(5):  # gone ones count as well, until they are reaped
        for number in range(0, 600, 100):
            leaves = [Dead(1, f"ghost-{n}", f"ghost-{n}") for n in range(number, number + 100)]
            solo.hear(*leaves, source=MEMBER)
        for number in range(0, 600, 30):
            solo.hear(*ghosts(30, number), source=MEMBER if since == LONG else ("127.0.0.99", 9999))
    assert len(solo.table) == 4 + 32


def test_who_was_seen_takes_the_place_of_who_never_was() -> None:
    solo = acquainted(max_members=20, max_new_members_per_packet=20)
    solo.hear(*ghosts(30), source=MEMBER)
    assert len(solo.table) == 20
    solo.hear(CLAIM, source=HOME)
    assert (solo.state("node-x"), len(solo.table)) == ("alive", 20)
    gone = [event for event in solo.upstairs.events if event.startswith("leave:")]
    assert len(gone) == 1
    for number in range(40):
        claim = CLAIM._replace(node=f"real-{number}", addr=bytes((127, 2, 0, number)))
        solo.hear(claim, source=(f"127.2.0.{number}", PORT))
    left = {record.name for record in solo.table}
    assert not {name for name in left if name.startswith("ghost")}
    assert {"node-a", "node-b", "node-c", "node-d", "node-x"} <= left


def test_members_that_nobody_saw_are_no_relays_and_take_at_most_every_other_probe() -> None:
    solo = Solo(push_pull_interval=0, gossip_interval=0)
    solo.meet("node-b", "node-c", "node-d", "node-e")
    probed, relays = [], set()
    for second in range(120):
        if second == LONG:
            solo.hear(*ghosts(30), source=MEMBER)
            probed.clear()
        for _ in range(20):
            solo.advance(0.05)
            for to, parts in solo.sent():
                for part in parts:
                    match part:
                        case Ping() if to[0] in REAL:
                            probed.append(to[0])
                            solo.hear(Ack(part.seq_no), source=to)
                        case IndirectPing():
                            relays.add(to[0])
    assert set(probed) == relays == REAL
    assert len(probed) >= LONG / 2 - 1
    assert "dead" in {solo.state(f"ghost-{n}") for n in range(30)}


def test_a_probe_of_who_never_acked_opens_no_stream() -> None:
    """Another service might take text of the claimant's choice for a command."""
    solo = Solo(push_pull_interval=0, gossip_interval=0)
    solo.meet("node-b")
    solo.hear(CLAIM._replace(node="FLUSHALL"), source=MEMBER)
    solo.advance(LONG)
    assert solo.metrics.counters["swim.dials-withheld"]
    assert not [action for action in solo.streams if getattr(action, "endpoint", None) == HOME]


def test_a_suspicion_counts_for_who_was_only_heard_of() -> None:
    solo = acquainted()
    solo.hear(CLAIM, source=MEMBER)
    solo.hear(Suspect(3, "node-x", "node-c"), source=MEMBER)
    assert solo.state("node-x") == "suspect"


def test_an_ack_does_not_put_an_old_alive_claim_in_place_of_a_suspicion() -> None:
    solo = Solo(probe_interval=0, push_pull_interval=0)
    solo.meet("node-c")
    solo.advance(60)
    solo.forget_outputs()
    stranger = NodeRecord("node-b", pack_address(HOME[0]), PORT, None, 1, State.ALIVE, VSN)
    solo.answered([stranger])
    [ping] = [part for _, parts in solo.sent() for part in parts if isinstance(part, Ping)]
    solo.hear(Suspect(1, "node-b", "node-c"), source=("127.0.1.0", PORT))
    solo.hear(Ack(ping.seq_no), source=HOME)
    assert [decode(message) for message in solo.queued] == [Suspect(1, "node-b", "node-c")]
