"""Nodes of ours without the Serf layer in a real Alertmanager's plain memberlist cluster."""

from __future__ import annotations

import pytest

from tests.interop.alertmanager import Alertmanager
from tests.interop.conftest import Pen
from tests.interop.processes import eventually
from tests.interop.watch import Watch

pytestmark = [pytest.mark.peers("prometheus-alertmanager"), pytest.mark.slow]


async def test_alertmanagers_and_our_nodes_join_fail_leave_and_return(pen: Pen) -> None:
    managers = [pen.alertmanager(f"a{i}") for i in (1, 2, 3)]
    nodes = [pen.plain_node(f"p{i}") for i in (1, 2, 3)]
    a1, a2, a3 = managers
    p1, p2, p3 = nodes
    watch = Watch(nodes)
    await a1.start()
    await p1.start(a1.address)
    await a2.start(p1.address)
    await p2.start(a2.address)
    await a3.start(a1.address)
    await p3.start(a3.address)
    names = {manager.name: await manager.own_name() for manager in managers}
    everybody = {*names.values(), "p1", "p2", "p3"}
    await _listed(managers, everybody)
    await watch.until_status("alive", everybody)
    plain = (await p1.members())["p2"]
    assert (plain.protocol, plain.delegate) == ((1, 5, 2), (0, 0, 0))
    watch.only_failed()

    a3.kill()
    p3.kill()
    await watch.until_status("failed", {names["a3"], "p3"}, at=[p1, p2])
    await _listed([a1, a2], everybody - {names["a3"], "p3"})
    watch.only_failed(names["a3"], "p3")

    await a3.start(p1.address)
    await p3.start(a1.address)
    again = await a3.own_name()
    await _listed(managers, everybody - {names["a3"]} | {again})
    await watch.until_status("alive", everybody - {names["a3"]} | {again})

    a3.process.terminate()
    await a3.process.exited()
    await p3.leave()
    await watch.until_status("left", {again, "p3"}, at=[p1, p2])
    await _listed([a1, a2], everybody - {names["a3"], "p3"})
    watch.only_failed()


async def _listed(managers: list[Alertmanager], names: set[str]) -> None:
    """Each Alertmanager comes to list exactly these peers."""

    async def all_listed() -> bool:
        for manager in managers:
            if (await manager.peers()).keys() != names:
                return False
        return True

    await eventually(all_listed, describe=lambda: managers[0].logs())
