"""Faults as text, for ``swim cluster`` and for scripts of simulations.

``kill`` and ``partition`` are synonyms of ``crash`` and ``split``. ``loss 20%`` is short for
``link * -> * loss=0.2``, ``delay 50ms`` for ``link * -> * latency=50ms``.

A script is steps joined by ``;`` or line ends. A step is a fault, optionally after the time at which it
happens: ``3s crash n2; 10s heal``. A step without a time happens together with the one before it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

from sims.errors import UsageError
from sims.faults.commands import ForceLeave, Join, Leave, Rejoin, SetTags
from sims.faults.fault import Fault
from sims.faults.kinds import Block, Crash, CutPair, Heal, Pause, Readdress, Restart, Resume, SetLink, Split
from sims.faults.schedule import Schedule
from sims.settings import convert, kinds_of
from sims.world.latency import Constant
from sims.world.network import Link
from swim.checks import parse_duration
from swim.errors import ConfigError
from swim.text import closest

__all__ = ["USAGE", "parse_fault", "parse_schedule", "steps_of"]

USAGE = {
    "crash": "crash NODES [silent]",
    "restart": "restart NODES [forgetful]",
    "readdress": "readdress NODES [forgetful]",
    "pause": "pause NODES [TIME]",
    "resume": "resume NODES",
    "block": "block NODES TIME",
    "join": "join NODE NODES",
    "leave": "leave NODES [stay]",
    "rejoin": "rejoin NODES",
    "tags": "tags NODES KEY=VALUE...",
    "force-leave": "force-leave NODE NODE [prune]",
    "split": "split NODES... [for TIME]",
    "cut": "cut NODES [->] NODES [for TIME]",
    "link": "link NODE|* -> NODE|* FIELD=VALUE... [for TIME]",
    "loss": "loss PERCENT% [for TIME]",
    "delay": "delay TIME [for TIME]",
    "heal": "heal",
}
"""Every verb with its arguments. NODES is one node or several: ``n3`` or ``3``, ``1,2``, ``3-5``."""

_SYNONYMS = {"kill": "crash", "partition": "split"}
_LINK = kinds_of(Link)
_RANGE = re.compile(r"(\d{1,6})-(\d{1,6})", re.ASCII)
_PERCENT = re.compile(r"\d+(\.\d+)?%", re.ASCII)


def steps_of(text: str) -> Iterator[tuple[float, str]]:
    """The steps of a script, as they stand there: seconds, and what happens then.

    Raises:
        UsageError: naming a step whose time is none.
    """
    at = 0.0
    for step in filter(None, (piece.strip() for piece in re.split("[;\n]", text))):
        first, _, rest = step.partition(" ")
        if first[0].isdigit() or first[0] in ".+-":
            try:
                at = parse_duration(first)
            except ValueError as error:
                raise UsageError(f"step {step!r}: {error}") from None
            step = rest
        yield at, step


def parse_fault(
    text: str, hosts: Sequence[str], *, link: Link | None = None, also: Iterable[str] = ()
) -> tuple[Fault, ...]:
    """One statement: a fault of each node that it names, at time 0.

    Args:
        text: see ``USAGE``.
        hosts: ids of the existing hosts; the first one is also ``1``.
        link: the link that ``link``, ``loss`` and ``delay`` change; it gives the other fields.
        also: further verbs of the caller, to be suggested for an unknown one.

    Raises:
        UsageError: one line that says what is wrong.
    """
    verb, *words = text.split() or [""]
    kind = _SYNONYMS.get(verb, verb)
    if kind not in USAGE:
        known = [*USAGE, *_SYNONYMS, *also]
        guess = closest(verb, known)
        hint = f"did you mean {guess!r}?" if guess else f"known: {', '.join(known)}"
        raise UsageError(f"unknown verb {verb!r}; {hint}")
    statement = _Statement(verb, kind, words, list(hosts), link or Link())
    faults = tuple(_PARSERS[kind](statement))
    for fault in faults:
        if problem := fault.problem():
            raise UsageError(f"{verb!r}: {problem}")
    return faults


def parse_schedule(text: str, hosts: Sequence[str], *, link: Link | None = None) -> Schedule:
    """A whole script; see ``parse_fault``.

    Raises:
        UsageError: naming the first step that is wrong.
    """
    steps = [(at, parse_fault(step, hosts, link=link)) for at, step in steps_of(text)]
    return Schedule(replace(fault, at=at) for at, faults in steps for fault in faults)


@dataclass(slots=True)
class _Statement:
    """The rest of a statement that is being read."""

    verb: str
    kind: str
    words: list[str]
    hosts: list[str]
    link: Link

    def wrong(self) -> NoReturn:
        usage = USAGE[self.kind].replace(self.kind, self.verb, 1)
        raise UsageError(f"{' '.join([self.verb, *self.words])!r} is not {usage!r}")

    def flag(self, word: str) -> bool:
        """Whether the last word is that one; takes it."""
        if self.words[-1:] != [word]:
            return False
        self.words.pop()
        return True

    def seconds(self) -> float | None:
        """The time after ``for`` at the end; takes both."""
        if self.words[-2:-1] != ["for"]:
            return None
        seconds = _time(self.words.pop())
        self.words.pop()
        return seconds

    def options(self) -> dict[str, str]:
        """The words that are ``KEY=VALUE``; takes them."""
        given = dict(word.split("=", 1) for word in self.words if "=" in word)
        self.words = [word for word in self.words if "=" not in word]
        return given

    def nodes(self) -> list[str]:
        """The nodes that all words name."""
        if not self.words:
            raise UsageError(f"{self.verb!r} needs a node, for example '{self.verb} {self.hosts[0]}'")
        return list(dict.fromkeys(host for word in self.words for host in self.group(word)))

    def group(self, word: str) -> list[str]:
        """The nodes that one word names."""
        found: list[str] = []
        for item in word.split(","):
            if item in self.hosts:
                found.append(item)
                continue
            span = _RANGE.fullmatch(item)
            first, last = (span[1], span[2]) if span else (item, item)
            if not (first.isascii() and first.isdecimal() and len(first) <= 6):
                raise UsageError(f"{item!r} is not a node such as {self.hosts[0]}, 1 or 1-3")
            if not 1 <= int(first) <= int(last) <= len(self.hosts):
                raise UsageError(f"no node {item!r}: the nodes are {self.hosts[0]} to {self.hosts[-1]}")
            found += self.hosts[int(first) - 1 : int(last)]
        return found

    def one(self, word: str) -> str:
        """The one node that a word names."""
        found = self.group(word)
        if len(found) != 1:
            self.wrong()
        return found[0]


def _crash(s: _Statement) -> Iterator[Fault]:
    silent = s.flag("silent")
    return (Crash(0.0, node, silent=silent) for node in s.nodes())


def _restart(s: _Statement) -> Iterator[Fault]:
    snapshot = not s.flag("forgetful")
    return (Restart(0.0, node, snapshot=snapshot) for node in s.nodes())


def _readdress(s: _Statement) -> Iterator[Fault]:
    snapshot = not s.flag("forgetful")
    return (Readdress(0.0, node, snapshot=snapshot) for node in s.nodes())


def _pause(s: _Statement) -> Iterator[Fault]:
    seconds = _time(s.words.pop()) if len(s.words) > 1 and _is_time(s.words[-1]) else None
    return (Pause(0.0, node, seconds) for node in s.nodes())


def _resume(s: _Statement) -> Iterator[Fault]:
    return (Resume(0.0, node) for node in s.nodes())


def _block(s: _Statement) -> Iterator[Fault]:
    if len(s.words) < 2:
        s.wrong()
    seconds = _time(s.words.pop())
    return (Block(0.0, node, seconds) for node in s.nodes())


def _join(s: _Statement) -> Iterator[Fault]:
    if len(s.words) < 2:
        s.wrong()
    node = s.one(s.words.pop(0))
    yield Join(0.0, node, tuple(s.nodes()))


def _leave(s: _Statement) -> Iterator[Fault]:
    stop = not s.flag("stay")
    return (Leave(0.0, node, stop=stop) for node in s.nodes())


def _rejoin(s: _Statement) -> Iterator[Fault]:
    return (Rejoin(0.0, node) for node in s.nodes())


def _tags(s: _Statement) -> Iterator[Fault]:
    tags = s.options()
    return (SetTags(0.0, node, tags) for node in s.nodes())


def _force_leave(s: _Statement) -> Iterator[Fault]:
    prune = s.flag("prune")
    if len(s.words) != 2:
        s.wrong()
    yield ForceLeave(0.0, s.one(s.words[0]), s.one(s.words[1]), prune=prune)


def _split(s: _Statement) -> Iterator[Fault]:
    """Nodes in no group form the last one."""
    seconds = s.seconds()
    groups = [tuple(dict.fromkeys(s.group(word))) for word in s.words]
    named = [host for group in groups for host in group]
    for host in named:
        if named.count(host) > 1:
            raise UsageError(f"{host} stands in two groups of '{' '.join([s.verb, *s.words])}'")
    if rest := tuple(host for host in s.hosts if host not in named):
        groups.append(rest)
    if len(groups) < 2:
        raise UsageError(f"{s.verb!r} needs two sides, for example '{s.verb} 1,2 3-5'")
    yield Split(0.0, tuple(groups), seconds)


def _cut(s: _Statement) -> Iterator[Fault]:
    seconds = s.seconds()
    match s.words:
        case [one, "->", other]:
            yield CutPair(0.0, tuple(s.group(one)), tuple(s.group(other)), seconds, one_way=True)
        case [one, other]:
            yield CutPair(0.0, tuple(s.group(one)), tuple(s.group(other)), seconds)
        case _:
            s.wrong()


def _link(s: _Statement) -> Iterator[Fault]:
    """Without fields: as it was at first."""
    seconds, options = s.seconds(), s.options()
    match s.words:
        case [source, "->", target]:
            ends = [None if end == "*" else s.one(end) for end in (source, target)]
        case _:
            s.wrong()
    changes = {} if "latency" not in options else {"latency": Constant(_time(options.pop("latency")))}
    for name, text in options.items():
        if name not in _LINK:
            raise UsageError(f"a link has no {name!r}; it has latency, {', '.join(_LINK)}")
        changes[name] = convert(name, text, _LINK[name])
    yield SetLink(0.0, ends[0], ends[1], _changed(s.link, **changes), seconds)


def _loss(s: _Statement) -> Iterator[Fault]:
    seconds = s.seconds()
    text = s.words[0] if len(s.words) == 1 else ""
    if not _PERCENT.fullmatch(text) or not 0.0 <= float(text[:-1]) <= 100.0:
        raise UsageError(f"'loss' needs one percentage from 0% to 100%, not {' '.join(s.words)!r}")
    yield SetLink(0.0, None, None, _changed(s.link, loss=float(text[:-1]) / 100), seconds)


def _delay(s: _Statement) -> Iterator[Fault]:
    seconds = s.seconds()
    if len(s.words) != 1:
        s.wrong()
    yield SetLink(0.0, None, None, _changed(s.link, latency=Constant(_time(s.words[0]))), seconds)


def _heal(s: _Statement) -> Iterator[Fault]:
    if s.words:
        raise UsageError(f"{s.verb!r} takes no argument, not {s.words[0]!r}")
    yield Heal(0.0)


_PARSERS: dict[str, Callable[[_Statement], Iterator[Fault]]] = {
    "crash": _crash,
    "restart": _restart,
    "readdress": _readdress,
    "pause": _pause,
    "resume": _resume,
    "block": _block,
    "join": _join,
    "leave": _leave,
    "rejoin": _rejoin,
    "tags": _tags,
    "force-leave": _force_leave,
    "split": _split,
    "cut": _cut,
    "link": _link,
    "loss": _loss,
    "delay": _delay,
    "heal": _heal,
}


def _changed(link: Link, **changes: object) -> Link:
    try:
        return replace(link, **changes)  # type: ignore[arg-type]
    except ConfigError as error:
        raise UsageError(str(error)) from None


def _is_time(text: str) -> bool:
    """Whether a last word is a time; a bare number is a node."""
    return text[:1].isdigit() and text[-1:].isalpha()


def _time(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(str(error)) from None
