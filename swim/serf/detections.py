"""Puts what the failure detector keeps of a member into words: ``swim.detection``'s values."""

from __future__ import annotations

from swim.addresses import join_host_port
from swim.core.engine import Engine
from swim.core.probe import ProbeRound
from swim.core.table import Table
from swim.detection import Detection, OpenSuspicion, ProbeCounts, ProbePath, RelayAnswer, StreamAnswer
from swim.frozen import FrozenMap
from swim.serf.member_list import Roster

__all__ = ["detection"]

_NO_RELAYS: FrozenMap[str, RelayAnswer] = FrozenMap()


def detection(engine: Engine, roster: Roster, name: str) -> Detection | None:
    """What the failure detector of one node knows of a listed member; None if it is not listed."""
    entry = roster.get(name)
    if entry is None:
        return None
    suspicion = None
    if entry.member.is_suspect and (open_ := engine.claims.suspicions.get(name)):
        accusers = tuple(sorted(open_.accusers))
        suspicion = OpenSuspicion(accusers, open_.started, open_.deadline, open_.wanted)
    last_ack, rtt, last_round, tally = engine.context.probed.get(name)
    if tally is None:
        return Detection(entry.since, suspicion)
    probe = None if last_ack is None else ProbePath(last_ack, True, _NO_RELAYS, "off")
    if last_round is not None:
        probe = _path(last_round, engine.context.table)
    counts = ProbeCounts(tally.acked, tally.failed, tally.rtts)
    return Detection(entry.since, suspicion, last_ack, rtt, probe, counts)


def _path(probe: ProbeRound, table: Table) -> ProbePath:
    """How a round ended that took more than one ping."""
    relays: dict[str, RelayAnswer] = {}
    for endpoint in probe.relays:
        record = table.at(endpoint)
        name = join_host_port(*endpoint) if record is None else record.name
        is_nack = endpoint in probe.nacks
        relays[name] = "ack" if endpoint == probe.acked_from else "nack" if is_nack else "silent"
    direct = probe.acked_from is not None and probe.acked_from not in probe.relays
    stream: StreamAnswer = "none" if probe.fallback else "off"
    if probe.fallback == "acked":
        stream = "ack"
    elif probe.is_refused:
        stream = "refused"
    return ProbePath(probe.ended, direct, FrozenMap(relays), stream)
