"""Every public function refuses a wrong argument before it does anything, and names the argument.

The methods of ``Cluster`` and ``open_cluster`` are in ``tests/net/test_arguments.py``.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import sims
import swim
import swim.lowlevel
import swim.policies
import swim.ring
import swim.testing
from sims import World
from sims.faults import Crash
from swim import Config, SwimError
from swim.lowlevel import Node, Rng
from swim.policies import Coalescer, Damper, majority_of, oldest, quorum_of
from swim.ring import LiveRing, Ring
from swim.testing import LinkFaults

ENDPOINT = ("10.0.0.1", 7946)
BITS = Rng(random.Random(1))


def node(**given: Any) -> Node:
    arguments = {"config": Config.lan(name="n1"), "advertise": ENDPOINT, "bind_port": 7946, "rng": BITS}
    return Node(**arguments | given)


def world(**given: Any) -> World:
    return World(**{"seed": 1, "nodes": 2} | given)


def of_world(method: str) -> Callable[..., Any]:
    return lambda *args, **given: getattr(world(), method)(*args, **given)


def of_node(method: str) -> Callable[..., Any]:
    return lambda *args, **given: getattr(world().host("n1"), method)(*args, **given)


def of_faults(method: str) -> Callable[..., Any]:
    return lambda *args, **given: getattr(LinkFaults(), method)(*args, **given)


def timer(function: Callable[..., Any]) -> Callable[..., Any]:
    def start(**given: Any) -> None:
        made = world()
        function(made, made.host("n1"), **{"seconds": 1.0, "call": print} | given)

    return start


def of_ring(method: str) -> Callable[..., Any]:
    return lambda **given: getattr(Ring(world().host("n1").members()), method)(**given)


def live_ring(**given: Any) -> LiveRing:
    return LiveRing(**{"cluster": world().host("n1")} | given)


def every_seed(**given: Any) -> object:
    return sims.run_seeds(**{"seeds": [1]} | given)


NO_TEXT, NO_NUMBER, NO_ENDPOINT = (
    [7, None],
    ["1", None, True, float("nan")],
    ["10.0.0.1:1", 7, ("a", "b"), ("a", 70_000)],
)
NO_FLAG, NO_CALL, NO_CONFIG = [1, "yes", None], [7, "print"], ["lan", {}]
NEGATIVE = [-1, -0.5]
NO_MEMBERS, NO_FILTER, NO_KEY, NO_KEYS = (
    [7, "n1", ["n1"], None],
    ["role=web", 7, {"a": 1}, [("a", "b")]],
    [7, None, ("a",)],
    ["abc", b"abc", 7],
)
MEMBER = swim.Member(
    "n2",
    "10.0.0.2",
    7946,
    {},
    swim.MemberStatus.ALIVE,
    False,
    1,
    swim.VersionTriple(1, 5, 2),
    swim.VersionTriple(2, 5, 5),
)
TWO = {"nodes": ["n1"], "seconds": 5.0}

WRONG: list[tuple[str, Callable[..., Any], str, list[Any], dict[str, Any]]] = [
    ("Join", swim.Join, "addresses", ["n1", 7, [7]], {}),
    ("ForceLeave", swim.ForceLeave, "name", NO_TEXT, {}),
    ("ForceLeave", swim.ForceLeave, "prune", NO_FLAG, {"name": "n1"}),
    ("SetTags", swim.SetTags, "tags", ["a=b", {"a": 1}], {}),
    ("UpdateTags", swim.UpdateTags, "changes", ["a=b", {"a": 1}], {}),
    ("UpdateTags", swim.UpdateTags, "remove", ["a", [7], 7], {"changes": {}}),
    ("Rejoin", swim.Rejoin, "advertise", NO_ENDPOINT, {}),
    ("SendUserEvent", swim.SendUserEvent, "name", NO_TEXT, {}),
    ("SendUserEvent", swim.SendUserEvent, "payload", ["text", None], {"name": "e"}),
    ("SendUserEvent", swim.SendUserEvent, "coalesce", NO_FLAG, {"name": "e"}),
    ("SendQuery", swim.SendQuery, "name", [*NO_TEXT, "_serf_x"], {}),
    ("SendQuery", swim.SendQuery, "payload", ["text", None], {"name": "q"}),
    ("SendQuery", swim.SendQuery, "nodes", ["n1", [7]], {"name": "q"}),
    ("SendQuery", swim.SendQuery, "tags", ["a=b", {"a": 1}], {"name": "q"}),
    ("SendQuery", swim.SendQuery, "ack", NO_FLAG, {"name": "q"}),
    ("SendQuery", swim.SendQuery, "finish_early", NO_FLAG, {"name": "q"}),
    ("SendQuery", swim.SendQuery, "relay_factor", [-1, 256, 1.5], {"name": "q"}),
    ("SendQuery", swim.SendQuery, "timeout", ["1", -1, float("nan")], {"name": "q"}),
    ("Respond", swim.Respond, "query", ["q", None], {}),
    ("Respond", swim.Respond, "payload", ["text", None], {"query": swim.Query("q")}),
    ("SendMessage", swim.SendMessage, "member", ["n2", None], {}),
    ("SendMessage", swim.SendMessage, "payload", ["text", None, bytes(65_537)], {"member": MEMBER}),
    ("SendPing", swim.SendPing, "name", NO_TEXT, {}),
    ("SendPing", swim.SendPing, "via", ["tcp", "", None], {"name": "n2"}),
    ("SendPing", swim.SendPing, "timeout", ["1", True, float("nan"), -1], {"name": "n2"}),
    ("BroadcastMessage", swim.BroadcastMessage, "payload", ["text", None], {}),
    *[
        (kind.__name__, kind, "key", ["k" * 16, None, b"short", b""], {})
        for kind in (swim.InstallKey, swim.UseKey, swim.RemoveKey)
    ],
    ("Config", Config.lan, "tags", [3, {"a": 1}], {"name": "n1"}),
    ("Config", lambda profile: Config.profile(profile, name="n1"), "profile", ["LAN", 7], {}),
    ("Config", Config.lan(name="n1").with_changes, "probe_interval", ["1", -1, float("inf")], {}),
    ("LinkFaults", LinkFaults, "loss", [*NO_NUMBER, -0.1, 1.1], {}),
    ("LinkFaults", LinkFaults, "seed", ["1", 1.5], {}),
    ("LinkFaults", lambda loss: setattr(LinkFaults(), "loss", loss), "loss", [*NO_NUMBER, -0.1, 1.1], {}),
    ("LinkFaults", of_faults("block"), "endpoints", ["10.0.0.1:1", ENDPOINT, ["10.0.0.1:1"], 7, None], {}),
    ("LinkFaults", of_faults("block"), "inbound", [1, "yes", None], {"endpoints": []}),
    ("LinkFaults", of_faults("block"), "outbound", [1, "yes", None], {"endpoints": []}),
    ("LinkFaults", of_faults("unblock"), "endpoints", ["10.0.0.1:1", ENDPOINT, ["10.0.0.1:1"], 7], {}),
    ("Ring", Ring, "members", NO_MEMBERS, {}),
    ("Ring", Ring, "where", NO_FILTER, {"members": ()}),
    ("Ring", Ring, "hashing", ["maglev", 7, None, []], {"members": ()}),
    ("Ring", Ring, "weight_tag", NO_TEXT, {"members": ()}),
    ("Ring", Ring, "zone_tag", NO_TEXT, {"members": ()}),
    ("Ring", Ring, "clock", [-1, 1.5, None], {"members": ()}),
    ("Ring", of_ring("over"), "members", NO_MEMBERS, {}),
    ("Ring", of_ring("over"), "clock", [-1, 1.5, None], {"members": ()}),
    ("Ring", of_ring("owner"), "key", NO_KEY, {}),
    ("Ring", of_ring("owners"), "key", NO_KEY, {"count": 1}),
    ("Ring", of_ring("owners"), "count", [0, -1, "2", None], {"key": "k"}),
    ("LiveRing", live_ring, "cluster", [7, None, "n1", ()], {}),
    ("LiveRing", live_ring, "where", NO_FILTER, {}),
    ("LiveRing", live_ring, "hashing", ["maglev", 7], {}),
    ("LiveRing", lambda **given: live_ring().changes(**given), "keys", NO_KEYS, {}),
    ("fence", swim.ring.fence, "members", NO_MEMBERS, {}),
    ("fence", swim.ring.fence, "clock", [-1, 1.5, None], {"members": ()}),
    ("moved", swim.ring.moved, "keys", NO_KEYS, {"before": Ring([]), "after": Ring([])}),
    ("moved", swim.ring.moved, "before", [7, ()], {"keys": (), "after": Ring([])}),
    ("moved", swim.ring.moved, "after", [7, ()], {"keys": (), "before": Ring([])}),
    ("MergePolicy", swim.MergePolicy, "tags", ["a=b", {"a": 1}], {}),
    ("MergePolicy", swim.MergePolicy, "names", ["web-*", 7, [7]], {}),
    ("MergePolicy", swim.MergePolicy, "protocol_versions", [2, "2", ["2"], [-1]], {}),
    ("MergePolicy", swim.MergePolicy, "delegate_versions", [5, "5", [5.0]], {}),
    ("Config", partial(Config.lan, name="n1"), "merge_policy", [{}, lambda member: True, "blue"], {}),
    ("Coalescer", Coalescer, "kinds", [(), 7, swim.MemberJoined, [swim.Query]], {}),
    ("Coalescer", Coalescer, "period", [*NO_NUMBER, -1], {}),
    ("Coalescer", Coalescer, "quiescence", [*NO_NUMBER, -1], {}),
    ("Coalescer", Coalescer().feed, "now", NO_NUMBER, {}),
    ("Coalescer", Coalescer().feed, "event", [7, "joined"], {"now": 1.0}),
    ("Damper", Damper, "flaps", [1, 0, "3", 2.5], {}),
    ("Damper", Damper, "within", [*NO_NUMBER, -1], {}),
    ("Damper", Damper, "settle", [*NO_NUMBER, -1], {}),
    ("Damper", Damper().feed, "now", NO_NUMBER, {}),
    ("Damper", Damper().feed, "event", [7, "joined"], {"now": 1.0}),
    ("majority_of", majority_of, "expected", [0, -1, 1.5, "3", None], {}),
    ("majority_of", majority_of, "where", NO_FILTER, {"expected": 3}),
    ("majority_of", majority_of(3), "members", NO_MEMBERS, {}),
    ("quorum_of", quorum_of, "role", NO_TEXT, {}),
    ("quorum_of", quorum_of, "tag", NO_TEXT, {"role": "db"}),
    ("quorum_of", quorum_of("db"), "members", NO_MEMBERS, {}),
    ("oldest", oldest, "members", NO_MEMBERS, {}),
    ("oldest", oldest, "where", NO_FILTER, {"members": ()}),
    ("oldest", oldest, "since_tag", NO_TEXT, {"members": ()}),
    ("Node", node, "config", NO_CONFIG, {}),
    ("Node", node, "advertise", [*NO_ENDPOINT, None], {}),
    ("Node", node, "bind_port", ["1", -1, 65_536], {}),
    ("Node", node, "rng", [random.Random(1), 7], {}),
    ("Node", node, "nonce", [b"x" * 12], {}),
    ("Node", node, "snapshot", [b"leave\n", None], {}),
    ("Rng", Rng, "bits", [7, None], {}),
    ("World", world, "seed", ["x", 1.5, None], {}),
    ("World", world, "nodes", ["3", -1, 1.5], {}),
    ("World", world, "config", NO_CONFIG, {}),
    ("World", world, "network", ["x", 7], {}),
    ("World", world, "byte_mode", NO_FLAG, {}),
    ("World", world, "start", ["x", 7], {}),
    ("World", world, "observers", [7, None], {}),
    ("World", of_world("run_for"), "seconds", [*NO_NUMBER, *NEGATIVE], {}),
    ("World", of_world("run_until"), "condition", NO_CALL, {"limit": 1.0}),
    ("World", of_world("run_until"), "limit", [*NO_NUMBER, *NEGATIVE], {"condition": bool}),
    ("World", of_world("settle"), "limit", [*NO_NUMBER, *NEGATIVE], {}),
    ("World", of_world("at"), "when", [*NO_NUMBER, *NEGATIVE], {"call": print}),
    ("World", of_world("at"), "call", NO_CALL, {"when": 1.0}),
    ("World", of_world("observe"), "observer", [7, "x"], {}),
    ("World", of_world("add"), "name", NO_TEXT, {}),
    ("World", of_world("add"), "id", NO_TEXT, {}),
    ("World", of_world("add"), "config", NO_CONFIG, {}),
    ("World", of_world("add"), "endpoint", NO_ENDPOINT, {}),
    ("World", of_world("add"), "seeds", ["n1", 7], {}),
    ("World", of_world("add"), "snapshot", [7, b""], {}),
    ("World", of_world("host"), "node", ["n9", 7, None], {}),
    ("World", of_world("crash"), "node", ["n9", 7], {}),
    ("World", of_world("crash"), "silent", NO_FLAG, {"node": "n1"}),
    ("World", of_world("restart"), "endpoint", NO_ENDPOINT, {"node": "n1"}),
    ("World", of_world("restart"), "config", NO_CONFIG, {"node": "n1"}),
    ("World", of_world("restart"), "snapshot", ["x", 1], {"node": "n1"}),
    ("World", of_world("pause"), "seconds", ["1", -1, float("nan")], {"node": "n1"}),
    ("World", of_world("block"), "seconds", [*NO_NUMBER, *NEGATIVE], {"node": "n1"}),
    ("World", of_world("leave"), "stop", NO_FLAG, {"node": "n1"}),
    ("World", of_world("command"), "command", ["leave", 7], {"node": "n1"}),
    ("World", of_world("inject"), "data", ["x", None], {"node": "n1", "source": ENDPOINT}),
    ("World", of_world("inject"), "source", NO_ENDPOINT, {"node": "n1", "data": b"x"}),
    ("SimNode", of_node("do"), "command", ["leave", 7], {}),
    ("SimNode", of_node("join"), "addresses", ["n1", [7]], {}),
    ("SimNode", of_node("set_tags"), "tags", ["a=b", {"a": 1}], {}),
    ("SimNode", of_node("update_tags"), "changes", ["a=b", {"a": 1}], {}),
    ("SimNode", of_node("force_leave"), "name", NO_TEXT, {}),
    *[
        ("SimNode", of_node(method), "key", ["k" * 16, None, b"short"], {})
        for method in ("install_key", "use_key", "remove_key")
    ],
    ("SimNode", of_node("subscribe"), "call", NO_CALL, {}),
    ("Link", sims.Link, "loss", [*NO_NUMBER, -0.1, 1.1], {}),
    ("Link", sims.Link, "latency", [0.1, "x", None], {}),
    ("Link", sims.Link, "burst", [0.1, "x"], {}),
    ("Link", sims.Link, "mtu", ["x", 0, 1.5], {}),
    ("Link", sims.Link, "bandwidth", ["x", 0, -1], {}),
    ("Link", sims.Link, "queue", ["x", -1, None], {}),
    ("Network", sims.Network, "default", [7, "x"], {}),
    ("Network", sims.Network, "dns_latency", [0.1, None], {}),
    ("Processor", lambda **given: sims.Processor(world(), **given), "packet", [0.1, None], {}),
    (
        "Coordinate",
        lambda **given: swim.Coordinate().distance_to(**given),
        "other",
        ["n2", None, swim.Coordinate((1.0,))],  # type: ignore[arg-type]
        {},
    ),
    ("Schedule", lambda faults: sims.Schedule(faults), "faults", ["x", 7, [7], [Crash]], {}),
    ("TraceWriter", sims.TraceWriter, "sink", [7, "x"], {}),
    ("Applications", sims.Applications, "start", NO_CALL, {}),
    ("Applications", sims.Applications, "invariants", [7, [7]], {}),
    ("once", timer(sims.once), "seconds", [*NO_NUMBER, *NEGATIVE], {}),
    ("once", timer(sims.once), "call", NO_CALL, {}),
    ("every", timer(sims.every), "seconds", [*NO_NUMBER, *NEGATIVE, 0], {}),
    ("every", timer(sims.every), "call", NO_CALL, {}),
    ("run_scenario", sims.run_scenario, "seed", ["1", None], {"name": "kill-k"}),
    ("run_swarm", sims.run_swarm, "seed", ["1", None], {}),
    ("run_swarm", sims.run_swarm, "byte_mode", NO_FLAG, {"seed": 1}),
    ("run_seeds", every_seed, "seeds", ["12", 7, ["1"]], {}),
    ("run_seeds", every_seed, "jobs", [0, "2"], {}),
    ("run_seeds", every_seed, "observers", NO_CALL, {}),
    ("fault_schedules", sims.fault_schedules, "nodes", [[], "n1", [7]], {"seconds": 5.0}),
    ("fault_schedules", sims.fault_schedules, "seconds", [*NO_NUMBER, *NEGATIVE], {"nodes": ["n1"]}),
    (
        "fault_schedules",
        sims.fault_schedules,
        "kinds",
        [[7], [Crash, str]],
        {"nodes": ["n1"], "seconds": 5.0},
    ),
    ("fault_schedules", sims.fault_schedules, "max_faults", [-1, "x"], TWO),
    ("membership_machine", sims.membership_machine, "nodes", [0, "x", (5, 3), (1, 2, 3)], {}),
    ("membership_machine", sims.membership_machine, "start", ["x", 7], {}),
    ("membership_machine", sims.membership_machine, "without", [["nope"]], {}),
]


@pytest.mark.parametrize(
    ("call", "argument", "value", "others"),
    [
        pytest.param(call, argument, value, others, id=f"{name}-{argument}-{index}-{number}")
        for index, (name, call, argument, values, others) in enumerate(WRONG)
        for number, value in enumerate(values)
    ],
)
def test_a_wrong_argument_is_named(
    call: Callable[..., Any], argument: str, value: object, others: dict[str, Any]
) -> None:
    with pytest.raises(SwimError, match=rf"^{argument}\b"):
        call(**{argument: value} | others)


def test_a_scenario_that_there_is_not() -> None:
    with pytest.raises(sims.UsageError, match=r"^there is no scenario 'nope'; see"):
        sims.run_scenario("nope", 1)


WITHOUT_A_ROW = {
    *("Cluster", "Membership", "Responses", "Subscription", "Ticket"),  # not made by callers
    *("KeyStatus", "KeyringResult"),  # made by a cluster
    *(
        "Leave",
        "ListKeys",
        "safety_checkers",
        "Observer",
    ),  # nothing that could be wrong, or a class to derive from
    *("EmptyRingError", "Move"),  # made by a ring
    *("open_cluster", "run_cluster"),  # see tests/net/test_arguments.py
    "observe",  # see tests/net/test_observer.py
    *("Metrics", "NodeStats", "Accepted", "Inspection", "Output", "Transport", "Endpoint"),
    *("StreamTap", "Tap"),  # supplied by callers
}
"""What has no row above, and why."""


VALUES = ("swim.events", "swim.detection", "swim.errors", "sims.errors")


def is_value(found: object) -> bool:
    """Events, results and errors: values that the library makes."""
    return not inspect.isclass(found) or found.__module__ in VALUES


@pytest.mark.parametrize(
    "module",
    [swim, swim.lowlevel, swim.policies, swim.ring, swim.testing, sims],
    ids=lambda module: module.__name__,
)
def test_every_public_name_has_a_row_or_a_reason(module: Any) -> None:
    tested = {name for name, *_ in WRONG}
    for name in set(module.__all__) - tested - WITHOUT_A_ROW:
        found = getattr(module, name)
        assert is_value(found), name
        assert not inspect.isfunction(found), name
