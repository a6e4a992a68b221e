"""Faults as values: written and read, checked, doing to a world what they say, as long as they say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

import sims.faults
import sims.world.latency
import sims.world.network
from sims.errors import UsageError
from sims.faults import (
    FAULTS,
    Add,
    Block,
    Broadcast,
    ChangeKey,
    Crash,
    CutPair,
    Fault,
    ForceLeave,
    Heal,
    Join,
    Leave,
    Pause,
    Readdress,
    Rejoin,
    Restart,
    Resume,
    Send,
    SendQuery,
    SendUserEvent,
    SetLink,
    SetNames,
    SetTags,
    SlowReader,
    Split,
    Translate,
)
from sims.faults.schedule import Schedule
from sims.world import World
from sims.world.latency import Constant, Empirical, Exponential, Uniform
from sims.world.network import Burst, Link, Nat, Network
from sims.world.observer import Observer
from swim.config import Config

ONE_OF_EACH: tuple[Fault, ...] = (
    Crash(1.0, "n2", silent=True),
    Restart(2.0, "n2", snapshot=False),
    Readdress(3.0, "n2"),
    Pause(4.0, "n3", 2.0),
    Resume(4.5, "n3"),
    Block(5.0, "n3", 2.0),
    SlowReader(6.0, "n3", Exponential(0.1), 2.0),
    Add(7.0, "n4", ("n1",)),
    Join(8.0, "n4", ("n1", "n2")),
    Leave(9.0, "n4", stop=False),
    Rejoin(20.0, "n4"),
    SetTags(21.0, "n1", {"role": "web"}),
    ForceLeave(22.0, "n1", "n2", prune=True),
    Send(22.3, "n1", "n2"),
    Broadcast(22.6, "n1"),
    ChangeKey(22.65, "n1", "install", 0),
    SendUserEvent(22.7, "n1", count=2),
    SendQuery(22.8, "n1", ("n1", "n2"), ack=True, relay_factor=2, finish_early=True),
    Split(23.0, (("n1",), ("n2", "n3")), 2.0),
    CutPair(24.0, ("n1",), ("n2",), 2.0, one_way=True),
    SetLink(25.0, "n1", None, Link(latency=Uniform(0.1, 0.2), burst=Burst(start=0.1, stop=0.5)), 2.0),
    Heal(25.5),
    SetNames(26.0, "seeds.example", ("n1", "n2")),
    Translate(27.0, "n4", Nat(("192.0.2.1", 7946), timeout=5.0)),
    sims.faults.SetClock(26.5, "n1", -3.5),
)


class Faults(Observer):
    """Records the world's faults."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Mapping[str, object]]] = []

    def fault(self, world: World, kind: str, detail: Mapping[str, object]) -> None:
        self.told.append((kind, detail))

    def kinds(self) -> list[str]:
        return [kind for kind, _ in self.told]


def world_of(nodes: int = 3) -> World:
    world = World(5, nodes=nodes, config=Config.local, network=Network(Link(latency=Constant(0.001))))
    world.settle()
    return world


def test_there_is_one_of_each_here() -> None:
    assert tuple(type(fault) for fault in ONE_OF_EACH) == FAULTS


@pytest.mark.parametrize("fault", ONE_OF_EACH, ids=lambda fault: fault.kind)
def test_a_fault_can_be_pasted_and_read_back(fault: Fault) -> None:
    names = vars(sims.faults) | vars(sims.world.latency) | vars(sims.world.network) | {"Schedule": Schedule}
    schedule = Schedule([fault])
    assert eval(repr(schedule), dict(names)) == schedule
    assert Schedule.from_json(schedule.to_json()) == schedule
    hash(fault)


def test_all_of_them_leave_a_world_that_heals() -> None:
    world = world_of()
    schedule = Schedule(ONE_OF_EACH)
    schedule.apply(world)
    assert schedule.seconds == 27.0
    world.run_for(schedule.seconds)
    world.translate("n4", None)
    schedule.heal(world)
    world.settle(300.0)
    assert sorted(world.nodes) == ["n1", "n2", "n3", "n4"]


class TestProcesses:
    def test_crash_and_restart(self) -> None:
        world = world_of()
        Schedule([Crash(1.0, "n2"), Restart(5.0, "n2"), Crash(1.0, "n3", silent=True)]).apply(world)
        world.run_for(0.9)
        assert world.host("n2").is_up
        world.run_for(0.2)
        assert ({world.host(id).state for id in ("n2", "n3")}, world.silent) == ({"crashed"}, {"n3"})
        world.run_for(4.0)
        assert world.host("n2").state == "running"
        assert world.host("n2").life == 2

    def test_a_pause_ends(self) -> None:
        world = world_of()
        Schedule([Pause(1.0, "n2", 3.0)]).apply(world)
        world.run_for(2.0)
        assert world.host("n2").state == "paused"
        world.run_for(2.5)
        assert world.host("n2").state == "running"

    def test_a_readdressed_node_comes_back_elsewhere(self) -> None:
        world = world_of()
        before = world.host("n2").endpoint
        Schedule([Readdress(0.0, "n2")]).apply(world)

        def is_known(world: World) -> bool:
            member = world.host("n1").member("n2")
            assert member is not None
            return (member.address, member.port) == world.host("n2").endpoint != before

        assert world.run_until(is_known, 200.0)

    def test_a_slow_reader_gets_faster_again(self) -> None:
        world = world_of()
        slower = [SlowReader(0.0, "n2", Constant(0.5), 4.0), SlowReader(1.0, "n2", Constant(0.1), 1.0)]
        Schedule(slower).apply(world)
        seen = []
        for _ in range(6):
            world.run_for(0.9)
            seen.append(world.host("n2").reader)
        assert seen == [Constant(0.5), Constant(0.1), Constant(0.5), Constant(0.5), None, None]


class TestCommands:
    def test_a_member_can_be_added_leave_and_come_back(self) -> None:
        world = world_of()
        Schedule([Add(0.0, "n4", ("n2",)), Leave(5.0, "n4", stop=False), Rejoin(15.0, "n4")]).apply(world)
        world.run_for(4.0)
        assert world.host("n1").status_of("n4") == "alive"
        world.run_for(10.0)
        assert world.host("n1").status_of("n4") == "left"
        world.run_for(10.0)
        assert world.host("n1").status_of("n4") == "alive"

    def test_tags(self) -> None:
        world = world_of()
        Schedule([SetTags(0.0, "n2", {"role": "web"})]).apply(world)
        world.run_for(5.0)
        member = world.host("n1").member("n2")
        assert member is not None
        assert member.tags == {"role": "web"}

    def test_a_failed_member_is_forced_out(self) -> None:
        world = world_of()
        Schedule([Crash(0.0, "n2"), ForceLeave(30.0, "n1", "n2")]).apply(world)
        world.run_for(29.0)
        assert world.host("n3").status_of("n2") == "failed"
        world.run_for(5.0)
        assert world.host("n3").status_of("n2") == "left"

    def test_a_command_that_nobody_can_take_is_skipped_and_told(self) -> None:
        world = world_of()
        faults = Faults()
        world.observe(faults)
        Schedule(
            [
                Crash(0.0, "n2"),
                SetTags(1.0, "n2", {}),
                Leave(1.0, "n2"),
                Pause(2.0, "n3", 9.0),
                Rejoin(3.0, "n3"),
            ]
        ).apply(world)
        Schedule([Rejoin(4.0, "n1")]).apply(world)
        world.run_for(5.0)
        skipped = [(detail["what"], detail["why"]) for kind, detail in faults.told if kind == "skipped"]
        assert skipped == [
            ("set-tags", "it is crashed"),
            ("leave", "it is crashed"),
            ("rejoin", "it is paused"),
            ("rejoin", "rejoin is possible only after the leave has finished"),
        ]


class TestNetwork:
    def test_cuts_end_each_at_its_time(self) -> None:
        world = world_of()
        cut = world.network.is_cut
        Schedule(
            [
                Split(0.0, (("n1",), ("n2", "n3")), 10.0),
                CutPair(5.0, ("n1",), ("n2",), 10.0, one_way=True),
                CutPair(5.0, ("n1",), ("n2",), 2.0, one_way=True),
            ]
        ).apply(world)
        world.run_for(1.0)
        assert cut("n1", "n2")
        assert cut("n3", "n1")
        assert not cut("n2", "n3")
        world.run_for(11.0)
        assert cut("n1", "n2")
        assert not cut("n2", "n1")
        assert not cut("n1", "n3")
        world.run_for(4.0)
        assert not world.network.cuts

    def test_overlapping_rules_leave_the_latest_that_holds(self) -> None:
        slow, slower = Link(loss=0.1), Link(loss=0.2)
        world = world_of()
        Schedule([SetLink(0.0, "n1", None, slow, 4.0), SetLink(2.0, "n1", None, slower, 4.0)]).apply(world)
        rules = []
        for _ in range(4):
            world.run_for(1.75)
            rules.append(world.network.rule("n1", None))
        assert rules == [slow, slower, slower, None]

    def test_the_default_link_comes_back(self) -> None:
        world = world_of()
        usual = world.network.default
        Schedule([SetLink(0.0, None, None, replace(usual, loss=0.5), 2.0)]).apply(world)
        world.run_for(1.0)
        assert world.network.default.loss == 0.5
        world.run_for(2.0)
        assert world.network.default is usual
        assert world.network.is_plain

    def test_who_changed_a_rule_meanwhile_keeps_it(self) -> None:
        world = world_of()
        mine = Link(loss=0.3)
        Schedule([SetLink(0.0, "n1", "n2", Link(loss=0.1), 2.0)]).apply(world)
        world.run_for(1.0)
        world.network.set_link("n1", "n2", mine)
        world.run_for(2.0)
        assert world.network.rule("n1", "n2") is mine

    def test_what_somebody_else_set_is_what_a_later_rule_brings_back(self) -> None:
        lossy, slow = Link(loss=0.3), Link(latency=Constant(0.1))
        world = world_of()
        world.network.set_default(lossy)
        Schedule(
            [
                SetLink(0.0, None, None, slow, 1.0),
                SetLink(2.0, None, None, slow, 10.0),
                SetLink(4.0, None, None, slow, 10.0),
            ]
        ).apply(world)
        world.run_for(3.0)
        world.network.calm()
        calm = world.network.default
        world.run_for(2.0)
        assert world.network.default is slow
        world.run_for(8.0)
        assert world.network.default is slow, "a rule that was under another one brings nothing back"
        world.run_for(2.0)
        assert world.network.default is calm

    def test_names_answer_with_where_the_hosts_are(self) -> None:
        world = world_of()
        Schedule(
            [Readdress(0.0, "n2"), SetNames(1.0, "x.example", ("n2",)), SetNames(3.0, "x.example", ())]
        ).apply(world)
        world.run_for(2.0)
        assert world.network.names["x.example"] == (world.host("n2").endpoint,)
        world.run_for(2.0)
        assert not world.network.names["x.example"]

    def test_heal_ends_what_never_would(self) -> None:
        world = world_of()
        schedule = Schedule(
            [
                Split(0.0, (("n1",), ("n2",))),
                Pause(0.0, "n3"),
                SlowReader(0.0, "n1", Constant(1.0)),
                SetLink(0.0, None, "n1", Link(loss=1.0)),
                Crash(0.0, "n2"),
            ]
        )
        schedule.apply(world)
        world.run_for(30.0)
        schedule.heal(world, restart=["n2"])
        assert world.network.is_plain
        world.settle(120.0)
        assert len(world.running()) == 3


BAD_VALUES = [
    (Crash(1.0, "n7"), "node: there is no host 'n7'"),
    (Crash(-1.0, "n1"), "at must be at least 0, not -1.0"),
    (Crash(float("nan"), "n1"), "at must be finite, not nan"),
    (Crash("soon", "n1"), "at must be a number, not 'soon'"),  # type: ignore[arg-type]
    (Pause(1.0, "n1", 0.0), "seconds must be more than 0, not 0.0"),
    (Pause(1.0, "n1", True), "seconds must be a number, not True"),
    (Split(1.0, (("n1",), ("n2", "n1"))), "groups name n1 twice"),
    (Split(1.0, (("n1",), ("n9",))), "groups: there is no host 'n9'"),
    (Add(1.0, "n1", ()), "node: there is a host 'n1' already"),
    (Add(1.0, "n5", ("n6",)), "seeds: there is no host 'n6'"),
    (ForceLeave(1.0, "n1", "n9"), "target: there is no host 'n9'"),
    (SetTags(1.0, "n1", {"a": 1}), "tags.a must be text, not 1"),  # type: ignore[dict-item]
]  # fmt: skip


@pytest.mark.parametrize(("fault", "problem"), BAD_VALUES)
def test_a_bad_fault_is_named_and_nothing_happens(fault: Fault, problem: str) -> None:
    world = world_of()
    with pytest.raises(UsageError) as refusal:
        Schedule([Crash(0.0, "n1"), fault]).apply(world)
    text = str(refusal.value)
    assert text.startswith(f"fault 1 ({fault.kind}): ")
    assert text.endswith(problem)
    world.run_for(1.0)
    assert world.host("n1").is_up


def test_who_is_added_can_be_named_from_then_on() -> None:
    Schedule([Crash(2.0, "n4"), Add(1.0, "n4", ("n1",))]).check(["n1"])
    with pytest.raises(UsageError, match=r"fault 0 \(crash\): node: there is no host 'n4'"):
        Schedule([Crash(0.5, "n4"), Add(1.0, "n4", ("n1",))]).check(["n1"])


CRASH = {"type": "Crash", "at": 1.0, "node": "n1"}
BAD_DOCUMENTS = [
    ("{", "a fault schedule must be JSON"),
    ("[]", "a fault schedule is {"),
    ('{"version": 2, "faults": []}', "fault schedule of version 2, not 1"),
    ([3], "fault 0 must be an object with a type, not 3"),
    ([{"type": "Boom"}], "fault 0 (Boom) has an unknown type 'Boom'; one of Crash, "),
    ([{"type": ["Boom"]}], "fault 0 has an unknown type"),
    ([CRASH, {"type": "Crash", "at": 1.0}], "fault 1 (Crash): node is missing"),
    ([CRASH | {"loud": True}], "fault 0 (Crash) has no field 'loud'"),
    ([CRASH | {"silent": 1}], "fault 0 (Crash): silent must be true or false, not 1"),
    ([CRASH | {"node": None}], "fault 0 (Crash): node must be text, not None"),
    ([{"type": "Split", "at": 0.0, "groups": ["n1"]}], "fault 0 (Split): groups must be a list, not 'n1'"),
    (
        [
            {
                "type": "SetLink",
                "at": 0.0,
                "source": None,
                "target": None,
                "link": {"type": "Link", "loss": 2.0},
            }
        ],
        "fault 0 (SetLink): link: loss must be a chance from 0 to 1, not 2.0",
    ),
    (
        [{"type": "Translate", "at": 0.0, "node": "n1", "nat": {"type": "Nat", "public": ["192.0.2.1"]}}],
        "fault 0 (Translate): nat: public must have 2 items, not 1",
    ),
]


@pytest.mark.parametrize(("document", "problem"), BAD_DOCUMENTS)
def test_a_bad_document_is_one_clear_line(document: object, problem: str) -> None:
    text = document if isinstance(document, str) else json.dumps({"version": 1, "faults": document})
    with pytest.raises(UsageError) as refusal:
        Schedule.from_json(text)
    assert str(refusal.value).startswith(problem)
    assert "\n" not in str(refusal.value)


def test_latencies_of_all_kinds_are_read_back() -> None:
    latencies = (Constant(0.1), Uniform(0.1, 0.2), Exponential(0.1, 0.01), Empirical((0.1, 0.2, 0.5)))
    schedule = Schedule(SlowReader(0.0, "n1", latency) for latency in latencies)
    assert Schedule.from_json(schedule.to_json()) == schedule


def test_an_empty_schedule() -> None:
    assert (repr(Schedule()), Schedule().seconds) == ("Schedule()", 0.0)
