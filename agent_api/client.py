"""A small blocking client of the ``/v1/swim`` API on the standard library alone; what the commands use."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode, urlsplit

from swim import ConfigError, SwimError
from swim.addresses import split_host_port

if TYPE_CHECKING:
    from agent_api.shapes import ForceLeaveReply, JoinReply, MemberShape

__all__ = ["AgentClient", "AgentError", "AgentTimeout", "AgentUnreachable"]

_JSON_LIMIT_BYTES = 256 * 1024 * 1024


class AgentError(SwimError):
    """The agent refused. Doesn't affect any state here.

    Attributes:
        status: HTTP status, 300..599.
        text: the agent's words.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text or f"the agent answered {status}")
        self.status = status
        self.text = text


class AgentUnreachable(SwimError):  # noqa: N818  a state, like trio.TooSlow would be
    """No agent could be reached, or it spoke no HTTP. Doesn't affect any state here."""


class AgentTimeout(AgentUnreachable):
    """The agent didn't answer in time; a command that was sent may still take effect."""


class AgentClient:
    """Talks to one agent; a connection per call, no state in between.

    Args:
        address: base URL, ``http://HOST:PORT[/PREFIX]``; a bare ``HOST:PORT`` is taken as http.
        timeout: seconds to wait for a connection and for each read.

    Raises:
        ConfigError: naming ``address``.
    """

    __slots__ = ("_host", "_port", "_prefix", "_timeout", "address")

    def __init__(self, address: str = "http://127.0.0.1:4646", *, timeout: float = 10.0) -> None:
        self.address = address if "://" in address else f"http://{address}"
        try:
            parts = urlsplit(self.address)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise ConfigError("address", f"{address!r}: {error}") from None
        if parts.scheme != "http" or not host:
            raise ConfigError("address", f"{address!r} is not http://HOST:PORT")
        split_host_port("address", host, 80)
        self._host, self._port, self._prefix = host, port or 80, parts.path.rstrip("/")
        self._timeout = timeout

    def members(self) -> list[MemberShape]:
        """Every member the agent lists, by name.

        Raises:
            AgentError: if it refused.
            AgentUnreachable: if it cannot be reached.
        """
        return cast("list[MemberShape]", self.request("GET", "/v1/swim/members")["members"])

    def info(self) -> dict[str, Any]:
        """What the agent says about itself. Raises as ``members``."""
        return cast("dict[str, Any]", self.request("GET", "/v1/swim/info"))

    def join(self, addresses: Iterable[str]) -> JoinReply:
        """Joins by ``addresses``, with one outcome each. Raises as ``members``; 409 after a leave."""
        parameters = [("address", address) for address in addresses]
        return cast("JoinReply", self.request("PUT", "/v1/swim/join", parameters))

    def force_leave(self, node: str, *, prune: bool = False) -> ForceLeaveReply:
        """Declares that ``node`` has left. Raises as ``members``; 404 for an unknown name."""
        parameters = [("node", node), ("prune", "true" if prune else "false")]
        return cast("ForceLeaveReply", self.request("PUT", "/v1/swim/force-leave", parameters))

    def leave(self) -> None:
        """Makes the agent leave gracefully; it may exit afterwards. Raises as ``members``."""
        self.request("PUT", "/v1/swim/leave")

    def why(self, name: str) -> dict[str, Any]:
        """A member's transitions with their reasons. Raises as ``members``; 404 for an unknown name."""
        return cast("dict[str, Any]", self.request("GET", "/v1/swim/why", [("name", name)]))

    def events(self) -> Iterator[dict[str, Any]]:
        """Membership events as they happen, until the agent stops. Raises as ``members``."""
        connection, response = self._open("GET", "/v1/swim/events", [])
        try:
            if connection.sock is not None:
                connection.sock.settimeout(None)
            for line in response:
                if event := json.loads(line):
                    yield event
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None
        finally:
            connection.close()

    def request(self, method: str, path: str, parameters: Iterable[tuple[str, str]] = ()) -> Any:
        """One call of any path; the decoded JSON, or None for an empty body. Raises as ``members``."""
        connection, response = self._open(method, path, parameters)
        try:
            body = response.read(_JSON_LIMIT_BYTES)
            return json.loads(body) if body else None
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None
        except ValueError:
            raise AgentUnreachable(f"{self.address} did not answer with JSON: is it a swim agent?") from None
        finally:
            connection.close()

    def _open(
        self, method: str, path: str, parameters: Iterable[tuple[str, str]]
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        query = urlencode(list(parameters), errors="surrogateescape")
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout)
        try:
            connection.request(method, f"{self._prefix}{path}{'?' + query if query else ''}")
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

    def _unreachable(self, error: Exception) -> AgentUnreachable:
        if isinstance(error, TimeoutError):
            return AgentTimeout(f"no answer from {self.address} within {self._timeout:g} s")
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return AgentUnreachable(f"cannot reach an agent at {self.address}: {reason}")
