"""The view of a converged cluster that many nodes of a simulation start from: one copy, shared by all."""

from __future__ import annotations

from collections.abc import Iterable

from swim.core.member import Record, State
from swim.core.table import TableBase
from swim.events import MemberStatus
from swim.serf.member_list import Roster, RosterBase
from swim.wire.messages import Alive

__all__ = ["BaseView"]


class BaseView:
    """What every member knows of a cluster that has been quiet for a while.

    A node that starts from it (``Node.start``) stores only the differences, so ten thousand nodes take little
    more memory than the sum of their differences.

    Args:
        claims: each member's claim about itself (``Node.claim``).
        speaks_serf: whether its members run the Serf layer (``delegate_version`` above 0).

    Attributes:
        ltime: the stamp of every member's last intent.
    """

    __slots__ = ("ltime", "roster", "table")

    def __init__(self, claims: Iterable[Alive], *, speaks_serf: bool = True) -> None:
        describe = Roster(history_size=0, speaks_serf=speaks_serf).describe
        records = [Record(claim, State.ALIVE, 0.0, verified=True) for claim in claims]
        self.ltime: int = 1
        self.table: TableBase = TableBase(records)
        self.roster: RosterBase = RosterBase(
            [describe(record, MemberStatus.ALIVE) for record in records], self.ltime
        )

    def lists(self, claim: Alive) -> bool:
        """Whether it lists a member exactly as the member's own claim does."""
        record = self.table.records.get(claim.node)
        return record is not None and record.alive_claim() == claim
