"""Network coordinates: Serf's arithmetic bit for bit, and what a peer may send."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import swim
from swim.errors import RemoteError
from swim.metrics import Metrics
from swim.serf.coordinates import RTT_MAX, Coordinates, decode_coordinate, encode_coordinate
from swim.wire.go_msgpack import pack
from swim.wire.messages import Ack, IndirectPing, Ping
from tests.clusters import add, cluster
from tests.one_node import Lone, home
from tests.vectors.of_serf import DIRECTORY, body, load

VECTORS: Any = json.loads((DIRECTORY / "coordinates.json").read_text())
ORIGIN = swim.Coordinate()


def coordinate(fields: Any) -> swim.Coordinate:
    vec = tuple(map(float, fields["Vec"]))
    return swim.Coordinate(vec, *(float(fields[name]) for name in ("Error", "Adjustment", "Height")))


def at(first: float, **rest: float) -> swim.Coordinate:
    return swim.Coordinate((first, *ORIGIN.vec[1:]), **rest)


def node(own: swim.Coordinate = ORIGIN, name: str = "n0") -> Coordinates:
    return Coordinates(name, Metrics(), own)


@pytest.mark.parametrize("vector", VECTORS["distance"], ids=range(len(VECTORS["distance"])))
def test_distances_are_serfs(vector: Any) -> None:
    a, b = coordinate(vector["a"]), coordinate(vector["b"])
    assert a.distance_to(b) == b.distance_to(a) == vector["rtt_ns"] / 1e9


def test_a_node_moves_as_serf_does_bit_for_bit() -> None:
    mine = node(coordinate(VECTORS["update_start"]))
    moved = 0
    for step in VECTORS["updates"]:
        before = mine.own
        taken = mine.update(step["node"], step["rtt_ns"] / 1e9, coordinate(step["other"]))
        assert taken is ("error" not in step)
        assert mine.own == (before if "error" in step else coordinate(step["result"]))
        assert mine.resets == step["resets"]
        moved += taken
    assert moved > 30


@pytest.mark.parametrize("vector", load("ping_payload"))
def test_payloads_are_serfs(vector: Any) -> None:
    fields = coordinate(vector["fields"])
    assert decode_coordinate(body(vector)) == fields
    assert encode_coordinate(fields) == body(vector)


def test_a_coordinate_can_be_pasted() -> None:
    mine = at(0.25, error=0.5, adjustment=-0.001, height=0.0002)
    assert eval(repr(mine), vars(swim) | {"Coordinate": swim.Coordinate}) == mine
    with pytest.raises(AttributeError):
        mine.height = 1.0  # type: ignore[misc]


def test_distance_needs_a_coordinate_of_the_same_space() -> None:
    with pytest.raises(swim.ConfigError, match=r"^other: has 1 dimensions, not 8"):
        ORIGIN.distance_to(swim.Coordinate((1.0,)))
    with pytest.raises(swim.ConfigTypeError, match=r"^other: must be a swim\.Coordinate"):
        ORIGIN.distance_to("n2")  # type: ignore[arg-type]


# -- what a peer may send

numbers = st.floats() | st.integers(-(2**63), 2**64 - 1) | st.sampled_from([None, True, b"x", (), {}])
fields = st.dictionaries(
    st.sampled_from(["Vec", "Error", "Adjustment", "Height", "vec", "Other"]),
    numbers | st.lists(numbers, min_size=7, max_size=9) | st.lists(st.floats(), min_size=8, max_size=8),
)
finite = st.floats(allow_nan=False, allow_infinity=False)
coordinates = st.builds(swim.Coordinate, st.tuples(*[finite] * 8), finite, finite, finite)


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda data: b"\1" + data), st.floats())
@example(b"\1\x94" + b"\xcb\x7f\xf0" + bytes(6), 0.01)
def test_any_bytes_move_the_node_or_are_counted(payload: bytes, rtt: float) -> None:
    check(payload, rtt)


@given(fields, st.floats(0, RTT_MAX) | st.floats())
def test_any_fields_move_the_node_or_are_counted(fields: dict[str, Any], rtt: float) -> None:
    check(b"\1" + pack(fields), rtt)


def check(payload: bytes, rtt: float) -> None:
    metrics = Metrics()
    mine = Coordinates("n0", metrics)
    mine.acked("n1", rtt, payload)
    refused = metrics.drops + metrics.counters["serf.coordinate.rejected"]
    assert (mine.own == ORIGIN) or not refused
    assert (mine.get("n1") is not None) is (not refused)
    assert math.isfinite(mine.own.distance_to(ORIGIN))


@given(st.lists(st.tuples(st.sampled_from(["n1", "n2"]), st.floats(0, RTT_MAX), coordinates), max_size=8))
def test_the_own_coordinate_is_always_finite(samples: list[tuple[str, float, swim.Coordinate]]) -> None:
    mine = node()
    for peer, rtt, other in samples:
        assert mine.update(peer, rtt, other)
        assert all(map(math.isfinite, (*mine.own.vec, *mine.own[1:])))
        assert decode_coordinate(mine.payload()) == mine.own


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", range(11))
def test_numbers_that_are_not_finite_are_rejected(wrong: float, place: int) -> None:
    numbers = [0.001] * 11
    numbers[place] = wrong
    mine = node()
    assert not mine.update("n1", 0.01, swim.Coordinate(tuple(numbers[:8]), *numbers[8:]))
    assert mine.own == ORIGIN
    assert mine.get("n1") is None


@pytest.mark.parametrize("rtt", [-1e-9, RTT_MAX + 1e-9, math.nan, math.inf])
def test_an_impossible_round_trip_time_is_rejected(rtt: float) -> None:
    assert not node().update("n1", rtt, at(0.1))


def test_overflow_begins_anew_and_keeps_the_samples() -> None:
    mine, metrics = node(), Metrics()
    assert mine.update("n1", 0.01, at(1e300))
    assert (mine.own, mine.resets) == (ORIGIN, 1)
    assert mine.update("n1", 0.01, at(0.005))
    assert mine.resets == 1 or mine.resets == 2  # the adjustment's samples were kept
    assert metrics.drops == 0


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"\2\x80", "coordinate-version"),
        (b"\0", "coordinate-version"),
        (b"\1", "coordinate"),
        (b"\1\xc1", "coordinate"),
        (b"\1\xa3abc", "coordinate"),
        (b"\1" + pack({"Vec": ["a"] * 8}), "coordinate"),
        (b"\1" + pack({"Vec": 1.0}), "coordinate"),
        (b"\1" + pack({"Error": "low", "Vec": [0.0] * 8}), "coordinate"),
    ],
)
def test_an_unreadable_payload_names_its_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(RemoteError) as raised:
        decode_coordinate(payload)
    assert raised.value.reason == reason


def test_a_payload_is_read_as_liberally_as_serf_reads_it() -> None:
    whole = [0.0, 1, 2, None, *[struct.unpack(">f", struct.pack(">f", 0.5))[0]] * 4]
    assert decode_coordinate(b"\1" + pack({"Vec": whole})) == swim.Coordinate(
        (0.0, 1.0, 2.0, 0.0, 0.5, 0.5, 0.5, 0.5), 0.0, 0.0, 0.0
    )
    as_array = pack([[0.5] * 8, 1.0, 0.25, 0.125])  # type: ignore[list-item]
    assert decode_coordinate(b"\1" + as_array + b"more") == swim.Coordinate((0.5,) * 8, 1.0, 0.25, 0.125)


# -- the rules of one sample


def test_two_nodes_at_one_point_part_in_directions_of_their_own() -> None:
    one, two = node(name="n1"), node(name="n2")
    one.update("n2", 0.01, ORIGIN)
    two.update("n1", 0.01, ORIGIN)
    assert one.own.vec != two.own.vec
    apart = one.own.distance_to(two.own)
    assert ORIGIN.distance_to(ORIGIN) < apart < 0.01


def test_one_slow_answer_is_filtered_out() -> None:
    """The median of the last three."""
    steady, disturbed = node(at(0.001)), node(at(0.001))
    for rtt in (0.010, 0.010):
        steady.update("n1", rtt, at(0.004))
        disturbed.update("n1", rtt, at(0.004))
    steady.update("n1", 0.010, at(0.004))
    disturbed.update("n1", 5.0, at(0.004))
    assert steady.own == disturbed.own


def test_a_forgotten_member_leaves_nothing_behind() -> None:
    mine, fresh = node(at(0.001)), node(at(0.001))
    mine.update("n1", 1.0, at(0.004))
    mine.update("n1", 1.0, at(0.004))
    mine.forget("n1")
    assert mine.get("n1") is None
    before = mine.own
    mine.update("n1", 0.010, at(0.004))
    assert mine.own.distance_to(at(0.004)) < before.distance_to(at(0.004))  # not the old median
    mine.forget("unknown")
    assert fresh.get("n1") is None


def test_what_is_new_since_the_last_look() -> None:
    mine = node()
    for peer in ("n1", "n2", "n3", "n1"):
        mine.update(peer, 0.01, at(0.001 * int(peer[1])))
    assert [name for name, _ in mine.since(None)] == ["n1", "n3", "n2"]
    assert [name for name, _ in mine.since(mine.get("n2"))] == ["n1", "n3"]
    assert not list(mine.since(mine.get("n1")))


def test_what_is_known_is_its_own_and_those_that_acked() -> None:
    mine = node()
    assert mine.get("n0") == ORIGIN
    assert mine.get("n1") is None
    mine.update("n1", 0.01, at(0.5))
    assert mine.get("n1") == at(0.5)


# -- in a cluster


def test_probes_bring_the_coordinates_of_all_members() -> None:
    world, nodes = cluster(3)
    world.run_for(20)
    for node in nodes:
        assert node.coordinate() == node.coordinate(node.name) != ORIGIN
        for other in nodes:
            known, true = node.coordinate(other.name), other.coordinate()
            assert known is not None
            assert true is not None
            assert known.distance_to(true) < 0.01  # it has moved since
        assert node.coordinate("unknown") is None
        assert node.stats().coordinate_resets == 0


def test_a_node_without_coordinates_neither_sends_nor_keeps_any() -> None:
    world, (one, two) = cluster(2)
    off = add(world, "n3", disable_coordinates=True)
    off.join([one, two])
    world.run_for(20)
    assert off.coordinate() is off.coordinate("n1") is off.stats().coordinate_resets is None
    assert one.coordinate("n2") is not None
    assert one.coordinate("n3") is None
    assert one.metrics.drops == 0


def test_a_plain_memberlist_pool_has_none() -> None:
    world, nodes = cluster(2, delegate_version=0)
    world.run_for(5)
    for node in nodes:
        assert node.coordinate() is node.coordinate("n2") is node.stats().coordinate_resets is None


def test_a_member_that_is_reaped_takes_its_coordinate_along() -> None:
    world, (one, _, three) = cluster(3)
    world.run_for(20)
    world.crash(three)
    world.run_for(30)
    assert one.coordinate("n3") is not None
    one.force_leave("n3", prune=True)
    world.run_for(5)
    assert one.coordinate("n3") is None
    assert one.coordinate("n2") is not None


@pytest.mark.parametrize(
    ("payload", "counter"),
    [
        (b"\2", "swim.dropped.coordinate-version"),
        (b"\1\xc1", "swim.dropped.coordinate"),
        (encode_coordinate(at(math.nan)), "serf.coordinate.rejected"),
        (encode_coordinate(at(0.001)), ""),
    ],
)
def test_an_ack_counts_with_any_payload(payload: bytes, counter: str) -> None:
    lone = Lone(probe_interval=1.0)
    lone.meet("x")
    lone.sent()
    while not (pings := [m for to, m in lone.sent() if to == home("x") and isinstance(m, Ping)]):
        lone.advance(0.1)
    lone.hear(Ack(pings[0].seq_no, payload), source=home("x"))
    lone.advance(3)
    assert lone.status("x") == "alive"
    assert (lone.node.coordinate("x") is None) is bool(counter)
    assert not counter or lone.node.metrics.counters[counter] == 1


def test_an_ack_that_was_relayed_is_no_sample() -> None:
    """It may have taken the way round, so its time says nothing about the member."""
    lone = Lone(probe_interval=1.0)
    lone.meet("x", "y")
    lone.sent()
    asked: list[IndirectPing] = []
    while not asked:
        lone.advance(0.1)
        asked = [message for _, message in lone.sent() if isinstance(message, IndirectPing)]
    lone.hear(Ack(asked[0].seq_no, encode_coordinate(at(0.001))), source=home(asked[0].node))
    assert lone.node.coordinate(asked[0].node) is None


def test_acks_to_members_carry_the_coordinate_and_others_none() -> None:
    lone = Lone()
    lone.meet("x")
    lone.sent()
    lone.hear(Ping(7, "me"), source=home("x"))
    lone.hear(Ping(8, "me"))
    payloads = [message.payload for _, message in lone.sent() if isinstance(message, Ack)]
    assert payloads == [encode_coordinate(ORIGIN), None]
