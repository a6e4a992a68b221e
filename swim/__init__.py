"""SWIM cluster membership: a full peer of memberlist and Serf, on asyncio, on trio and in plain threads.

    async with swim.asyncio.open_cluster(swim.Config.local(seeds=["127.0.0.1:7946"])) as cluster:
        print(cluster.members())

Everything public is named here, in ``swim.lowlevel`` (the node without I/O, networks and addresses), in
``swim.testing`` (faults of one node's network), in ``swim.ipc`` (Serf's RPC) and in ``swim.contrib``
(adapters to frameworks); the packages below may change without notice.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from swim.config import Config as Config
from swim.errors import ConfigError as ConfigError
from swim.errors import ConfigTypeError as ConfigTypeError
from swim.errors import DeliveryError as DeliveryError
from swim.errors import InternalError as InternalError
from swim.errors import LocalError as LocalError
from swim.errors import ObserverError as ObserverError
from swim.errors import RemoteError as RemoteError
from swim.errors import SwimError as SwimError
from swim.events import Cause as Cause
from swim.events import Event as Event
from swim.events import EventsLost as EventsLost
from swim.events import ForceLeaveOutcome as ForceLeaveOutcome
from swim.events import JoinOutcome as JoinOutcome
from swim.events import JoinResult as JoinResult
from swim.events import Member as Member
from swim.events import MemberAccused as MemberAccused
from swim.events import MemberEvent as MemberEvent
from swim.events import MemberFailed as MemberFailed
from swim.events import MemberJoined as MemberJoined
from swim.events import MemberLeaving as MemberLeaving
from swim.events import MemberLeft as MemberLeft
from swim.events import MemberReaped as MemberReaped
from swim.events import MemberRefuted as MemberRefuted
from swim.events import MemberRestarted as MemberRestarted
from swim.events import MemberState as MemberState
from swim.events import MemberStatus as MemberStatus
from swim.events import MemberSuspected as MemberSuspected
from swim.events import MemberUpdated as MemberUpdated
from swim.events import Query as Query
from swim.events import QueryAck as QueryAck
from swim.events import QueryResponse as QueryResponse
from swim.events import Reason as Reason
from swim.events import Transition as Transition
from swim.events import UserEvent as UserEvent
from swim.events import UserMessage as UserMessage
from swim.events import VersionTriple as VersionTriple
from swim.metrics import Metrics as Metrics
from swim.version import __version__ as __version__

if TYPE_CHECKING:
    from swim import asyncio as asyncio
    from swim import blocking as blocking
    from swim import policies as policies
    from swim import ring as ring
    from swim.commands import BroadcastMessage as BroadcastMessage
    from swim.commands import Command as Command
    from swim.commands import ForceLeave as ForceLeave
    from swim.commands import Join as Join
    from swim.commands import Leave as Leave
    from swim.commands import QueryReply as QueryReply
    from swim.commands import Rejoin as Rejoin
    from swim.commands import Respond as Respond
    from swim.commands import SendMessage as SendMessage
    from swim.commands import SendPing as SendPing
    from swim.commands import SendQuery as SendQuery
    from swim.commands import SendUserEvent as SendUserEvent
    from swim.commands import SetTags as SetTags
    from swim.commands import Ticket as Ticket
    from swim.commands import UpdateTags as UpdateTags
    from swim.config.merge_policy import MergePolicy as MergePolicy
    from swim.detection import Detection as Detection
    from swim.detection import OpenSuspicion as OpenSuspicion
    from swim.detection import ProbeCounts as ProbeCounts
    from swim.detection import ProbePath as ProbePath
    from swim.detection import SeedStatus as SeedStatus
    from swim.keyrings import InstallKey as InstallKey
    from swim.keyrings import KeyringResult as KeyringResult
    from swim.keyrings import KeyStatus as KeyStatus
    from swim.keyrings import ListKeys as ListKeys
    from swim.keyrings import RemoveKey as RemoveKey
    from swim.keyrings import UseKey as UseKey
    from swim.membership import Membership as Membership
    from swim.net.cluster import Cluster as Cluster
    from swim.net.observing import observe as observe
    from swim.net.responses import Responses as Responses
    from swim.net.running import open_cluster as open_cluster
    from swim.net.running import run_cluster as run_cluster
    from swim.net.subscriptions import Subscription as Subscription
    from swim.serf.coordinates import Coordinate as Coordinate
    from swim.serf.stats import NodeStats as NodeStats

__all__ = [
    "BroadcastMessage",
    "Cause",
    "Cluster",
    "Command",
    "Config",
    "ConfigError",
    "ConfigTypeError",
    "Coordinate",
    "DeliveryError",
    "Detection",
    "Event",
    "EventsLost",
    "ForceLeave",
    "ForceLeaveOutcome",
    "InstallKey",
    "InternalError",
    "Join",
    "JoinOutcome",
    "JoinResult",
    "KeyStatus",
    "KeyringResult",
    "Leave",
    "ListKeys",
    "LocalError",
    "Member",
    "MemberAccused",
    "MemberEvent",
    "MemberFailed",
    "MemberJoined",
    "MemberLeaving",
    "MemberLeft",
    "MemberReaped",
    "MemberRefuted",
    "MemberRestarted",
    "MemberState",
    "MemberStatus",
    "MemberSuspected",
    "MemberUpdated",
    "Membership",
    "MergePolicy",
    "Metrics",
    "NodeStats",
    "ObserverError",
    "OpenSuspicion",
    "ProbeCounts",
    "ProbePath",
    "Query",
    "QueryAck",
    "QueryReply",
    "QueryResponse",
    "Reason",
    "Rejoin",
    "RemoteError",
    "RemoveKey",
    "Respond",
    "Responses",
    "SeedStatus",
    "SendMessage",
    "SendPing",
    "SendQuery",
    "SendUserEvent",
    "SetTags",
    "Subscription",
    "SwimError",
    "Ticket",
    "Transition",
    "UpdateTags",
    "UseKey",
    "UserEvent",
    "UserMessage",
    "VersionTriple",
    "__version__",
    "observe",
    "open_cluster",
    "policies",
    "ring",
    "run_cluster",
]

# These take longer to import than a command that only asks an agent takes to answer.
_LATER = {
    **dict.fromkeys(
        (
            "BroadcastMessage",
            "Command",
            "ForceLeave",
            "Join",
            "Leave",
            "QueryReply",
            "Rejoin",
            "Respond",
            "SendMessage",
            "SendPing",
            "SendQuery",
            "SendUserEvent",
            "SetTags",
            "Ticket",
            "UpdateTags",
        ),
        "swim.commands",
    ),
    **dict.fromkeys(
        ("InstallKey", "KeyStatus", "KeyringResult", "ListKeys", "RemoveKey", "UseKey"), "swim.keyrings"
    ),
    **dict.fromkeys(
        ("Detection", "OpenSuspicion", "ProbeCounts", "ProbePath", "SeedStatus"), "swim.detection"
    ),
    "Cluster": "swim.net.cluster",
    "Coordinate": "swim.serf.coordinates",
    "observe": "swim.net.observing",
    "open_cluster": "swim.net.running",
    "run_cluster": "swim.net.running",
    "Membership": "swim.membership",
    "MergePolicy": "swim.config.merge_policy",
    "Responses": "swim.net.responses",
    "Subscription": "swim.net.subscriptions",
    "NodeStats": "swim.serf.stats",
}

_MODULES = ("asyncio", "blocking", "policies", "ring")

if not TYPE_CHECKING:  # or every name would exist for a type checker

    def __getattr__(name: str) -> object:
        if name in _MODULES:
            return import_module(f"swim.{name}")
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_LATER[name]), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
