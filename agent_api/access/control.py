"""Whether a request may do what it asks for: finds its token, and decides."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Literal

from agent_api.access.rules import AccessRules, Token, includes
from agent_api.errors import HttpError
from swim import ConfigError

__all__ = ["AccessControl", "Grant", "JoinMode", "secret_of"]

JoinMode = Literal["allow", "warn", "enforce"]
"""What a join without ``agent:write`` gets: as before Nomad 2.0.4, as since then, or a refusal."""

_DENIED = "Permission denied"
_EXPIRED = "ACL token expired"
_SECRET_CHARACTERS_MAX = 1024
_log = logging.getLogger("swim.http")


def secret_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The secret in a request's headers: ``X-Nomad-Token``, else a bearer's; "" if there is none.

    As in Nomad, blanks around it do not count, and of a bearer only the first word does.
    """
    token = bearer = ""
    for name, raw in headers:
        if name == b"x-nomad-token":
            token = token or raw.decode("latin-1").strip()
        elif name == b"authorization":
            scheme, _, value = raw.decode("latin-1").strip().partition(" ")
            if scheme.lower() == "bearer" and not bearer:
                bearer = next(iter(value.split()), "")
    return token or bearer


class AccessControl:
    """The rules in force. They may be replaced while the agent runs; None lets every client do everything.

    Args:
        rules: None for no access control.
        join: what a join without ``agent:write`` gets.
        clock: the time of day.

    Raises:
        ConfigError: naming ``acl_join``.

    Attributes:
        rules: the rules in force.
        join: as given.
    """

    def __init__(
        self,
        rules: AccessRules | None = None,
        *,
        join: JoinMode = "warn",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        if join not in ("allow", "warn", "enforce"):
            raise ConfigError("acl_join", f"must be allow, warn or enforce, not {join!r}")
        self.rules: AccessRules | None = rules
        self.join: JoinMode = join
        self._clock = clock

    @property
    def is_on(self) -> bool:
        """Whether there is access control at all."""
        return self.rules is not None

    def grant(self, headers: Iterable[tuple[bytes, bytes]]) -> Grant:
        """What a request with these headers may do."""
        if self.rules is None:
            return Grant(frozenset(("management",)), "no access control")
        secret = secret_of(headers)
        if not secret:
            return Grant(self.rules.granted(None), "no token")
        token = self.rules.find(secret) if len(secret) <= _SECRET_CHARACTERS_MAX else None
        if token is None:
            return Grant(frozenset(), "an unknown token", is_unknown=True)
        if token.is_expired(self._clock()):
            return Grant(frozenset(), f"the expired token {token.accessor}", _EXPIRED)
        return Grant(self.rules.granted(token), f"the token {token.accessor}", token=token)


class Grant:
    """What one request may do.

    Attributes:
        capabilities: granted ones.
        bearer: who asks, for the log; never a secret.
        is_unknown: the request has a token that there is not.
        token: the token, if it is a good one.
    """

    __slots__ = ("_refusal", "bearer", "capabilities", "is_unknown", "token")

    def __init__(
        self,
        capabilities: frozenset[str],
        bearer: str,
        refusal: str = _DENIED,
        *,
        is_unknown: bool = False,
        token: Token | None = None,
    ) -> None:
        self.capabilities: frozenset[str] = capabilities
        self.bearer: str = bearer
        self.is_unknown: bool = is_unknown
        self.token: Token | None = token
        self._refusal = refusal

    def may(self, capability: str) -> bool:
        """Whether a capability is granted."""
        return includes(self.capabilities, capability)

    def refusal(self) -> HttpError:
        """The answer to what is not granted."""
        return HttpError(403, self._refusal)
