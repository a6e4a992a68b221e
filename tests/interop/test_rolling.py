"""A Go cluster is replaced by ours, one node at a time under the same names and files, while events flow."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import trio

from tests.interop.conftest import Pen
from tests.interop.peers import OurNode, Seen, SerfAgent
from tests.interop.processes import eventually
from tests.interop.watch import Watch

pytestmark = [pytest.mark.peers("serf"), pytest.mark.slow]

_NODES = 5
_EVERY = 0.1
"""Seconds between two events."""
_LEAVING = 0.2
"""Seconds after which an agent that was asked to leave has written so to its snapshot."""


class Slot:
    """One name, address and set of files, used first by a Go agent and then by a node of ours."""

    def __init__(self, pen: Pen, name: str, profile: str, key: bytes | None) -> None:
        self.name = name
        snapshot, tags = pen.directory / f"{name}.snapshot", pen.directory / f"{name}.tags"
        options = ["-rejoin", "-snapshot", str(snapshot), "-tags-file", str(tags)]
        tags.write_text(json.dumps({"slot": name}))
        self.serf: SerfAgent = pen.serf(name, profile=profile, key=key, options=options)
        files: dict[str, Path] = {"snapshot_file": snapshot, "tags_file": tags}
        self.ours: OurNode = pen.node(name, profile=profile, key=key, files=files, rejoin_after_leave=True)
        self.ours.address = self.serf.address
        self.peer: SerfAgent | OurNode = self.serf

    async def fire(self, event: str) -> None:
        if isinstance(self.peer, SerfAgent):
            await self.peer.rpc.event(event)
        else:
            await self.peer.cluster.user_event(event)

    async def catch_up(self, others: list[Slot]) -> None:
        """Receives from others what the few transmissions of an event missed.

        A snapshot keeps only the newest stamp, so what is missing at a restart stays so.
        """
        addresses = [other.serf.address for other in others if other is not self]
        if isinstance(self.peer, SerfAgent):
            await self.peer.rpc.join(*addresses, replay=True)
        else:
            await self.peer.cluster.join(addresses, replay=True)

    def received(self) -> set[str]:
        return {*self.serf.user_events(), *self.ours.user_events()}


class Traffic:
    """User events sent all the time, each by a random node."""

    def __init__(self, slots: list[Slot]) -> None:
        self.senders = list(slots)
        self.sent: list[str] = []
        self.pause = trio.Lock()
        self._random = random.Random(1)

    async def run(self) -> None:
        while True:
            async with self.pause:
                name = f"event-{len(self.sent)}"
                await self._random.choice(self.senders).fire(name)
                self.sent.append(name)
            await trio.sleep(_EVERY)


@pytest.mark.parametrize(
    ("profile", "key"),
    [
        ("lan", None),
        pytest.param("local", None, marks=pytest.mark.deep),
        pytest.param("local", bytes(32), marks=pytest.mark.deep),
        pytest.param("lan", bytes(16), marks=pytest.mark.deep),
    ],
)
async def test_a_cluster_of_serf_becomes_one_of_ours_without_a_failure_or_a_lost_event(
    pen: Pen, profile: str, key: bytes | None
) -> None:
    slots = [Slot(pen, f"n{number}", profile, key) for number in range(1, _NODES + 1)]
    watch = Watch([slot.serf for slot in slots])
    names = {slot.name for slot in slots}
    for slot in slots:
        await slot.serf.start(*[slots[0].serf.address][: slot is not slots[0]])
    for slot in slots:
        await slot.catch_up(slots)
    await watch.until_status("alive", names)

    def everyone_alive(members: dict[str, Seen]) -> bool:
        seen = {name: (member.status, member.address, member.tags) for name, member in members.items()}
        return seen == {each.name: ("alive", each.serf.address, {"slot": each.name}) for each in slots}

    traffic = Traffic(slots)
    async with trio.open_nursery() as sending:
        sending.start_soon(traffic.run)
        for slot in slots:
            traffic.senders.remove(slot)
            async with trio.open_nursery() as leaving, traffic.pause:
                await slot.catch_up(slots)
                leaving.start_soon(slot.serf.leave)
                await trio.sleep(_LEAVING)
            watch.only_failed(serf_may_call={slot.name})
            slot.peer = slot.ours
            await slot.ours.start()
            watch.peers = [each.serf for each in slots] + [each.ours for each in slots]
            await watch.until(everyone_alive, at=[each.peer for each in slots])
            watch.only_failed(serf_may_call={slot.name})
            traffic.senders.append(slot)
        async with traffic.pause:  # none is cut short: it would have been sent, and not noted
            sending.cancel_scope.cancel()

    for slot in slots:
        await slot.catch_up(slots)
    for slot in slots:
        await eventually(
            lambda slot=slot: slot.received() == set(traffic.sent),
            describe=lambda slot=slot: (slot.name, slot.received() ^ set(traffic.sent)),
        )
        for run in (slot.serf, slot.ours):
            assert len(set(run.user_events())) == len(run.user_events()), (slot.name, type(run).__name__)
    assert len(traffic.sent) > 5 * _NODES
    watch.only_failed()
