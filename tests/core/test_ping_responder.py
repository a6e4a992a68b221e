"""What one packet, and one host, can make a node send: one answer, to a member or back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.core.member import State, pack_address
from swim.core.output import Dial, Endpoint
from swim.wire.codec import encode
from swim.wire.messages import Ack, Alive, Dead, IndirectPing, Message, Nack, Ping, Suspect
from tests.one_node import NON_MEMBER, PORT, VSN, Solo
from tests.wire.strategies import messages

MEMBER: Endpoint = ("127.0.0.2", PORT)
OTHER: Endpoint = ("127.0.1.1", PORT)
GHOST: Endpoint = ("127.0.0.80", 25)


def acquainted(**settings: Any) -> Solo:
    settings = {"probe_interval": 0, "push_pull_interval": 0, "gossip_interval": 0} | settings
    solo = Solo(**settings)
    solo.meet("node-b", "node-c", "node-d")
    solo.forget_outputs()
    return solo


def relay(seq_no: int = 9, *, to: Endpoint = MEMBER, name: str = "node-b", nack: bool = True) -> IndirectPing:
    return IndirectPing(seq_no, pack_address(to[0]), to[1], name, nack)


def haunted(**settings: Any) -> Solo:
    """A node with a claim about a member at another service's address, where a ping got no ack."""
    solo = acquainted(**settings)
    solo.hear(Alive(1, "ghost", pack_address(GHOST[0]), GHOST[1], None, VSN), source=OTHER)
    solo.hear(relay(to=GHOST, name="ghost"), source=OTHER)
    solo.advance(30.0)
    solo.forget_outputs()
    return solo


# -- one packet


@pytest.mark.parametrize("source", [NON_MEMBER, MEMBER])
@pytest.mark.parametrize("message", [Ping(7, "node-a"), relay()], ids=["pings", "relay requests"])
def test_a_packet_full_of_requests_has_one_answer(source: Endpoint, message: Ping | IndirectPing) -> None:
    solo = acquainted()
    requests = [message._replace(seq_no=number) for number in range(100)]
    solo.hear(*requests, source=source)
    assert len(solo.sent()) == 1
    assert solo.metrics.counters["swim.dropped.answers-per-packet"] == 99
    solo.hear(message, source=source)
    assert len(solo.sent()) == 1, "the next packet has its own"


@given(st.lists(messages, min_size=1, max_size=20), st.sampled_from([NON_MEMBER, MEMBER]))
def test_no_packet_is_answered_with_much_more_than_it_is(parts: list[Message], source: Endpoint) -> None:
    """Pings for verification aside, which are few at a time."""
    solo = acquainted(verify_second_hand=False)
    data = solo.packets.seal([encode(part) for part in parts], crc=False)
    solo.receive(data, source)
    assert len(solo.transmits) <= 2, "an answer and a correction"
    assert sum(len(sent) for _, sent in solo.transmits) <= len(data) + 1500


def test_an_ack_to_a_non_member_is_hardly_larger_than_the_ping() -> None:
    solo = acquainted(gossip_interval=0.2)
    solo.queue("news", encode(Suspect(1, "node-b", "x" * 100)))
    solo.upstairs.payload = b"x" * 200
    ping = encode(Ping(2**32 - 1, ""))
    solo.receive(ping)
    [(to, data)] = solo.transmits
    assert to == NON_MEMBER
    assert len(data) <= len(ping) + 8


# -- one host


def test_gossip_rides_on_answers_within_a_hosts_allowance() -> None:
    """A host that keeps sending pings neither drains the broadcasts nor causes more than its allowance."""
    solo = acquainted(gossip_interval=0.2, max_answer_bytes_per_second=5000)
    sizes = []
    for number in range(400):
        for place in range(30):
            solo.queue(f"m{place}", encode(Suspect(number, f"m{place}", "node-c")))
        solo.hear(Ping(number, "node-a"), source=MEMBER)
        sizes += [len(data) for to, data in solo.transmits if to == MEMBER]
        solo.transmits.clear()
    bare = min(sizes)
    assert len(sizes) == 400, "an ack for each ping"
    assert sum(sizes) < 5000 + 1400 + 400 * bare
    solo.hear(Ping(1, "node-a"), source=("127.0.1.1", PORT))
    assert len(solo.transmits[0][1]) > 2 * bare, "another host has its own allowance"
    solo.transmits.clear()
    solo.advance(5.0)
    solo.transmits.clear()
    solo.queue("news", encode(Suspect(1, "node-b", "x" * 100)))
    solo.hear(Ping(2, "node-a"), source=MEMBER)
    assert len(solo.transmits[0][1]) > 2 * bare, "it comes back with time"


def test_one_host_has_a_share_of_the_relayed_pings_and_they_end_in_time() -> None:
    solo = acquainted(max_relayed_pings=100, max_relayed_pings_per_host=10)
    for _ in range(3):
        for number in range(30):
            solo.hear(relay(number), source=("127.0.0.60", 1000 + number))
        assert len(solo.sent_of(Ping)) == 10
        solo.hear(relay(99), source=OTHER)
        assert len(solo.sent_of(Ping)) == 1, "another host has its own share"
        solo.advance(solo.config.probe_timeout)
        solo.forget_outputs()
    assert solo.metrics.counters["swim.dropped.relay-limit"] == 60


def test_non_members_leave_half_of_the_relayed_pings_to_members() -> None:
    solo = acquainted(max_relayed_pings=20, max_relayed_pings_per_host=10)
    for host in range(60, 70):
        for number in range(10):
            solo.hear(relay(number), source=(f"127.0.0.{host}", 4000))
    assert len(solo.sent_of(Ping)) == 10
    for number in range(12):
        solo.hear(relay(number), source=OTHER)
    assert len(solo.sent_of(Ping)) == 10


# -- refusals


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        pytest.param(relay(to=("127.0.0.200", PORT), name="nobody"), "relay-refused", id="no member"),
        pytest.param(relay()._replace(target=b"abc"), "bad-target", id="no address"),
        pytest.param(relay()._replace(target=b""), "bad-target", id="empty address"),
        pytest.param(relay(to=GHOST, name="ghost"), "relay-refused", id="never answered"),
        pytest.param(relay(), "relay-limit", id="limit"),
    ],
)
def test_a_refused_relay_is_a_nack_if_one_was_asked_for(request_: IndirectPing, reason: str) -> None:
    solo = haunted(max_relayed_pings=1)
    solo.hear(relay(8, nack=False), source=OTHER)
    solo.forget_outputs()
    solo.hear(request_, source=OTHER)
    assert solo.sent() == [(OTHER, [Nack(9)])]
    assert solo.metrics.counters[f"swim.dropped.{reason}"] == 1
    solo.hear(request_._replace(nack=False), source=OTHER)
    solo.advance(5.0)
    assert not solo.sent()


# -- where answers go


@pytest.mark.parametrize(
    "named",
    [
        pytest.param(("127.0.0.200", PORT), id="nobody"),
        pytest.param(("0.0.0.0", PORT), id="the unspecified address"),
        pytest.param(("255.255.255.255", PORT), id="broadcast"),
        pytest.param(("127.0.0.2", 22), id="another service of a member's host"),
        pytest.param(GHOST, id="a member that never answered"),
        pytest.param(NON_MEMBER, id="the sender"),
    ],
)
@pytest.mark.parametrize("kind", ["ping", "relay", "refused relay"])
def test_answers_go_to_members_or_back(named: Endpoint, kind: str) -> None:
    solo = haunted()
    claimed = {"source_addr": pack_address(named[0]), "source_port": named[1], "source_node": "victim"}
    if kind == "ping":
        solo.hear(Ping(7, "node-a")._replace(**claimed))
    else:
        solo.hear(relay(to=MEMBER if kind == "relay" else ("127.0.0.201", 1))._replace(**claimed))
        if kind == "relay":
            [(to, ping)] = solo.sent_of(Ping)
            assert to == MEMBER
            solo.hear(Ack(ping.seq_no), source=MEMBER)
    assert [to for to, _ in solo.sent()] == [NON_MEMBER]


def test_a_translated_member_is_answered_at_its_own_address() -> None:
    solo = acquainted()
    solo.hear(Ping(7, "node-a", pack_address(MEMBER[0]), MEMBER[1], "node-b"), source=("127.0.0.2", 40_000))
    assert solo.sent() == [(MEMBER, [Ack(7)])]


def test_a_ghosts_address_gets_one_ping_and_nothing_else() -> None:
    """No relayed pings, answers or streams go to an address that never acked; only own probes do."""
    solo = acquainted()
    solo.hear(Alive(1, "ghost", pack_address(GHOST[0]), GHOST[1], None, VSN), source=OTHER)
    solo.hear(relay(to=GHOST, name="ghost"), source=OTHER)
    for number in range(20):
        solo.hear(relay(number, to=GHOST, name="ghost"), source=OTHER)
        solo.hear(Ping(number, "node-a", pack_address(GHOST[0]), GHOST[1], "ghost"), source=OTHER)
        solo.advance(10.0)
    there = [parts for to, parts in solo.sent() if to == GHOST]
    assert [[type(part) for part in parts] for parts in there] == [[Ping]]


@pytest.mark.parametrize("acked", [True, False])
def test_streams_go_only_where_an_ack_came_from(acked: bool) -> None:
    """The stream ping of a probe, push/pulls and attempts to find the lost."""
    solo = Solo(seed=3, probe_interval=1.0, push_pull_interval=2.0, rejoin_interval=1.0)
    claim = Alive(1, "ghost", pack_address(GHOST[0]), GHOST[1], None, VSN)
    solo.hear(claim, source=GHOST)  # which any sender can fake
    if acked:
        solo.advance(1.0)
        for to, ping in solo.sent_of(Ping):
            solo.hear(Ack(ping.seq_no), source=to)
    solo.advance(120.0)
    assert solo.state("ghost") in ("dead", "absent")
    dialled = {action.endpoint for action in solo.streams if isinstance(action, Dial)}
    assert dialled == ({GHOST} if acked else set())


def test_a_seed_is_dialled_before_it_ever_acked() -> None:
    solo = Solo(probe_interval=0, seeds=("127.0.0.50:7946",))
    solo.engine.rejoining.arm(solo.now)
    solo.advance(60.0)
    assert {action.endpoint for action in solo.streams if isinstance(action, Dial)} == {("127.0.0.50", 7946)}
    solo.engine.join(solo.now, ["127.0.0.51:7946"])
    solo.collect()
    assert solo.streams[-1].endpoint == ("127.0.0.51", 7946)  # type: ignore[union-attr]


# -- with keys: a recorded packet


KEY = b"k" * 16


def recorded(solo: Solo, message: Message) -> bytes:
    return solo.packets.seal([encode(message)], crc=False)


def test_with_keys_a_ping_sent_again_from_elsewhere_is_not_answered() -> None:
    """Every node names its address; a member behind port translation is answered at that."""
    solo = acquainted(keys=(KEY,))
    joiner = ("127.0.0.50", PORT)
    ping = Ping(7, "node-a", pack_address(joiner[0]), joiner[1], "joiner")
    solo.receive(recorded(solo, ping), NON_MEMBER)
    assert not solo.sent()
    assert solo.metrics.counters["swim.dropped.ping-from-elsewhere"] == 1
    solo.receive(recorded(solo, ping), joiner)
    assert solo.sent() == [(joiner, [Ack(7)])], "a joiner's first ping is answered"
    solo.receive(recorded(solo, Ping(8, "node-a", pack_address(MEMBER[0]), MEMBER[1], "node-b")), NON_MEMBER)
    assert solo.sent() == [(MEMBER, [Ack(8)])]


@pytest.mark.parametrize("settings", [{}, {"label": "pool"}, {"accept_encryption_v0": True}])
def test_with_keys_a_copy_of_a_packet_changes_nothing_and_is_counted(settings: dict[str, Any]) -> None:
    solo = acquainted(keys=(KEY,), **settings)
    for message in (
        Ping(7, "node-a"),
        relay(),
        Suspect(1, "node-b", "node-c"),
        Dead(1, "node-c", "node-d"),
        Alive(3, "node-x", pack_address("127.0.0.50"), PORT, None, VSN),
    ):
        data = recorded(solo, message)
        solo.receive(data, OTHER)
        solo.sent()
        before = [record.as_wire() for record in solo.table]
        for source in (OTHER, MEMBER, NON_MEMBER, ("127.0.0.50", PORT)):
            solo.receive(data, source)
        assert not solo.sent()
        assert [record.as_wire() for record in solo.table] == before
    assert solo.metrics.counters["swim.dropped.replayed"] == 5 * 4


def test_copies_are_known_among_as_many_packets_as_are_remembered() -> None:
    solo = acquainted(keys=(KEY,), max_remembered_packets=8)
    packets = [recorded(solo, Ping(number, "node-a")) for number in range(12)]
    for data in packets:
        solo.receive(data, MEMBER)
    solo.sent()
    for data in packets[-4:]:
        solo.receive(data, MEMBER)
    assert not solo.sent()
    solo.receive(packets[0], MEMBER)
    assert len(solo.sent()) == 1, "forgotten"


@pytest.mark.parametrize(
    "settings",
    [{}, {"keys": (KEY,), "gossip_verify_incoming": False}, {"keys": (KEY,), "max_remembered_packets": 0}],
)
def test_equal_packets_that_are_no_copies_are_taken(settings: dict[str, Any]) -> None:
    """Two plain packets may be equal by chance, or by the network, which may deliver one twice."""
    solo = acquainted(**settings)
    plain = encode(Ping(7, "node-a"))
    data = recorded(solo, Ping(7, "node-a")) if "max_remembered_packets" in settings else plain
    for _ in range(3):
        solo.receive(data, MEMBER)
    assert len(solo.sent_of(Ack)) == 3


# -- what rides on an ack to a member


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
    solo.hear(Ping(7, "node-a", pack_address(MEMBER[0]), PORT, "node-b"), source=MEMBER)
    assert solo.sent() == [(MEMBER, [Ack(7), *told])]


@pytest.mark.parametrize("state", [State.SUSPECT, State.DEAD])
def test_the_ack_to_a_member_that_is_held_suspect_or_dead_carries_the_news_too(state: State) -> None:
    solo = Solo(probe_interval=0, push_pull_interval=0)
    solo.meet("node-b", state=state)
    solo.forget_outputs()
    refuted = Suspect(1, "node-a", "node-b")  # it accuses those it could not hear
    solo.hear(refuted, source=("127.0.1.7", PORT))
    solo.hear(Ping(7, "node-a", pack_address(MEMBER[0]), PORT, "node-b"), source=MEMBER)
    [(to, parts)] = [sent for sent in solo.sent() if Ack(7) in sent[1]]
    assert to == MEMBER
    [refutation] = [part for part in parts if isinstance(part, Alive)]
    assert (refutation.node, refutation.incarnation) == ("node-a", 2)
