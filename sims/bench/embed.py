"""The cost of membership inside a program: ours on each front, next to kinship's if it is installed."""

from __future__ import annotations

import json
import os
import selectors
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sims.bench.clusters import JOIN_TIMEOUT, SETTLE_SECONDS, add
from sims.bench.engines import Engine
from sims.bench.fleet import progress
from sims.bench.options import Options, Samples
from sims.bench.ports import free_port
from sims.bench.procfs import context_switches, cpu_seconds, resident_mib

__all__ = ["embed"]

_KINDS = {
    "thread": "swim",
    "process": "swim, process",
    "trio": "swim, trio",
    "kinship": "kinship",
    "bare": "no membership",
}
"""Kinds of programs, and their names in the table. The last one is what the others cannot go below."""
_WITHOUT_READERS = ("kinship", "bare")
_CROSSING_SECONDS = 9.0


def embed(engines: Sequence[Engine], options: Options) -> dict[str, Samples]:
    """Programs of each kind, encrypted: start, agreement, idle cost, and events from node to reader."""
    kinds = list(_KINDS)
    if find_spec("kinship") is None:
        kinds.remove("kinship")
        progress("kinship is not installed, so ours is measured alone: pip install kinship==0.4.0")
    results: dict[str, Samples] = {_KINDS[kind]: {} for kind in kinds}
    with TemporaryDirectory() as cache:
        for kind in kinds:
            with _Group(kind, options, 1, cache) as first:
                first.agree()  # compiles what it imports, as pip does when it installs a package
        for _ in range(options.runs):
            _run(results, kinds, options, cache)
    return results


def _run(results: dict[str, Samples], kinds: Sequence[str], options: Options, cache: str) -> None:
    with ExitStack() as stack:
        groups = []
        for kind in kinds:
            group = stack.enter_context(_Group(kind, options, options.nodes, cache))
            groups.append(group)
            add(results[_KINDS[kind]], "all agree after, s", group.agree())
        groups[0].wait(SETTLE_SECONDS)
        before = [group.usage() for group in groups]
        progress(f"idle window of {options.window:g} s")
        groups[0].wait(options.window)
        for group, old in zip(groups, before, strict=True):
            _add_usage(results[_KINDS[group.kind]], old, group.usage(), options.window)
        for group in groups:
            if group.kind not in _WITHOUT_READERS:
                _add_crossings(results[_KINDS[group.kind]], group)


def _add_usage(
    samples: Samples, old: list[tuple[float, int, float]], new: list[tuple[float, int, float]], seconds: float
) -> None:
    cpu = statistics.fmean(b[0] - a[0] for a, b in zip(old, new, strict=True))
    switches = statistics.fmean(b[1] - a[1] for a, b in zip(old, new, strict=True))
    add(samples, "cpu per node, s/min", cpu * 60 / seconds)
    add(samples, "context switches, 1/s", switches / seconds)
    add(samples, "RSS per program, MiB", statistics.fmean(b[2] for b in new))


def _add_crossings(samples: Samples, group: _Group) -> None:
    group.signal(signal.SIGUSR1, 1)
    group.wait(_CROSSING_SECONDS)
    group.signal(signal.SIGUSR2)
    for origin in ("packet", "node"):  # read, and published
        seconds = sorted(group.crossings(origin))
        if seconds:
            add(samples, f"{origin} to reader, p50, us", 1e6 * statistics.median(seconds))
            add(samples, f"{origin} to reader, p90, us", 1e6 * seconds[9 * len(seconds) // 10])


class _Group:
    """Programs of one kind, started at once; the first one is the seed of all others."""

    def __init__(self, kind: str, options: Options, nodes: int, cache: str) -> None:
        self.kind = kind
        self._said: dict[str, dict[int, dict[str, Any]]] = {"up": {}, "agree": {}, "crossings": {}}
        self._began = time.monotonic()
        self._selector = selectors.DefaultSelector()
        self._programs: list[subprocess.Popen[bytes]] = []
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        progress(f"starting {nodes} of {_KINDS[kind]}, {options.profile} profile")
        binds = [f"127.0.0.1:{free_port()}" for _ in range(nodes)]
        for number, bind in enumerate(binds):
            settings = {
                "name": f"{kind}-{number}",
                "bind": bind,
                "seeds": binds[:1] if number else [],
                "peers": binds,
                "nodes": nodes,
                "profile": options.profile,
            }
            program = subprocess.Popen(
                [sys.executable, "-m", "sims.bench.embedded", kind, json.dumps(settings)],
                stdout=subprocess.PIPE,
                env=environment,
                bufsize=0,
            )
            self._programs.append(program)
            self._selector.register(program.stdout, selectors.EVENT_READ, number)  # type: ignore[arg-type]

    def agree(self) -> float:
        """Seconds from the start of the first program until the last one knows all."""
        agreed = self._said["agree"]
        self.read(self._began + JOIN_TIMEOUT, lambda: len(agreed) == len(self._programs))
        if len(agreed) < len(self._programs):
            raise SystemExit(f"the {self.kind} programs did not all find each other in {JOIN_TIMEOUT:g} s")
        return max(float(said["at"]) for said in agreed.values()) - self._began

    def read(self, deadline: float, is_enough: Callable[[], bool]) -> None:
        """Reads what the programs say until that is enough."""
        while not is_enough() and (left := deadline - time.monotonic()) > 0:
            for key, _ in self._selector.select(min(left, 0.5)):
                line = key.fileobj.readline()  # type: ignore[union-attr]
                if not line:
                    raise SystemExit(f"a {self.kind} program ended")
                said = json.loads(line)
                self._said[said["kind"]][key.data] = said

    def wait(self, seconds: float) -> None:
        """Waits, while the programs run."""
        self.read(time.monotonic() + seconds, lambda: False)

    def usage(self) -> list[tuple[float, int, float]]:
        """Processor seconds, context switches and MiB of each program, its child processes included."""
        return [_usage(program.pid) for program in self._programs]

    def signal(self, number: signal.Signals, count: int | None = None) -> None:
        """Sends a signal to the first programs, or to all."""
        for program in self._programs[:count]:
            program.send_signal(number)

    def crossings(self, origin: str) -> list[float]:
        """How long events took to their reader, of all programs but the first, once they were asked."""
        told = self._said["crossings"]
        self.read(time.monotonic() + 10.0, lambda: len(told) == len(self._programs))
        return [seconds for said in told.values() for seconds in said[origin]]

    def __enter__(self) -> _Group:
        return self

    def __exit__(self, *_: object) -> None:
        for program in self._programs:
            program.kill()
        for program in self._programs:
            program.wait()
            program.stdout.close()  # type: ignore[union-attr]
        self._selector.close()


def _usage(pid: int) -> tuple[float, int, float]:
    pids = [pid, *_children(pid)]
    return (
        sum(map(cpu_seconds, pids)),
        sum(map(context_switches, pids)),
        sum(map(resident_mib, pids)),
    )


def _children(pid: int) -> list[int]:
    files = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in files for child in file.read_text().split()]
