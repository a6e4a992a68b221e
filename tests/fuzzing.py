"""What every fuzz shares: how long, from which seed, what a process holds, the smallest input, the summary.

``SWIM_FUZZ_SECONDS`` is the time for each layer; by default a second or two. ``SWIM_FUZZ_SEED`` is the seed.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import trio

__all__ = [
    "KEPT",
    "LATE_GROWTH_BYTES",
    "LONG_SECONDS",
    "SECONDS",
    "SEED",
    "Fuzzed",
    "Holdings",
    "Input",
    "given_back",
    "holdings",
    "smallest",
    "summary",
]

SECONDS = float(os.environ.get("SWIM_FUZZ_SECONDS", "2"))
SEED = int(os.environ.get("SWIM_FUZZ_SEED", "1"))
MEMORY_MAX_BYTES = 150_000_000
"""What caches, queues and tables may grow by; each has a budget of its own."""
LATE_GROWTH_BYTES = 40_000_000
"""What memory may grow by in the second half of a long attack."""
LONG_SECONDS = 30
KEPT = 400
"""Inputs remembered, to find the one that broke something."""

Input = tuple[str, bytes]
"""Where it goes, and the bytes."""


class Holdings(NamedTuple):
    """What a process holds."""

    descriptors: int
    tasks: int
    resident_bytes: int

    def is_within(self, other: Holdings) -> bool:
        """Whether there are no more descriptors and tasks than in the other."""
        return self.descriptors <= other.descriptors and self.tasks <= other.tasks


def holdings(pid: int | str = "self", tasks: int = 0) -> Holdings:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return Holdings(len(os.listdir(f"/proc/{pid}/fd")), tasks, pages * os.sysconf("SC_PAGE_SIZE"))


async def given_back(
    measure: Callable[[], Awaitable[Holdings]], before: Holdings, *, settle: float = 1.5
) -> Holdings:
    """What is held once connections that are still open have timed out; first, ``settle`` seconds pass."""
    await trio.sleep(settle)
    held = await measure()
    for _ in range(200):
        if held.is_within(before):
            break
        await trio.sleep(0.1)
        held = await measure()
    return held


class Fuzzed(NamedTuple):
    """One target under attack.

    Attributes:
        inputs: packets, streams and requests that it took.
        exceptions: how many it raised; the first one ends the attack.
    """

    layer: str
    target: str
    inputs: int
    exceptions: int
    seconds: float
    before: Holdings
    after: Holdings

    def check(self, halfway: Holdings | None = None, *, most_bytes: int = MEMORY_MAX_BYTES) -> None:
        """Only memory within its budgets is kept, and a long attack adds little in its second half."""
        assert self.inputs
        assert self.after.is_within(self.before), self
        assert self.after.resident_bytes - self.before.resident_bytes < most_bytes, self
        if halfway is not None and self.seconds >= LONG_SECONDS:
            assert self.after.resident_bytes - halfway.resident_bytes < LATE_GROWTH_BYTES, (halfway, self)

    def record(self, record_property: Callable[[str, object], None]) -> None:
        """For the summary at the end of the test run, which may be made in another process."""
        record_property("fuzzed", [*self[:5], [*self.before], [*self.after]])


def summary(reports: Iterable[Any]) -> list[str]:
    """A table of everything that was fuzzed in a test run; empty if nothing was."""
    rows = [value for one in reports for name, value in one.user_properties if name == "fuzzed"]
    if not rows:
        return []
    form = "{:8}{:28}{:>11}{:>8}{:>12}{:>18}{:>14}{:>9}"
    lines = [
        form.format("layer", "target", "inputs", "per s", "exceptions", "memory, MB", "descriptors", "tasks")
    ]
    for layer, target, inputs, exceptions, seconds, before, after in rows:
        (files, tasks, memory), (files_after, tasks_after, memory_after) = before, after
        lines.append(
            form.format(
                *(layer, target, f"{inputs:,}", f"{inputs / max(seconds, 0.001):.0f}", exceptions),
                f"{memory / 1e6:.1f} -> {memory_after / 1e6:.1f}",
                f"{files} -> {files_after}",
                f"{tasks} -> {tasks_after}" if tasks else "",
            )
        )
    total, raised = sum(row[2] for row in rows), sum(row[3] for row in rows)
    return [*lines, f"{total:,} inputs of seed {SEED}, {raised} exceptions"]


def smallest(
    breaks: Callable[[Sequence[Input]], bool], inputs: Iterable[Input], *, within: float = 60.0
) -> list[Input]:
    """The fewest and shortest inputs that still break something, by leaving out ever smaller pieces.

    Args:
        breaks: whether these inputs, in this order, do.
        inputs: all of them together do.
        within: seconds; after that, the best result until then.
    """
    until = monotonic() + within

    def reduced(whole: Any, rebuilt: Callable[[Any], Sequence[Input]]) -> Any:
        size = (len(whole) + 1) // 2
        while size:
            at = 0
            while at < len(whole) and monotonic() < until:
                rest = whole[:at] + whole[at + size :]
                if breaks(rebuilt(rest)):
                    whole = rest
                else:
                    at += size
            size = (size + 1) // 2 if size > 1 else 0
        return whole

    kept: list[Input] = reduced([*inputs], lambda rest: rest)
    for place, (door, data) in enumerate(kept):

        def with_data(rest: Any, place: int = place, door: str = door) -> Sequence[Input]:
            return [*kept[:place], (door, rest), *kept[place + 1 :]]

        kept[place] = door, reduced(data, with_data)
    return kept
