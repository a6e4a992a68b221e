"""From address texts to endpoints to dial."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import trio

from swim.addresses import Endpoint, parse_address, version_of
from swim.errors import ConfigError
from swim.net.transport import Transport

__all__ = ["Lookups"]

Report = Callable[[str, Sequence[Endpoint], str], None]


class Lookups:
    """Resolves ``[NAME/]HOST[:PORT]`` texts in tasks, none twice at once.

    Args:
        transport: resolves the names; a node bound to one address family dials only that one.
        default_port: for addresses without a port; the node's ``bind_port``, as in memberlist.
        timeout: seconds for one name.
        report: called with the address as given, its endpoints, and why there are none ("" if there are).
    """

    def __init__(self, transport: Transport, *, default_port: int, timeout: float, report: Report) -> None:
        self._transport = transport
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
        except ConfigError as wrong:
            error = wrong.reason
        except trio.TooSlowError:
            error = "the name lookup timed out"
        except OSError as wrong:
            error = wrong.strerror or str(wrong)
        finally:
            self._pending.discard(address)
        self._report(address, endpoints, error)

    async def _endpoints(self, address: str) -> Sequence[Endpoint]:
        parsed = parse_address(address, self._default_port)
        if parsed.literal is not None:
            found: Sequence[Endpoint] = (parsed.literal,)
        else:
            with trio.fail_after(self._timeout):
                found = await self._transport.resolve(parsed.host, parsed.port)
        own = version_of(self._transport.endpoint[0])
        reachable = tuple(endpoint for endpoint in found if version_of(endpoint[0]) == own)
        if not reachable:
            raise ConfigError(
                "address", f"{parsed.host} has no IPv{own} address, the family this node is bound to"
            )
        return reachable
