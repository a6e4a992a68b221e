"""Two halves that have forgotten each other find each other again without help, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from swim import Cluster
from tests.net.conftest import Pool, statuses, until
from tests.net.memory import MemoryNetwork

_HALF = 3


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["lan", "local"])
async def test_a_cluster_cut_in_half_until_all_are_reaped_heals(
    profile: str, autojump_clock: trio.testing.MockClock
) -> None:
    async with trio.open_nursery() as nursery:
        pool = Pool(MemoryNetwork(), nursery)
        clusters = await pool.form(2 * _HALF, **_forgetful(profile))
        left, right = clusters[:_HALF], clusters[_HALF:]

        _cut(pool, left, right)
        for side in (left, right):
            names = {cluster.config.name for cluster in side}
            await until(lambda: all(statuses(c).keys() == names for c in side), within=300)  # noqa: B023
        for faults in pool.faults.values():
            faults.unblock()

        everybody = {cluster.config.name: "alive" for cluster in clusters}
        await until(lambda: all(statuses(cluster) == everybody for cluster in clusters), within=300)
        nursery.cancel_scope.cancel()


def _forgetful(profile: str) -> dict[str, Any]:
    """Settings that forget failed members soon; ``lan`` sets back memberlist's slower timers."""
    settings: dict[str, Any] = {"reconnect_timeout": 20.0, "tombstone_timeout": 20.0}
    if profile == "lan":
        settings |= {
            "gossip_interval": 0.2,
            "probe_timeout": 0.5,
            "suspicion_mult": 4,
            "push_pull_interval": 30.0,
        }
    return settings


def _cut(pool: Pool, left: list[Cluster], right: list[Cluster]) -> None:
    """Lets nothing through between the two sides, in either direction."""
    for side, other in ((left, right), (right, left)):
        for cluster in side:
            pool.faults[cluster.config.name].block(far.endpoint for far in other)
