"""The calls to our own paths, ``/v1/swim``, as both clients have them."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from agent_api.client import replies
from agent_api.client.errors import AgentUnreachable
from agent_api.client.fitting import fits
from agent_api.client.requests import LineReader, Request, Stream, ask, follow, json_of

__all__ = ["OwnCalls", "answer_or_none", "flag"]

_QUERY_REPLIES: Mapping[str, Mapping[str, type]] = {
    "QueryAck": {"source": str},
    "QueryResponse": {"source": str, "payload": str},
    "QueryDone": {"acks": int, "responses": int, "lost": int, "seconds": float, "error": str},
}
_Line = dict[str, Any]
_ANY_DOCUMENT = json_of(dict[str, Any])


class OwnCalls:
    """Every call of ``/v1/swim``, on the client itself. All raise ``AgentError`` and ``AgentUnreachable``."""

    @ask
    def members(self) -> Request[list[replies.ObservedReply]]:
        """Every member that the agent lists, by name."""
        reply = json_of(replies.MembersReply, lambda document: document["members"])
        return Request("GET", "/v1/swim/members", reply)

    @ask
    def info(self) -> Request[_Line]:
        """The agent's own state."""
        return Request("GET", "/v1/swim/info", json_of(replies.Info, dict))

    @ask
    def join(self, addresses: Iterable[str]) -> Request[replies.JoinReply]:
        """Joins by ``addresses``, with one outcome each; an error 409 after a leave."""
        parameters = [("address", address) for address in addresses]
        return Request("PUT", "/v1/swim/join", json_of(replies.JoinReply), parameters)

    @ask
    def force_leave(self, node: str, *, prune: bool = False) -> Request[replies.ForceLeaveReply]:
        """Declares that ``node`` has left; an error 404 for an unknown name."""
        parameters = [("node", node), ("prune", flag(prune))]
        return Request("PUT", "/v1/swim/force-leave", json_of(replies.ForceLeaveReply), parameters)

    @ask
    def leave(self) -> Request[None]:
        """Makes the agent leave gracefully; it may exit afterwards."""
        return Request("PUT", "/v1/swim/leave", json_of(replies.LeaveReply, lambda _: None))

    @ask
    def why(self, name: str) -> Request[replies.Why]:
        """A member's transitions with their reasons; an error 404 for an unknown name."""
        return Request("GET", "/v1/swim/why", json_of(replies.Why), [("name", name)])

    @ask
    def user_event(
        self, name: str, payload: bytes = b"", *, coalesce: bool = False
    ) -> Request[replies.EventReply]:
        """Sends a user event to all members; an error 400 or 413 if it is too large."""
        parameters = [("name", name), ("coalesce", flag(coalesce))]
        return Request("PUT", "/v1/swim/events", json_of(replies.EventReply), parameters, payload)

    @follow
    def query(
        self,
        name: str,
        payload: bytes = b"",
        *,
        nodes: Iterable[str] = (),
        tags: Mapping[str, str] | None = None,
        ack: bool = False,
        relay_factor: int = 0,
        timeout: float | None = None,
        finish_early: bool = False,
    ) -> Stream[_Line]:
        """Asks members; gives each reply as it comes, then ``QueryDone``. See ``swim.Cluster.query``.

        Nothing is sent before the first reply is asked for. Closing the iterator ends the query. An error
        400, 409 or 413 if it is refused, 404 if one of ``nodes`` is unknown.
        """
        parameters = [("name", name), ("ack", flag(ack)), ("relay_factor", str(relay_factor))]
        parameters += [("node", node) for node in nodes]
        parameters += [("tag", f"{key}={regex}") for key, regex in (tags or {}).items()]
        parameters += [("timeout", f"{timeout:.3f}")] if timeout is not None else []
        parameters += [("finish_early", flag(finish_early))]
        return Stream("PUT", "/v1/swim/query", _QueryReader, parameters, payload)

    @ask
    def tags(self) -> Request[dict[str, str]]:
        """The agent's tags."""
        reply = json_of(replies.TagsReply, lambda document: document["tags"])
        return Request("GET", "/v1/swim/tags", reply)

    @ask
    def set_tags(self, changes: Mapping[str, str], *, remove: Iterable[str] = ()) -> Request[dict[str, str]]:
        """Changes some of the agent's tags; returns all of them. An error 400 if they are too large."""
        parameters = [("set", f"{key}={value}") for key, value in changes.items()]
        parameters += [("delete", key) for key in remove]
        reply = json_of(replies.TagsReply, lambda document: document["tags"])
        return Request("PUT", "/v1/swim/tags", reply, parameters)

    @ask
    def coordinate(self, name: str = "") -> Request[replies.CoordinateReply]:
        """The network coordinate of a member, or the agent's own; an error 404 for an unknown name."""
        parameters = [("name", name)] if name else []
        return Request("GET", "/v1/swim/coordinate", json_of(replies.CoordinateReply), parameters)

    @ask
    def rtt(self, node: str, other: str | None = None) -> Request[replies.RoundTrip]:
        """The estimated round-trip time between two members, or to the agent; 404 for an unknown name."""
        parameters = [("node", name) for name in ([node] if other is None else [node, other])]
        return Request("GET", "/v1/swim/rtt", json_of(replies.RoundTrip), parameters)

    @follow
    def reachability(self, nodes: Iterable[str] = (), *, ping_timeout: float | None = None) -> Stream[_Line]:
        """How each member answers the agent, as lines that come one by one, and a last one that sums them up.

        An error 404 for an unknown name.
        """
        parameters = [("node", name) for name in nodes]
        parameters += [("timeout", f"{ping_timeout}s")] if ping_timeout is not None else []
        return Stream("PUT", "/v1/swim/reachability", LineReader, parameters)

    @ask
    def keyring(self) -> Request[replies.Keyrings]:
        """The keys of every member, as fingerprints."""
        return Request("GET", "/v1/swim/keyring", json_of(replies.Keyrings))

    @ask
    def change_keyring(
        self, operation: str, *, key: bytes = b"", fingerprint: str = ""
    ) -> Request[replies.Keyrings]:
        """Has every member ``install``, ``use`` or ``remove`` a key; what they answered is in the result.

        An error 409 if no member has a key with the fingerprint.
        """
        named = {"Fingerprint": fingerprint} if fingerprint else {"Key": b64encode(key).decode()}
        body = json.dumps(named).encode()
        return Request("PUT", f"/v1/swim/keyring/{operation}", json_of(replies.Keyrings), (), body)

    @follow
    def events(self) -> Stream[_Line]:
        """All events as they happen, until the agent stops."""
        return Stream("GET", "/v1/swim/events", LineReader)

    @follow
    def watch(self) -> Stream[_Line]:
        """The members (``Snapshot``), then events as they happen and a ``Heartbeat`` every 5 s.

        Ends if the agent stops. ``AgentTimeout`` if the heartbeats stop.
        """
        reader = partial(LineReader[_Line], replies.WatchEvent, first=replies.Snapshot)
        return Stream("GET", "/v1/swim/watch", reader)

    @ask
    def coordinates(self) -> Request[_Line]:
        """The network coordinates of all members."""
        return Request("GET", "/v1/swim/coordinates", _ANY_DOCUMENT)

    @ask
    def snapshot(self, level: str = "") -> Request[_Line]:
        """All that the agent knows at one moment; ``level="members"`` for the members alone."""
        parameters = [("level", level)] if level else []
        return Request("GET", "/v1/swim/snapshot", _ANY_DOCUMENT, parameters)

    @ask
    def views(self, *, measured: bool = False) -> Request[_Line]:
        """How each agent that advertises its HTTP address sees the cluster.

        Args:
            measured: whether with what each knows first-hand, such as last acks and round-trip times.
        """
        parameters = [("measured", flag(True))] if measured else []
        return Request("GET", "/v1/swim/views", _ANY_DOCUMENT, parameters)

    @ask
    def partitions(self) -> Request[_Line]:
        """The agents whose views agree, the largest group first."""
        return Request("GET", "/v1/swim/partitions", _ANY_DOCUMENT)

    @ask
    def live(self) -> Request[_Line]:
        """Whether the node runs; no error if it does not."""
        return Request("GET", "/v1/swim/health/live", _ANY_DOCUMENT, accepted=(200, 503))

    @ask
    def ready(self, state: str = "joined") -> Request[_Line]:
        """Whether the agent has come as far as ``state``; no error if it has not."""
        reply, parameters = _ANY_DOCUMENT, [("state", state)]
        return Request("GET", "/v1/swim/health/ready", reply, parameters, accepted=(200, 503))

    @ask
    def config(self) -> Request[_Line]:
        """The settings of the agent's node, and where each came from."""
        return Request("GET", "/v1/swim/config", _ANY_DOCUMENT)

    @ask
    def metrics_history(self) -> Request[_Line]:
        """The metrics of the last five minutes."""
        return Request("GET", "/v1/swim/metrics/history", _ANY_DOCUMENT)

    @ask
    def openapi(self) -> Request[_Line]:
        """The OpenAPI document of all that the agent serves."""
        return Request("GET", "/v1/openapi.json", _ANY_DOCUMENT)

    @ask
    def request(
        self, method: str, path: str, parameters: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> Request[Any]:
        """One request to any path: the decoded JSON, or None for an empty body."""
        return Request(method, path, answer_or_none, list(parameters), body)


class _QueryReader(LineReader[_Line]):
    """Replies to a query, of which the last one is ``QueryDone``."""

    def __init__(self) -> None:
        super().__init__(dict)
        self._kind = ""

    def check(self, item: _Line) -> bool:
        """Whether it is one of the kinds of replies."""
        self._kind = str(item.get("event"))
        shape = _QUERY_REPLIES.get(self._kind)
        return shape is not None and all(fits(item.get(key), kind) for key, kind in shape.items())

    def finish(self) -> None:
        """The stream has ended.

        Raises:
            ValueError: there was no reply.
            AgentUnreachable: the last reply is missing.
        """
        super().finish()
        if not self._kind:
            raise ValueError("no reply")
        if self._kind != "QueryDone":
            raise AgentUnreachable("the agent stopped before the query was over")


def flag(value: bool) -> str:
    """A boolean as a parameter."""
    return "true" if value else "false"


def answer_or_none(body: bytes) -> Any:
    """The reply of a request whose answer is JSON, or has no body."""
    return json_of(object)(body) if body else None
