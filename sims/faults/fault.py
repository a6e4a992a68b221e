"""The base of all faults: a time, an effect on a world, and the hosts that it names."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from sims.faults.rules import Overrides

if TYPE_CHECKING:
    from sims.world import World

__all__ = ["Fault", "hosts_in"]

_NAMES_HOSTS = ("node", "target", "source", "targets", "sources", "groups", "seeds", "nodes")


@dataclass(frozen=True, slots=True)
class Fault(ABC):
    """Base of all faults and commands of a schedule.

    Attributes:
        at: seconds after the schedule is applied, at least 0.
    """

    at: float
    adds: ClassVar[bool] = False
    """Whether ``node`` is a new host."""

    @property
    def kind(self) -> str:
        """The class name in lower case with dashes, such as ``force-leave``."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", type(self).__name__).lower()

    @property
    def lasts(self) -> float:
        """Seconds until it ends by itself; 0 if it is instantaneous or permanent."""
        return getattr(self, "seconds", None) or 0.0

    @abstractmethod
    def begin(self, world: World, overrides: Overrides) -> None:
        """Starts it now; called by a ``Schedule`` at its time."""

    def hosts(self) -> Iterator[tuple[str, str]]:
        """Every host it names, as field and id."""
        for each in fields(self):
            if each.name in _NAMES_HOSTS:
                yield from ((each.name, host) for host in hosts_in(getattr(self, each.name)))

    def problem(self) -> str:
        """What is wrong with it in any world: field and reason; "" if nothing."""
        if self.at < 0:
            return f"at must be at least 0, not {self.at!r}"
        seconds = getattr(self, "seconds", None)
        if seconds is not None and seconds <= 0:
            return f"seconds must be more than 0, not {seconds!r}"
        return ""


def hosts_in(value: Any) -> Iterator[str]:
    """The ids in a field: one, several, none, or groups of them."""
    if isinstance(value, str):
        yield value
    elif value is not None:
        for item in value:
            yield from hosts_in(item)
