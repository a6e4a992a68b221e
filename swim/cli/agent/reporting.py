"""What a running agent writes beside its log: where it serves, and its metrics."""

from __future__ import annotations

import time

from agent_api import AgentSettings
from swim.addresses import Endpoint, join_host_port
from swim.cli.logs import LogOutput
from swim.metrics import Metrics

__all__ = ["dump", "url_of"]


def url_of(bound: Endpoint, api: AgentSettings) -> str:
    """Where clients find the HTTP API: at an address and port, or at the path of a Unix socket and 0."""
    if not bound[1]:
        return f"unix://{bound[0]}"
    return f"{'https' if api.tls else 'http'}://{join_host_port(*bound)}"


def dump(output: LogOutput, metrics: Metrics) -> None:
    """Writes all metrics to stderr, as Serf does."""
    now = time.strftime("%Y-%m-%d %H:%M:%S %z")
    for name, value in sorted(metrics.gauges.items()):
        output.say(f"[{now}][G] '{name}': {value:.3f}")
    for name, count in sorted(metrics.counters.items()):
        output.say(f"[{now}][C] '{name}': Count: {count}")
    for name, samples in sorted(metrics.samples.items()):
        output.say(f"[{now}][S] '{name}': Count: {samples.count} Sum: {samples.sum:.3f}")
