"""Makes the run again that a trace's first line describes, and finds where two traces diverge.

A replay file is a trace; its first line alone is enough to run it again, and the others are then compared.
The way a run is made has a name (``made["by"]``): ``scenario``, ``swarm`` and ``schedule`` are built in, and
``makers`` accepts further ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from sims.checkers import safety_checkers
from sims.errors import SimError, UsageError
from sims.faults.schedule import LONGEST, Schedule
from sims.faults.serialize import from_plain
from sims.traces.writer import EventTrace, TraceWriter
from sims.world import Start, World
from sims.world.observer import Observer
from swim.config import Config
from swim.trace import FORMAT, Record
from swim.version import __version__

__all__ = [
    "Ending",
    "Maker",
    "Replayed",
    "Trace",
    "makers",
    "parse_trace",
    "read_trace",
    "replay",
    "schedule_made",
]

_NODES_MAX = 1_000_000


class Trace(NamedTuple):
    """A trace in memory.

    Attributes:
        name: its source, for messages.
        header: the first line.
        records: all others.
    """

    name: str
    header: Record
    records: list[Record]


class Ending(NamedTuple):
    """How a run ended: what went wrong, or "", and the corresponding exit code."""

    problem: str = ""
    exit_code: int = 0


class Replayed(NamedTuple):
    """A run made again.

    Attributes:
        trace: what happened this time.
        sha256: of its lines.
        ending: how it ended.
    """

    trace: Trace
    sha256: str
    ending: Ending


Maker = Callable[[int, Mapping[str, Any], Iterable[Observer]], Ending]
"""Makes a run from its seed, the ``made`` of the header and observers.

``UsageError`` means that ``made`` is not valid; any other ``SimError`` is the run's ending.
"""


def read_trace(path: Path) -> Trace:
    """Reads a trace or replay file.

    Raises:
        UsageError: it cannot be read, is not a trace, or has another format; names the file and line.
    """
    try:
        with path.open(encoding="ascii") as file:
            return parse_trace(file, str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {getattr(error, 'strerror', None) or 'not a trace'}") from None


def parse_trace(lines: Iterable[str], name: str) -> Trace:
    """A trace from its lines.

    Raises:
        UsageError: see ``read_trace``.
    """
    records: list[Record] = []
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict) or "kind" not in record:
            raise UsageError(f"{name}, line {number}: not a line of a trace")
        if number == 1:
            _check_header(record, name)
        records.append(record)
    if not records:
        raise UsageError(f"{name}: an empty file, not a trace")
    return Trace(name, records[0], records[1:])


def _check_header(header: Record, name: str) -> None:
    if header["kind"] != "trace":
        raise UsageError(f"{name}: not a trace: the first line is not its header")
    if header.get("format") != FORMAT:
        raise UsageError(f"{name}: trace format {header.get('format')!r}; this version reads {FORMAT}")
    if not isinstance(header.get("made"), dict) or not isinstance(header.get("seed"), int):
        raise UsageError(f"{name}: the header does not say how the run was made")


def replay(trace: Trace) -> Replayed:
    """Makes the run again that the trace's header describes.

    Raises:
        UsageError: it was recorded by another version, or its maker is unknown; nothing was run.
    """
    header, name = trace.header, trace.name
    if header.get("swim") != __version__:
        raise UsageError(
            f"{name}: recorded by swim {header.get('swim')}, this is {__version__}: runs would differ"
        )
    made: dict[str, Any] = header["made"]
    maker = makers.get(str(made.get("by")))
    if maker is None:
        raise UsageError(f"{name}: a run made by {made.get('by')!r} cannot be made again")
    lines: list[str] = []
    kind = TraceWriter if header.get("level") == "all" else EventTrace
    writer = kind(lines.append, made=made)
    try:
        ending = maker(header["seed"], made, [writer])
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None
    except SimError as error:
        ending = Ending(str(error), error.exit_code)
    return Replayed(parse_trace(lines, f"{name}, replayed"), writer.sha256, ending)


# -- makers


def schedule_made(
    schedule: Schedule,
    *,
    nodes: int,
    seconds: float,
    profile: str = "lan",
    config: Mapping[str, Any] | None = None,
    start: Start = "join",
    settle: float | None = None,
    lacks: str = "",
) -> dict[str, Any]:
    """The ``made`` of a run of one fault schedule on the default network.

    Args:
        schedule: applied at time 0.
        nodes: how many there are.
        seconds: how long it runs.
        profile: ``lan``, ``wan`` or ``local``.
        config: fields changed in it; plain JSON.
        start: see ``World``.
        settle: after that, all views must be right within this many seconds; None checks nothing.
        lacks: what took part in the run but is not in the file, such as an application; replays report it.
    """
    return {
        "by": "schedule",
        "config": dict(config or {}),
        **({"lacks": lacks} if lacks else {}),
        "nodes": nodes,
        "profile": profile,
        "schedule": schedule.to_plain(),
        "seconds": seconds,
        "settle": settle,
        "start": start,
    }


def _make_schedule(seed: int, made: Mapping[str, Any], observers: Iterable[Observer]) -> Ending:
    try:
        nodes, start = from_plain(int, made["nodes"], "nodes"), made["start"]
        seconds = from_plain(float, made["seconds"], "seconds")
        settle = from_plain(float | None, made["settle"], "settle")
        config = partial(Config.profile, made["profile"], **made["config"])
        config(name="n1", bind="127.0.0.1:0")
        schedule = Schedule.from_plain(made["schedule"])
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise UsageError(f"the header does not say how the run was made: {error}") from None
    for name, value, least, most in (
        ("nodes", nodes, 1, _NODES_MAX),
        ("seconds", seconds, 0, LONGEST),
        ("settle", settle or 0.0, 0, LONGEST),
    ):
        if not least <= value <= most:
            raise UsageError(f"{name} must be from {least} to {most:.0f}, not {value!r}")
    watchers = [*observers, *safety_checkers()]
    world = World(seed, nodes=nodes, config=config, start=start, observers=watchers)
    schedule.apply(world)
    world.run_for(seconds)
    if settle is not None:
        world.settle(settle)
    return Ending()


def _make_scenario(seed: int, made: Mapping[str, Any], observers: Iterable[Observer]) -> Ending:
    from sims.scenarios.registry import run_scenario

    options = made.get("options") or {}
    if not isinstance(options, dict):
        raise UsageError(f"options must be an object of names and values, not {options!r}")
    settings = made.get("settings") or {}
    if not isinstance(settings, dict):
        raise UsageError(f"settings must be an object of names and values, not {settings!r}")
    name = str(made.get("name"))
    result = run_scenario(name, seed, options, settings=settings, observers=observers)
    return Ending("; ".join(result.violations), result.exit_code)


def _make_swarm(seed: int, made: Mapping[str, Any], observers: Iterable[Observer]) -> Ending:
    from sims.swarm import run_swarm

    result = run_swarm(seed, observers=observers)
    return Ending("; ".join(result.violations), result.exit_code)


makers: dict[str, Maker] = {"scenario": _make_scenario, "schedule": _make_schedule, "swarm": _make_swarm}
"""The makers of runs, by the ``by`` of their header."""
