"""Bytes of real Serf releases, read and written."""

from __future__ import annotations

from typing import Any

import pytest

from swim.errors import RemoteError
from swim.metrics import Metrics
from swim.serf.messages import (
    JoinIntent,
    KeyResponse,
    LeaveIntent,
    Query,
    UserEvent,
    decode_conflict_response,
    decode_key_request,
    decode_key_response,
    decode_serf,
    encode_conflict_response,
    encode_key_request,
    encode_key_response,
    encode_serf,
)
from swim.serf.push_pull import PushPullState, RecentEvents, decode_state, encode_state
from swim.serf.query_filters import QueryFilters, encode_filters
from swim.serf.snapshot import Snapshot
from swim.serf.tags import decode_tags, encode_tags
from tests.vectors.differences import OF_SERF
from tests.vectors.of_serf import body, full, load, message, some, state

TOP_LEVEL = (0, 1, 3, 4, 5, 9)
TAGS = {"role": "web1"}


def select(file: str, *types: int) -> list[Any]:
    return [p for p in load(file) if p.values[0]["fields"].get("type") in types]


def test_every_difference_names_a_vector():
    files = {name.partition("/")[0] for name in OF_SERF}
    known = {p.id for file in files for p in load(file)}
    assert {name.removesuffix("@0.9.4") for name in OF_SERF} <= known


@pytest.mark.parametrize("vector", select("messages", *TOP_LEVEL))
def test_messages_are_read_and_written(vector: Any):
    meant = message(vector["fields"])
    assert decode_serf(body(vector)) == meant
    written_alike = encode_serf(meant) == body(vector)
    assert written_alike == (f"messages/{vector['name']}" not in OF_SERF)


@pytest.mark.parametrize("vector", select("messages", 6))
def test_conflict_responses(vector: Any):
    f = vector["fields"]["body"]
    member = None if f is None else f | {"Addr": full(f["Addr"])}
    assert encode_conflict_response(member) == body(vector)
    answer = decode_conflict_response(body(vector))
    assert answer == ((full(f["Addr"]), f["Port"]) if f else (b"", 0))


@pytest.mark.parametrize("vector", select("messages", 7))
def test_key_requests(vector: Any):
    key = full(vector["fields"]["body"]["Key"])
    assert encode_key_request(key) == body(vector)
    assert decode_key_request(body(vector)) == key


@pytest.mark.parametrize("vector", select("messages", 8))
def test_key_responses(vector: Any):
    f = vector["fields"]["body"]
    meant = KeyResponse(f["Result"], f["Message"], tuple(f["Keys"] or ()), f["PrimaryKey"])
    assert encode_key_response(meant) == body(vector)
    assert decode_key_response(body(vector)) == meant


@pytest.mark.parametrize("vector", [p for p in load("messages") if "filter_type" in p.values[0]["fields"]])
def test_filters_of_real_queries(vector: Any):
    filters = QueryFilters(Metrics())
    assert filters.match(0.0, [body(vector)], "node-a", {"role": "web-7"})
    assert not filters.match(0.0, [body(vector)], "node-c", {"role": "a web"})
    meant = vector["fields"]["body"]
    is_tag = isinstance(meant, dict)
    written = encode_filters((), {meant["Tag"]: meant["Expr"]}) if is_tag else encode_filters(meant, {})
    assert written == (body(vector),)


@pytest.mark.parametrize("vector", select("captured_gossip", *TOP_LEVEL))
def test_captured_gossip_is_read(vector: Any):
    assert decode_serf(body(vector)) == message(vector["fields"])


@pytest.mark.parametrize("vector", [*select("captured_gossip", 2), *load("pushpull")])
def test_push_pull_states_are_read_and_survive_a_round_trip(vector: Any):
    f = vector["fields"]["body"]
    decoded = decode_state(body(vector))
    if isinstance(f["Events"], dict):
        slots = [f["Events"]["_nonempty"][key] for key in sorted(f["Events"]["_nonempty"], key=int)]
        f = f | {"Events": slots}
    assert decoded == state(f)
    assert decode_state(encode_state(decoded)) == decoded


def test_a_push_pull_state_without_empty_slots_is_written_byte_for_byte():
    small = next(p.values[0] for p in load("pushpull") if p.values[0]["name"] == "pushpull_small")
    without_slots = (
        body(small)
        .replace(b"Events\x94\xc0\x82", b"Events\x92\x82")
        .replace(b"LTime\x02\xc0\xa5LTime", b"LTime\x02\xa5LTime")
    )
    assert encode_state(decode_state(body(small))) == without_slots


@pytest.mark.parametrize("vector", load("tags"))
def test_tags(vector: Any):
    fields = vector["fields"]
    version = 2 if fields["encoding"] == "role-only" else 5
    assert decode_tags(body(vector)) == fields["tags"]
    written_alike = encode_tags(fields["tags"], delegate_version=version) == body(vector)
    assert written_alike == (f"tags/{vector['name']}" not in OF_SERF)


# -- what decoders accept

LENIENT: dict[str, Any] = {
    "{LTime:7 Node:a}": JoinIntent(7, "a"),
    "{LTime:0 Node:a}": JoinIntent(0, "a"),
    "{LTime:7 Node:}": JoinIntent(7, ""),
    "{LTime:0 Node:}": JoinIntent(0, ""),
    "{LTime:7 Node:" + 64 * "n" + "}": JoinIntent(7, 64 * "n"),
    "{LTime:7 Node:a Prune:false}": LeaveIntent(7, "a"),
    "{LTime:7 Node:a Prune:true}": LeaveIntent(7, "a", True),
    "{LTime:7 Name:x Payload:[0 255] CC:true}": UserEvent(7, "x", b"\x00\xff", True),
    "{LTime:7 Name:x Payload:[1 2 3] CC:true}": UserEvent(7, "x", b"\1\2\3", True),
    "{LTime:7 Name:x Payload:[" + " ".join(34 * ["121"]): UserEvent(
        7, "x", 40 * b"y", True
    ),  # cut off in the file
    "{DestAddr:{IP:127.0.0.1 Port:17946 Zone:} DestName:a}": (b"\x7f\0\0\1", 17946, "a", b""),
    "{DestAddr:{IP:127.0.0.1 Port:17946 Zone:} DestName:}": (b"\x7f\0\0\1", 17946, "", b""),
    "{Result:true Message: Keys:[k] PrimaryKey:}": KeyResponse(True, "", ("k",)),
    "map[]": {},
    "map[role:]": {"role": ""},
    "map[role:x]": {"role": "x"},
    "map[role:web]": {"role": "web"},
    "map[role:" + 40 * "x" + "]": {"role": 40 * "x"},
}


def meant_query(shown: str) -> Query:
    """The query in Go's notation; of its fields only two vary."""
    query_id = int(shown.partition("ID:")[2].partition(" ")[0])
    filters = (b"\x00\x91\xa2me",) if "[0 145 162 109 101]" in shown else ()
    return Query(1, query_id, b"\x7f\0\0\1", 7946, "a", filters, 1, 0, 15 * 10**9, "q", None)


def meant_state(shown: str) -> PushPullState:
    stamps, left = ({}, []) if "StatusLTimes:map[]" in shown else ({"a": 1}, ["b"])
    events = [RecentEvents(1, [("x", b"y")])] if "ev=2" in shown else []
    return PushPullState(4, stamps, left, 2, events, 0 if "QueryLTime:0" in shown else 1)


def read(kind: str, data: bytes) -> Any:
    """What our decoder of that kind of body makes of it."""
    types = {"leave": b"\0", "join": b"\1", "event": b"\3", "query": b"\4", "relay": b"\t"}
    match kind:
        case "pp":
            return decode_state(b"\2" + data)
        case "member":
            return decode_conflict_response(b"\6" + data)
        case "tags":
            return decode_tags(data)
        case "keyresp":
            return decode_key_response(b"\x08" + data)
    decoded = decode_serf(types[kind] + data)
    return decoded._replace(payload=decoded.payload or None) if isinstance(decoded, Query) else decoded


def meant(kind: str, shown: str) -> Any:
    match kind:
        case "query":
            return meant_query(shown)
        case "pp":
            return meant_state(shown)
        case "member":
            return (b"\x7f\0\0\1", 7946) if "Addr:127.0.0.1" in shown else (b"", 0)
    return LENIENT[shown]


def leniency(*, of_filters: bool) -> list[Any]:
    return [
        p for p in load("decoder_leniency") if (p.values[0]["fields"]["body_kind"] == "filter") == of_filters
    ]


@pytest.mark.parametrize("vector", leniency(of_filters=False))
def test_bodies_are_read_as_liberally_as_serf_does(vector: Any):
    fields, name = vector["fields"], f"decoder_leniency/{vector['name']}"
    kind = fields["body_kind"]
    accepted = fields["serf_0_10_2"] == "accepted" or kind == "tags"
    try:
        ours: Any = read(kind, body(vector))
    except RemoteError:
        ours = None
    if name in OF_SERF:
        assert (ours is None) == accepted
    else:
        assert ours == (meant(kind, fields["decoded_0_10_2"]) if accepted else None)


@pytest.mark.parametrize("vector", leniency(of_filters=True))
def test_filters_are_evaluated_as_serf_does(vector: Any):
    fields, name = vector["fields"], f"decoder_leniency/{vector['name']}"
    ours = "match" if QueryFilters(Metrics()).match(0.0, [body(vector)], "me", TAGS) else "no match"
    assert (ours == fields["serf_0_10_2"]) == (name not in OF_SERF)


@pytest.mark.parametrize("vector", [*leniency(of_filters=True), *leniency(of_filters=False)])
def test_where_the_releases_differ_we_read_as_the_newer_one(vector: Any):
    old, new = vector["fields"]["serf_0_9_4"], vector["fields"]["serf_0_10_2"]
    assert (old != new) == (f"decoder_leniency/{vector['name']}@0.9.4" in OF_SERF)


# -- snapshots


@pytest.mark.parametrize("vector", load("snapshot"))
def test_snapshots_are_replayed(vector: Any):
    expected = vector["fields"]["expect"]
    replayed = Snapshot.replay(vector["fields"]["text"], rejoins=vector["fields"]["rejoin_after_leave"])
    alive = {
        name: f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        for name, (host, port) in replayed.alive.items()
    }
    ours = {
        "alive": alive,
        "clock": replayed.clock,
        "event_clock": replayed.event_clock,
        "query_clock": replayed.query_clock,
    }
    assert (ours == expected) == (f"snapshot/{vector['name']}" not in OF_SERF)


def test_an_empty_payload_differs_from_none_on_the_wire():
    assert encode_serf(UserEvent(1, "e", b"")) != encode_serf(UserEvent(1, "e", None))
    assert some(None) is None
