"""An endpoint that several members advertise: which of them a packet from there is attributed to."""

from __future__ import annotations

from swim.core.member import Record

__all__ = ["SharedEndpoint"]


class SharedEndpoint:
    """The names at an endpoint with more than one: proven alive, alive without proof, dead or left.

    Within each group the latest comes last.
    """

    __slots__ = ("_groups",)

    def __init__(self) -> None:
        self._groups: tuple[dict[str, None], ...] = ({}, {}, {})

    def __len__(self) -> int:
        return sum(map(len, self._groups))

    def put(self, record: Record) -> None:
        """Files a member under its present group."""
        group = 2 if not record.is_live else 0 if record.verified else 1
        if record.name not in self._groups[group]:
            self.discard(record.name)
            self._groups[group][record.name] = None

    def discard(self, name: str) -> None:
        """Removes a name, if it is there."""
        for names in self._groups:
            names.pop(name, None)

    @property
    def first(self) -> str:
        """The member that a packet from this endpoint is attributed to."""
        return next(next(reversed(names)) for names in self._groups if names)

    @property
    def is_ambiguous(self) -> bool:
        """Whether several members may be alive there, and none is proven to be."""
        proven, unproven, _ = self._groups
        return not proven and len(unproven) > 1
