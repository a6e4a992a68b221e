"""A real Serf agent that may not join reads why, and neither side lists the other."""

from __future__ import annotations

import pytest
import trio

from swim import MergePolicy
from tests.interop.conftest import Pen
from tests.interop.processes import eventually

pytestmark = [pytest.mark.peers("serf"), pytest.mark.slow]


async def test_serf_reads_why_it_may_not_join(pen: Pen) -> None:
    policy = MergePolicy(tags={"cluster": "blue"})
    ours = pen.node("p1", tags={"cluster": "blue"}, merge_policy=policy)
    red, blue = pen.serf("s1", tags={"cluster": "red"}), pen.serf("s2", tags={"cluster": "blue"})
    await ours.start()
    await red.start()
    argv = ["serf", "join", f"-rpc-addr=127.0.0.1:{red.rpc.port}", ours.address]
    done = await trio.run_process(argv, capture_stdout=True, capture_stderr=True, check=False)
    assert done.returncode != 0
    why = "member s1 may not join: its tag cluster is red, and must match blue"
    assert why in (done.stdout + done.stderr).decode() + red.logs()
    await blue.start(ours.address)

    async def joined() -> bool:
        return set(await ours.members()) == set(await blue.members()) == {"p1", "s2"}

    await eventually(joined)
    assert set(await red.members()) == {"s1"}
