"""Run many seeds, each a cluster with its own settings and faults; the exit code is that of the worst.

For every seed that fails, prints the command that runs it again, and what the seed picked.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import Any

from sims.arguments import ArgumentParser, at_least_one
from sims.errors import UsageError
from sims.swarm.many import run_seeds
from sims.world.observer import Observer

_BAR_CHARACTERS = 30
_INTERRUPTED = 130
_LINE_SECONDS = 10.0


def main(arguments: Sequence[str] | None = None, *, prog: str = "python -m sims.swarm") -> int:
    """Runs the seeds and returns the exit code: 0, or that of the worst seed; 130 after Ctrl-C."""
    parser = ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("--seeds", type=at_least_one, default=100, help="number of seeds (default 100)")
    parser.add_argument("--start", type=int, default=0, help="first seed (default 0)")
    parser.add_argument("--jobs", type=at_least_one, default=1, help="processes (default 1)")
    parser.add_argument(
        "--observers",
        metavar="MODULE:FUNCTION",
        default="",
        help="returns further observers for each run, such as your Applications",
    )
    parser.add_argument("--verbose", action="store_true", help="print every seed's settings and faults")
    options = parser.parse_args(arguments)
    try:
        observers = _imported(options.observers) if options.observers else tuple
    except UsageError as error:
        parser.error(str(error))
    more = f" --observers {options.observers}" if options.observers else ""
    seeds = range(options.start, options.start + options.seeds)
    outcomes: Counter[str] = Counter()
    worst = 0
    progress = _Progress(len(seeds))
    try:
        with closing(run_seeds(seeds, jobs=options.jobs, observers=observers)) as results:
            for result in results:
                outcomes[result.outcome] += 1
                worst = max(worst, result.exit_code)
                if options.verbose:
                    progress.say(str(result))
                elif result.violations:
                    again = result.replay.replace("python -m sims.swarm", prog) + more
                    progress.say(f"seed {result.seed}: {result.outcome}: {result.violations[0]} ({again})")
                    progress.say(str(result.options))
                progress.show(outcomes)
    except KeyboardInterrupt:
        worst = worst or _INTERRUPTED
    progress.say(f"{outcomes.total()} of {len(seeds)} seeds from {options.start}: {_summary(outcomes)}")
    return worst


def _imported(place: str) -> Callable[[], Iterable[Observer]]:
    module, colon, name = place.partition(":")
    if not colon:
        raise UsageError(f"--observers takes MODULE:FUNCTION, not {place!r}")
    if "" not in sys.path:
        sys.path.insert(0, "")  # the module is usually one of the current directory
    try:
        found: Any = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(f"--observers {place}: {error}") from None
    if not callable(found):
        raise UsageError(f"--observers {place}: not a function")
    return found  # type: ignore[no-any-return]


def _summary(outcomes: Counter[str]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())) or "none"


class _Progress:
    """A progress bar on a terminal's stderr; otherwise an occasional line."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._is_terminal = sys.stderr.isatty()
        self._next = time.monotonic() + _LINE_SECONDS

    def say(self, text: str) -> None:
        """Prints to stdout, in place of the bar."""
        if self._is_terminal:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
        print(text, flush=True)

    def show(self, outcomes: Counter[str]) -> None:
        """Says how far it is."""
        done, text = outcomes.total(), f"{outcomes.total()}/{self._total}: {_summary(outcomes)}"
        if self._is_terminal:
            bar = "#" * (_BAR_CHARACTERS * done // self._total)
            sys.stderr.write(f"\r[{bar:<{_BAR_CHARACTERS}}] {text}\x1b[K")
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + _LINE_SECONDS
            sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
