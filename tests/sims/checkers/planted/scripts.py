"""The runs in which planted bugs show, and in which nothing shows without them."""

from __future__ import annotations

from functools import partial
from typing import Any

from sims.faults import (
    Add,
    Broadcast,
    Crash,
    Leave,
    Pause,
    Readdress,
    Restart,
    Send,
    SendQuery,
    SendUserEvent,
    SetLink,
    SetTags,
    Split,
)
from sims.faults.schedule import Schedule
from sims.world import World
from sims.world.network import Link
from swim.serf.messages import JoinIntent, UserEvent, encode_serf
from swim.wire.codec import encode
from swim.wire.messages import Dead, User
from tests.sims.checkers.planted.bug import Script, quick

CRASH = Script(Schedule([Crash(10.0, "n3"), Crash(14.0, "n5"), Restart(60.0, "n5")]), 200.0)
"""Two die, one comes back."""

VANISH = Script(Schedule([Crash(10.0, "n3", silent=True), Crash(14.0, "n5", silent=True)]), 100.0)
"""Two die with their hosts, which refuse nothing."""

LAST = Script(
    Schedule([Crash(10.0, f"n{number}") for number in range(2, 7)]),
    60.0,
    config=partial(quick, restart_grace=0.0),
)
"""All but one die at once, and their suspicions end as memberlist's do."""

QUIET = Script(Schedule([Add(1.5, "n7", ("n1",))]), 60.0)
"""Nothing happens for a minute, once a seventh has joined."""

STANDSTILL = Script(Schedule([Pause(at, "n3", 8.0) for at in (10.0, 30.0, 50.0)]), 70.0)
"""One stands still for a while, again and again."""

LOSS = Script(Schedule([SetLink(8.0, None, None, Link(loss=0.5), 30.0)]), 160.0)
"""Every second packet is lost for a minute."""

SPLIT = Script(
    Schedule(
        [
            Split(10.0, (("n1", "n2"), ("n3", "n4", "n5", "n6")), 40.0),
            SetTags(12.0, "n2", {"role": "db"}),
            SetTags(70.0, "n2", {"role": "web"}),
        ]
    ),
    200.0,
    config=partial(quick, gossip_to_the_dead_time=200.0),
)
"""A partition of both sides' patience, with news on one side, and news after it."""

NAP = Script(
    Schedule([Pause(10.0, "n2", 32.0), Crash(11.0, "n3"), Leave(12.0, "n4"), Crash(13.0, "n6")]), 180.0
)
"""One sleeps through two deaths and a leave, and wakes up when the others have reaped theirs."""


def _repeat_old_words(world: World) -> None:
    """One gets packets again that it had long before: what others said of three who went or changed."""
    node = world.host("n1")

    def record() -> None:
        claims = [node.inspect().table.get(name).alive_claim() for name in ("n3", "n4", "n5")]
        words = [*map(encode, claims), encode(User(encode_serf(JoinIntent(1, "n4"))))]
        for at in (24.0, 38.0):
            for word in words:
                world.at(at, world.inject, node, word, world.host("n2").endpoint)

    world.at(9.0, record)


ECHO = Script(
    Schedule([Crash(10.0, "n3"), SetTags(12.0, "n5", {"a": "b"}), Leave(14.0, "n4")]),
    60.0,
    prepare=_repeat_old_words,
)
"""Old packets arrive, while two who are gone are still listed, and when they are reaped."""

OLD_KEY, NEW_KEY = bytes(range(16)), bytes(range(32))


def _rotate(world: World) -> None:
    """One installs a key, uses it and removes the old one, while packets take their time."""
    world.at(10.0, lambda: world.host("n2").install_key(NEW_KEY))
    world.at(30.0, lambda: world.host("n3").use_key(NEW_KEY))
    world.at(70.0, lambda: world.host("n4").remove_key(OLD_KEY))


ROTATION = Script(
    Schedule([Crash(40.0, "n5"), Restart(60.0, "n5"), Crash(80.0, "n6"), Restart(90.0, "n6")]),
    160.0,
    config=partial(quick, keys=[OLD_KEY]),
    prepare=_rotate,
)
"""The key of a cluster is rotated; two restart, in the middle of it and after it."""

LEAVE = Script(Schedule([Leave(40.0, "n4"), Leave(45.0, "n2")]), 120.0)
"""Two leave a quiet network, one after the other."""

PLAIN_LEAVE = Script(Schedule([Leave(40.0, "n4")]), 100.0, config=partial(quick, delegate_version=0))
"""One leaves a pool of plain memberlist members, who know no intents."""

LOST_LEAVE = Script(
    Schedule([Split(40.0, (("n2",), ("n1", "n3", "n4", "n5", "n6")), 20.0), Leave(41.0, "n4")]), 130.0
)
"""One leaves while another is cut off, and takes it for a failure."""

OVERSLEEP = Script(
    Schedule([Crash(10.0, "n3"), Pause(11.6, "n1", 20.0), Crash(11.7, "n2")]),
    50.0,
    nodes=3,
    config=partial(quick, probe_interval=0.5, probe_timeout=0.2, restart_grace=0.0),
)
"""One node is paused during a suspicion; when it resumes, no other node is left to send it more."""

LATE_JOIN = Script(
    Schedule([Crash(10.0, "n3"), Add(42.0, "late", ("n1",)), Readdress(60.0, "n4"), Restart(90.0, "n5")]),
    150.0,
    config=partial(quick, gossip_to_the_dead_time=60.0),
)
"""One joins while a dead member is still listed; others restart, at another address and at the same."""

STORM = Script(Schedule([Crash(20.0, "n3")]), 40.0, nodes=16, config=partial(quick, udp_buffer_size=512))
"""Many join at once, with little room in a packet."""

QUEUES = Script(Schedule([]), 20.0, nodes=10, config=partial(quick, max_queue_depth=3))
"""Many join at once, with little room in the queue."""

GOSSIP = Script(
    Schedule([SetTags(12.0 + 3 * i, f"n{i + 2}", {"turn": str(i)}) for i in range(6)]),
    40.0,
    nodes=16,
    config=partial(quick, probe_interval=5.0, push_pull_interval=30.0),
)
"""Some change their tags on a quiet network, where packets but for gossip are few."""

PLAIN_LOST_LEAVE = Script(
    Schedule([Split(40.0, (("n2",), ("n1", "n3", "n4", "n5", "n6")), 20.0), Leave(41.0, "n4")]),
    130.0,
    config=partial(quick, delegate_version=0, gossip_to_the_dead_time=60.0),
)
"""One leaves a pool of plain memberlist members while another is cut off, which takes it for a failure."""


def _accuse_falsely(world: World) -> None:
    """One gets packets that call members dead who answer."""
    for at, name in ((12.0, "n3"), (16.0, "n5")):
        world.at(at, _send_death, world, name)


def _send_death(world: World, name: str) -> None:
    record = world.host("n1").inspect().table.get(name)
    assert record is not None
    word = encode(Dead(record.incarnation, name, "n2"))
    world.driver.packets.send(world.host("n2"), world.host("n1").endpoint, word)


LIES = Script(Schedule([]), 40.0, prepare=_accuse_falsely)
"""Members that run are called dead, out of nowhere."""

LOSSY_THEN_CALM = Script(Schedule([SetLink(8.0, None, None, Link(loss=0.5), 30.0)]), 700.0)
"""Every second packet is lost for half a minute, then none for long."""

TAGS = Script(Schedule([SetTags(5.0 + i / 2, "n2", {"turn": str(i)}) for i in range(40)]), 60.0)
"""One changes its tags all the time."""


def _take_addresses(world: World) -> None:
    """The host of a dead member gets its address taken, by a node of another name."""

    def take() -> None:
        dead = world.host("n3")
        world.add("n7", endpoint=dead.endpoint, seeds=[world.host("n1")])

    world.at(10.1, take)


SWAP = Script(Schedule([Crash(10.0, "n3")]), 200.0, prepare=_take_addresses)
"""A dead member's address is taken at once by a node of another name."""


def _change(world: World, **settings: Any) -> None:
    """A host restarts with other settings, at the address that all know."""

    def change() -> None:
        world.restart("n3", config=world.host("n3").config.with_changes(**settings))

    world.at(10.0, change)


LABELS = Script(Schedule([SetTags(15.0, "n1", {"a": "b"})]), 40.0, prepare=partial(_change, label="other"))
"""A host moves to another cluster, and all of its old one still talk to it."""

KEYS = Script(
    Schedule([SetTags(16.0, "n3", {"a": "b"})]),
    40.0,
    config=partial(quick, keys=(bytes(16),)),
    prepare=partial(_change, gossip_verify_outgoing=False),
)
"""A host stops encrypting what it sends, while all others still want it sealed."""

GRAVES = Script(
    Schedule([Crash(10.0, name) for name in ("n2", "n3", "n4", "n5")]),
    60.0,
    config=partial(quick, max_tombstones=2),
)
"""More die than a node may remember."""

LAST_TWO = Script(
    Schedule([Crash(10.0, name) for name in ("n2", "n3", "n4", "n5")] + [SetTags(40.0, "n6", {"a": "b"})]),
    60.0,
    config=partial(quick, gossip_to_the_dead_time=60.0, rejoin_interval=0.0),
)
"""Two survive of six; the failed are gossiped to for a while, and one of the two has news."""

GRAVES_IN_TURN = Script(Schedule([Crash(10.0, "n2"), Crash(30.0, "n3")]), 90.0)
"""One dies after the other."""


def _send_events(world: World) -> None:
    """Applications send user events: in pairs, under one stamp, while others are cut off and in calm."""
    for number, at in enumerate((12.0, 30.0, 62.0, 160.0, 170.0)):
        for name in ("n1", "n4"):
            payload = f"{name} {number}".encode()
            world.at(at, world.host(name).user_event, "news", payload)


EVENTS = Script(
    Schedule(
        [
            SetLink(8.0, None, None, Link(loss=0.2), 40.0),
            Split(20.0, (("n1", "n2", "n3"), ("n4", "n5", "n6")), 20.0),
            Restart(60.0, "n2"),
        ]
    ),
    190.0,
    prepare=_send_events,
)
"""User events while packets are lost, in a partition, around a restart, and in calm."""


def _join_late(world: World) -> None:
    """One that starts alone joins by command."""

    def join() -> None:
        world.add("late").join([world.host("n1")])

    world.at(30.0, join)


LATE_EVENTS = Script(
    Schedule(
        [
            *(SendUserEvent(at, "n1", count=3) for at in (5.0, 9.0, 12.0)),
            Restart(60.0, "n3", snapshot=False),
            SendUserEvent(70.0, "n2"),
        ]
    ),
    120.0,
    prepare=_join_late,
)
"""User events, and later two that start without having received them."""

QUERIES = Script(
    Schedule(
        [
            *(SendQuery(at, name) for at in (12.0, 150.0, 160.0) for name in ("n1", "n4")),
            SetLink(18.0, None, None, Link(loss=0.2, duplicate=0.3), 10.0),
            SendQuery(20.0, "n2", ack=True, relay_factor=3),
            SendQuery(40.0, "n3", ("n1", "n5"), finish_early=True),
            SendQuery(50.0, "n5", ack=True, relay_factor=2, finish_early=True),
            Restart(60.0, "n2"),
            SendQuery(61.0, "n6", finish_early=True),
        ]
    ),
    190.0,
)
"""Queries to all and to some, with relays, around a restart, while packets are lost, and in calm."""


def _poison(world: World) -> None:
    """One gets packets with stamps from the far future."""
    node = world.host("n1")
    for number, stamp in enumerate((1 << 40, 1 << 63, (1 << 64) - 1)):
        for message in (UserEvent(stamp, "poison", b"", False), JoinIntent(stamp, "n3")):
            data = encode(User(encode_serf(message)))
            world.at(12.0 + 3 * number, world.inject, node, data, ("10.0.0.2", 7946))


POISON = Script(Schedule([SendUserEvent(30.0, "n2")]), 60.0, prepare=_poison)
"""Absurd stamps arrive, and later an event."""

ALL = {
    name.lower().replace("_", "-"): value for name, value in globals().items() if isinstance(value, Script)
}


MESSAGES = Script(
    Schedule(
        [
            *(Send(at, f"n{n}", f"n{1 + n % 6}") for n in range(1, 7) for at in (9.0, 13.0, 17.0, 100.0)),
            *(Broadcast(at, f"n{n}") for n in (1, 4) for at in (12.0, 25.0, 150.0, 160.0)),
            SetLink(10.0, None, None, Link(loss=0.2, reset=0.2, half_open=0.3, duplicate=0.3), 10.0),
            *(Send(at, f"n{n}", "n3") for n in (1, 2, 4, 5, 6) for at in (59.9998, 60.0001, 60.05)),
            Restart(60.0, "n3"),
        ]
    ),
    190.0,
)
"""Messages while streams break and packets come twice, right after a restart, and in calm."""
