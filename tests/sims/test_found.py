"""What simulated runs found in the core, each as small as it became."""

from __future__ import annotations

import pytest

from swim.config import Config
from swim.core.broadcast import BroadcastQueue, Priority
from swim.errors import ConfigError


def test_settings_with_which_no_two_nodes_can_talk_are_refused() -> None:
    keys = (b"0123456789abcdef",)
    with pytest.raises(ConfigError, match="^accept_encryption_v0: "):
        Config.lan(name="a", protocol_version=1, keys=keys)
    Config.lan(name="a", protocol_version=1, keys=keys, accept_encryption_v0=True)


def test_a_growing_cluster_queues_no_more_again_than_the_queue_may_hold() -> None:
    queue = BroadcastQueue(1, max_depth=2)
    for name in ("a", "b", "c"):
        queue.queue(name, b"news", priority=Priority.DEAD)
        while queue:
            queue.take(0.0, 100, 2)
    assert queue.resize(1.0, 100)
    assert len(queue) == 2
