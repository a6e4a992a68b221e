"""In a plain memberlist pool nothing of Serf is sent or read."""

from __future__ import annotations

import pytest

from swim.commands import ForceLeave, Leave
from swim.errors import LocalError
from swim.events import UserMessage
from swim.serf.messages import JoinIntent, LeaveIntent, UserEvent, encode_serf
from swim.wire.messages import Alive, User
from tests.clusters import cluster
from tests.one_node import Lone, alive_record, serf_state

PLAIN_VSN = bytes((1, 5, 2, 0, 0, 0))


def plain(*names: str) -> Lone:
    lone = Lone(delegate_version=0, tags={"role": "web"})
    lone.meet(*names, vsn=PLAIN_VSN)
    lone.events.clear()
    return lone


def test_it_says_so_in_its_versions_and_has_neither_tags_nor_state():
    reply = plain("x").pushed()
    [me] = [record for record in reply.records if record.name == "me"]
    assert (me.vsn, me.meta, reply.user_state) == (PLAIN_VSN, None, b"")


def test_serf_messages_are_not_read_but_are_an_applications_own():
    lone = plain("x", "y")
    before = dict(lone.node.metrics.counters)
    said = [LeaveIntent(5, "x"), JoinIntent(6, "me"), UserEvent(7, "e", None)]
    lone.say(*said, b"\xff")
    taken = [(event.payload, event.is_broadcast) for event in lone.events if isinstance(event, UserMessage)]
    assert taken == [(body, False) for body in [*map(encode_serf, said), b"\xff"]]
    lone.events.clear()
    lone.pushed(serf_state(stamps={"x": 9}, left=["x"]), [alive_record("y")._replace(vsn=PLAIN_VSN)])
    dropped = {k for k, n in lone.node.metrics.counters.items() if "dropped" in k and n > before.get(k, 0)}
    assert (lone.kinds(), lone.status("x"), dropped) == ([], "alive", set())


@pytest.mark.parametrize(("leaves", "status"), [(True, "left"), (False, "failed")])
def test_gone_members_have_left_or_failed_as_memberlist_says(leaves: bool, status: str):
    lone = plain("x", "y")
    (lone.part if leaves else lone.fail)("x")
    assert lone.status("x") == status


def test_nobody_is_forced_out():
    lone = plain("x")
    with pytest.raises(LocalError, match="plain memberlist"):
        lone.node.do(lone.now, ForceLeave("x"))
    assert lone.status("x") == "alive"


def test_tags_of_others_are_not_looked_at():
    lone = plain()
    lone.meet("x", vsn=PLAIN_VSN, role="db")
    assert lone.node.member("x").tags == {}  # type: ignore[union-attr]


def test_its_own_leave_is_memberlists_alone():
    lone = plain("x", "y")
    lone.command(Leave())
    lone.advance(20)
    assert not [message for _, message in lone.sent() if isinstance(message, User)]
    assert lone.node.local.status == "left"


def test_a_plain_cluster_lives_without_a_byte_of_serf():
    world, peers = cluster(4, delegate_version=0)
    peers[0].do(Leave())
    world.crash(peers[1])
    world.run_for(60)
    for peer in peers[2:]:
        assert peer.statuses() == {"n1": "left", "n2": "failed", "n3": "alive", "n4": "alive"}
        assert peer.node.stats()[7:10] == (0, 0, 0)
    heard = Lone(delegate_version=0)
    heard.hear(Alive(1, "x", bytes((127, 0, 0, 2)), 7946, None, PLAIN_VSN), source=("127.0.0.2", 7946))
    assert heard.status("x") == "alive"


def test_changed_metadata_is_an_update_and_a_mere_refutation_is_not():
    lone = plain("x", "y")
    claim = Alive(2, "x", bytes((127, 0, 0, 2)), 7946, b"anything", PLAIN_VSN)
    lone.hear(claim)
    lone.hear(claim._replace(incarnation=3))
    assert lone.kinds() == ["MemberUpdated", "MemberRefuted"]
