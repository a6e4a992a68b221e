"""``python -m sims.bench``: see ``--help``."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence

from sims.arguments import ArgumentParser, at_least_one
from sims.bench.engines import ENGINES, Embedding
from sims.bench.options import Options
from sims.bench.report import document, table
from sims.bench.scenarios import SCENARIOS

__all__ = ["main"]

_STOPPED = 3
_STOP_SECONDS = 10.0


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one scenario and prints it; 1 if a target was missed, 130 after Ctrl-C.

    Args:
        argv: arguments without the program's name; None takes the process's own.
    """
    parser = _parser()
    options = parser.parse_args(argv)
    if options.engine != "trio" and options.scenario != "soak":
        parser.error("--engine is for soak only")
    if options.mixed and (options.scenario not in ("fail", "host-gone") or options.against == "none"):
        parser.error("--mixed is for fail and host-gone against another engine")
    if options.nodes == 1 and options.scenario in ("fail", "host-gone", "leave"):
        parser.error(f"{options.scenario} needs at least 2 nodes")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    engines = [engine for engine in ENGINES.values() if engine.name in ("swim", options.against)]
    if options.engine != "trio":
        engines = [Embedding(options.engine) if each.name == "swim" else each for each in engines]
    sizes = Options(
        nodes=options.nodes,
        profile=options.profile,
        runs=options.runs,
        window=options.window,
        hogs=options.hogs,
        stopped=min(_STOPPED, options.nodes - 1),
        stop_seconds=_STOP_SECONDS,
        mixed=options.mixed,
    )
    try:
        results = SCENARIOS[options.scenario](engines, sizes)
    except KeyboardInterrupt:
        return 130
    summary = document(options.scenario, results)
    print(json.dumps(summary, indent=2) if options.json else table(options.scenario, results))
    return 1 if any(measure["met"] is False for measure in summary["measures"].values()) else 0


def _stop(number: int, _frame: object) -> None:
    """Ends the run once; a second signal must not interrupt the clean-up of a hundred processes."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m sims.bench", description="Real agents side by side.")
    parser.add_argument("scenario", choices=SCENARIOS, help="what to measure")
    parser.add_argument(
        "--nodes", type=at_least_one, default=20, metavar="N", help="agents of each kind (20)"
    )
    parser.add_argument("--profile", choices=("lan", "local"), default="lan")
    parser.add_argument(
        "--runs", type=at_least_one, default=3, metavar="R", help="repetitions, or windows (3)"
    )
    parser.add_argument(
        "--window", type=float, default=40.0, metavar="SECONDS", help="of idling or hogs (40)"
    )
    parser.add_argument("--hogs", type=int, default=32, metavar="N", help="busy loops of `starve` (32)")
    parser.add_argument(
        "--against",
        choices=("serf", "none"),
        default="serf",
        help="the engine next to ours, in the same run; `none` runs ours alone (serf)",
    )
    parser.add_argument(
        "--engine",
        choices=("trio", "thread", "process"),
        default="trio",
        help="of our nodes in `soak`: `swim agent`, or a program with its node in a thread or process (trio)",
    )
    parser.add_argument(
        "--mixed",
        action="store_true",
        help="`fail` and `host-gone` in a cluster of both engines too, one half each",
    )
    parser.add_argument("--json", action="store_true", help="one document on standard output")
    return parser


if __name__ == "__main__":
    sys.exit(main())
