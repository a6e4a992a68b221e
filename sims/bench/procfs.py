"""Data of a running process from Linux's ``/proc``."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["context_switches", "cpu_seconds", "descriptors", "proportional_mib", "resident_mib", "threads"]

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system time used so far, in ticks of usually 10 ms."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS_PER_SECOND


def resident_mib(pid: int) -> float:
    """RSS, MiB; pages shared with other processes count in full."""
    return _kib(f"/proc/{pid}/status", "VmRSS:") / 1024


def proportional_mib(pid: int) -> float:
    """PSS, MiB; a page shared by n processes counts 1/n."""
    return _kib(f"/proc/{pid}/smaps_rollup", "Pss:") / 1024


def descriptors(pid: int) -> int:
    """Open file descriptors."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def threads(pid: int) -> int:
    """Threads, the main one included."""
    return sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())


def context_switches(pid: int) -> int:
    """Switches of all threads so far: roughly, how often the process was woken."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += _kib(str(task / "status"), "voluntary_ctxt_switches:")
    return total


def _kib(path: str, key: str) -> int:
    for line in Path(path).read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1])
    raise KeyError(key)
