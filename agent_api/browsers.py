"""Keeps pages of other sites, opened in a browser, from using the API.

A browser sends requests to any address on behalf of any page, including loopback. Two checks keep pages of
other sites out. Neither affects other clients:

- **Host**, on every request. A page may make its own name resolve to this agent (DNS rebinding) and could
then
  read everything. It can't do so with an IP address or a name without a dot.
- **Origin** and **Sec-Fetch-Site**, on writes: as in Go's ``http.CrossOriginProtection``, except that if both
are
  sent, both must be right.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from swim import Metrics

__all__ = ["BrowserRules", "host_of"]

_ANY = "*"
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_OWN_SITES = ("same-origin", "none")
_AUTHORITY = re.compile(r"(?P<host>[^\s:@/?#\[\]]+|\[[0-9a-f:.]+\])(:[0-9]{0,5})?")
_LABEL = re.compile(r"[a-z0-9_-]+")
_HOST_TEXT = "this agent does not accept that Host; allow the name with http_hosts (--http-host)"
_ORIGIN_TEXT = "pages of another origin may not send writes to this agent"


class BrowserRules:
    """ASGI middleware: answers 403 to requests that only a page of another site would send.

    Args:
        app: the application that handles all other requests.
        names: names of this agent, allowed as ``Host`` besides IP addresses and names without a dot.
        trusted: those names whose pages may also write; ``*`` allows any ``Host`` and trusts none.
        metrics: refusals are counted as ``swim.dropped.http-host`` and ``swim.dropped.http-origin``.
    """

    __slots__ = ("_app", "_metrics", "_names", "_trusted")

    def __init__(
        self, app: ASGIApp, *, names: Iterable[str], trusted: Iterable[str], metrics: Metrics
    ) -> None:
        self._app = app
        self._trusted = frozenset(name.lower() for name in trusted)
        self._names = self._trusted | {name.lower() for name in names}
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes one request on, or refuses it."""
        if scope["type"] == "http" and (refused := self._why_refused(scope)):
            reason, text = refused
            self._metrics.dropped(reason)
            await PlainTextResponse(text, 403)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _why_refused(self, scope: Scope) -> tuple[str, str] | None:
        hosts = list(_values(scope, b"host"))
        if not all(self._is_own(host) for host in hosts):
            return "http-host", _HOST_TEXT
        if scope["method"] in _SAFE_METHODS:
            return None
        origins = list(_values(scope, b"origin"))
        if origins and all(self._is_trusted(origin) for origin in origins):
            return None
        sites = _values(scope, b"sec-fetch-site")
        own = {f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts}
        if all(site in _OWN_SITES for site in sites) and all(origin in own for origin in origins):
            return None
        return "http-origin", _ORIGIN_TEXT

    def _is_own(self, authority: str) -> bool:
        """Whether no page of another site can have this ``Host``; clients that send none are not browsers."""
        if not authority or _ANY in self._names:
            return True
        host = host_of(authority)
        return host is not None and (
            bool(_LABEL.fullmatch(host)) or host.endswith(".localhost") or host in self._names or _is_ip(host)
        )

    def _is_trusted(self, origin: str) -> bool:
        scheme, _, authority = origin.partition("://")
        return scheme in ("http", "https") and host_of(authority) in self._trusted


def host_of(authority: str) -> str | None:
    """The host in ``HOST[:PORT]``, lower case, without brackets or a final dot; None for another form."""
    found = _AUTHORITY.fullmatch(authority.lower())
    return found["host"].strip("[]").removesuffix(".") if found else None


def _values(scope: Scope, wanted: bytes) -> Iterator[str]:
    return (value.decode("latin-1").strip().lower() for name, value in scope["headers"] if name == wanted)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
