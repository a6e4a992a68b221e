"""Fault schedules: tuples of faults that check themselves, apply themselves, and read and write JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Self

from sims.errors import UsageError
from sims.faults.commands import (
    Broadcast,
    ChangeKey,
    ForceLeave,
    Join,
    Leave,
    Rejoin,
    Send,
    SendQuery,
    SendUserEvent,
    SetTags,
)
from sims.faults.fault import Fault
from sims.faults.kinds import (
    Add,
    Block,
    Crash,
    CutPair,
    Heal,
    Pause,
    Readdress,
    Restart,
    Resume,
    SetClock,
    SetLink,
    SetNames,
    SlowReader,
    Split,
    Translate,
)
from sims.faults.rules import Overrides
from sims.faults.serialize import from_plain, to_plain
from sims.world import World
from swim import checks

__all__ = ["FAULTS", "LONGEST", "Schedule"]

FAULTS: tuple[type[Fault], ...] = (
    Crash, Restart, Readdress, Pause, Resume, Block, SlowReader, Add,
    Join, Leave, Rejoin, SetTags, ForceLeave, Send, Broadcast, ChangeKey,
    SendUserEvent, SendQuery, Split, CutPair, SetLink, Heal, SetNames, Translate,
    SetClock,
)  # fmt: skip
"""All kinds."""

LONGEST = 365 * 86400.0
"""The latest time and the longest duration, in virtual seconds: more than a year is probably a mistake."""

_VERSION = 1


class Schedule(tuple[Fault, ...]):
    """Faults in any order; each happens at its own time.

    ``Schedule([Crash(1.0, "n2"), Restart(9.0, "n2")]).apply(world)``
    """

    __slots__ = ()

    def __new__(cls, faults: Iterable[Fault] = (), /) -> Self:
        """Takes the faults.

        Raises:
            ConfigTypeError: ``faults`` are none.
        """
        checks.instance("a sequence of faults", Iterable, but=(str,))("faults", faults)
        made = super().__new__(cls, faults)
        for fault in made:
            checks.instance("a sequence of faults", Fault)("faults", fault)
        return made

    def __repr__(self) -> str:
        if not self:
            return "Schedule()"
        return "Schedule([\n" + "".join(f"    {fault!r},\n" for fault in self) + "])"

    @property
    def seconds(self) -> float:
        """When the last fault has ended, among those that end; seconds after ``apply``."""
        return max((fault.at + fault.lasts for fault in self), default=0.0)

    def check(self, hosts: Iterable[str]) -> None:
        """Checks every fault against the ids of the existing hosts.

        Raises:
            UsageError: one line that names the fault by its index, and the field.
        """
        known = set(hosts)
        places = [f"fault {index} ({fault.kind})" for index, fault in enumerate(self)]
        for where, fault in zip(places, self, strict=True):
            from_plain(FAULTS, to_plain(fault), where)
        for where, fault in sorted(zip(places, self, strict=True), key=lambda pair: pair[1].at):
            if problem := fault.problem() or _too_late(fault):
                raise UsageError(f"{where}: {problem}")
            for name, host in fault.hosts():
                if fault.adds and name == "node":
                    if host in known:
                        raise UsageError(f"{where}: node: there is a host {host!r} already")
                elif host not in known:
                    raise UsageError(f"{where}: {name}: there is no host {host!r}")
            if fault.adds:
                known.update(host for name, host in fault.hosts() if name == "node")

    def apply(self, world: World) -> None:
        """Schedules every fault in the world, from now on; then run the world.

        Raises:
            UsageError: see ``check``; nothing was changed.
        """
        self.check(world.nodes)
        overrides = Overrides()
        for fault in self:
            world.at(world.now + fault.at, fault.begin, world, overrides)

    def heal(self, world: World, *, restart: Iterable[str] = ()) -> None:
        """Removes network faults, resumes paused nodes, ends slow reading, restarts some hosts.

        A block ends at its own time, and later faults of the schedule still happen.

        Args:
            world: where it was applied.
            restart: ids of crashed or left hosts to restart.
        """
        world.network.calm()
        for node in world.nodes.values():
            node.reader = None
            world.resume(node)
        for host in restart:
            world.restart(host)

    # -- as JSON

    def to_plain(self) -> dict[str, Any]:
        """Plain data for a larger JSON document."""
        return {"version": _VERSION, "faults": [to_plain(fault) for fault in self]}

    def to_json(self) -> str:
        """One JSON document."""
        return json.dumps(self.to_plain(), indent=1)

    @classmethod
    def from_plain(cls, plain: Any) -> Self:
        """The schedule that ``to_plain`` wrote.

        Raises:
            UsageError: one line that names the fault by its index, and the field.
        """
        if not isinstance(plain, dict) or not isinstance(plain.get("faults"), list):
            raise UsageError('a fault schedule is {"version": 1, "faults": [...]}')
        if plain.get("version") != _VERSION:
            raise UsageError(f"fault schedule of version {plain.get('version')!r}, not {_VERSION}")
        faults = [
            from_plain(FAULTS, item, f"fault {index}{_kind(item)}")
            for index, item in enumerate(plain["faults"])
        ]
        return cls(faults)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The schedule that ``to_json`` wrote.

        Raises:
            UsageError: one line that says what is wrong with it.
        """
        try:
            plain = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"a fault schedule must be JSON: {error}") from None
        return cls.from_plain(plain)


def _too_late(fault: Fault) -> str:
    """The field whose time is beyond ``LONGEST``, and the reason; "" if there is none."""
    for name in ("at", "seconds"):
        if (getattr(fault, name, None) or 0.0) > LONGEST:
            return f"{name} must be at most {LONGEST:.0f} s, a year, not {getattr(fault, name)!r}"
    return ""


def _kind(item: Any) -> str:
    return f" ({item['type']})" if isinstance(item, dict) and isinstance(item.get("type"), str) else ""
