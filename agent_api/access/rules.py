"""Tokens and policies as values: what the file of tokens says, and what each token may do.

The file is JSON::

    {"policies": {"anonymous": ["node:read"], "ops": ["node:read", "agent:write"]},
     "tokens": [{"accessor": "1f0c...", "name": "ci", "policies": ["ops"], "hash": "<SHA-256 in hex>",
                 "created": "2026-01-01T00:00:00Z", "expires": ""}]}

A policy is a name for several capabilities; a capability is the policy of its own name. ``anonymous`` is the
policy of clients without a token. Secrets are not stored: they are random, so a plain hash keeps them.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from swim import ConfigError

__all__ = ["ANONYMOUS", "CAPABILITIES", "TOKENS_MAX", "AccessRules", "Token", "hash_of", "includes"]

CAPABILITIES = ("node:read", "node:write", "agent:read", "agent:write", "management")
"""What a policy may grant, as Nomad names it. ``management`` includes all, a write its read."""
ANONYMOUS = "anonymous"
TOKENS_MAX = 1000
"""Tokens in one file; each request is compared with all of them."""
_NAMES_MAX = 128
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:@/-]*")
_HASH = re.compile(r"[0-9a-f]{64}")
_ACCESSOR = re.compile(r"[0-9a-f-]{8,64}")
_FORMS = {"accessor": _ACCESSOR, "name": _NAME, "hash": _HASH}


def hash_of(secret: str) -> str:
    """The hash of a secret, as it is stored."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def includes(granted: frozenset[str], capability: str) -> bool:
    """Whether capabilities include another one."""
    area, _, kind = capability.partition(":")
    return (
        capability == "none"
        or not granted.isdisjoint(("management", capability))
        or (kind == "read" and f"{area}:write" in granted)
    )


@dataclass(frozen=True, slots=True)
class Token:
    """One token, without its secret.

    Attributes:
        accessor: its public identifier.
        name: chosen by an operator.
        policies: names of policies, or capabilities.
        hash: of the secret.
        created: when, as ISO 8601; informative.
        expires: from when it is refused, as ISO 8601 with an offset; "" is never.

    Raises:
        ConfigError: naming the attribute that is wrong.
    """

    accessor: str
    name: str
    policies: tuple[str, ...]
    hash: str = field(repr=False)
    created: str = ""
    expires: str = ""

    def __post_init__(self) -> None:
        for name, form in _FORMS.items():
            value = getattr(self, name)
            if not isinstance(value, str) or len(value) > _NAMES_MAX or not form.fullmatch(value):
                shown = "" if name == "hash" else f", not {value!r}"
                raise ConfigError(name, f"must match {form.pattern}{shown}")
        if not self.policies:
            raise ConfigError("policies", "must name at least one policy or capability")
        if self.expires:
            _moment(self.expires)

    def is_expired(self, now: datetime) -> bool:
        """Whether it is refused at ``now``."""
        return bool(self.expires) and _moment(self.expires) <= now


@dataclass(frozen=True, slots=True)
class AccessRules:
    """All tokens, and the policies that they name.

    Raises:
        ConfigError: naming what is wrong.
    """

    tokens: tuple[Token, ...] = ()
    policies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.tokens) > TOKENS_MAX:
            raise ConfigError("tokens", f"{len(self.tokens)} tokens, more than {TOKENS_MAX} (TOKENS_MAX)")
        for name, capabilities in self.policies.items():
            if name in CAPABILITIES:
                raise ConfigError("policies", f"{name!r} is the name of a capability")
            for capability in capabilities:
                if capability not in CAPABILITIES:
                    known = ", ".join(CAPABILITIES)
                    raise ConfigError("policies", f"{name}: {capability!r} is none of {known}")
        for key in ("accessor", "hash"):
            if len({getattr(token, key) for token in self.tokens}) < len(self.tokens):
                raise ConfigError("tokens", f"two tokens have the same {key}")
        for token in self.tokens:
            for policy in token.policies:
                if policy not in self.policies and policy not in CAPABILITIES:
                    raise ConfigError("tokens", f"{token.name}: there is no policy {policy!r}")

    @classmethod
    def of_document(cls, document: Any) -> AccessRules:
        """The rules in a decoded file, or in the table ``acl`` of a configuration file.

        Raises:
            ConfigError: naming what is wrong.
        """
        if not isinstance(document, dict):
            raise ConfigError("acl", "must be an object with tokens and policies")
        if unknown := document.keys() - {"tokens", "policies"}:
            raise ConfigError("acl", f"has no {min(unknown)!r}, only tokens and policies")
        policies, tokens = document.get("policies", {}), document.get("tokens", [])
        if not isinstance(policies, dict) or not all(_is_texts(value) for value in policies.values()):
            raise ConfigError("policies", "must be lists of capabilities by name")
        if not isinstance(tokens, list):
            raise ConfigError("tokens", "must be a list")
        return cls(
            tuple(_token(number, item) for number, item in enumerate(tokens, 1)),
            {name: tuple(value) for name, value in policies.items()},
        )

    def document(self) -> dict[str, Any]:
        """The file's content."""
        return {
            "policies": {name: list(value) for name, value in self.policies.items()},
            "tokens": [
                {
                    "accessor": token.accessor,
                    "name": token.name,
                    "policies": list(token.policies),
                    "hash": token.hash,
                    "created": token.created,
                    "expires": token.expires,
                }
                for token in self.tokens
            ],
        }

    def __or__(self, other: AccessRules) -> AccessRules:
        """Both; a policy of the other's wins over one of the same name."""
        return AccessRules(self.tokens + other.tokens, {**self.policies, **other.policies})

    def find(self, secret: str) -> Token | None:
        """The token of a secret. All hashes are compared in full, whichever is the right one."""
        wanted, found = hash_of(secret), None
        for token in self.tokens:
            if hmac.compare_digest(token.hash, wanted):
                found = token
        return found

    def granted(self, token: Token | None) -> frozenset[str]:
        """The capabilities of a token; without one, those of the policy ``anonymous``."""
        names = token.policies if token else (ANONYMOUS,)
        found: set[str] = set()
        for name in names:
            found |= {name} if name in CAPABILITIES else {*self.policies.get(name, ())}
        return frozenset(found)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _token(number: int, item: Any) -> Token:
    keys = {"accessor": str, "name": str, "policies": list, "hash": str, "created": str, "expires": str}
    if not isinstance(item, dict):
        raise ConfigError("tokens", f"number {number} must be an object")
    if unknown := item.keys() - keys.keys():
        raise ConfigError("tokens", f"number {number} has no {min(unknown)!r}, only {', '.join(keys)}")
    for key, kind in keys.items():
        if not isinstance(item.get(key, kind()), kind):
            raise ConfigError("tokens", f"number {number}: {key} has the wrong type")
    if not _is_texts(item.get("policies", [])):
        raise ConfigError("tokens", f"number {number}: policies must be a list of strings")
    values = {key: item.get(key, kind()) for key, kind in keys.items()}
    try:
        return Token(**{**values, "policies": tuple(values["policies"])})
    except ConfigError as error:
        raise ConfigError("tokens", f"number {number}: {error}") from None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ConfigError("expires", f"{text!r} is not a time such as 2026-12-31T23:59:59Z")
    return moment.astimezone(UTC)
