"""The commands of a node, as values that check themselves; each is defined in this file only.

``Cluster.do``, ``SimNode.do`` and ``Node.do`` take them. The methods of the same names, such as
``Cluster.set_tags``, make the value and pass it on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TypeAlias

from swim import checks
from swim.addresses import Endpoint
from swim.errors import LocalError
from swim.events import ForceLeaveOutcome, JoinResult

__all__ = ["Command", "ForceLeave", "Join", "Leave", "Outcome", "Rejoin", "SetTags", "Ticket"]

Outcome: TypeAlias = JoinResult | ForceLeaveOutcome | None
"""What a command finishes with; documented for each command."""


@dataclass(frozen=True, slots=True)
class Join:
    """Push/pulls with every address at once; finishes with a ``JoinResult``.

    Attributes:
        addresses: ``[NAME/]HOST[:PORT]``; the port defaults to the node's own.
        replay: user events sent before the join are handed out too, as far as the peers remember them. Serf's
            library calls the opposite ``ignoreOld``.

    Raises:
        ConfigError: naming ``addresses`` or ``replay``; a ``TypeError`` too if they are one string.
    """

    addresses: Sequence[str]
    _: KW_ONLY
    replay: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "addresses", checks.texts("addresses", self.addresses))
        checks.flag("replay", self.replay)


@dataclass(frozen=True, slots=True)
class Leave:
    """Leaves gracefully; finishes with None on evidence that it spread, or at a deadline."""


@dataclass(frozen=True, slots=True)
class Rejoin:
    """Comes back after a finished leave and joins seeds and past peers; finishes with a ``JoinResult``.

    Attributes:
        advertise: the endpoint to advertise from now on; None keeps the last one.
    """

    _: KW_ONLY
    advertise: Endpoint | None = None


@dataclass(frozen=True, slots=True)
class ForceLeave:
    """Declares that a member leaves; finishes with a ``ForceLeaveOutcome`` once that has spread.

    Attributes:
        name: of the member.
        prune: also forget it: at once if it is gone, else as soon as it is.

    Raises:
        ConfigError: naming ``name`` or ``prune``.
    """

    name: str
    _: KW_ONLY
    prune: bool = False

    def __post_init__(self) -> None:
        checks.text("name", self.name)
        checks.flag("prune", self.prune)


@dataclass(frozen=True, slots=True)
class SetTags:
    """Replaces the tags; finishes with None once the change was sent often enough, or at a deadline.

    Raises:
        ConfigError: naming ``tags``; their size is checked by the node, which knows how they are encoded.
    """

    tags: Mapping[str, str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags", checks.text_map("tags", self.tags))


Command: TypeAlias = Join | Leave | Rejoin | ForceLeave | SetTags


class Ticket:
    """A command in progress; the node sets its outcome later."""

    __slots__ = ("_outcome", "is_done")

    def __init__(self) -> None:
        self.is_done = False
        """Whether there is an outcome, or there will never be one."""
        self._outcome: Outcome | LocalError = None

    def finish(self, outcome: Outcome | LocalError) -> None:
        """Sets the outcome, or the error because of which there will never be one."""
        self._outcome = outcome
        self.is_done = True

    @property
    def result(self) -> Outcome:
        """The outcome.

        Raises:
            LocalError: there is none yet, or the node stopped before there was one.
        """
        if not self.is_done:
            raise LocalError("the command has no outcome yet")
        if isinstance(self._outcome, LocalError):
            raise self._outcome
        return self._outcome
