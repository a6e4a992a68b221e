"""Commands check their arguments where they are made, and a node takes nothing but commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import swim
from swim.commands import Ticket
from tests.one_node import Lone

HALF_PAIR = "half a pair \ud800"


@pytest.mark.parametrize(
    ("make", "field", "is_type"),
    [
        (lambda: swim.Join("ab:1"), "addresses", True),
        (lambda: swim.Join([7]), "addresses", True),
        (lambda: swim.Join([HALF_PAIR]), "addresses", False),
        (lambda: swim.Join([], replay=1), "replay", True),
        (lambda: swim.Rejoin(advertise="127.0.0.1:1"), "advertise", True),
        (lambda: swim.Rejoin(advertise=("localhost", 1)), "advertise", False),
        (lambda: swim.Rejoin(advertise=("127.0.0.1", "1")), "advertise", True),
        (lambda: swim.Rejoin(advertise=("127.0.0.1", 65536)), "advertise", False),
        (lambda: swim.ForceLeave(b"n1"), "name", True),
        (lambda: swim.ForceLeave(HALF_PAIR), "name", False),
        (lambda: swim.ForceLeave("n1", prune="yes"), "prune", True),
        (lambda: swim.SetTags([("a", "b")]), "tags", True),
        (lambda: swim.SetTags({"a": HALF_PAIR}), "tags", False),
        (lambda: swim.SendUserEvent(b"deploy"), "name", True),
        (lambda: swim.SendUserEvent(HALF_PAIR), "name", False),
        (lambda: swim.SendUserEvent("deploy", "v1"), "payload", True),
        (lambda: swim.SendUserEvent("deploy", bytearray(b"v1")), "payload", True),
        (lambda: swim.SendUserEvent("deploy", coalesce=None), "coalesce", True),
        (lambda: swim.SendQuery("_serf_list-keys"), "name", False),
        (lambda: swim.SendQuery("load", None), "payload", True),
        (lambda: swim.SendQuery("load", nodes="n1"), "nodes", True),
        (lambda: swim.SendQuery("load", tags=["role"]), "tags", True),
        (lambda: swim.SendQuery("load", ack="yes"), "ack", True),
        (lambda: swim.SendQuery("load", relay_factor=2.0), "relay_factor", True),
        (lambda: swim.SendQuery("load", relay_factor=256), "relay_factor", False),
        (lambda: swim.SendQuery("load", timeout="1"), "timeout", True),
        (lambda: swim.SendQuery("load", timeout=86_401), "timeout", False),
        (lambda: swim.SendQuery("load", timeout=float("inf")), "timeout", False),
        (lambda: swim.Respond("load"), "query", True),
        (lambda: swim.Respond(swim.Query("load"), "0.7"), "payload", True),
    ],
)
def test_a_wrong_argument_is_named_when_the_value_is_made(
    make: Callable[[], Any], field: str, is_type: bool
) -> None:
    with pytest.raises(swim.ConfigError, match=rf"^{field}\b") as raised:
        make()
    assert isinstance(raised.value, TypeError) == is_type


@pytest.mark.parametrize("command", [None, "leave", swim.Leave, swim.Query("load"), object()])
def test_a_node_takes_nothing_but_commands(command: Any) -> None:
    lone = Lone()
    with pytest.raises(TypeError, match=r"^command: must be a command such as swim\.Leave\(\)"):
        lone.command(command)
    assert lone.node.status == "running"


def test_what_a_caller_passes_may_change_afterwards() -> None:
    addresses, tags = ["a:1"], {"role": "web"}
    join, query = swim.Join(addresses), swim.SendQuery("load", nodes=addresses, tags=tags)
    addresses.append("b:1")
    tags.clear()
    assert (join.addresses, query.nodes, query.tags) == (("a:1",), ("a:1",), {"role": "web"})


def test_a_ticket_has_no_result_before_its_time() -> None:
    ticket = Ticket(1)
    with pytest.raises(swim.LocalError, match="no outcome yet"):
        _ = ticket.result
    ticket.finish(swim.ForceLeaveOutcome.LEFT)
    assert (ticket.is_done, ticket.result) == (True, "left")
    ticket.finish(swim.LocalError("gone"))
    with pytest.raises(swim.LocalError, match="gone"):
        _ = ticket.result
