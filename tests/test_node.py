"""Whole nodes on a fake network in virtual time, through the public surface of ``Node``."""

from __future__ import annotations

import random

import pytest

from sims.world.host import SimNode
from swim.commands import ForceLeave, Join, Leave, Rejoin, SetTags
from swim.config import Config
from swim.core.rng import Rng
from swim.errors import ConfigError, LocalError
from swim.events import (
    ForceLeaveOutcome,
    MemberFailed,
    MemberJoined,
    MemberLeft,
    MemberReaped,
    MemberRestarted,
    MemberUpdated,
)
from swim.node import Node
from swim.serf.snapshot import Snapshot
from swim.wire.codec import decode, encode
from swim.wire.messages import Ack
from tests.clusters import add, agree, cluster, split, world_of


def views(peers: list[SimNode]) -> list[dict[str, str]]:
    return [peer.statuses() for peer in peers]


def events_about(node: SimNode, name: str, *kinds: type) -> list[str]:
    return [type(e).__name__ for e in node.events if isinstance(e, kinds) and e.member.name == name]


# -- leave, failure, return


def test_events_and_snapshot_agree_through_a_whole_life():
    world, peers = cluster(5)
    peers[4].do(Leave())
    world.crash(peers[3])
    world.run_for(60)
    peers[0].do(ForceLeave("n4", prune=True))
    peers[1].do(SetTags({"role": "db"}))
    world.run_for(20)
    for peer in peers[:3]:
        assert peer.statuses() == {"n1": "alive", "n2": "alive", "n3": "alive", "n5": "left"}
        sequences = [event.sequence for event in peer.events]  # type: ignore[union-attr]
        assert sequences == list(range(1, len(sequences) + 1))


def test_a_leave_is_seen_as_left_by_all_and_finishes():
    world, peers = cluster(4)
    ticket = peers[3].do(Leave())
    world.run_for(15)
    assert ticket.result is None
    assert peers[3].node.status == "left"
    assert {view["n4"] for view in views(peers[:3])} == {"left"}
    assert not [e for p in peers[:3] for e in p.events if isinstance(e, MemberFailed)]


def test_after_a_leave_the_same_node_comes_back():
    world, peers = cluster(3)
    peers[2].do(Leave())
    world.run_for(15)
    with pytest.raises(LocalError):
        peers[2].do(Join(["127.0.0.1:7000"]))
    peers[2].do(Rejoin())
    world.run_for(5)
    assert {status for view in views(peers) for status in view.values()} == {"alive"}
    assert events_about(peers[0], "n3", MemberJoined, MemberLeft) == [
        "MemberJoined",
        "MemberLeft",
        "MemberJoined",
    ]


def test_leave_is_possible_alone_and_twice():
    world = world_of()
    alone = add(world, "n1")
    tickets = [alone.do(Leave()) for _ in range(2)]
    world.run_for(1)
    assert [ticket.result for ticket in tickets] == [None, None]


# -- force-leave


def test_a_failed_member_is_forced_out_of_every_view():
    world, peers = cluster(4)
    world.crash(peers[3])
    world.run_for(60)
    ticket = peers[0].do(ForceLeave("n4"))
    world.run_for(10)
    assert ticket.result is ForceLeaveOutcome.LEFT
    assert {view["n4"] for view in views(peers[:3])} == {"left"}


def test_a_pruned_member_is_gone_everywhere_until_it_really_returns():
    world, peers = cluster(4, push_pull_interval=5)
    world.crash(peers[3])
    world.run_for(60)
    ticket = peers[1].do(ForceLeave("n4", prune=True))
    world.run_for(120)
    assert ticket.result is ForceLeaveOutcome.PRUNED
    assert all("n4" not in view for view in views(peers[:3]))
    world.restart(peers[3], snapshot=False)
    peers[3].join([peers[0]])
    world.run_for(20)
    assert {view.get("n4") for view in views(peers)} == {"alive"}


@pytest.mark.parametrize("prune", [False, True])
def test_an_alive_member_refutes_within_seconds_and_is_never_hidden(prune: bool):
    world, peers = cluster(4)
    ticket = peers[0].do(ForceLeave("n4", prune=prune))
    world.run_for(8)
    assert ticket.result is ForceLeaveOutcome.REFUTED
    assert {view.get("n4") for view in views(peers)} == {"alive"}
    assert not [e for p in peers for e in p.events if isinstance(e, MemberReaped | MemberLeft)]


def test_nobody_doubts_a_node_that_forces_itself_out():
    world, peers = cluster(3)
    ticket = peers[0].do(ForceLeave("n1"))
    world.run_for(8)
    assert ticket.result is ForceLeaveOutcome.REFUTED
    assert {view["n1"] for view in views(peers)} == {"alive"}


def test_forcing_out_an_unknown_name_is_said_to_be_so():
    world, peers = cluster(2)
    ticket = peers[0].do(ForceLeave("nobody"))
    world.run_for(8)
    assert ticket.result is ForceLeaveOutcome.UNKNOWN


def test_force_leave_needs_a_running_node():
    world = world_of()
    alone = add(world, "n1")
    alone.do(Leave())
    with pytest.raises(LocalError):
        alone.do(ForceLeave("n1"))


# -- tags


def test_new_tags_spread_as_an_update():
    world, peers = cluster(4)
    ticket = peers[0].do(SetTags({"role": "db", "zone": "b"}))
    world.run_for(6)
    assert ticket.result is None
    for peer in peers:
        assert peer.member("n1").tags == {"role": "db", "zone": "b"}  # type: ignore[union-attr]
        assert events_about(peer, "n1", MemberUpdated, MemberRestarted) == ["MemberUpdated"]


def test_too_many_tags_are_refused_by_name_and_the_old_ones_stay():
    world, peers = cluster(2, tags={"role": "web"})
    with pytest.raises(ConfigError, match="big") as refusal:
        peers[0].do(SetTags({"a": "b", "big": "x" * 600}))
    assert refusal.value.field == "tags"
    world.run_for(40)
    assert peers[0].node.local.tags == {"role": "web"}
    assert peers[1].member("n1").tags == {"role": "web"}  # type: ignore[union-attr]


@pytest.mark.parametrize(("size", "fits"), [(505, True), (506, False)])
def test_the_limit_of_tags_is_512_bytes_encoded(size: int, fits: bool):
    world = world_of()
    tags = {"k": "x" * size}
    if fits:
        assert add(world, "n1", tags=tags).node.local.tags == tags
    else:
        with pytest.raises(ConfigError, match=r"^tags: "):
            add(world, "n1", tags=tags)


# -- restarts and snapshots


def test_a_restart_is_told_apart_from_an_update():
    world, peers = cluster(4)
    world.run_for(30)
    world.restart(peers[3])
    peers[3].join([peers[0]])
    world.run_for(10)
    assert {view["n4"] for view in views(peers)} == {"alive"}
    for peer in peers[:3]:
        assert events_about(peer, "n4", MemberRestarted, MemberFailed) == ["MemberRestarted"]


def test_the_restart_of_the_node_that_all_joined_is_one_too():
    world, peers = cluster(4)
    world.run_for(30)
    world.restart(peers[0])
    peers[0].join([peers[1]])
    world.run_for(10)
    for peer in peers[1:]:
        assert events_about(peer, "n1", MemberRestarted, MemberFailed) == ["MemberRestarted"]


def test_the_incarnation_survives_and_starts_above():
    world, peers = cluster(3)
    for step in range(4):
        peers[0].do(SetTags({"step": str(step)}))
    before = peers[0].node.local.incarnation
    world.restart(peers[0])
    peers[0].join([peers[1]])
    assert peers[0].node.local.incarnation > before
    world.run_for(5)
    told = [member for peer in peers[1:] for member in peer.members() if member.name == "n1"]
    assert [member.incarnation for member in told] == 2 * [peers[0].node.local.incarnation]


def test_a_restarted_node_looks_for_alive_and_failed_members_alike():
    world, peers = cluster(4, rejoin_interval=0)
    split(world, peers[:2], peers[2:])
    world.run_for(60)
    assert peers[0].statuses() == {"n1": "alive", "n2": "alive", "n3": "failed", "n4": "failed"}
    world.network.heal()
    for peer in peers[:2]:
        world.restart(peer, config=peer.config.with_changes(rejoin_interval=5.0))
    assert world.run_until(lambda _: agree(peers), 120)


def test_a_restarted_node_takes_up_its_clocks():
    _, peers = cluster(3)
    before = peers[0].node.stats()
    after = add(world_of(), "n1", snapshot=peers[0].node.snapshot()).node.stats()
    assert (after.member_time, after.event_time, after.query_time) == (
        before.member_time,
        before.event_time,
        before.query_time,
    )


def test_a_snapshot_reads_back_as_what_it_says():
    world, peers = cluster(3)
    world.crash(peers[2])
    world.run_for(60)
    replayed = Snapshot.replay(peers[0].node.snapshot())
    assert set(replayed.alive) == {"n1", "n2"}
    assert replayed.failed == {"n3": peers[2].endpoint}
    assert Snapshot.replay(replayed.encode()) == replayed


def test_a_node_that_left_remembers_its_number_and_nobody():
    world, peers = cluster(2)
    peers[1].do(Leave())
    world.run_for(15)
    replayed = Snapshot.replay(peers[1].node.snapshot())
    assert (replayed.alive, replayed.failed, replayed.left) == ({}, {}, True)
    assert replayed.incarnation == peers[1].node.local.incarnation


@pytest.mark.parametrize(
    "line",
    [
        "# incarnation: 4294967295",
        "# incarnation: -1",
        "# incarnation: x",
        "clock: 18446744073709551616",
        "clock: 12\r",
        "alive: n2 nonsense:7",
        "alive: n2 10.0.0.1",
        "# failed: n2 10.0.0.1:99999",
    ],
)
def test_broken_lines_of_a_snapshot_are_skipped(line: str):
    node = add(world_of(), "n1", snapshot=f"{line}\n").node
    assert (node.local.incarnation, node.stats().member_time, len(node.members())) == (1, 1, 1)
    assert node.next_deadline() is None


# -- small print


def test_why_a_member_is_what_it_is():
    world, peers = cluster(3)
    world.crash(peers[2])
    world.run_for(60)
    history = peers[0].node.history("n3")
    assert [(line.before, line.after) for line in history] == [
        ("unknown", "alive"),
        ("alive", "suspect"),
        ("suspect", "failed"),
    ]
    assert history[-1].reason.cause in ("claim", "refused")


def test_history_is_bounded():
    world, peers = cluster(2, history_size=3)
    for step in range(10):
        peers[0].do(SetTags({"step": str(step)}))
    world.run_for(10)
    assert len(peers[0].node.history("n1")) == 3


def test_an_unstarted_node_has_no_entry_of_its_own():
    rng = Rng(random.Random(1))
    node = Node(Config.lan(name="n1"), advertise=("127.0.0.1", 1), bind_port=1, rng=rng)
    with pytest.raises(LocalError, match="not been started"):
        node.local  # noqa: B018
    assert node.status == "idle"


def test_a_name_conflict_is_won_by_who_was_there_first():
    world, peers = cluster(4)
    rival = add(world, "n4", id="rival")
    rival.join([peers[0]])
    world.run_for(30)
    assert rival.stopped_because
    assert not peers[3].stopped_because
    assert {view["n4"] for view in views(peers)} == {"alive"}


def test_two_nodes_of_one_name_alone_both_stay():
    world = world_of()
    one, other = add(world, "same"), add(world, "same", id="other")
    one.join([other])
    world.run_for(30)
    assert (one.stopped_because, other.stopped_because) == ("", "")


def test_who_stands_in_the_snapshot_is_pinged_before_it_is_dialled() -> None:
    """A ghost may have been alive in it, at another service's address: that gets no stream."""
    past = ("127.0.0.80", 25)
    config = Config.lan(name="n1")
    node = Node(
        config,
        advertise=("127.0.0.1", 7946),
        bind_port=7946,
        rng=Rng(random.Random(1)),
        snapshot="alive: past 127.0.0.80:25\n",
    )
    node.start(0.0)
    now, dials, pings = 0.0, [], []
    while not pings or now < 20.0:
        now = max(now, node.next_deadline() or now)
        node.handle_timeout(now)
        output = node.poll()
        dials += output.streams
        pings = [decode(data) for endpoint, data in output.transmits if endpoint == past]
    assert not dials
    node.receive_packet(now, encode(Ack(pings[-1].seq_no)), past)
    while not dials:
        dials += node.poll().streams
        now = max(now, node.next_deadline() or now)
        node.handle_timeout(now)
    assert [dial.endpoint for dial in dials] == [past]
