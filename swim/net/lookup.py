"""Name lookups for trio: the threads of a ``Resolver``, and the addresses that a node wants resolved."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Protocol

import trio

from swim.addresses import Endpoint, parse_address, plain_ip
from swim.errors import ConfigError
from swim.net.resolve import reachable, why_not_found
from swim.net.resolver import Resolver

__all__ = ["Lookups", "look_up"]

_resolver: trio.lowlevel.RunVar[Resolver | None] = trio.lowlevel.RunVar("resolver", None)


async def look_up(host: str, port: int) -> tuple[Endpoint, ...]:
    """Every address of a host, in the resolver's order; an IP address resolves to itself.

    Use a timeout: the resolver's own may be minutes.

    Raises:
        OSError: the name has no address or is not a host name, or too many lookups are pending.
    """
    if (address := plain_ip(host)) is not None:
        return ((str(address), port),)
    resolver = _resolver.get()
    if resolver is None:
        _resolver.set(resolver := Resolver())
    done = trio.Event()
    outcome: list[tuple[tuple[str, ...], OSError | None]] = []
    token = trio.lowlevel.current_trio_token()

    def answered(hosts: tuple[str, ...], error: OSError | None) -> None:
        outcome.append((hosts, error))
        with contextlib.suppress(trio.RunFinishedError):
            token.run_sync_soon(done.set)

    resolver.ask(host, answered)
    await done.wait()
    [(hosts, error)] = outcome
    if error is not None:
        raise error
    return tuple((found, port) for found in hosts)


class _Network(Protocol):
    @property
    def endpoint(self) -> Endpoint: ...

    async def resolve(self, host: str, port: int) -> Sequence[Endpoint]: ...


class Lookups:
    """Resolves ``[NAME/]HOST[:PORT]`` texts in tasks, none twice at once.

    Args:
        network: resolves the names; a node bound to one address family dials only that one.
        default_port: for addresses without a port; the node's ``bind_port``, as in memberlist.
        timeout: seconds for one name.
        report: called with the address as given, its endpoints, and why there are none ("" if there are).
    """

    def __init__(
        self,
        network: _Network,
        *,
        default_port: int,
        timeout: float,
        report: Callable[[str, Sequence[Endpoint], str], None],
    ) -> None:
        self._network = network
        self._default_port = default_port
        self._timeout = timeout
        self._report = report
        self._pending: set[str] = set()

    def start(self, nursery: trio.Nursery, address: str) -> None:
        """Begins one lookup unless the same one is pending."""
        if address not in self._pending:
            self._pending.add(address)
            nursery.start_soon(self._look_up, address)

    @trio.lowlevel.enable_ki_protection
    async def _look_up(self, address: str) -> None:
        endpoints: Sequence[Endpoint] = ()
        error = ""
        try:
            endpoints = await self._endpoints(address)
        except trio.TooSlowError:
            error = "the name lookup timed out"
        except (ConfigError, OSError) as wrong:
            error = why_not_found(wrong)
        finally:
            self._pending.discard(address)
        self._report(address, endpoints, error)

    async def _endpoints(self, address: str) -> Sequence[Endpoint]:
        parsed = parse_address(address, self._default_port)
        if parsed.literal is not None:
            found: Sequence[Endpoint] = (parsed.literal,)
        else:
            with trio.fail_after(self._timeout):
                found = await self._network.resolve(parsed.host, parsed.port)
        return reachable(parsed.host, found, self._network.endpoint)
