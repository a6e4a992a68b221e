"""One program against ``Membership``, run on trio, on asyncio, in threads and simulated, without a change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest
import trio
from trio.testing import MockClock

import swim
from sims.world import World
from swim import Membership
from tests.net.conftest import Pool
from tests.net.fronts.styles import Each, Front, done, every_front, local

NAMES = ("n1", "n2", "n3")


class Program:
    """Takes its role from a user event, answers queries about it, and asks all others once it has one."""

    def __init__(self, member: Membership, *, patience: float = 3.0) -> None:
        self._member = member
        self._patience = patience
        self.survey: swim.Ticket | None = None
        self.seen: list[str] = []

    def on_event(self, event: swim.Event) -> None:
        """Whatever happens comes in here."""
        me = self._member
        match event:
            case swim.UserEvent("role", role):
                self.seen.append(role.decode())
                me.do(swim.SetTags({"role": f"{role.decode()}-{me.local.name}"}))
                if me.local.name == "n1":
                    self.survey = me.do(swim.SendQuery("role", nodes=NAMES, ack=True, timeout=self._patience))
            case swim.Query("role"):
                assert me.status == "running"
                assert event.deadline > me.now()
                me.do(swim.Respond(event, me.config.name.encode()))

    def replies(self) -> list[str]:
        """What the survey brought."""
        assert self.survey is not None
        assert self.survey.is_done
        assert self.survey.result is None
        return sorted(map(repr, self.survey.replies))


def check(members: Mapping[str, Membership], programs: Sequence[Program]) -> None:
    """The outcome is the same on both."""
    assert [program.seen for program in programs] == [["web"]] * 3
    assert programs[0].replies() == sorted(
        repr(reply)
        for name in NAMES
        for reply in (swim.QueryAck(name), swim.QueryResponse(name, name.encode()))
    )
    for name, member in members.items():
        assert {each.name: each.tags["role"] for each in member.alive()} == {
            each: f"web-{each}" for each in NAMES
        }
        assert member.members(status="alive") == member.alive()
        assert (member.members(status=["failed", "left"]), member.is_alone) == ((), False)
        assert member.member(name) == member.local
        assert member.history("n2")[-1].after == "alive"
        assert [(event.name, event.payload) for event in member.user_events()] == [("role", b"web")]
        assert member.stats().members == 3
        assert member.metrics.counters["memberlist.udp.sent"] > 0
        assert member.metrics.samples["serf.msgs.received"].count > 0
        assert member.advertised == member.local.endpoint
        assert len(member.seeds()) == len(member.config.seeds)
        with pytest.raises(swim.ConfigError, match=r"^status: "):
            member.members(status="gone")


def test_it_runs_simulated() -> None:
    world = World(3, nodes=3, config=swim.Config.local, start="converged")
    programs = []
    for node in world.nodes.values():
        program = Program(node)
        programs.append(program)
        node.subscribe(lambda _now, event, program=program: program.on_event(event))
    world.nodes["n2"].user_event("role", b"web")
    world.run_for(10.0)
    check(world.nodes, programs)


async def test_it_runs_on_trio(pool: Pool, autojump_clock: MockClock) -> None:
    members = {cluster.config.name: cluster for cluster in await pool.form(3)}
    programs = [Program(member) for member in members.values()]

    async def feed(program: Program, events: swim.Subscription) -> None:
        async for event in events:
            program.on_event(event)

    async with trio.open_nursery() as nursery:
        for program, member in zip(programs, members.values(), strict=True):
            nursery.start_soon(feed, program, member.events())
        await members["n2"].user_event("role", b"web")
        await trio.sleep(10.0)
        nursery.cancel_scope.cancel()
    check(members, programs)


async def real_members(front: Front) -> None:
    async with AsyncExitStack() as stack:
        members: dict[str, Any] = {}
        for name in NAMES:
            config = local(name, *list(members.values())[:1])
            members[name] = await stack.enter_async_context(front.opened(config, leave_timeout=0))
        first_one = members["n1"]
        events = {name: member.events() for name, member in members.items()}
        while len(first_one.alive()) < 3 or any(len(member.alive()) < 3 for member in members.values()):
            await front.sleep(0.01)
        programs = {name: Program(member, patience=0.5) for name, member in members.items()}
        await done(members["n2"].user_event("role", b"web"))
        for name in NAMES:
            heard: set[type] = set()
            async for event in Each(events[name]):
                programs[name].on_event(event)
                heard.add(type(event))
                if heard >= {swim.UserEvent, swim.Query}:
                    break
        survey = programs["n1"].survey
        assert survey is not None
        everyone = members.values()
        while (
            not survey.is_done
            or any("role" not in member.tags for observer in everyone for member in observer.alive())
            or any(not member.metrics.counters["memberlist.udp.sent"] for member in everyone)
            or any("serf.msgs.received" not in member.metrics.samples for member in everyone)
        ):
            await front.sleep(0.01)
        check(members, list(programs.values()))


@pytest.mark.slow
@every_front
def test_it_runs_on_every_front(front: Front) -> None:
    front.run(real_members, front)


def test_a_command_is_over_when_its_process_is() -> None:
    world = World(3, nodes=2)
    world.settle()
    node = world.nodes["n1"]
    ticket = node.query("load", timeout=60.0)
    with pytest.raises(swim.LocalError, match="no outcome yet"):
        _ = ticket.result
    world.crash(node)
    assert (ticket.is_done, node.status) == (True, "stopped")
    with pytest.raises(swim.LocalError, match="process ended"):
        _ = ticket.result
