"""Whatever bytes arrive, nothing is raised, no member appears, and memory follows what was sent."""

from __future__ import annotations

import tracemalloc

import msgpack  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.errors import RemoteError
from swim.serf.messages import decode_conflict_response, decode_serf
from swim.serf.push_pull import PushPullState, RecentEvents, decode_state, encode_state
from swim.serf.tags import decode_tags, encode_tags
from tests.one_node import Lone, serf_state

MEMBERS = {"MemberLeaving", "MemberLeft", "MemberRefuted", "MemberReaped", "MemberRestarted"}
ALLOWED = {*MEMBERS, "UserEvent", "Query"}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.binary(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        *("LTime", "Node", "Prune", "Name", "Payload", "CC", "ID", "Addr", "Port", "SourceNode", "Filters"),
        *("Flags", "RelayFactor", "Timeout", "From", "DestAddr", "DestName"),
        *("StatusLTimes", "LeftMembers", "EventLTime", "Events", "QueryLTime"),
    ]
)
NAMES = st.sampled_from([b"me", b"x", b"y", b"stranger"])


@st.composite
def crafted(draw: st.DrawFn) -> bytes:
    """A type byte and a map of right names and any values."""
    fields = draw(st.dictionaries(FIELDS, VALUES | NAMES | st.integers(0, 20), max_size=12))
    return bytes((draw(st.integers(0, 10)),)) + bytes(msgpack.packb(fields))


def known() -> Lone:
    lone = Lone()
    lone.meet("x", "y")
    lone.events.clear()
    return lone


def check(lone: Lone) -> None:
    """The members are those that were there; their tags, addresses and incarnations stand."""
    assert set(lone.kinds()) <= ALLOWED
    assert {member.name for member in lone.node.members()} <= {"me", "x", "y"}
    assert lone.node.local.status == "alive"
    lone.advance(1)


@pytest.mark.slow
@given(st.lists(st.binary(max_size=60) | crafted(), max_size=5))
def test_any_bytes_as_user_messages(bodies: list[bytes]):
    lone = known()
    lone.say(*bodies)
    check(lone)


@pytest.mark.slow
@given(st.lists(st.binary(max_size=60) | crafted(), max_size=5))
def test_any_bytes_as_state_of_a_push_pull(states: list[bytes]):
    lone = known()
    for state in states:
        lone.pushed(b"\x02" + state[1:])
        lone.pushed(state)
    check(lone)


@given(st.binary(max_size=100) | crafted())
def test_decoders_raise_remote_errors_only(data: bytes):
    for decode in (decode_serf, decode_state, decode_conflict_response, decode_tags):
        try:
            decode(data)
        except RemoteError:
            continue


@given(st.dictionaries(st.text(max_size=10), st.text(max_size=30), max_size=8))
def test_tags_survive_a_round_trip(tags: dict[str, str]):
    assert decode_tags(encode_tags(tags, delegate_version=5)) == tags
    assert decode_tags(encode_tags(tags, delegate_version=2)) == {"role": tags.get("role", "")}


@given(
    st.integers(0, 2**64 - 1),
    st.dictionaries(st.text(max_size=5), st.integers(0, 2**64 - 1), max_size=5),
    st.lists(st.text(max_size=5), max_size=5),
    st.lists(
        st.builds(
            RecentEvents,
            st.integers(0, 2**64 - 1),
            st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=5)), max_size=3),
        ),
        max_size=4,
    ),
)
def test_states_survive_a_round_trip(
    ltime: int, stamps: dict[str, int], left: list[str], events: list[RecentEvents]
):
    state = PushPullState(ltime, stamps, left, 3, events, 2**64 - 1)
    assert decode_state(encode_state(state)) == state


def test_states_of_large_clusters_are_read():
    stamps = {f"node-{i}": i for i in range(5000)}
    state = serf_state(ltime=1, stamps=stamps, left=[*stamps])
    decoded = decode_state(encode_state(state))
    assert (decoded.status_ltimes, list(decoded.left_members)) == (stamps, [*stamps])


@pytest.mark.parametrize(
    "huge",
    [
        b"\xdf\xff\xff\xff\xff",
        b"\x81\xacStatusLTimes\xdf\xff\xff\xff\xff",
        b"\x81\xabLeftMembers\xdd\xff\xff\xff\xff",
        b"\x81\xa6Events\xdd\xff\xff\xff\xff",
        b"\x81\xa6Events\x91\x82\xa6Events\xdd\xff\xff\xff\xff",
        b"\x81\xa5Other\xdd\xff\xff\xff\xff",
        b"\x81\xa7Payload\xdb\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff",
    ],
)
@pytest.mark.parametrize("kind", [1, 2, 3, 4, 9])
def test_lengths_allocate_nothing_by_themselves(huge: bytes, kind: int):
    lone = known()
    tracemalloc.start()
    try:
        lone.say(bytes((kind,)) + huge)
        lone.pushed(b"\x02" + huge)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**22  # a parser's own buffer takes a megabyte
    check(lone)


def test_deeply_nested_bodies_are_refused():
    lone = known()
    lone.say(b"\x03" + b"\x91" * 5000, b"\x09" + b"\x81\xa1a" * 5000)
    lone.pushed(b"\x02\x81\xa6Events" + b"\x91" * 5000)
    check(lone)
