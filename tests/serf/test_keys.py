"""Gossip keys: what this node answers to key queries, and what its own commands bring back."""

from __future__ import annotations

import base64
import random
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.core.member import pack_address
from swim.core.output import Output, SaveKeys
from swim.errors import ConfigError, LocalError
from swim.keyrings import InstallKey, KeyringResult, ListKeys, RemoveKey, UseKey, fingerprint
from swim.serf.keys import UNSAVED_MAX
from swim.serf.messages import (
    KeyResponse,
    Query,
    QueryResponse,
    decode_key_request,
    decode_key_response,
    decode_serf,
    encode_key_request,
    encode_key_response,
    encode_serf,
)
from swim.wire.keyring import KEYS_MAX
from swim.wire.messages import User
from swim.wire.packet import PacketCodec
from tests.clusters import cluster
from tests.one_node import Lone, home

K1, K2, K3 = bytes(range(32)), bytes(range(16)), bytes(range(50, 74))
NO_KEYRING = "No keyring to modify (encryption not enabled)"
NOT_INSTALLED = "Requested key is not in the keyring"
PRIMARY = "Removing the primary key is not allowed"


class Storing(Lone):
    """A node whose keyring is stored at once."""

    def take(self, output: Output) -> None:
        super().take(output)
        if output.keyring is not None:
            self.node.keys_saved(self.now, output.keyring.number)
            self.collect()


def encrypted(*keys: bytes, stores: bool = True, **settings: Any) -> Lone:
    """A node with two members, which encrypt; unless it ``stores`` its keyring, the test does."""
    lone = (Storing if stores else Lone)(keys=keys or (K1,), **settings)
    codec = lone.config.with_changes(gossip_verify_outgoing=True, gossip_verify_incoming=False)
    lone.packets = PacketCodec(codec, lone.keys, partial(random.Random(3).randbytes, 12))
    lone.meet("x", "y")
    lone.settle()
    return lone


def asked(lone: Lone, word: str, payload: bytes, *, number: int = 1) -> list[KeyResponse]:
    """A key query of ``x`` arrives; what the node answers to it."""
    addr, port = home("x")
    stamp = lone.node.stats().query_time + 1
    lone.say(
        Query(stamp, number, pack_address(addr), port, "x", (), 0, 0, 10**10, f"_serf_{word}", payload),
        source=home("x"),
    )
    return answers(lone)


def answers(lone: Lone) -> list[KeyResponse]:
    """The answers to key queries sent since the last look."""
    messages = [decode_serf(body) for body in lone.bodies()]
    return [decode_key_response(m.payload) for m in messages if isinstance(m, QueryResponse)]


def change(lone: Lone, word: str, key: bytes) -> KeyResponse:
    [answer] = asked(lone, f"{word}-key", encode_key_request(key))
    return answer


def ring(lone: Lone) -> tuple[bytes, ...]:
    return lone.node.keyring.keys


# -- received


def test_a_key_is_installed_used_and_removed_and_each_change_counts_at_once():
    lone = encrypted(K1)
    assert change(lone, "install", K2) == KeyResponse(True)
    assert ring(lone) == (K1, K2)
    lone.keys.add(K2)
    lone.keys.use(K2)  # from now on the test seals with the new key
    assert change(lone, "use", K2) == KeyResponse(True)
    assert ring(lone) == (K2, K1)
    lone.keys.remove(K1)  # and reads nothing else
    assert change(lone, "remove", K1) == KeyResponse(True)
    assert ring(lone) == (K2,)
    assert lone.node.key_status().keys == (fingerprint(K2),)


@pytest.mark.parametrize(
    ("word", "key", "answer"),
    [
        ("install", K1, KeyResponse(True)),  # that it has already
        ("install", b"short", KeyResponse(False, "key size must be 16, 24 or 32 bytes")),
        ("install", b"", KeyResponse(False, "key size must be 16, 24 or 32 bytes")),
        ("use", K1, KeyResponse(True)),
        ("use", K3, KeyResponse(False, NOT_INSTALLED)),
        ("use", b"", KeyResponse(False, NOT_INSTALLED)),
        ("remove", K1, KeyResponse(False, PRIMARY)),
        ("remove", K3, KeyResponse(True)),  # as in Serf, what is not there is removed
        ("remove", b"", KeyResponse(True)),
    ],
)
def test_what_cannot_be_done_is_answered_in_serfs_words_and_changes_nothing(
    word: str, key: bytes, answer: KeyResponse
):
    lone = encrypted(K1, K2)
    assert change(lone, word, key) == answer
    assert ring(lone) == (K1, K2)


def test_without_encryption_there_is_no_keyring():
    lone = Lone()
    lone.meet("x")
    lone.settle()
    for word in ("install", "use", "remove"):
        assert change(lone, word, K1) == KeyResponse(False, NO_KEYRING)
    [listed] = asked(lone, "list-keys", encode_key_request(b""))
    assert listed == KeyResponse(False, "Keyring is empty (encryption not enabled)")


@pytest.mark.parametrize("switch", ["gossip_verify_incoming", "gossip_verify_outgoing"])
@pytest.mark.parametrize("word", ["install-key", "use-key", "remove-key", "list-keys"])
def test_keys_are_neither_shown_nor_changed_while_others_can_read_or_write(switch: str, word: str):
    lone = encrypted(K1, **{switch: False})
    [answer] = asked(lone, word, encode_key_request(K2))
    assert (answer.result, answer.keys, ring(lone)) == (False, (), (K1,))
    assert "unencrypted" in answer.message
    with pytest.raises(LocalError, match=switch):
        lone.command(ListKeys())


def test_a_keyring_holds_a_limited_number_of_keys():
    keys = [number.to_bytes(16) for number in range(KEYS_MAX)]
    lone = encrypted(*keys)
    assert change(lone, "install", K1) == KeyResponse(False, f"the keyring has {KEYS_MAX} keys already")
    assert ring(lone) == tuple(keys)


@given(st.lists(st.sampled_from([16, 24, 32]), min_size=1, max_size=60))
def test_a_list_shows_as_many_keys_as_an_answer_holds(sizes: list[int]):
    keys = [number.to_bytes(size) for number, size in enumerate(sizes)]
    texts = tuple(base64.b64encode(key).decode() for key in keys)
    lone = encrypted(*keys)
    [listed] = asked(lone, "list-keys", encode_key_request(b"ignored"))
    count = len(listed.keys)
    assert (listed.result, listed.keys, listed.primary) == (True, texts[:count], texts[0])
    if count < len(keys):
        text = f"truncated key list response, showing first {count} of {len(keys)} keys"
        assert listed.message == text
        more = KeyResponse(True, text, texts[: count + 1], texts[0])
        limit = lone.config.query_response_size_limit
        name = lone.config.name
        stamp = lone.node.stats().query_time
        whole = QueryResponse(stamp, 1, name, 0, encode_key_response(more))
        assert count == 40 or len(encode_serf(whole)) > limit
    else:
        assert not listed.message


@given(st.binary(min_size=1) | st.binary().map(lambda rest: b"\x07" + rest), st.integers(0, 3))
def test_any_bytes_in_a_key_query_leave_the_keyring_as_it_was(payload: bytes, place: int):
    lone = encrypted(K1, K2)
    word = ("install-key", "use-key", "remove-key", "list-keys")[place]
    [answer] = asked(lone, word, payload)
    try:
        key = decode_key_request(payload)
    except Exception:
        key = None
    if word == "list-keys":
        assert len(answer.keys) == 2
    elif key is None:
        assert (answer.result, answer.message) == (False, "the key request cannot be read")
    assert key in (K1, K2) or ring(lone) == (K1, K2) or (answer.result and key in ring(lone))


# -- stored


def test_a_change_is_answered_once_the_driver_has_stored_it():
    lone = encrypted(K1, stores=False)
    assert asked(lone, "install-key", encode_key_request(K2)) == []
    assert asked(lone, "use-key", encode_key_request(K2), number=2) == []
    assert lone.keyring == SaveKeys(2, (K2, K1))
    lone.keys.add(K2)
    lone.node.keys_saved(lone.now, 1)
    lone.collect()
    assert answers(lone) == [KeyResponse(True)]
    lone.node.keys_saved(lone.now, 2, "cannot write keyring.json: No space left on device")
    lone.collect()
    assert answers(lone) == [KeyResponse(False, "cannot write keyring.json: No space left on device")]
    assert ring(lone) == (K2, K1)


def test_what_is_refused_is_not_stored():
    lone = encrypted(K1, stores=False)
    assert change(lone, "use", K2) == KeyResponse(False, NOT_INSTALLED)
    assert lone.keyring is None


def test_a_disk_that_hangs_holds_up_a_limited_number_of_changes():
    lone = encrypted(K1, stores=False)
    for number in range(UNSAVED_MAX):
        assert asked(lone, "install-key", encode_key_request(number.to_bytes(16)), number=number) == []
    assert not change(lone, "install", K3).result
    assert K3 not in ring(lone)


# -- sent


def reply(lone: Lone, query: Query, who: str, payload: bytes) -> None:
    lone.say(QueryResponse(query.ltime, query.id, who, 0, payload), source=home(who))


def begun(lone: Lone, command: Any) -> tuple[int, Query]:
    """A command, and the query that goes out for it."""
    ticket = lone.command(command)
    [query] = {m for body in lone.bodies(0.3) if isinstance(m := decode_serf(body), Query)}
    return ticket, query


def test_a_command_ends_as_soon_as_all_members_answered():
    lone = encrypted(K1)
    ticket, query = begun(lone, InstallKey(K2))
    assert (query.name, decode_key_request(query.payload)) == ("_serf_install-key", K2)
    reply(lone, query, "x", encode_key_response(KeyResponse(True)))
    assert not lone.is_done(ticket)
    reply(lone, query, "y", encode_key_response(KeyResponse(False, "disk full")))
    assert lone.result(ticket) == KeyringResult(3, 3, errors={"y": "disk full"})
    assert lone.result(ticket).problem == "1/3 nodes reported failure"
    assert lone.result(ticket).reason == "y: disk full"


def test_members_that_do_not_answer_are_asked_directly_once():
    lone = encrypted(K1)
    ticket, query = begun(lone, ListKeys())
    reply(lone, query, "x", encode_key_response(KeyResponse(True)))
    lone.bodies(1.2)  # gossip is over
    assert query not in map(decode_serf, lone.bodies(0.09))
    lone.advance(0.1)
    assert [to for to, user in lone.sent() if isinstance(user, User) and decode_serf(user.body) == query] == [
        home("y")
    ]
    reply(lone, query, "y", encode_key_response(KeyResponse(True)))
    assert lone.result(ticket).problem == ""


def test_members_that_do_not_answer_are_named():
    lone = encrypted(K1)
    ticket, query = begun(lone, ListKeys())
    text = base64.b64encode(K1).decode()
    reply(lone, query, "y", encode_key_response(KeyResponse(True, "truncated", (text,), text)))
    lone.advance(10)
    result = lone.result(ticket)
    assert result == KeyringResult(
        3, 2, messages={"y": "truncated"}, missing=("x",), keyrings={"me": (K1,), "y": (K1,)}
    )
    assert (result.keys, result.primary) == ({K1: 2}, {K1: 2})
    assert result.problem == "2/3 nodes reported success"
    assert result.reason == "no answer from x"


@given(st.binary() | st.binary().map(lambda rest: b"\x08" + rest))
def test_any_bytes_in_an_answer_give_a_result(payload: bytes):
    lone = encrypted(K1)
    ticket, query = begun(lone, ListKeys())
    for who in "xy":
        reply(lone, query, who, payload)
    result = lone.result(ticket)
    assert (result.members, result.responses) == (3, 3)
    assert result.keyrings["me"] == (K1,)
    repr(result)


@pytest.mark.parametrize("command", [InstallKey(K2), UseKey(K1), RemoveKey(K2), ListKeys()])
@pytest.mark.parametrize("keys", [(), (K1,)])
def test_no_key_query_without_a_body_is_ever_sent(command: Any, keys: tuple[bytes, ...]):
    lone = Lone(keys=keys)
    lone.meet("x")
    lone.settle()
    _, query = begun(lone, command)
    assert (query.payload or b"")[:1] == b"\x07"
    decode_key_request(query.payload)


@given(st.binary(max_size=40))
def test_the_body_of_a_key_query_is_never_empty(key: bytes):
    assert len(encode_key_request(key)) >= 7
    assert decode_key_request(encode_key_request(key)) == key


@pytest.mark.parametrize("command", [InstallKey(K2), UseKey(K2), RemoveKey(K2)])
def test_without_encryption_the_key_is_not_sent_and_all_report_why(command: Any):
    lone = Lone()
    lone.meet("x")
    lone.settle()
    ticket, query = begun(lone, command)
    assert decode_key_request(query.payload) == b""
    reply(lone, query, "x", encode_key_response(KeyResponse(False, NO_KEYRING)))
    result = lone.result(ticket)
    assert result.problem == "2/2 nodes reported failure"
    assert result.errors == {"me": NO_KEYRING, "x": NO_KEYRING}


def test_a_key_of_another_size_is_refused_before_it_is_sent():
    for kind in (InstallKey, UseKey, RemoveKey):
        with pytest.raises(ConfigError, match=r"key: must be 16, 24 or 32 bytes, not 5"):
            kind(b"12345")


def test_keys_are_shown_as_fingerprints_only():
    secret = b"0123456789abcdef"
    values = [
        InstallKey(secret),
        UseKey(secret),
        SaveKeys(1, (secret,)),
        KeyringResult(1, 1, keyrings={"a": (secret,)}),
    ]
    for value in values:
        assert "0123" not in repr(value)
        assert fingerprint(secret) in repr(value)


# -- a whole cluster


def test_a_rotation_in_a_cluster_reaches_all_members_and_outlives_a_restart():
    world, nodes = cluster(5, keys=(K1,))
    first = nodes[0]
    for command in (InstallKey(K2), UseKey(K2), RemoveKey(K1)):
        ticket = nodes[2].do(command)
        world.run_for(4.0)
        result: Any = ticket.result
        assert (result.problem, result.responses) == ("", 5)
    assert {node.key_status().keys for node in nodes} == {(fingerprint(K2),)}
    world.crash(first)
    world.run_for(1.0)
    world.restart(first)
    world.run_for(30.0)
    assert first.key_status().keys == (fingerprint(K2),)
    assert all(node.statuses() == dict.fromkeys(["n1", "n2", "n3", "n4", "n5"], "alive") for node in nodes)
