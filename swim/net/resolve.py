"""From address texts to endpoints to dial."""

from __future__ import annotations

from collections.abc import Sequence

from swim.addresses import Endpoint, version_of
from swim.errors import ConfigError

__all__ = ["reachable", "why_not_found"]


def reachable(host: str, found: Sequence[Endpoint], bound: Endpoint) -> tuple[Endpoint, ...]:
    """The addresses of a host that a node can dial: it is bound to one family, and dials only that one.

    Raises:
        ConfigError: there is none.
    """
    own = version_of(bound[0])
    endpoints = tuple(endpoint for endpoint in found if version_of(endpoint[0]) == own)
    if not endpoints:
        raise ConfigError("address", f"{host} has no IPv{own} address, the family this node is bound to")
    return endpoints


def why_not_found(error: OSError | ConfigError) -> str:
    """Why an address has no endpoints, for its ``SeedStatus`` or ``JoinOutcome``."""
    return error.reason if isinstance(error, ConfigError) else error.strerror or str(error)
