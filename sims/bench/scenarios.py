"""All scenarios by name: each is a function from engines and options to samples of named measures."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sims.bench.embed import embed
from sims.bench.engines import Engine
from sims.bench.ghosts import ghosts
from sims.bench.hostile import hostile
from sims.bench.http import http
from sims.bench.idle import memory, one_process, steady
from sims.bench.mass_join import mass_join
from sims.bench.messages import event_flood, events, queries
from sims.bench.options import Options, Samples
from sims.bench.overload import pause, starve
from sims.bench.simulated import simulated
from sims.bench.soak import soak
from sims.bench.spread import fail, host_gone, join, leave
from sims.bench.table import table
from sims.bench.world import world

__all__ = ["SCENARIOS"]

SCENARIOS: dict[str, Callable[[Sequence[Engine], Options], dict[str, Samples]]] = {
    "steady": steady,
    "one-process": one_process,
    "memory": memory,
    "table": table,
    "join": join,
    "mass-join": mass_join,
    "embed": embed,
    "fail": fail,
    "host-gone": host_gone,
    "leave": leave,
    "events": events,
    "queries": queries,
    "event-flood": event_flood,
    "pause": pause,
    "starve": starve,
    "soak": soak,
    "hostile": hostile,
    "ghosts": ghosts,
    "http": http,
    "simulated": simulated,
    "world": world,
}
