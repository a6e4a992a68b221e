"""Serf's notation of event handlers, and what they receive."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim.errors import ConfigError
from swim.events import Member, MemberStatus, Query, UserEvent, VersionTriple
from swim.handlers.message import environment, member_lines, payload_lines
from swim.handlers.spec import TYPES, EventFilter, EventHandler

V = VersionTriple(1, 5, 2)
ANY_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))


def member(name: str = "a", **tags: str) -> Member:
    return Member(name, "10.0.0.1", 7946, tags, MemberStatus.ALIVE, False, 1, V, V)


@pytest.mark.parametrize(
    ("spec", "filters", "script"),
    [
        ("run.sh", [("*", "")], "run.sh"),
        ("=run.sh", [("*", "")], "run.sh"),
        ("*=run.sh", [("*", "")], "run.sh"),
        ("user=a=b", [("user", "")], "a=b"),
        ("user:deploy=run.sh", [("user", "deploy")], "run.sh"),
        ("query:a:b=run.sh", [("query", "a:b")], "run.sh"),
        ("query:=run.sh", [("query", "")], "run.sh"),
        (
            "member-join,user:x,query=run it",
            [("member-join", ""), ("user", "x"), ("query", "")],
            "run it",
        ),
    ],
)
def test_serfs_notation(spec: str, filters: list[tuple[str, str]], script: str) -> None:
    handler = EventHandler.parse(spec)
    assert [tuple(each) for each in handler.filters] == filters
    assert handler.script == script


@pytest.mark.parametrize(
    "spec",
    [
        "",
        " ",
        "user=",
        "=",
        "member-joined=x",
        "member-join:a=x",
        "user,=x",
        "User=x",
        " user=x",
        "*:a=x",
        "a\0",
    ],
)
def test_anything_else_is_refused_and_named(spec: str) -> None:
    with pytest.raises(ConfigError, match="event_handler: Invalid event script: ") as refused:
        EventHandler.parse(spec)
    assert repr(spec) in str(refused.value)


@given(st.sampled_from(["*", *TYPES]), ANY_TEXT, st.sampled_from(TYPES), ANY_TEXT)
def test_a_filter_admits_its_type_and_name_alone(wanted: str, name: str, event: str, of: str) -> None:
    named = EventFilter(wanted, name) if wanted in ("user", "query") else EventFilter(wanted)
    expected = wanted == "*" or (wanted == event and named.name in ("", of))
    assert named.admits(event, of) == expected


def test_the_variables_are_serfs() -> None:
    own = member("n1", role="web", **{"dc-1": "x", "straße": "y", "Ünit": "z"})
    inherited = {"PATH": "/bin", "SWIM_ENCRYPT": "secret", "NOTIFY_SOCKET": "/run/x", "SERF_EVENT": "old"}
    base = {
        "PATH": "/bin", "SERF_SELF_NAME": "n1", "SERF_SELF_ROLE": "web", "SERF_TAG_ROLE": "web",
        "SERF_TAG_DC_1": "x", "SERF_TAG_STRA_E": "y", "SERF_TAG__NIT": "z",
    }  # fmt: skip
    assert environment(inherited, own, "member-join", None) == base | {"SERF_EVENT": "member-join"}
    event = UserEvent("deploy", b"x", ltime=7)
    assert environment(inherited, own, "user", event) == base | {
        "SERF_EVENT": "user", "SERF_USER_EVENT": "deploy", "SERF_USER_LTIME": "7",
    }  # fmt: skip
    query = Query("load", b"x", ltime=8)
    assert environment(inherited, own, "query", query) == base | {
        "SERF_EVENT": "query", "SERF_QUERY_NAME": "load", "SERF_QUERY_LTIME": "8",
    }  # fmt: skip


def test_the_input_is_serfs() -> None:
    members = [member("a\tb", role="x\ny", k="1,2=3"), member("c"), member("bad\udcff")]
    assert member_lines(members) == (
        b"a\\tb\t10.0.0.1\tx\\ny\tk=1,2=3,role=x\\ny\nc\t10.0.0.1\t\t\nbad\xff\t10.0.0.1\t\t\n"
    )
    assert [payload_lines(p) for p in (b"", b"x", b"x\n", b"\n", b"\n\n")] == [
        b"", b"x\n", b"x\n", b"\n", b"\n\n",
    ]  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(["role", "k"]), ANY_TEXT), max_size=3), ANY_TEXT)
def test_members_never_forge_lines_or_columns(tags: list[dict[str, str]], name: str) -> None:
    lines = member_lines([member(name, **each) for each in tags]).split(b"\n")
    assert lines[-1] == b""
    assert [line.count(b"\t") for line in lines[:-1]] == [3] * len(tags)
