"""A small command language for scenarios of a few nodes, one command a line; golden traces are written in it.

Before there are nodes::

    seed 7                                      decides everything else
    config local probe_interval=0.5             profile and fields of every node; label=x, key=WORD
    latency 1ms                                 of every packet, the same for all
    nodes 3 [apart]                             n1 to n3, joining n1 (or not)
    add x join=n1 [name=n2] [at=n2] [FIELD=..]  one more host; at= gives it the address that a gone host had

Time::

    settle                                      until all agree on who runs
    run 5s
    until n1 sees n2 failed [limit=60s]         also: all see n2 failed
    until n1 sends n2 ping [limit=60s]          the packet is in flight then, and no node has reacted yet

Trouble and commands to nodes are the faults of ``sims.faults.words``, and::

    `tell n1 from n3: suspect n2@1 by n3`       a packet from outside: alive, suspect, dead, left

Looking::

    trace events|packets|sends [NODE...] [type=ping,ack] / trace off      sends: what those nodes send
    show views / show members|health NODE / show why NODE MEMBER / show counters NODE PREFIX
    expect n1 sees n2 alive / expect converged / expect n1 never suspected n2
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sims.errors import UsageError
from sims.faults.rules import Overrides
from sims.faults.words import parse_fault
from sims.traces.text import line_of
from sims.traces.writer import TraceWriter
from sims.world import World
from sims.world.host import SimNode
from sims.world.latency import Constant
from sims.world.network import Link, Network
from swim.addresses import join_host_port
from swim.config import Config
from swim.config.profiles import PROFILES
from swim.errors import ConfigError, LocalError
from swim.events import MemberSuspected
from swim.trace import Record, state_word
from tests.golden.words import (
    Told,
    config_fields,
    message_of,
    names_of,
    only,
    options_of,
    parse_seconds,
    parse_whole,
)

__all__ = ["Stage"]

_LIMIT = 120.0
_WORDS = ("config", "expect", "run", "settle", "show", "tell", "trace", "until")
_QUIET_ENDS = ("closed", "closed by the peer")


class Stage:
    """One scenario under way."""

    def __init__(self) -> None:
        self._seed = 1
        self._latency = 0.001
        self._profile: Callable[..., Config] = Config.lan
        self._fields: dict[str, Any] = {}
        self._world: World | None = None
        self._tap = _Tap(self._note)
        self._wanted = "off"
        self._nodes: tuple[str, ...] = ()
        self._types: tuple[str, ...] = ()
        self._said: list[str] = []
        self._awaited: Callable[[Record], bool] | None = None
        self._overrides = Overrides()
        self._refused = ""

    def do(self, line: str) -> list[str]:
        """Carries out one command; returns what is to be said.

        Raises:
            UsageError: the command is unknown or wrong, or what it expects is not so.
            NotConvergedError: something did not come about in time.
        """
        name, *words = line.split()
        method: Callable[[list[str]], None] | None = getattr(self, f"_do_{name}", None)
        try:
            if method is None:
                self._begin(line)
            else:
                method(words)
        except (LocalError, ConfigError) as error:
            raise UsageError(str(error)) from None
        said, self._said = self._said, []
        return said

    @property
    def world(self) -> World:
        """The world.

        Raises:
            UsageError: there are no nodes yet.
        """
        if self._world is None:
            raise UsageError("there are no nodes yet")
        return self._world

    # -- before there are nodes

    def _do_seed(self, words: list[str]) -> None:
        self._seed = parse_whole(only(words, "seed N"))

    def _do_config(self, words: list[str]) -> None:
        if words and words[0] in PROFILES:
            self._profile = partial(Config.profile, words.pop(0))
        if names_of(words):
            raise UsageError("config [lan|wan|local] FIELD=..")
        self._fields |= config_fields(options_of(words))

    def _do_latency(self, words: list[str]) -> None:
        self._latency = parse_seconds(only(words, "latency TIME"))

    def _do_nodes(self, words: list[str]) -> None:
        if self._world is not None or not words or words[1:] not in ([], ["apart"]):
            raise UsageError("nodes N [apart], once")
        count = parse_whole(words[0], least=0)
        network = Network(Link(latency=Constant(self._latency)))
        config = partial(self._profile, **self._fields)
        start = "apart" if words[1:] else "join"
        self._world = World(self._seed, nodes=0, config=config, network=network, observers=[self._tap])
        for number in range(1, count + 1):
            self._world.add(f"n{number}", seeds=["10.0.0.1:7946"] if number > 1 and start == "join" else [])

    def _do_add(self, words: list[str]) -> None:
        names, options = names_of(words), options_of(words)
        host = only(names, "add HOST [join=n1,n2] [name=..] [at=..] [FIELD=..]")
        seeds = [self.world.host(seed) for seed in options.pop("join", "").split(",") if seed]
        at = options.pop("at", "")
        name = options.pop("name", host)
        config = partial(self._profile, **(self._fields | config_fields(options)))
        endpoint = self.world.host(at).endpoint if at else None
        self.world.add(name, id=host, config=config, endpoint=endpoint, seeds=seeds)

    # -- time

    def _do_settle(self, words: list[str]) -> None:
        self._say(f"converged after {self.world.settle(_LIMIT):.3f} s")

    def _do_run(self, words: list[str]) -> None:
        self.world.run_for(parse_seconds(only(words, "run TIME")))

    def _do_until(self, words: list[str]) -> None:
        limit = parse_seconds(options_of(words).get("limit", f"{_LIMIT:g}s"))
        condition: Callable[[], bool]
        match names_of(words):
            case [*observers, "see" | "sees", member, state]:
                condition = partial(self._all_see, observers, member, state)
            case [source, "sends", target, kind]:
                self._awaited = partial(_is_send, source, target, kind)
                condition = self._came
            case _:
                raise UsageError("until NODE sees MEMBER STATE, or NODE sends NODE MESSAGE")
        began = self.world.now
        if not self.world.run_until(lambda world: condition(), limit):
            raise UsageError(f"not within {limit:g} s")
        self._say(f"after {self.world.now - began:.3f} s")

    def _all_see(self, observers: list[str], member: str, state: str) -> bool:
        hosts = self.world.running() if observers == ["all"] else map(self.world.host, observers)
        return all(state_word(host.member(member)) == state for host in hosts if host.name != member)

    def _came(self) -> bool:
        return self._awaited is None

    # -- trouble and commands to nodes

    def _begin(self, line: str) -> None:
        """Lets faults happen now; a command that a node refuses is an error of the script."""
        usual = Link(latency=Constant(self._latency))
        self._refused = ""
        for fault in parse_fault(line, list(self.world.nodes), link=usual, also=_WORDS):
            fault.begin(self.world, self._overrides)
        if self._refused:
            raise UsageError(self._refused)

    def _do_tell(self, words: list[str]) -> None:
        told = message_of(words, self.world)
        self._say(f"{self.world.now:.3f}  {told.target} hears {told.source}: {told.words}")
        self._tell(told)

    def _tell(self, told: Told) -> None:
        self.world.inject(told.target, told.data, self.world.host(told.source).endpoint)

    # -- looking

    def _do_trace(self, words: list[str]) -> None:
        wanted, *nodes = names_of(words) or [""]
        if wanted not in ("off", "events", "packets", "sends"):
            raise UsageError("trace events|packets|sends|off [NODE...] [type=..]")
        self._wanted, self._nodes = wanted, tuple(nodes)
        self._types = tuple(filter(None, options_of(words).get("type", "").split(",")))

    def _do_show(self, words: list[str]) -> None:
        match words:
            case ["views"]:
                for node in self.world.running():
                    self._say(f"{node.id}: {_view(node)}")
            case ["members", host]:
                for member in sorted(self.world.host(host).members(), key=lambda member: member.name):
                    tags = "".join(f" {name}={value}" for name, value in sorted(member.tags.items()))
                    where = join_host_port(member.address, member.port)
                    self._say(f"{member.name}@{member.incarnation} {state_word(member)} {where}{tags}")
            case ["health", host]:
                self._say(f"health score {self.world.host(host).node.stats().health_score}")
            case ["why", host, member]:
                for line in self.world.host(host).node.history(member):
                    reason = line.reason
                    why = f"{reason.cause}{f' by {reason.accuser}' if reason.accuser else ''}"
                    why += f": {reason.detail}" if reason.detail else ""
                    self._say(f"{line.at:.3f}  {line.before} -> {line.after} @{line.incarnation} ({why})")
            case ["counters", host, prefix]:
                for name, count in sorted(self.world.host(host).metrics.counters.items()):
                    if name.startswith(prefix):
                        self._say(f"{name} {count}")
            case _:
                raise UsageError("show views, or members|health NODE, why NODE MEMBER, counters NODE PREFIX")

    def _do_expect(self, words: list[str]) -> None:
        match words:
            case ["converged"]:
                if not self.world.converged:
                    raise UsageError("the views differ")
            case [*observers, "see" | "sees", member, state]:
                if not self._all_see(observers, member, state):
                    raise UsageError("it is not so")
            case [observer, "never", "suspected", member]:
                events = self.world.host(observer).events
                if any(isinstance(e, MemberSuspected) and e.member.name == member for e in events):
                    raise UsageError("it did")
            case _:
                raise UsageError("expect NODE sees MEMBER STATE, NODE never suspected MEMBER, or converged")

    # -- inside

    def _say(self, text: str) -> None:
        self._said.append(text)

    def _note(self, record: Record) -> None:
        """A record of the run: said if it is asked for."""
        if self._awaited is not None and self._awaited(record):
            self._awaited = None
        if record.get("fault") == "skipped":
            self._refused = record["why"]
        if self._wanted != "off" and self._is_wanted(record):
            self._say(f"{record['at']:.3f}  {line_of(record)}")

    def _is_wanted(self, record: Record) -> bool:
        kind = record["kind"]
        if record.get("fault") == "inject":
            return False  # already written as text
        if kind in ("event", "fault"):
            return not self._types and self._is_about(record.get("node", ""))
        if kind not in ("send", "recv", "stream") or self._wanted == "events":
            return False
        if self._types:
            kinds = {message["type"] for message in record.get("messages", ())}
            if not kinds & {*self._types}:
                return False
        elif _is_routine(record):
            return False
        ends = (record["from"],) if self._wanted == "sends" else (record["from"], record["to"])
        return self._is_about(*ends)

    def _is_about(self, *hosts: str) -> bool:
        return not self._nodes or any(host in self._nodes for host in hosts)


class _Tap(TraceWriter):
    """A trace writer that hands out records instead of lines."""

    def __init__(self, note: Callable[[Record], None]) -> None:
        super().__init__()
        self._note = note

    def write(self, record: Record) -> None:
        self.lines += 1
        if "at" in record:
            self._note(record)


def _is_send(source: str, target: str, kind: str, record: Record) -> bool:
    return (
        record["kind"] == "send"
        and (record["from"], record["to"]) == (source, target)
        and any(message["type"] == kind for message in record["messages"])
    )


def _is_routine(record: Record) -> bool:
    """An arrival, or a step of a stream, that says nothing new."""
    if record["kind"] == "stream":
        return "messages" not in record and record.get("end", "closed") in _QUIET_ENDS
    return record["kind"] == "recv" and "dropped" not in record


def _view(node: SimNode) -> str:
    states: dict[str, list[str]] = {}
    for member in sorted(node.members(), key=lambda member: member.name):
        states.setdefault(state_word(member), []).append(member.name)
    return "; ".join(f"{' '.join(names)} {state}" for state, names in sorted(states.items()))
