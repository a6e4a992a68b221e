"""The harness itself, on real peers alone: what it reports about them is what they say."""

from __future__ import annotations

import pytest

from tests.interop.conftest import Pen
from tests.interop.processes import eventually

pytestmark = pytest.mark.slow


@pytest.mark.peers("serf")
async def test_two_serf_agents_see_each_other_and_a_kill(pen: Pen) -> None:
    first, second = pen.serf("s1", tags={"role": "web"}), pen.serf("s2")
    await first.start()
    await second.start(first.address)
    seen = (await second.members())["s1"]
    assert seen == ("alive", first.address, {"role": "web"}, (1, 5, 2), (2, 5, 5))
    assert "s1" in await second.command("members")

    second.kill()
    await eventually(lambda: first.failed() == ["s2"], describe=first.logs)
    assert (await first.members())["s2"].status == "failed"
    await first.force_leave("s2", prune=True)
    assert "s2" not in await first.members()


@pytest.mark.peers("prometheus-alertmanager")
async def test_two_alertmanagers_see_each_other(pen: Pen) -> None:
    first, second = pen.alertmanager("a1"), pen.alertmanager("a2")
    await first.start()
    await second.start(first.address)

    async def paired() -> bool:
        return len(await first.peers()) == len(await second.peers()) == 2

    await eventually(paired, describe=first.logs)
    assert (await second.peers())[await first.own_name()] == first.address
