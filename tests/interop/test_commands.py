"""Our commands, through our agent, in a cluster with a real Serf agent."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
import trio

from tests.interop.conftest import Pen
from tests.interop.peers import OurAgent
from tests.interop.processes import eventually
from tests.interop.watch import Watch

pytestmark = [pytest.mark.peers("serf"), pytest.mark.slow]


async def swim(agent: OurAgent, *words: str) -> Any:
    """The document of one ``swim`` command, asked about this agent."""
    argv = [sys.executable, "-m", "swim", *words, "--json", "--address", agent.http]
    done = await trio.run_process(argv, capture_stdout=True)
    return json.loads(done.stdout)


async def test_events_queries_and_tags(pen: Pen) -> None:
    s1 = pen.serf("s1", tags={"role": "db"}, handlers=["query:load=echo 0.7"])
    a1 = pen.agent("a1", handlers=["query:load=echo 0.3"])
    await s1.start()
    await a1.start(s1.address)
    await Watch([s1, a1]).until_status("alive", {"s1", "a1"})

    assert await swim(a1, "event", "deploy", "v1") == {"name": "deploy", "bytes": 2, "coalesce": False}
    await eventually(lambda: "deploy" in s1.user_events(), describe=s1.logs)
    await s1.rpc.event("of-serf", b"x")
    await eventually(lambda: "of-serf" in a1.user_events(), describe=a1.logs)

    answers = await swim(a1, "query", "load", "--finish-early", "--timeout", "10")
    assert sorted(answers["acks"]) == ["a1", "s1"]
    texts = {answer["source"]: answer["text"].strip() for answer in answers["responses"]}
    assert texts == {"a1": "0.3", "s1": "0.7"}
    assert answers["seconds"] < 9
    one = await swim(a1, "query", "load", "--tag", "role=d.", "--no-ack", "--finish-early", "--timeout", "10")
    assert (one["acks"], [answer["source"] for answer in one["responses"]]) == ([], ["s1"])

    assert (await swim(a1, "tags", "--set", "role=web", "--delete", "build"))["tags"] == {"role": "web"}

    async def seen_by_serf() -> bool:
        return (await s1.members())["a1"].tags == {"role": "web"}

    await eventually(seen_by_serf, describe=s1.logs)
