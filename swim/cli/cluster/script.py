"""The commands of ``swim cluster``, from text to values: faults of ``sims.faults``, and a few of its own.

Pure: the prompt and ``--script`` share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sims.errors import UsageError
from sims.faults import Add, Crash, CutPair, Heal, Leave, Pause, Restart, Resume, SetLink, Split
from sims.faults.fault import Fault
from sims.faults.words import parse_fault, steps_of
from sims.world.latency import Constant
from sims.world.network import Link

__all__ = ["HELP", "NODES_MAX", "Command", "Step", "Word", "parse_command", "parse_script"]

HELP = """\
crash N      stop without leaving      split 1,2 3-5      cut the links between them
pause N      freeze                    cut 1 2            cut the link; cut 1 -> 2 one way
resume N     continue it               loss 20%           lose that many packets
restart N    start again, same ports   delay 50ms         every packet takes that much longer
leave N      leave gracefully          heal               undo these four
add          one more node             members            print every view
                                       help, quit
N is a node (node-3 or 3) or several (1,2 or 3-5)."""

NODES_MAX = 1000
"""Nodes of one cluster."""

_WORDS = ("members", "help", "quit")
_ADD = "add"


@dataclass(frozen=True, slots=True)
class Word:
    """A command of the session itself: ``members``, ``help`` or ``quit``."""

    word: str


Command = Word | tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a script, ``at`` seconds after all nodes run, as it was written."""

    at: float
    text: str
    command: Command


def parse_script(text: str, nodes: Sequence[str], *, link: Link | None = None) -> tuple[Step, ...]:
    """Reads a whole script, in the order of time: see ``sims.faults.words``.

    Each step is read as of that moment: with the nodes that were added before it, and with the loss and the
    delay that are in force, at first those of ``link``.

    Raises:
        UsageError: naming the first step that is wrong. Nothing was done.
    """
    steps, names = [], list(nodes)
    for at, step in sorted(steps_of(text), key=lambda step: step[0]):
        command = parse_command(step, names, link=link)
        steps.append(Step(at, step, command))
        for fault in () if isinstance(command, Word) else command:
            match fault:
                case Add():
                    names.append(fault.node)
                case SetLink():
                    link = fault.link
                case Heal():
                    link = Link()
    return tuple(steps)


def parse_command(text: str, nodes: Sequence[str], *, link: Link | None = None) -> Command:
    """Reads one command to nodes of these names.

    Args:
        text: the command.
        nodes: the names of all nodes.
        link: the loss and the delay in force: ``loss`` keeps the delay, ``delay`` the loss.

    Raises:
        UsageError: naming what is wrong, or what only simulated nodes can do. Nothing was done.
    """
    verb, *arguments = text.split() or [""]
    if verb in (*_WORDS, _ADD):
        if arguments:
            raise UsageError(f"{verb!r} takes no argument, not {arguments[0]!r}")
        if verb == _ADD:
            return _one_more(nodes)
        return Word(verb)
    faults = parse_fault(text, nodes, link=link, also=(*_WORDS, _ADD))
    if not all(map(_is_possible, faults)):
        raise UsageError(f"only simulated nodes can do {text!r}; 'help' shows what these can")
    return faults


def _one_more(nodes: Sequence[str]) -> Command:
    if len(nodes) >= NODES_MAX:
        raise UsageError(f"there are {NODES_MAX} nodes: no more can be added")
    return (Add(0.0, f"node-{len(nodes) + 1}", seeds=(nodes[0],)),)


def _is_possible(fault: Fault) -> bool:
    """Whether real nodes can do it, without privileges."""
    match fault:
        case Crash(silent=False) | Restart(snapshot=True) | Leave(stop=True) | Pause(seconds=None):
            return True
        case Split(seconds=None) | CutPair(seconds=None) | Resume() | Heal():
            return True
        case SetLink(_, None, None, link, None):
            return replace(link, loss=0.0, latency=Link().latency) == Link() and (
                isinstance(link.latency, Constant) or link.latency == Link().latency
            )
    return False
