"""``python -m sims.swarm``: many seeds, what each that fails had picked, exit code of the worst."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing

from sims.arguments import ArgumentParser, at_least_one
from sims.swarm.many import run_seeds

_BAR_CHARACTERS = 30
_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the seeds and returns the exit code: 0, or that of the worst seed; 130 after Ctrl-C."""
    parser = ArgumentParser(prog="python -m sims.swarm", description=__doc__)
    parser.add_argument("--seeds", type=at_least_one, default=100, help="how many (default 100)")
    parser.add_argument("--start", type=int, default=0, help="the first (default 0)")
    parser.add_argument("--jobs", type=at_least_one, default=1, help="processes (default 1)")
    parser.add_argument(
        "--verbose", action="store_true", help="tell of every seed what it was, faults included"
    )
    options = parser.parse_args(arguments)
    seeds = range(options.start, options.start + options.seeds)
    outcomes: Counter[str] = Counter()
    worst = 0
    try:
        with closing(run_seeds(seeds, jobs=options.jobs)) as results:
            for result in results:
                outcomes[result.outcome] += 1
                worst = max(worst, result.exit_code)
                if options.verbose:
                    _say(str(result))
                elif result.violations:
                    _say(f"seed {result.seed}: {result.outcome}: {result.violations[0]} ({result.replay})")
                    _say(str(result.options))
                _show_progress(outcomes.total(), len(seeds), outcomes)
    except KeyboardInterrupt:
        worst = worst or _INTERRUPTED
    _say(f"{outcomes.total()} of {len(seeds)} seeds from {options.start}: {_summary(outcomes)}")
    return worst


def _summary(outcomes: Counter[str]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())) or "none"


def _say(text: str) -> None:
    clear = "\r\x1b[K" if sys.stderr.isatty() else ""
    sys.stderr.write(clear)
    sys.stderr.flush()
    print(text, flush=True)


def _show_progress(done: int, total: int, outcomes: Counter[str]) -> None:
    if sys.stderr.isatty():
        bar = "#" * (_BAR_CHARACTERS * done // total)
        sys.stderr.write(f"\r[{bar:<{_BAR_CHARACTERS}}] {done}/{total}: {_summary(outcomes)}\x1b[K")
        sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
