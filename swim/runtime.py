"""Statistics of this process, under the names that Go's agents give them."""

from __future__ import annotations

import os
import platform
import threading

__all__ = ["runtime_stats"]

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm"}


def runtime_stats(*, tasks: int) -> dict[str, str]:
    """Go's names with our values: ``goroutines`` counts tasks and threads."""
    machine = platform.machine().lower()
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "os": platform.system().lower(),
        "arch": _ARCHITECTURES.get(machine, machine),
        "version": f"python{platform.python_version()}",
        "max_procs": str(processors),
        "goroutines": str(tasks + threading.active_count()),
        "cpu_count": str(os.cpu_count()),
    }
