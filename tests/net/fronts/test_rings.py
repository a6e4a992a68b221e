"""Rings, policies, damped events and merge policies on every front."""

from __future__ import annotations

import pytest

import swim
from swim.policies import Damper, majority_of
from swim.ring import LiveRing
from tests.net.fronts.styles import Each, Front, done, every_front, first, local

pytestmark = pytest.mark.slow

KEYS = [f"key-{number}" for number in range(50)]


async def who_owns_what(front: Front) -> None:
    blue = {"tags": {"cluster": "blue"}, "merge_policy": swim.MergePolicy(tags={"cluster": "blue"})}
    async with front.opened(local("n1", **blue)) as one, front.opened(local("n2", **blue)) as two:
        ring, may_act, damper = LiveRing(one, where={"cluster": "blue"}), majority_of(2), Damper()
        number = ring.fence
        assert all(ring.owns(key) for key in KEYS)
        assert not may_act(one.members())
        events = one.events()
        await done(two.join(["{}:{}".format(*one.endpoint)]))
        joined = await first(events, swim.MemberJoined)
        assert damper.feed(one.now(), joined) == (joined,)
        moves = ring.changes(KEYS)
        assert moves
        assert {(move.source.name, move.target.name) for move in moves if move.source and move.target} == {
            ("n1", "n2")
        }
        assert ring.fence > number
        assert may_act(one.members())
        async with front.opened(local("n3", tags={"cluster": "red"})) as red:
            result = await done(red.join(["{}:{}".format(*one.endpoint)]))
            assert "its tag cluster is red, and must match blue" in result.outcomes[0].error
        number = ring.fence
        await done(two.leave())
        async for event in Each(events):
            if isinstance(event, swim.MemberLeft):
                break
        assert {move.target.name for move in ring.changes(KEYS) if move.target} == {"n1"}
        assert ring.fence > number


@every_front
def test_who_owns_what(front: Front) -> None:
    front.run(who_owns_what, front)
