"""The commands of ``swim cluster``, from text to values: faults of ``sims.faults``, and a few of its own.

Pure: the prompt and ``--script`` share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sims.errors import UsageError
from sims.faults import Crash, CutPair, Heal, Leave, Pause, Restart, Resume, SetLink, Split
from sims.faults.fault import Fault
from sims.faults.words import parse_fault, steps_of
from sims.world.network import Link

__all__ = ["HELP", "Command", "Step", "Word", "parse_command", "parse_script"]

HELP = """\
crash N      stop without leaving      split 1,2 3-5      cut the links between them
pause N      freeze                    cut 1 2            cut the link
resume N     continue it               loss 20%           lose that many packets
restart N    start again, same ports   heal               undo these three
leave N      leave gracefully          members            print every view
                                       help, quit
N is a node (node-3 or 3) or several (1,2 or 3-5)."""

_WORDS = ("members", "help", "quit")


@dataclass(frozen=True, slots=True)
class Word:
    """A command of the session itself: ``members``, ``help`` or ``quit``."""

    word: str


Command = Word | tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a script, ``at`` seconds after all nodes run."""

    at: float
    command: Command


def parse_script(text: str, nodes: Sequence[str]) -> tuple[Step, ...]:
    """Reads a whole script, in the order of time: see ``sims.faults.words``.

    Raises:
        UsageError: naming the first step that is wrong.
    """
    steps = [Step(at, parse_command(step, nodes)) for at, step in steps_of(text)]
    return tuple(sorted(steps, key=lambda step: step.at))


def parse_command(text: str, nodes: Sequence[str]) -> Command:
    """Reads one command to nodes of these names.

    Raises:
        UsageError: naming what is wrong, or what only simulated nodes can do. Nothing was done.
    """
    verb, *arguments = text.split() or [""]
    if verb in _WORDS:
        if arguments:
            raise UsageError(f"{verb!r} takes no argument, not {arguments[0]!r}")
        return Word(verb)
    faults = parse_fault(text, nodes, also=_WORDS)
    if not all(map(_is_possible, faults)):
        raise UsageError(f"only simulated nodes can do {text!r}; 'help' shows what these can")
    return faults


def _is_possible(fault: Fault) -> bool:
    """Whether real nodes can do it, without privileges."""
    match fault:
        case Crash(silent=False) | Restart(snapshot=True) | Leave(stop=True) | Pause(seconds=None):
            return True
        case Split(seconds=None) | CutPair(seconds=None, one_way=False) | Resume() | Heal():
            return True
        case SetLink(_, None, None, link, None):
            return link == Link(loss=link.loss)
    return False
