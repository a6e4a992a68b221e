"""A small blocking client of the ``/v1/swim`` API, standard library only; used by the commands."""

from __future__ import annotations

import http.client
import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode, urlsplit

from swim import ConfigError, SwimError, checks
from swim.addresses import split_host_port

if TYPE_CHECKING:
    from agent_api.shapes import ForceLeaveReply, JoinReply, MemberShape

__all__ = ["AgentClient", "AgentError", "AgentTimeout", "AgentUnreachable"]

_JSON_LIMIT_BYTES = 256 * 1024 * 1024
_SILENCE_SECONDS = 40.0
"""A stream whose heartbeats, at most 30 s apart, stopped is broken."""
_UNKNOWN_MEMBER = "no member named"

_MEMBER = {
    "name": str, "address": str, "port": int, "status": str, "is_suspect": bool, "incarnation": int,
    "tags": {str: str}, "protocol": [int], "delegate": [int],
}  # fmt: skip
_TRANSITION = {
    "at": str, "age": float, "before": str, "after": str, "incarnation": int, "cause": str, "accuser": str,
    "detail": str,
}  # fmt: skip
_REPLIES = {
    "QueryAck": {"source": str},
    "QueryResponse": {"source": str, "payload": str},
    "QueryDone": {"acks": int, "responses": int, "lost": int, "seconds": float, "error": str},
}
_KEYRING = {
    "members": int, "responses": int, "problem": str, "errors": {str: str}, "messages": {str: str},
    "missing": [str], "failed": [str], "keyrings": {str: [str]},
}  # fmt: skip
_Shape = Any
"""A type, ``[shape]`` for a list, ``{str: shape}`` for a map, or a shape for each key that must be there."""


class AgentError(SwimError):
    """The agent refused. No state of the client is affected.

    Attributes:
        status: HTTP status, 300..599.
        text: the agent's message.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text or f"the agent answered {status}")
        self.status = status
        self.text = text

    @property
    def is_foreign(self) -> bool:
        """Whether the answer is not from a swim agent, which knows every path that this client requests."""
        return self.status < 400 or (self.status == 404 and not self.text.startswith(_UNKNOWN_MEMBER))


class AgentUnreachable(SwimError):  # noqa: N818  a state, like trio.TooSlow would be
    """No agent could be reached, or it did not speak HTTP. No state of the client is affected."""


class AgentTimeout(AgentUnreachable):
    """The agent didn't answer in time; a command that was sent may still take effect."""


class AgentClient:
    """Sends requests to one agent; a connection per call, no state in between.

    Args:
        address: base URL, ``http://HOST:PORT[/PREFIX]``; a bare ``HOST:PORT`` means http.
        timeout: seconds to wait for a connection and for each read.
        token: sent with every request; "" for none.

    Raises:
        ConfigError: naming ``address``, ``timeout`` or ``token``.
    """

    __slots__ = ("_headers", "_host", "_port", "_prefix", "_timeout", "address")

    def __init__(
        self, address: str = "http://127.0.0.1:4646", *, timeout: float = 10.0, token: str = ""
    ) -> None:
        self.address: str = address if "://" in address else f"http://{address}"
        try:
            parts = urlsplit(self.address)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise ConfigError("address", f"{address!r}: {error}") from None
        if parts.scheme != "http" or not host or not _is_plain(self.address) or not parts.path.isascii():
            raise ConfigError("address", f"{address!r} is not http://HOST:PORT")
        split_host_port("address", host, 80)
        self._host, self._port = host, 80 if port is None else port
        self._prefix = parts.path.rstrip("/")
        if not (token.isascii() and token.isprintable()):
            raise ConfigError("token", "must be printable ASCII")
        self._headers = {"X-Nomad-Token": token} if token else {}
        self._timeout = checks.number("timeout", timeout, at_least=0.001)

    def members(self) -> list[MemberShape]:
        """Every member the agent lists, by name.

        Raises:
            AgentError: if it refused.
            AgentUnreachable: if it cannot be reached.
        """
        document = self._ask("GET", "/v1/swim/members", {"members": [_MEMBER]})
        return cast("list[MemberShape]", document["members"])

    def info(self) -> dict[str, Any]:
        """The agent's own state. Raises as ``members``."""
        return self._ask("GET", "/v1/swim/info", {"name": str})

    def join(self, addresses: Iterable[str]) -> JoinReply:
        """Joins by ``addresses``, with one outcome each. Raises as ``members``; 409 after a leave."""
        parameters = [("address", address) for address in addresses]
        shape = {"joined": int, "addresses": [{"address": str, "ok": bool, "error": str}]}
        return cast("JoinReply", self._ask("PUT", "/v1/swim/join", shape, parameters))

    def force_leave(self, node: str, *, prune: bool = False) -> ForceLeaveReply:
        """Declares that ``node`` has left. Raises as ``members``; 404 for an unknown name."""
        parameters = [("node", node), ("prune", "true" if prune else "false")]
        shape = {"node": str, "outcome": str}
        return cast("ForceLeaveReply", self._ask("PUT", "/v1/swim/force-leave", shape, parameters))

    def leave(self) -> None:
        """Makes the agent leave gracefully; it may exit afterwards. Raises as ``members``."""
        self._ask("PUT", "/v1/swim/leave", {"left": bool})

    def why(self, name: str) -> dict[str, Any]:
        """A member's transitions with their reasons. Raises as ``members``; 404 for an unknown name."""
        return self._ask("GET", "/v1/swim/why", {"history": [_TRANSITION]}, [("name", name)])

    def user_event(self, name: str, payload: bytes = b"", *, coalesce: bool = False) -> dict[str, Any]:
        """Sends a user event to all members. Raises as ``members``; 400 or 413 if it is too large."""
        parameters = [("name", name), ("coalesce", "true" if coalesce else "false")]
        return self._ask("PUT", "/v1/swim/events", {"name": str, "bytes": int}, parameters, payload)

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
    ) -> Iterator[dict[str, Any]]:
        """Asks members; yields each reply as it comes, then ``QueryDone``. See ``swim.Cluster.query``.

        Nothing is sent before the first reply is asked for. Closing the iterator ends the query. Raises as
        ``members``; 400, 409 or 413 if it is refused, 404 if one of ``nodes`` is unknown.
        """
        parameters = [
            ("name", name),
            ("ack", "true" if ack else "false"),
            ("relay_factor", str(relay_factor)),
        ]
        parameters += [("node", node) for node in nodes]
        parameters += [("tag", f"{key}={regex}") for key, regex in (tags or {}).items()]
        parameters += [("timeout", f"{timeout:.3f}")] if timeout is not None else []
        parameters += [("finish_early", "true" if finish_early else "false")]
        kind = None
        for line in self._lines("PUT", "/v1/swim/query", parameters, payload):
            if line:
                kind = str(line.get("event"))
                if kind not in _REPLIES or not _fits(line, _REPLIES[kind]):
                    raise self._foreign()
                yield line
        if kind is None:
            raise self._foreign()
        if kind != "QueryDone":
            raise AgentUnreachable("the agent stopped before the query was over")

    def tags(self) -> dict[str, str]:
        """The agent's tags. Raises as ``members``."""
        document = self._ask("GET", "/v1/swim/tags", {"tags": {str: str}})
        return cast("dict[str, str]", document["tags"])

    def set_tags(self, changes: Mapping[str, str], *, remove: Iterable[str] = ()) -> dict[str, str]:
        """Changes some of the agent's tags; returns all of them. Raises as ``members``; 400 if too large."""
        parameters = [("set", f"{key}={value}") for key, value in changes.items()]
        parameters += [("delete", key) for key in remove]
        document = self._ask("PUT", "/v1/swim/tags", {"tags": {str: str}}, parameters)
        return cast("dict[str, str]", document["tags"])

    def rtt(self, node: str, other: str | None = None) -> dict[str, Any]:
        """The estimated round-trip time between two members, or to the agent; None if it is not known.

        Raises as ``members``; 404 for an unknown name.
        """
        shape = {"from": str, "to": str, "coordinates": {str: object}}
        names = [node] if other is None else [node, other]
        return self._ask("GET", "/v1/swim/rtt", shape, [("node", name) for name in names])

    def reachability(
        self, nodes: Iterable[str] = (), *, ping_timeout: float | None = None
    ) -> Iterator[dict[str, Any]]:
        """How each member answers the agent, as lines that come one by one, and a last one that sums them up.

        Raises as ``members``; 404 for an unknown name.
        """
        parameters = [("node", name) for name in nodes]
        if ping_timeout is not None:
            parameters.append(("timeout", f"{ping_timeout}s"))
        return (line for line in self._lines("PUT", "/v1/swim/reachability", parameters) if line)

    def keyring(self) -> dict[str, Any]:
        """The keys of every member, as fingerprints. Raises as ``members``."""
        return self._ask("GET", "/v1/swim/keyring", _KEYRING)

    def change_keyring(self, operation: str, *, key: bytes = b"", fingerprint: str = "") -> dict[str, Any]:
        """Has every member ``install``, ``use`` or ``remove`` a key; what they answered is in the result.

        Raises as ``members``; 409 if no member has a key with the fingerprint.
        """
        named = {"Fingerprint": fingerprint} if fingerprint else {"Key": b64encode(key).decode()}
        body = json.dumps(named).encode()
        return self._ask("PUT", f"/v1/swim/keyring/{operation}", _KEYRING, (), body)

    def events(self) -> Iterator[dict[str, Any]]:
        """All events as they happen, until the agent stops. Raises as ``members``."""
        return (line for line in self._lines("GET", "/v1/swim/events") if line)

    def watch(self) -> Iterator[dict[str, Any]]:
        """The members (``Snapshot``), then events as they happen and a ``Heartbeat`` every 5 s.

        Ends if the agent stops. Raises as ``members``; ``AgentTimeout`` if the heartbeats stop.
        """
        shape: _Shape = {"event": str, "at": str, "snapshot": {"name": str, "members": [_MEMBER]}}
        for line in self._lines("GET", "/v1/swim/watch"):
            if not _fits(line, shape):
                raise self._foreign()
            shape = {"event": str, "at": str}
            yield line

    def monitor(self, level: str = "info", *, is_json: bool = False) -> Iterator[dict[str, Any]]:
        """The agent's log in Nomad's frames (``Data`` in base64), and ``{}`` every second.

        Ends if the agent stops. Raises as ``members``; 400 for an unknown level.
        """
        parameters = [("log_level", level), ("log_json", "true" if is_json else "false")]
        for frame in self._lines("GET", "/v1/agent/monitor", parameters):
            if frame and not _fits(frame, {"Data": str}):
                raise self._foreign()
            yield frame

    def request(
        self, method: str, path: str, parameters: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> Any:
        """One request to any path: the decoded JSON, or None for an empty body. Raises as ``members``."""
        connection, response = self._open(method, path, parameters, body)
        try:
            answer = response.read(_JSON_LIMIT_BYTES)
            return _decoded(answer) if answer else None
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None
        except ValueError:
            raise self._foreign() from None
        finally:
            connection.close()

    def _lines(
        self, method: str, path: str, parameters: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> Iterator[dict[str, Any]]:
        """The objects of a stream, heartbeats included, until it ends."""
        connection, response = self._open(method, path, parameters, body)
        try:
            if connection.sock is not None:
                connection.sock.settimeout(max(self._timeout, _SILENCE_SECONDS))
            value: Any = None
            while line := response.readline(_JSON_LIMIT_BYTES):
                value = _decoded(line)
                if not isinstance(value, dict) or not line.endswith(b"\n"):
                    raise self._foreign()
                yield value
            if value is None:
                raise self._foreign()
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None
        except ValueError:
            raise self._foreign() from None
        finally:
            response.close()
            connection.close()

    def _ask(
        self,
        method: str,
        path: str,
        shape: _Shape,
        parameters: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> dict[str, Any]:
        """``request`` for a path that only swim agents have; checks the shape of the answer."""
        document = self.request(method, path, parameters, body)
        if not _fits(document, shape):
            raise self._foreign()
        return cast("dict[str, Any]", document)

    def _open(
        self, method: str, path: str, parameters: Iterable[tuple[str, str]], body: bytes
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        query = urlencode(list(parameters), errors="surrogateescape")
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            connection.request(
                method, f"{self._prefix}{path}{'?' + query if query else ''}", body or None, self._headers
            )
            response = connection.getresponse()
            if response.status != 200:
                raise AgentError(response.status, response.read(65536).decode("utf-8", "replace").strip())
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._unreachable(error) from None
        except AgentError:
            connection.close()
            raise
        return connection, response

    def _foreign(self) -> AgentUnreachable:
        return AgentUnreachable(f"the server at {self.address} is not a swim agent")

    def _unreachable(self, error: Exception) -> AgentUnreachable:
        if isinstance(error, TimeoutError):
            return AgentTimeout(f"no answer from {self.address} within {self._timeout:g} s")
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return AgentUnreachable(f"cannot reach an agent at {self.address}: {reason}")


def _is_plain(url: str) -> bool:
    """Whether it contains only characters allowed in a request line."""
    return url.isprintable() and not any(c.isspace() for c in url)


def _decoded(text: bytes) -> Any:
    """The JSON value.

    Raises:
        ValueError: it is not JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _fits(value: Any, shape: _Shape) -> bool:
    """Whether a JSON value has a shape; further keys are allowed."""
    if isinstance(shape, list):
        return isinstance(value, list) and all(_fits(item, shape[0]) for item in value)
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return False
        if str in shape:
            return all(_fits(item, shape[str]) for item in value.values())
        return all(key in value and _fits(value[key], inner) for key, inner in shape.items())
    if shape is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, shape) and (shape is bool or not isinstance(value, bool))
