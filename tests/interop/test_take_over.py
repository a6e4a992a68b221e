"""A Go agent's snapshot and tags file pass to our agent while the cluster runs, and back."""

from __future__ import annotations

import base64
import json

import pytest
import trio

from tests.interop.conftest import Pen
from tests.interop.peers import OurAgent, Peer, SerfAgent
from tests.interop.processes import eventually
from tests.interop.watch import Watch

pytestmark = [pytest.mark.peers("serf"), pytest.mark.slow]

_FLUSHED_AFTER = 0.6
"""Seconds between two lines after which Serf writes the first to its snapshot."""


async def until_seen(watch: Watch, agent: Peer, address: str, tags: dict[str, str]) -> None:
    await watch.until(
        lambda members: (
            agent.name in members
            and (members[agent.name].status, members[agent.name].address) == ("alive", address)
            and members[agent.name].tags == tags
        ),
    )


async def stop(agent: SerfAgent | OurAgent, how: str) -> None:
    if how == "leave":
        await agent.leave()
    else:
        agent.kill()


@pytest.mark.parametrize("how", ["leave", "kill"])
async def test_snapshot_and_tags_pass_from_serf_to_ours_and_back(pen: Pen, how: str) -> None:
    """No address to join is given to either: only the snapshot knows where the others are."""
    snapshot, tags = pen.directory / "serf.snapshot", pen.directory / "tags.json"
    of_serf = ["-snapshot", str(snapshot), "-tags-file", str(tags), "-rejoin"]
    of_ours = ["--snapshot", str(snapshot), "--tags-file", str(tags), "--rejoin-after-leave"]
    stays = pen.serf("stays", profile="local")
    serf = pen.serf("n", profile="local", options=of_serf)
    ours = pen.agent("n", profile="local", options=of_ours)
    ours.address = serf.address
    watch = Watch([stays])

    await stays.start()
    await serf.start(stays.address)
    await serf.rpc.set_tags({"role": "web"})
    while "alive: stays" not in (snapshot.read_text() if snapshot.exists() else ""):
        await stays.rpc.event(f"early-{len(stays.user_events())}")
        await trio.sleep(_FLUSHED_AFTER)
    early = stays.user_events()
    await eventually(lambda: serf.user_events() == early, 5, describe=serf.logs)

    await stop(serf, how)
    await stays.rpc.event("missed-by-serf")
    await ours.start()
    await until_seen(watch, ours, serf.address, {"role": "web"})
    await Watch([ours]).until_status("alive", {"stays", "n"})
    await eventually(lambda: "missed-by-serf" in ours.user_events(), describe=ours.logs)
    tags.write_text(json.dumps({"role": "db", "set": "by hand"}))
    ours.reload()
    await until_seen(watch, ours, serf.address, {"role": "db", "set": "by hand"})
    await stays.rpc.event("to-ours")
    await eventually(lambda: "to-ours" in ours.user_events(), 5, describe=ours.logs)
    repeated = ours.user_events()[:-2]
    assert repeated == [] if how == "leave" else set(repeated) <= set(early), ours.user_events()
    last = f"event-clock: {len(stays.user_events())}\n"
    await eventually(lambda: last in snapshot.read_text(), 5, describe=snapshot.read_text)

    await stop(ours, how)
    await stays.rpc.event("missed-by-ours")
    await serf.start()
    await until_seen(watch, serf, serf.address, {"role": "db", "set": "by hand"})
    await Watch([serf]).until_status("alive", {"stays", "n"})
    await eventually(lambda: serf.user_events() == [*early, "missed-by-ours"], describe=serf.logs)
    if how == "leave":
        watch.only_failed(serf_may_call={"n"})


async def test_a_configuration_passes_from_serf_to_ours_and_back(pen: Pen) -> None:
    """It names the snapshot, the tags file and the gossip key; both agents are started with it alone."""
    key = bytes(range(32))
    file = pen.directory / "agent.json"
    tags = pen.directory / "tags.json"
    tags.write_text(json.dumps({"role": "web"}))
    settings = {
        "snapshot_path": str(pen.directory / "serf.snapshot"), "tags_file": str(tags),
        "encrypt_key": base64.b64encode(key).decode(), "rejoin_after_leave": True,
    }  # fmt: skip
    file.write_text(json.dumps(settings))
    stays = pen.serf("stays", profile="local", key=key)
    serf = pen.serf("n", profile="local", options=["-config-file", str(file)])
    ours = pen.agent("n", profile="local", options=["--serf-config", str(file)])
    ours.address = serf.address
    watch = Watch([stays])

    await stays.start()
    await serf.start(stays.address)
    await until_seen(watch, serf, serf.address, {"role": "web"})
    for agent in (ours, serf):
        await (serf if agent is ours else ours).leave()
        await watch.until_status("left", {"n"})
        await agent.start()
        await until_seen(watch, agent, serf.address, {"role": "web"})
    watch.only_failed(serf_may_call={"n"})
