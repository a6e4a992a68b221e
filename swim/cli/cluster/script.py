"""The verbs of ``swim cluster``, from text to values. Pure: the prompt and ``--script`` share it.

A script is steps joined by ``;``. A step is a verb, optionally after the time at which it happens, counted
from the moment all nodes run: ``3s kill node-2; 10s heal``. A step without a time happens together with the
one before it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from swim.cli.common import parse_duration
from swim.text import closest

__all__ = [
    "HELP",
    "Command",
    "Loss",
    "OnNodes",
    "Partition",
    "ScriptError",
    "Simple",
    "Step",
    "parse_command",
    "parse_script",
]

HELP = """\
kill N       stop without leaving      partition 1,2 3-5  cut the links
pause N      freeze                    loss 20%           lose that many packets
resume N     continue it               heal               undo both
restart N    start again, same ports   members            print every view
leave N      leave gracefully          help, quit
N is a node (node-3 or 3) or several (1,2 or 3-5)."""

_NODE_VERBS = ("kill", "pause", "resume", "restart", "leave")
_SIMPLE_VERBS = ("heal", "members", "help", "quit")
_VERBS = (*_NODE_VERBS, "partition", "loss", *_SIMPLE_VERBS)
_NODE = re.compile(r"(?:node-)?(\d{1,6})", re.ASCII)
_RANGE = re.compile(r"(\d{1,6})-(\d{1,6})", re.ASCII)


class ScriptError(ValueError):
    """A verb, a node or a number in a command is wrong; the message names it. Nothing was done."""


@dataclass(frozen=True, slots=True)
class OnNodes:
    """``kill``, ``pause``, ``resume``, ``restart`` or ``leave``, for the nodes of these numbers (from 1)."""

    verb: str
    nodes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Partition:
    """Links between different groups are cut; nodes in none of them form the last group."""

    groups: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Loss:
    """Share of packets lost, 0.0 to 1.0."""

    fraction: float


@dataclass(frozen=True, slots=True)
class Simple:
    """A verb without arguments: ``heal``, ``members``, ``help`` or ``quit``."""

    verb: str


Command = OnNodes | Partition | Loss | Simple


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a script, ``at`` seconds after all nodes run."""

    at: float
    command: Command


def parse_script(text: str, node_count: int) -> tuple[Step, ...]:
    """Reads a whole script for nodes 1..``node_count``, in the order of time.

    Raises:
        ScriptError: naming the first step that is wrong.
    """
    steps: list[Step] = []
    at = 0.0
    for part in filter(None, (piece.strip() for piece in text.split(";"))):
        first, _, rest = part.partition(" ")
        if first[0].isdigit() or first[0] in ".+-":
            try:
                at = parse_duration(first)
            except ValueError as error:
                raise ScriptError(f"step {part!r}: {error}") from None
            part = rest
        steps.append(Step(at, parse_command(part, node_count)))
    return tuple(sorted(steps, key=lambda step: step.at))


def parse_command(text: str, node_count: int) -> Command:
    """Reads one command for nodes 1..``node_count``.

    Raises:
        ScriptError: naming what is wrong.
    """
    verb, *arguments = text.split() or [""]
    if verb in _NODE_VERBS:
        if not arguments:
            raise ScriptError(f"{verb!r} needs a node, for example '{verb} node-1'")
        nodes = [number for argument in arguments for number in _nodes(argument, node_count)]
        return OnNodes(verb, tuple(dict.fromkeys(nodes)))
    if verb == "partition":
        return _partition(arguments, node_count)
    if verb == "loss":
        return _loss(arguments)
    if verb not in _SIMPLE_VERBS:
        guess = closest(verb, _VERBS)
        hint = f"did you mean {guess!r}?" if guess else f"known: {', '.join(_VERBS)}"
        raise ScriptError(f"unknown verb {verb!r}; {hint}")
    if arguments:
        raise ScriptError(f"{verb!r} takes no argument, not {arguments[0]!r}")
    return Simple(verb)


def _nodes(text: str, node_count: int) -> list[int]:
    numbers: list[int] = []
    for item in text.split(","):
        if span := _RANGE.fullmatch(item):
            first, last = int(span[1]), int(span[2])
        elif one := _NODE.fullmatch(item):
            first = last = int(one[1])
        else:
            raise ScriptError(f"{item!r} in {text!r} is not a node such as node-1, 1 or 1-3")
        if not 1 <= first <= last <= node_count:
            raise ScriptError(f"no node {item!r}: the nodes are node-1 to node-{node_count}")
        numbers.extend(range(first, last + 1))
    return numbers


def _partition(arguments: list[str], node_count: int) -> Partition:
    groups = [tuple(dict.fromkeys(_nodes(argument, node_count))) for argument in arguments]
    named = [number for group in groups for number in group]
    for number in named:
        if named.count(number) > 1:
            raise ScriptError(f"node-{number} stands in two groups of 'partition {' '.join(arguments)}'")
    if rest := tuple(number for number in range(1, node_count + 1) if number not in named):
        groups.append(rest)
    if len(groups) < 2:
        raise ScriptError("'partition' needs two sides, for example 'partition 1,2 3-5'")
    return Partition(tuple(groups))


def _loss(arguments: list[str]) -> Loss:
    text = arguments[0] if len(arguments) == 1 else ""
    if re.fullmatch(r"\d+(\.\d+)?%", text, re.ASCII):
        fraction = float(text[:-1]) / 100
        if fraction <= 1:
            return Loss(fraction)
    raise ScriptError(f"'loss' needs one percentage from 0% to 100%, not {' '.join(arguments)!r}")
