"""Commands of clients that need a cluster and no connection; errors are in Serf's words."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import trio

from swim import Cluster, ConfigError, KeyringResult, LocalError
from swim.ipc.answer import Answer
from swim.ipc.filters import member_filter
from swim.ipc.records import ZERO_BODIES, members_body
from swim.ipc.requests import Fields
from swim.runtime import runtime_stats

__all__ = ["ClusterCommands"]

_SERF_STATS = (
    "members", "failed", "left", "health_score", "member_time", "event_time", "query_time", "intent_queue",
    "event_queue", "query_queue", "encrypted", "coordinate_resets",
)  # fmt: skip
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="

_ChangeKey = Callable[[bytes], Awaitable[KeyringResult]]


class ClusterCommands:
    """Carries out the commands on one cluster.

    Args:
        cluster: the cluster.
        event_handlers: the command of each event handler by its filter, for ``stats``.
    """

    def __init__(self, cluster: Cluster, event_handlers: Callable[[], Mapping[str, str]]) -> None:
        self._cluster = cluster
        self._event_handlers = event_handlers
        self.by_name: Mapping[str, Callable[[Fields], Awaitable[Answer]]] = {
            "event": self._event,
            "force-leave": self._force_leave,
            "join": self._join,
            "members": self._members,
            "members-filtered": self._members_filtered,
            "tags": self._tags,
            "leave": self._leave,
            "install-key": partial(self._change_key, cluster.install_key),
            "use-key": partial(self._change_key, cluster.use_key),
            "remove-key": partial(self._change_key, cluster.remove_key),
            "list-keys": self._list_keys,
            "stats": self._stats,
            "get-coordinate": self._get_coordinate,
        }

    async def _event(self, request: Fields) -> Answer:
        name, payload = request["Name"], request["Payload"]
        limit = self._cluster.config.user_event_size_limit
        size = len(name.encode("utf-8", "surrogateescape")) + len(payload)
        if size > limit:
            return Answer(f"user event exceeds configured limit of {limit} bytes before encoding")
        try:
            await self._cluster.user_event(name, payload, coalesce=request["Coalesce"])
        except ConfigError as error:
            if error.field != "payload":
                raise
            return Answer(f"encoded user event exceeds configured limit of {limit} bytes after encoding")
        return Answer()

    async def _force_leave(self, request: Fields) -> Answer:
        """As with Serf, it succeeds for a name that is unknown, and for a member that refutes it."""
        await self._cluster.force_leave(request["Node"], prune=request["Prune"])
        return Answer()

    async def _join(self, request: Fields) -> Answer:
        result = await self._cluster.join(request["Existing"], replay=request["Replay"])
        errors = [outcome.error for outcome in result.outcomes if not outcome.ok]
        if result.joined or not errors:
            return Answer("", {"Num": result.joined})
        lines = "".join(f"\n\t* {error}" for error in errors)
        return Answer(f"{len(errors)} error{'s' * (len(errors) > 1)} occurred:{lines}\n\n", {"Num": 0})

    async def _members(self, _: Fields) -> Answer:
        return Answer("", members_body(self._cluster.members()))

    async def _members_filtered(self, request: Fields) -> Answer:
        matches = member_filter(request["Tags"], request["Status"], request["Name"])
        return Answer("", members_body(filter(matches, self._cluster.members())))

    async def _tags(self, request: Fields) -> Answer:
        try:
            await self._cluster.update_tags(request["Tags"], remove=request["DeleteTags"])
        except ConfigError as error:
            if error.field != "tags":
                raise
            return Answer("Encoded length of tags exceeds limit of 512 bytes")
        return Answer()

    async def _leave(self, _: Fields) -> Answer:
        await self._cluster.leave()
        return Answer()

    async def _change_key(self, change: _ChangeKey, request: Fields) -> Answer:
        return _keys_answer(await change(_decoded(request["Key"])), None)

    async def _list_keys(self, _: Fields) -> Answer:
        result = await self._cluster.list_keys()
        return _keys_answer(result, {base64.b64encode(key).decode(): n for key, n in result.keys.items()})

    async def _stats(self, _: Fields) -> Answer:
        cluster = self._cluster
        stats = cluster.stats()
        serf = {name: _text(getattr(stats, name)) for name in _SERF_STATS}
        if cluster.config.disable_coordinates:
            del serf["coordinate_resets"]
        return Answer(
            "",
            {
                "agent": {"name": cluster.config.name},
                "runtime": runtime_stats(tasks=trio.lowlevel.current_statistics().tasks_living),
                "serf": serf,
                "tags": dict(cluster.local.tags),
                "event_handlers": dict(self._event_handlers()),
            },
        )

    async def _get_coordinate(self, request: Fields) -> Answer:
        found = self._cluster.coordinate(request["Node"])
        if found is None:
            return Answer("", ZERO_BODIES["get-coordinate"])
        coord = {
            "Vec": list(found.vec),
            "Error": found.error,
            "Adjustment": found.adjustment,
            "Height": found.height,
        }
        return Answer("", {"Coord": coord, "Ok": True})


def _keys_answer(result: KeyringResult, keys: Mapping[str, int] | None) -> Answer:
    body = {
        "Messages": {**result.messages, **result.errors},
        "Keys": keys,
        "NumNodes": result.members,
        "NumErr": len(result.errors),
        "NumResp": result.responses,
    }
    return Answer(result.problem, body)


def _decoded(text: bytes) -> bytes:
    """The key in base64.

    Raises:
        LocalError: it is none, with Go's text.
    """
    for at, byte in enumerate(text):
        if byte not in _BASE64:
            raise LocalError(f"illegal base64 data at input byte {at}")
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise LocalError(f"illegal base64 data at input byte {len(text) // 4 * 4}") from None


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
