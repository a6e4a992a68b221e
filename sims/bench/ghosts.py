"""The cost of members that do not exist, to real agents: late detection, refused newcomers, work.

A non-member invents them: in packets, in push/pulls, as alive and as gone. Their addresses do not answer.
"""

from __future__ import annotations

import contextlib
import socket
import statistics
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from signal import SIGKILL
from typing import TypeVar

from sims.bench.clusters import SETTLE_SECONDS, add, joined_fleet, pump_all, say
from sims.bench.engines import Engine, Place
from sims.bench.fleet import Agent, Fleet, progress
from sims.bench.options import Options, Samples
from sims.bench.ports import free_port
from sims.bench.procfs import cpu_seconds, resident_mib
from swim.serf.push_pull import PushPullState, encode_state
from swim.wire import compound
from swim.wire.codec import encode
from swim.wire.messages import Alive, Dead, NodeRecord, PushPull

__all__ = ["ghosts"]

_FEW, _MANY, _GONE = 600, 100_000, 60_000
"""Some 36 kB of names, 6 MB of names, and those said to have left."""
_PER_PACKET = 20
_PACKETS_AT_ONCE = 50
_RECORDS_PER_STREAM = 10_000
_TIMEOUT = 60.0
_VERSIONS = bytes((1, 5, 2, 2, 5, 5))

T = TypeVar("T")


def ghosts(engines: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """Kills with and without ghosts, a newcomer among ghosts, and idling among ghosts that left."""
    results: dict[str, Samples] = {}
    for engine in engines:
        samples = results.setdefault(engine.name, {})
        for run in range(options.runs):
            with joined_fleet(engine, options) as fleet:
                pump_all([fleet], SETTLE_SECONDS)
                add(samples, "cpu before, s/min", _cpu(fleet, options.window))
                add(samples, "all failed, s", _kill(fleet, fleet.agents[-1], []))
                _return(fleet, fleet.agents[-1])
                add(
                    samples,
                    f"all failed among {_FEW}, s",
                    _kill(fleet, fleet.agents[-1], _alive("few", _FEW)),
                )
                _return(fleet, fleet.agents[-1])
                progress(f"{_MANY} ghosts for each")
                _tell(fleet, _alive("many", _MANY))
                add(samples, f"newcomer known among {_MANY}, s", _newcomer(fleet))
                progress(f"{_GONE} ghosts that left for each")
                _tell_gone(fleet)
                pump_all([fleet], SETTLE_SECONDS)
                add(samples, f"cpu among {_GONE} gone, s/min", _cpu(fleet, options.window))
                rss = statistics.fmean(resident_mib(agent.pid) for agent in fleet.agents)
                add(samples, "RSS per process, MiB", rss)
            say(run, engine.name, samples)
    return results


def _alive(kind: str, count: int) -> Iterator[bytes]:
    """Packets that say members are alive that are not."""
    names = (f"{kind}-{number}" for number in range(count))
    for some in _batches(enumerate(names), _PER_PACKET):
        yield compound.pack([encode(Alive(1, name, _addr(n), 7946, None, _VERSIONS)) for n, name in some])


def _addr(number: int) -> bytes:
    return bytes((127, 100 + number // 65_000, number // 250 % 250, number % 250 + 1))


def _tell(fleet: Fleet, packets: Iterable[bytes]) -> None:
    """Sends every running agent all of them, as fast as they are read."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.9", 0))
        for some in _batches(packets, _PACKETS_AT_ONCE):
            for agent in _running(fleet):
                for packet in some:
                    sender.sendto(packet, ("127.0.0.1", agent.place.gossip_port))
            fleet.pump(lambda: False, 0.02)


def _tell_gone(fleet: Fleet) -> None:
    """Sends claims about members that left: as records, as names, and by packets in their own name."""
    names = [f"gone-{number}" for number in range(_GONE)]
    for some in _batches(enumerate(names), _RECORDS_PER_STREAM):
        records = tuple(NodeRecord(name, _addr(n), 7946, None, 1, 3, _VERSIONS) for n, name in some)
        left = [name for _, name in some]
        state = encode_state(PushPullState(9, dict.fromkeys(left, 7), left, 1, (), 1))
        for agent in _running(fleet):
            _push(agent.place, encode(PushPull(False, records, state)))
        fleet.pump(lambda: False, 0.5)
    parts = (encode(Dead(1, name, name)) for name in names)
    _tell(fleet, (compound.pack(some) for some in _batches(parts, _PER_PACKET)))


def _push(place: Place, data: bytes) -> None:
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", place.gossip_port), 5) as stream,
    ):
        stream.sendall(data)
        stream.shutdown(socket.SHUT_WR)
        while stream.recv(65_536):
            pass


def _running(fleet: Fleet) -> list[Agent]:
    return [agent for agent in fleet.agents if agent.is_running]


def _kill(fleet: Fleet, victim: Agent, packets: Iterable[bytes]) -> float:
    """Ends one agent after ghosts were announced to all; seconds until all others detected it."""
    _tell(fleet, packets)
    started, name = fleet.clock(), victim.place.name
    victim.signal(SIGKILL)
    others = [agent for agent in fleet.agents if agent is not victim]

    def times() -> list[float]:
        seen = (agent.seen("failed", started).get(name) for agent in others)
        return [at for at in seen if at is not None]

    complete = fleet.pump(lambda: len(times()) == len(others), _TIMEOUT)
    return max(times()) - started if complete else _TIMEOUT


def _return(fleet: Fleet, victim: Agent) -> None:
    fleet.join_one(fleet.restart(victim))
    pump_all([fleet], SETTLE_SECONDS)


def _newcomer(fleet: Fleet) -> float:
    """Seconds until an agent that joins is known to all."""
    others = [*fleet.agents]
    fresh = fleet.add(Place("newcomer", free_port(), free_port()))
    started = fleet.join_one(fresh)

    def known() -> bool:
        return all("newcomer" in agent.known for agent in others)

    return fleet.clock() - started if fleet.pump(known, _TIMEOUT) else _TIMEOUT


def _cpu(fleet: Fleet, seconds: float) -> float:
    before = {agent.pid: cpu_seconds(agent.pid) for agent in fleet.agents}
    pump_all([fleet], seconds)
    spent = statistics.fmean(cpu_seconds(pid) - earlier for pid, earlier in before.items())
    return spent * 60 / seconds


def _batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(values)
    while some := list(islice(left, size)):
        yield some
