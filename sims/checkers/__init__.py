"""Properties that hold in every run: one class each, added to a ``World`` as an observer.

Safety holds at every moment, whatever the network does. Liveness holds within a bound after the last fault or
command. ::

    world = World(7, nodes=20, observers=[*safety_checkers(), *liveness_checkers()])
"""

from __future__ import annotations

from sims.checkers.answers import DisprovedClaimsDoNothing, RelayedAcksReturn
from sims.checkers.base import Checker
from sims.checkers.events import EventsAreLegal, EventsTellTheTable, RecordsTellTheSnapshot
from sims.checkers.incarnations import IncarnationsNeverGoBack, OnlyTheOwnerSpeaks
from sims.checkers.interleaving import ProbesAreInterleaved
from sims.checkers.keyrings import MembersWithACommonKeyStayTogether
from sims.checkers.limits import GoneMembersAreReaped, LimitsHold
from sims.checkers.liveness import (
    CrashedMembersAreFailed,
    HealthyMembersAreNotFailed,
    LeavesAreNotFailures,
    ViewsAgree,
)
from sims.checkers.pending import CalmNodesAreIdle, NewsSpreads, QueuesDrain
from sims.checkers.queries import QueriesAreKept, QueriesReachAll
from sims.checkers.refusals import RefusedProcessesAreGone
from sims.checkers.returns import LeftMembersStayAway, NothingResurrects
from sims.checkers.spread import NewsIsPassedOn, PacketsFit, TransmitsAreLimited
from sims.checkers.stamps import ClocksDoNotRunAway, OldEventsStayAway, StampsFollowCauses
from sims.checkers.suspicions import SuspicionsEndInTime, SuspicionsTakeTheirTime
from sims.checkers.tables import NodesBelieveInThemselves, RosterFollowsTable, StampsNeverGoBack
from sims.checkers.tombstones import TombstonesLast
from sims.checkers.unreadable import UnreadableInputChangesNothing
from sims.checkers.user_events import BroadcastsReachAll, UserEventsComeOnce, UserEventsReachAll
from sims.checkers.user_messages import MessagesAreKept

__all__ = [
    "LIVENESS",
    "SAFETY",
    "BroadcastsReachAll",
    "CalmNodesAreIdle",
    "Checker",
    "ClocksDoNotRunAway",
    "CrashedMembersAreFailed",
    "DisprovedClaimsDoNothing",
    "EventsAreLegal",
    "EventsTellTheTable",
    "GoneMembersAreReaped",
    "HealthyMembersAreNotFailed",
    "IncarnationsNeverGoBack",
    "LeavesAreNotFailures",
    "LeftMembersStayAway",
    "LimitsHold",
    "MembersWithACommonKeyStayTogether",
    "MessagesAreKept",
    "NewsIsPassedOn",
    "NewsSpreads",
    "NodesBelieveInThemselves",
    "NothingResurrects",
    "OldEventsStayAway",
    "OnlyTheOwnerSpeaks",
    "PacketsFit",
    "ProbesAreInterleaved",
    "QueriesAreKept",
    "QueriesReachAll",
    "QueuesDrain",
    "RecordsTellTheSnapshot",
    "RefusedProcessesAreGone",
    "RelayedAcksReturn",
    "RosterFollowsTable",
    "StampsFollowCauses",
    "StampsNeverGoBack",
    "SuspicionsEndInTime",
    "SuspicionsTakeTheirTime",
    "TombstonesLast",
    "TransmitsAreLimited",
    "UnreadableInputChangesNothing",
    "UserEventsComeOnce",
    "UserEventsReachAll",
    "ViewsAgree",
    "liveness_checkers",
    "safety_checkers",
]

SAFETY: tuple[type[Checker], ...] = (
    IncarnationsNeverGoBack,
    OnlyTheOwnerSpeaks,
    EventsAreLegal,
    EventsTellTheTable,
    RecordsTellTheSnapshot,
    UserEventsComeOnce,
    StampsFollowCauses,
    OldEventsStayAway,
    ClocksDoNotRunAway,
    QueriesAreKept,
    MessagesAreKept,
    RosterFollowsTable,
    NodesBelieveInThemselves,
    StampsNeverGoBack,
    LeftMembersStayAway,
    NothingResurrects,
    SuspicionsTakeTheirTime,
    SuspicionsEndInTime,
    RefusedProcessesAreGone,
    DisprovedClaimsDoNothing,
    RelayedAcksReturn,
    QueuesDrain,
    NewsIsPassedOn,
    TransmitsAreLimited,
    PacketsFit,
    LimitsHold,
    GoneMembersAreReaped,
    TombstonesLast,
    UnreadableInputChangesNothing,
    MembersWithACommonKeyStayTogether,
)
LIVENESS: tuple[type[Checker], ...] = (
    HealthyMembersAreNotFailed,
    CrashedMembersAreFailed,
    LeavesAreNotFailures,
    ViewsAgree,
    NewsSpreads,
    UserEventsReachAll,
    QueriesReachAll,
    BroadcastsReachAll,
    CalmNodesAreIdle,
    ProbesAreInterleaved,
)


def safety_checkers(*, collect: bool = False) -> list[Checker]:
    """One checker of each property that holds at every moment."""
    return [kind(collect=collect) for kind in SAFETY]


def liveness_checkers(*, collect: bool = False) -> list[Checker]:
    """One checker of each property that holds within a bound once the faults are over."""
    return [kind(collect=collect) for kind in LIVENESS]
