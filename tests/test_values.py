"""The public values: settings with documents, types and profiles; members and events to paste and to hash."""

from __future__ import annotations

import ast
import pickle
import re
import socket
from dataclasses import fields
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

import swim
from swim.config.profiles import AT_LEAST, PROFILES, Settings
from tests.source import tree_of

TEXT = st.text(max_size=8)
NAMES = vars(swim)
TRIPLES = st.builds(swim.VersionTriple, *[st.integers(0, 255)] * 3)
MEMBERS = st.builds(
    swim.Member,
    name=TEXT,
    address=st.ip_addresses().map(str),
    port=st.integers(0, 65535),
    tags=st.dictionaries(TEXT, TEXT, max_size=3),
    status=st.sampled_from(swim.MemberStatus),
    is_suspect=st.booleans(),
    incarnation=st.integers(0, 2**32 - 1),
    protocol=TRIPLES,
    delegate=TRIPLES,
)
REASONS = st.builds(swim.Reason, st.sampled_from(swim.Cause), TEXT, TEXT)
MEMBER_EVENTS = [
    kind for kind in vars(swim).values() if isinstance(kind, type) and issubclass(kind, swim.MemberEvent)
]
NUMBERS = st.integers(1, 2**40)
BYTES = st.binary(max_size=8)
STAMPS = st.integers(0, 2**64 - 1)
TIMES = st.floats(allow_nan=False, allow_infinity=False)
QUERIES = st.builds(swim.Query, TEXT, BYTES, TEXT, STAMPS, NUMBERS, TIMES, NUMBERS)
EVENTS = st.one_of(
    *[st.builds(kind, MEMBERS, st.none() | MEMBERS, REASONS, NUMBERS) for kind in MEMBER_EVENTS],
    st.builds(swim.UserEvent, TEXT, BYTES, STAMPS, st.booleans(), NUMBERS),
    QUERIES,
    st.builds(swim.UserMessage, TEXT, BYTES, st.booleans(), NUMBERS),
    st.builds(swim.EventsLost, st.integers(1)),
)
TRANSITIONS = st.builds(
    swim.Transition,
    TIMES,
    st.sampled_from(swim.MemberState),
    st.sampled_from(swim.MemberState),
    st.integers(0),
    REASONS,
)
OUTCOMES = st.builds(swim.JoinOutcome, TEXT, st.none() | st.tuples(TEXT, st.integers()), TEXT)
RESULTS = st.builds(swim.JoinResult, st.lists(OUTCOMES, max_size=2).map(tuple))
COMMANDS = st.one_of(
    st.builds(swim.Join, st.lists(TEXT, max_size=2), replay=st.booleans()),
    st.builds(swim.Leave),
    st.builds(
        swim.Rejoin, advertise=st.none() | st.tuples(st.ip_addresses().map(str), st.integers(0, 65535))
    ),
    st.builds(swim.ForceLeave, TEXT, prune=st.booleans()),
    st.builds(swim.SetTags, st.dictionaries(TEXT, TEXT, max_size=2)),
    st.builds(swim.SendUserEvent, TEXT, BYTES, coalesce=st.booleans()),
    st.builds(swim.SendMessage, MEMBERS, BYTES),
    st.builds(swim.BroadcastMessage, BYTES),
    st.builds(
        swim.SendPing,
        TEXT,
        via=st.sampled_from(["packet", "stream", "relay"]),
        timeout=st.none() | st.floats(0, 86_400),
    ),
    st.builds(
        swim.SendQuery,
        TEXT,
        BYTES,
        nodes=st.lists(TEXT, max_size=2),
        tags=st.dictionaries(TEXT, TEXT, max_size=2),
        ack=st.booleans(),
        relay_factor=st.integers(0, 255),
        timeout=st.none() | st.floats(0, 86_400),
    ),
    st.builds(swim.Respond, QUERIES, BYTES),
)
REPLIES = st.builds(swim.QueryAck, TEXT) | st.builds(swim.QueryResponse, TEXT, BYTES)
VALUES = st.one_of(EVENTS, TRANSITIONS, RESULTS, COMMANDS, REPLIES, st.sampled_from(swim.ForceLeaveOutcome))


@given(VALUES)
def test_the_repr_of_a_value_makes_it_again(value: object) -> None:
    again = eval(repr(value), dict(NAMES))
    assert again == value
    assert hash(again) == hash(value)
    assert repr(again) == repr(value)
    assert pickle.loads(pickle.dumps(value)) == value


def test_every_kind_of_member_event_is_tried() -> None:
    assert len(MEMBER_EVENTS) == 11


@given(MEMBERS)
def test_a_members_tags_never_change(member: swim.Member) -> None:
    tags: Any = member.tags
    assert tags == dict(tags)
    for change in (
        lambda: tags.update(a="b"), lambda: tags.clear(), lambda: tags.setdefault("a", "b"),
        lambda: tags.popitem(),
        lambda: tags.pop("a", None), lambda: tags.__setitem__("a", "b"), lambda: tags.__delitem__("a"),
        lambda: tags.__ior__({"a": "b"}),
    ):  # fmt: skip
        with pytest.raises(TypeError, match="read-only"):
            change()


@given(MEMBERS)
def test_endpoint_and_state_of_a_member(member: swim.Member) -> None:
    assert member.endpoint == (member.address, member.port)
    assert member.state == ("suspect" if member.is_suspect else member.status)


def test_a_configuration_can_be_pasted_and_hashed() -> None:
    config = swim.Config.wan(name="n1", seeds=["a:1"], tags={"role": "web"}, cidrs_allowed=["127.0.0.0/8"])
    assert eval(repr(config), dict(NAMES)) == config
    assert {config: 1}[eval(repr(config), dict(NAMES))] == 1
    assert pickle.loads(pickle.dumps(config)) == config
    secret = swim.Config.lan(name="n1", keys=[b"0123456789abcdef"])
    assert "0123456789abcdef" not in repr(secret)


def test_every_setting_is_documented() -> None:
    [config] = [node for node in tree_of("swim/config/__init__.py").body if isinstance(node, ast.ClassDef)]
    followers = zip(config.body, [*config.body[1:], None], strict=True)
    undocumented = [
        ast.unparse(setting.target)
        for setting, after in followers
        if isinstance(setting, ast.AnnAssign)
        and not (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant))
    ]
    assert undocumented == []


def test_the_typed_overrides_are_the_settings() -> None:
    settings = {setting.name: setting for setting in fields(swim.Config)}
    assert set(get_type_hints(Settings, localns={"MergePolicy": swim.MergePolicy})) == set(settings)
    numbers = {name for name, setting in settings.items() if setting.type in ("int", "float")}
    unbounded = {"protocol_version", "delegate_version", "eager_gossip_delay"}
    assert set(AT_LEAST) == numbers - unbounded


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_by_name_and_by_method_are_the_same(name: str) -> None:
    assert swim.Config.profile(name, name="n1", label="x") == getattr(swim.Config, name)(name="n1", label="x")
    assert swim.Config.profile(name, name="n1").with_changes(label="x").label == "x"


@pytest.mark.parametrize(
    "host", ["laptop", "a_b c.example", "münchen", "x" * 200, "", "host.domain"], ids=lambda host: host[:8]
)
def test_local_makes_up_a_name_that_serf_takes(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    names = {swim.Config.local(validate_node_names=True).name for _ in range(20)}
    assert len(names) > 10
    for name in names:
        made_up = re.fullmatch(r"(.+)-[0-9a-f]{4}", name)
        assert made_up is not None
        assert made_up[1].replace("-", "?") in host.translate({ord(c): "?" for c in "_ü -"}) + " node"


def test_only_local_has_defaults_for_several_nodes_on_one_machine() -> None:
    assert swim.Config.local().bind == "127.0.0.1:7946-8945"
    assert swim.Config.local(name="n1", bind="127.0.0.1:1").bind == "127.0.0.1:1"
    for make in (swim.Config, swim.Config.lan, swim.Config.wan):
        with pytest.raises(TypeError, match="name"):
            make()  # type: ignore[call-arg]
        assert make(name="n1").bind == "127.0.0.1:7946"


@pytest.mark.parametrize("name", ["moon", "", "LAN", None, 7])
def test_an_unknown_profile_is_named(name: Any) -> None:
    with pytest.raises(swim.ConfigError, match=r"^profile: .*lan, wan, local"):
        swim.Config.profile(name, name="n1")


@pytest.mark.parametrize(
    "make",
    [
        swim.Config,
        swim.Config.lan,
        swim.Config.wan,
        swim.Config.local,
        swim.Config.lan(name="n1").with_changes,
    ],
)
def test_a_misspelt_setting_names_the_closest(make: Any) -> None:
    with pytest.raises(TypeError, match=r"^probe_intervall: .*did you mean probe_interval\?$"):
        make(name="n1", probe_intervall=1)
    with pytest.raises(swim.ConfigError, match=r"there is no such setting$"):
        make(name="n1", zzzzzzzz=1)
