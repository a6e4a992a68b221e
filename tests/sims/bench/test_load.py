"""The load of the HTTP benchmark: as many requests as were due, each answered and timed."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from sims.bench.load import Load, load
from swim import Config
from tests.agent_api.fakes import FakeCluster
from tests.agent_api.http import served


@pytest.mark.slow
async def test_requests_are_sent_when_they_are_due_and_answers_are_counted() -> None:
    async with served(FakeCluster(Config(name="a"))) as agent:
        run = partial(load, port=agent.endpoint[1], connections=2, seconds=0.5)
        paced = await trio.to_thread.run_sync(partial(run, "/v1/agent/members", rate=40))
        assert 18 <= paced.answers <= 21
        assert len(paced.latencies) == paced.answers
        assert paced.latencies == sorted(paced.latencies)
        wrong = await trio.to_thread.run_sync(partial(run, "/v1/nope"))
        assert wrong.answers == 0 < wrong.others


def test_percentiles_are_of_all_answers() -> None:
    found = Load(100, 0, 1.0, [float(number) for number in range(1, 101)])
    assert (found.percentile(0.5), found.percentile(0.99), found.percentile(1.0)) == (51.0, 100.0, 100.0)
